/* image_jpeg.c -- JPEG by libjpeg-turbo (the API of libjpeg 6b; usage after its example.txt).
 * In: bytes. Out: RGB, or grey where the file is, at 1/2, 1/4 or 1/8 when that is still twice the
 * wanted size, and then without the columns that resizing does not look at. Invariants: libjpeg
 * never exits or prints; missing or corrupt data is an error, a stray byte between segments is not
 * (cameras write them). */
#include "data/image.h"
#include "base/status.h"

#ifdef CTR_HAVE_JPEG

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <jerror.h>

/* A progressive file may name the same coefficients again and again; real ones have about ten. */
#define MAX_SCANS 256

/* Columns beside those needed: the colours of the outermost lack the neighbours that they are
 * smoothed with. */
#define EDGE 4

struct jpeg {
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr error;
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    struct ctr_image image;
    uint8_t *row; /* one CMYK row */
    int rc;
};

static void on_error(j_common_ptr d)
{
    struct jpeg *j = d->client_data;
    char text[JMSG_LENGTH_MAX];
    d->err->format_message(d, text);
    j->rc = ctr_fail(CTR_E_DATA, "JPEG: %s", text);
    longjmp(j->back, 1);
}

static void on_message(j_common_ptr d, int level)
{
    if (level >= 0)
        return;
    switch (d->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
        on_error(d);
        break;
    default:
        d->err->num_warnings++;
    }
}

static void no_output(j_common_ptr d)
{
    (void)d;
}

static void on_progress(j_common_ptr d)
{
    struct jpeg *j = d->client_data;
    if (d->is_decompressor && j->d.input_scan_number > MAX_SCANS) {
        j->rc = ctr_fail(CTR_E_DATA, "JPEG: more than %d scans", MAX_SCANS);
        longjmp(j->back, 1);
    }
}

/* The largest of 1, 2, 4, 8 that leaves at least twice the wanted shorter side. */
static unsigned scale_denominator(unsigned side, unsigned want)
{
    unsigned denominator = 1;
    while (want > 0 && denominator < 8 && side / (denominator * 2) >= 2 * want)
        denominator *= 2;
    return denominator;
}

/* Adobe's CMYK is stored inverted: 255 is no ink. Files without Adobe's marker are read alike, as
 * PIL and stb do. */
static void cmyk_to_rgb(uint8_t *rgb, const uint8_t *cmyk, unsigned n)
{
    for (unsigned x = 0; x < n; x++, rgb += 3, cmyk += 4)
        for (int c = 0; c < 3; c++)
            rgb[c] = (uint8_t)((cmyk[c] * cmyk[3] + 127) / 255);
}

/* Leaves out what lies beside the columns needed; the first column that is decoded. */
static unsigned leave_out_columns(struct jpeg *j, unsigned want)
{
    JDIMENSION first = 0, end = 0, n;
#ifdef LIBJPEG_TURBO_VERSION_NUMBER
    ctr_image_fit_columns(&first, &end, j->d.output_width, j->d.output_height, want);
    first = first > EDGE ? first - EDGE : 0;
    n = (end + EDGE < j->d.output_width ? end + EDGE : j->d.output_width) - first;
    if (n < j->d.output_width)
        jpeg_crop_scanline(&j->d, &first, &n);
#endif
    return first;
}

static void decode(struct jpeg *j, const void *bytes, size_t n, unsigned want)
{
    jpeg_create_decompress(&j->d);
    j->d.progress = &j->progress;
    jpeg_mem_src(&j->d, bytes, (unsigned long)n);
    jpeg_read_header(&j->d, TRUE);
    j->rc = ctr_image_check_size(j->d.image_width, j->d.image_height);
    if (j->rc != 0)
        return;
    unsigned side = j->d.image_width < j->d.image_height ? j->d.image_width : j->d.image_height;
    int cmyk = j->d.jpeg_color_space == JCS_CMYK || j->d.jpeg_color_space == JCS_YCCK;
    int grey = j->d.jpeg_color_space == JCS_GRAYSCALE;
    unsigned channels = grey ? 1 : 3;
    j->d.out_color_space = cmyk ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
    j->d.scale_num = 1;
    j->d.scale_denom = scale_denominator(side, want);
    jpeg_start_decompress(&j->d);
    j->rc = ctr_image_alloc(&j->image, j->d.output_width, j->d.output_height,
                            (struct ctr_pixel){.channels = channels, .bytes = 1});
    if (j->rc == 0 && cmyk && !(j->row = malloc((size_t)j->d.output_width * 4)))
        j->rc = ctr_fail(CTR_E_FAIL, "out of host memory");
    unsigned left = j->rc == 0 && want > 0 ? leave_out_columns(j, want) : 0;
    while (j->rc == 0 && j->d.output_scanline < j->d.output_height) {
        uint8_t *to =
            j->image.pixels + ((size_t)j->d.output_scanline * j->image.width + left) * channels;
        JSAMPROW row = cmyk ? j->row : to;
        if (jpeg_read_scanlines(&j->d, &row, 1) != 1)
            j->rc = ctr_fail(CTR_E_DATA, "JPEG: truncated");
        else if (cmyk)
            cmyk_to_rgb(to, j->row, j->d.output_width);
    }
}

int ctr_image_decode_jpeg(struct ctr_image *out, const void *bytes, size_t n, unsigned want)
{
    struct jpeg *j = calloc(1, sizeof *j); /* on the heap: its fields must survive longjmp */
    if (!j)
        return ctr_fail(CTR_E_FAIL, "out of host memory");
    j->d.err = jpeg_std_error(&j->error);
    j->d.client_data = j;
    j->error.error_exit = on_error;
    j->error.emit_message = on_message;
    j->error.output_message = no_output;
    j->progress.progress_monitor = on_progress;
    if (setjmp(j->back) == 0)
        decode(j, bytes, n, want);
    jpeg_destroy_decompress(&j->d);
    free(j->row);
    int rc = j->rc;
    if (rc == 0)
        *out = j->image;
    else
        ctr_image_free(&j->image);
    free(j);
    return rc;
}

#endif
