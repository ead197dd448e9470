/* sample.c -- what the images of a folder are, by the heads of some of them. In: their names below
 * a directory. Out: median of the shorter side, pixels (the fewest bytes a value), width and height
 * where all have the same. Files that cannot be read say nothing. */
#include "data/source.h"

#include <stdlib.h>

#define SAMPLE_FILES 64 /* evenly over the list */
#define SAMPLE_BYTES ((size_t)256 << 10)

static int by_side(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return (x > y) - (x < y);
}

/* By the first bytes, or where they do not tell it (TIFF may keep it at the end) by all of them. */
static int read_header(struct ctr_image *out, const char *name, int root_fd)
{
    static const size_t most[] = {SAMPLE_BYTES, CTR_IMAGE_MAX_FILE};
    int rc = CTR_E_DATA;
    size_t n = SAMPLE_BYTES;
    for (int i = 0; i < 2 && rc != 0 && n == SAMPLE_BYTES; i++) {
        void *bytes = NULL;
        if (ctr_read_below(&bytes, &n, root_fd, name, most[i], 1) != 0)
            return CTR_E_DATA;
        rc = ctr_image_header(out, bytes, n);
        free(bytes);
    }
    return rc;
}

void ctr_source_sample(struct ctr_source *s, int root_fd)
{
    unsigned side[SAMPLE_FILES];
    struct ctr_image first = {0};
    size_t n = 0, m = s->n < SAMPLE_FILES ? s->n : SAMPLE_FILES;
    int equal = 1;
    for (size_t i = 0; i < m; i++) {
        struct ctr_image h;
        if (read_header(&h, s->names[i * s->n / m], root_fd) == 0) {
            if (n == 0)
                first = h;
            if (h.pixel.bytes < first.pixel.bytes)
                first.pixel.bytes = h.pixel.bytes;
            equal = equal && h.width == first.width && h.height == first.height;
            side[n++] = h.width < h.height ? h.width : h.height;
        }
    }
    if (n == 0)
        return;
    qsort(side, n, sizeof *side, by_side);
    s->median_side = side[n / 2];
    s->pixel = first.pixel;
    if (equal) {
        s->width = first.width;
        s->height = first.height;
    }
}
