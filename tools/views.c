/* views.c -- see views.h. The views come from the same kernels as in training. */
#include "views.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/os.h"
#include "data/data.h"
#include "data/image.h"

/* Images on the host, square, and their numbers in the data set, which the draws follow. */
struct set {
    uint8_t *pixels; /* [n][size][size][channels], of `bytes` each */
    uint32_t *index;
    size_t n, size, channels, bytes;
};

static int make_room(struct set *set)
{
    set->pixels = ctr_alloc(set->n, set->size * set->size * set->channels * set->bytes);
    set->index = ctr_alloc(set->n, sizeof *set->index);
    return set->pixels && set->index ? 0 : CTR_E_FAIL;
}

/* ---- images ---- */

static int read_file(struct set *set, const struct views_params *o)
{
    void *bytes = NULL;
    size_t n = 0;
    struct ctr_image image = {0};
    int rc = 0;
    CTR_TRY(ctr_file_read(&bytes, &n, o->path, CTR_IMAGE_MAX_FILE));
    rc = ctr_image_decode(&image, bytes, n, (unsigned)o->size);
    if (rc)
        CTR_TRY(ctr_fail_in(rc, "%s", o->path));
    size_t side = image.width < image.height ? image.width : image.height;
    set->n = 1;
    set->size = o->size ? o->size : side > 224 ? 224 : side;
    set->channels = o->channels ? o->channels : ctr_pixel_usual(image.pixel);
    set->bytes = o->bits ? (size_t)o->bits / 8 : image.pixel.bytes;
    CTR_TRY(make_room(set));
    CTR_TRY(ctr_image_fit(&image, (unsigned)set->size));
    rc = ctr_image_convert(&image, (unsigned)set->channels, (unsigned)set->bytes);
    if (rc)
        CTR_TRY(ctr_fail_in(rc, "%s", o->path));
    memcpy(set->pixels, image.pixels, ctr_image_bytes(&image));
out:
    ctr_image_free(&image);
    free(bytes);
    return rc;
}

/* Images from all over the data set, for folders are read class by class. */
static int read_data(struct set *set, const struct views_params *o)
{
    struct ctr_data *data = NULL;
    int rc = 0;
    CTR_TRY(ctr_data_open(&data, &(struct ctr_data_params){.path = o->path,
                                                           .split = o->split,
                                                           .image_size = (unsigned)o->size,
                                                           .channels = (unsigned)o->channels,
                                                           .bits = (unsigned)o->bits,
                                                           .max_bad = o->max_bad}));
    const struct ctr_data_info *info = ctr_data_info(data);
    set->n = info->n < o->rows ? info->n : o->rows;
    set->size = info->height;
    set->channels = info->channels;
    set->bytes = info->sample_bytes;
    CTR_TRY(make_room(set));
    for (size_t i = 0; i < set->n; i++)
        set->index[i] = (uint32_t)(i * info->n / set->n);
    CTR_TRY(ctr_data_read(data, set->pixels, NULL, set->index, set->n));
out:
    ctr_data_close(&data);
    return rc;
}

static int read_images(struct set *set, const struct views_params *o)
{
    struct stat st;
    if (stat(o->path, &st) == 0 && !S_ISDIR(st.st_mode) && !ctr_data_is_file(o->path))
        return read_file(set, o);
    return read_data(set, o);
}

/* ---- views ---- */

struct inputs {
    struct ctr_augment_source source;
    ctr_tensor *step;
};

static int write_inputs(const struct inputs *in, const struct set *set, const struct views_params *o)
{
    uint32_t step[CTR_STEP_WORDS] = {(uint32_t)o->seed, (uint32_t)(o->seed >> 32),
                                     (uint32_t)o->epoch};
    int rc = 0;
    CTR_TRY(ctr_tensor_write(in->source.images, set->pixels, in->source.images->bytes));
    CTR_TRY(ctr_tensor_write(in->source.index, set->index, in->source.index->bytes));
    CTR_TRY(ctr_tensor_write(in->step, step, sizeof step));
out:
    return rc;
}

/* out[views][n][size][size][channels] */
static int run_device(float *out, const struct set *set, const struct views_params *o)
{
    ctr_dev *dev = NULL;
    ctr_store *store = NULL;
    ctr_graph *g = NULL;
    struct inputs in = {.source.stream = 1};
    size_t words = CTR_STEP_WORDS;
    int rc = 0;
    CTR_TRY(ctr_dev_open(&dev, o->device, NULL));
    CTR_TRY(ctr_store_create(&store, dev));
    CTR_TRY(ctr_graph_create(&g, dev, store));
    in.source.images =
        ctr_graph_input(g, "images", set->bytes == 1 ? CTR_U8 : CTR_U16, 4,
                        (size_t[]){set->n, set->size, set->size, set->channels});
    in.source.index = ctr_graph_input(g, "index", CTR_U32, 1, &set->n);
    in.step = ctr_graph_input(g, "step", CTR_U32, 1, &words);
    ctr_tensor *views = ctr_augment(g, in.source, in.step, o->views, set->size, set->size, o->augment);
    ctr_graph_keep(views);
    CTR_TRY(ctr_graph_status(g));
    CTR_TRY(ctr_graph_plan(g, NULL));
    CTR_TRY(ctr_graph_lower(g));
    CTR_TRY(ctr_dev_build(dev, 0, NULL, NULL));
    CTR_TRY(write_inputs(&in, set, o));
    CTR_TRY(ctr_graph_replay(g));
    CTR_TRY(ctr_tensor_read(out, views, views->bytes));
out:
    ctr_graph_destroy(&g);
    ctr_store_destroy(&store);
    ctr_dev_destroy(&dev);
    return rc;
}

/* ---- the picture ---- */

#define GAP 2 /* pixels between cells, white */

struct grid {
    uint8_t *rgb;
    size_t width, height, zoom, cell; /* cell: side of a zoomed image and one gap */
};

/* An image, or (pixels NULL) a view; of many channels the first three, of two the first. */
static void put_cell(struct grid *grid, size_t row, size_t column, const struct set *set,
                     const uint8_t *pixels, const float *values)
{
    const size_t size = set->size;
    for (size_t y = 0; y < size * grid->zoom; y++)
        for (size_t x = 0; x < size * grid->zoom; x++) {
            size_t from = (y / grid->zoom * size + x / grid->zoom) * set->channels;
            uint8_t *to =
                grid->rgb +
                ((row * grid->cell + GAP + y) * grid->width + column * grid->cell + GAP + x) * 3;
            for (size_t c = 0; c < 3; c++) {
                size_t i = from + (set->channels < 3 ? 0 : c);
                to[c] = !pixels          ? (uint8_t)(values[i] * 255 + 0.5f)
                        : set->bytes == 1 ? pixels[i]
                                          : (uint8_t)((((const uint16_t *)pixels)[i] + 128) / 257);
            }
        }
}

static int draw_grid(struct grid *grid, const struct set *set, const float *views,
                     const struct views_params *o)
{
    const size_t count = set->size * set->size * set->channels;
    grid->zoom = o->zoom ? o->zoom : set->size < 96 ? 96 / set->size : 1;
    grid->cell = set->size * grid->zoom + GAP;
    grid->width = (o->views + 1) * grid->cell + GAP;
    grid->height = set->n * grid->cell + GAP;
    if (grid->width > 65535 || grid->height > 65535)
        return ctr_fail(CTR_E_USAGE, "a picture of %zux%zu pixels is too large; show less",
                        grid->width, grid->height);
    grid->rgb = ctr_alloc(grid->width * grid->height, 3);
    if (!grid->rgb)
        return CTR_E_FAIL;
    memset(grid->rgb, 255, grid->width * grid->height * 3);
    for (size_t n = 0; n < set->n; n++) {
        put_cell(grid, n, 0, set, set->pixels + n * count * set->bytes, NULL);
        for (size_t v = 0; v < o->views; v++)
            put_cell(grid, n, v + 1, set, NULL, views + (v * set->n + n) * count);
    }
    return 0;
}

int views_draw(struct views *out, const struct views_params *o)
{
    struct set set = {0};
    struct grid grid = {0};
    float *views = NULL;
    int rc = 0;
    CTR_TRY(read_images(&set, o));
    views = ctr_alloc(o->views * set.n, set.size * set.size * set.channels * sizeof *views);
    if (!views)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(run_device(views, &set, o));
    CTR_TRY(draw_grid(&grid, &set, views, o));
    *out = (struct views){grid.rgb, (unsigned)grid.width, (unsigned)grid.height, set.n, set.size};
    grid.rgb = NULL;
out:
    free(grid.rgb);
    free(views);
    free(set.index);
    free(set.pixels);
    return rc;
}
