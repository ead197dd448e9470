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

enum { VIEWS, LOCAL, KINDS };

/* What is recorded, and what comes of it. */
struct made {
    struct ctr_augment_source source;
    ctr_tensor *step, *views[KINDS];
    float *values[KINDS]; /* [views][n][size][size][channels] */
    size_t n[KINDS], size[KINDS];
};

static int write_inputs(const struct made *m, const struct set *set, const struct views_params *o)
{
    uint32_t step[CTR_STEP_WORDS] = {(uint32_t)o->seed, (uint32_t)(o->seed >> 32),
                                     (uint32_t)o->epoch};
    int rc = 0;
    CTR_TRY(ctr_tensor_write(m->source.images, set->pixels, m->source.images->bytes));
    CTR_TRY(ctr_tensor_write(m->source.index, set->index, m->source.index->bytes));
    CTR_TRY(ctr_tensor_write(m->step, step, sizeof step));
out:
    return rc;
}

/* Local views go on counting, as in training (train/pass.c). */
static void record(ctr_graph *g, struct made *m, const struct set *set, const struct views_params *o)
{
    const struct views_kind *kind[KINDS] = {&o->views, &o->local};
    size_t words = CTR_STEP_WORDS;
    m->source.stream = 1;
    m->source.images = ctr_graph_input(g, "images", set->bytes == 1 ? CTR_U8 : CTR_U16, 4,
                                       (size_t[]){set->n, set->size, set->size, set->channels});
    m->source.index = ctr_graph_input(g, "index", CTR_U32, 1, &set->n);
    m->step = ctr_graph_input(g, "step", CTR_U32, 1, &words);
    for (int k = 0; k < KINDS; k++) {
        if (kind[k]->n == 0)
            continue;
        struct ctr_augment_params line = *kind[k]->augment;
        line.first_view = k == LOCAL ? (uint32_t)o->views.n : 0;
        m->n[k] = (size_t)kind[k]->n;
        m->size[k] = kind[k]->size ? (size_t)kind[k]->size : k == LOCAL ? (m->size[VIEWS] + 1) / 2 : set->size;
        m->views[k] = ctr_augment(g, m->source, m->step, m->n[k], m->size[k], m->size[k], &line);
        ctr_graph_keep(m->views[k]);
    }
}

static int read_views(struct made *m)
{
    int rc = 0;
    for (int k = 0; rc == 0 && k < KINDS; k++) {
        const ctr_tensor *t = m->views[k];
        if (!t)
            continue;
        m->values[k] = ctr_alloc(t->count, sizeof(float));
        rc = m->values[k] ? ctr_tensor_read(m->values[k], t, t->bytes) : CTR_E_FAIL;
    }
    return rc;
}

static int run_device(struct made *m, const struct set *set, const struct views_params *o)
{
    ctr_dev *dev = NULL;
    ctr_store *store = NULL;
    ctr_graph *g = NULL;
    int rc = 0;
    CTR_TRY(ctr_dev_open(&dev, o->device, NULL));
    CTR_TRY(ctr_store_create(&store, dev));
    CTR_TRY(ctr_graph_create(&g, dev, store));
    record(g, m, set, o);
    CTR_TRY(ctr_graph_status(g));
    CTR_TRY(ctr_graph_plan(g, NULL));
    CTR_TRY(ctr_graph_lower(g));
    CTR_TRY(ctr_dev_build(dev, 0, NULL, NULL));
    CTR_TRY(write_inputs(m, set, o));
    CTR_TRY(ctr_graph_replay(g));
    CTR_TRY(read_views(m));
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
    size_t width, height, zoom, cell; /* cell: side of the largest zoomed image or view and one gap */
};

/* An image, or (pixels NULL) a view, of side `size`; of many channels the first three, of two the first. */
static void put_cell(struct grid *grid, size_t row, size_t column, const struct set *set, size_t size,
                     const uint8_t *pixels, const float *values)
{
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

static int make_grid(struct grid *grid, const struct set *set, const struct made *m,
                     const struct views_params *o)
{
    size_t side = set->size;
    for (int k = 0; k < KINDS; k++)
        side = m->size[k] > side ? m->size[k] : side;
    grid->zoom = o->zoom ? o->zoom : set->size < 96 ? 96 / set->size : 1;
    grid->cell = side * grid->zoom + GAP;
    grid->width = (1 + m->n[VIEWS] + m->n[LOCAL]) * grid->cell + GAP;
    grid->height = set->n * grid->cell + GAP;
    if (grid->width > 65535 || grid->height > 65535)
        return ctr_fail(CTR_E_USAGE, "a picture of %zux%zu pixels is too large; show less",
                        grid->width, grid->height);
    grid->rgb = ctr_alloc(grid->width * grid->height, 3);
    if (!grid->rgb)
        return CTR_E_FAIL;
    memset(grid->rgb, 255, grid->width * grid->height * 3);
    return 0;
}

/* The images on the left, beside each its views. */
static void fill_grid(struct grid *grid, const struct set *set, const struct made *m)
{
    const size_t bytes = set->size * set->size * set->channels * set->bytes;
    for (size_t i = 0; i < set->n; i++) {
        size_t column = 0;
        put_cell(grid, i, column++, set, set->size, set->pixels + i * bytes, NULL);
        for (int k = 0; k < KINDS; k++)
            for (size_t v = 0; v < m->n[k]; v++)
                put_cell(grid, i, column++, set, m->size[k], NULL,
                         m->values[k] +
                             (v * set->n + i) * m->size[k] * m->size[k] * set->channels);
    }
}

int views_draw(struct views *out, const struct views_params *o)
{
    struct set set = {0};
    struct grid grid = {0};
    struct made made = {0};
    int rc = 0;
    CTR_TRY(read_images(&set, o));
    CTR_TRY(run_device(&made, &set, o));
    CTR_TRY(make_grid(&grid, &set, &made, o));
    fill_grid(&grid, &set, &made);
    *out = (struct views){.rgb = grid.rgb,
                          .width = (unsigned)grid.width,
                          .height = (unsigned)grid.height,
                          .n = set.n,
                          .size = set.size,
                          .view_size = made.size[VIEWS],
                          .local_size = made.size[LOCAL]};
out:
    for (int k = 0; k < KINDS; k++)
        free(made.values[k]);
    free(set.index);
    free(set.pixels);
    return rc;
}
