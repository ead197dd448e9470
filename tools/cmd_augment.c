/* cmd_augment.c -- `clcontrast augment IMAGE|DIR -o FILE.png`: what training sees.
 *
 * In: one image or a data set, a line of augmentations. Out: a PNG with a row for each image: the
 * image itself, then random views of it, made by the same kernels as in training. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/os.h"
#include "cmd.h"
#include "data/data.h"
#include "data/image.h"
#include "io/json.h"
#include "io/png.h"
#include "names.h"
#include "opt_augment.h"
#include "term.h"

struct options {
    const char *out, *device, *split;
    uint64_t rows, views, size, channels, zoom, seed, epoch;
    int list, json, bits;
    struct augment_options augment;
};

static const struct opt rows[] = {
    OPT_ROW(STR, struct options, out, .name = "out", .letter = 'o', .metavar = "FILE",
            .help = "picture to write, PNG (required)"),
    OPT_ROW(FLAG, struct options, list, .name = "list", .flag_only = 1,
            .help = "print all transformations and the lines that have names, and stop"),
    OPT_ROW(FLAG, struct options, json, .name = "json", .flag_only = 1,
            .help = "with --list: as one JSON object"),
    OPT_ROW(U64, struct options, rows, .name = "rows", .letter = 'n', .metavar = "N", .init = "8",
            .min = 1, .max = 256, .help = "images taken from a data set"),
    OPT_ROW(U64, struct options, views, .name = "views", .metavar = "N", .init = "8", .min = 1,
            .max = 256, .help = "views of each image"),
    OPT_ROW(U64, struct options, size, .name = "image-size", .metavar = "PX", .min = 8, .max = 4096,
            .shown = "as train chooses it", .help = "side of images and views"),
    OPT_ROW(U64, struct options, channels, .name = "channels", .metavar = "N", .max = 16,
            .shown = "as train chooses them",
            .help = "of the images; the picture shows the first three, or one as grey"),
    OPT_ROW(CHOICE, struct options, bits, .name = "bits", .metavar = "N", .choices = "auto|8|16",
            .init = "auto", .help = "of each value, as in train"),
    OPT_ROW(STR, struct options, split, .name = "split", .metavar = "NAME", .init = "train",
            .names = &names_splits, .help = "part of the data set"),
    OPT_ROW(U64, struct options, zoom, .name = "zoom", .metavar = "N", .min = 1, .max = 64,
            .shown = "about 96 pixels a view", .help = "how often each pixel is repeated"),
    OPT_ROW(U64, struct options, seed, .name = "seed", .metavar = "N", .init = "1",
            .help = "other seeds give other views"),
    OPT_ROW(U64, struct options, epoch, .name = "epoch", .metavar = "N", .init = "0",
            .max = UINT32_MAX, .help = "show the views of this epoch"),
    OPT_DEVICE(struct options),
    {.name = NULL},
};

static const struct cmd_example examples[] = {
    {"clcontrast augment cat.jpg -o views.png", "eight views of one picture"},
    {"clcontrast augment photos --augment 'crop(0.3) flip jitter(.8,.8,.8,.2;1)' -o strong.png",
     "others than the usual views"},
    {"clcontrast augment shapes --augment 'small | none' --views 2 -o views.png",
     "the first view as for small images, the second the image itself"},
    {"clcontrast augment --list", "all transformations"},
    {NULL, NULL},
};

#define ABOUT                                                                                      \
    "Shows what training sees: a picture with a row for each image, the image itself on the "      \
    "left, "                                                                                       \
    "random views of it beside, made by the same kernels as in `train`. A view depends on the "    \
    "seed, the epoch and the number of the image in its data set, on nothing else."

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

static int read_file(struct set *set, const char *path, const struct options *o)
{
    void *bytes = NULL;
    size_t n = 0;
    struct ctr_image image = {0};
    int rc = 0;
    CTR_TRY(ctr_file_read(&bytes, &n, path, CTR_IMAGE_MAX_FILE));
    rc = ctr_image_decode(&image, bytes, n, (unsigned)o->size);
    if (rc)
        CTR_TRY(ctr_fail_in(rc, "%s", path));
    size_t side = image.width < image.height ? image.width : image.height;
    set->n = 1;
    set->size = o->size ? o->size : side > 224 ? 224 : side;
    set->channels = o->channels ? o->channels : ctr_pixel_usual(image.pixel);
    set->bytes = o->bits ? (size_t)o->bits : image.pixel.bytes;
    CTR_TRY(make_room(set));
    CTR_TRY(ctr_image_fit(&image, (unsigned)set->size));
    rc = ctr_image_convert(&image, (unsigned)set->channels, (unsigned)set->bytes);
    if (rc)
        CTR_TRY(ctr_fail_in(rc, "%s", path));
    memcpy(set->pixels, image.pixels, ctr_image_bytes(&image));
out:
    ctr_image_free(&image);
    free(bytes);
    return rc;
}

/* Images from all over the data set, for folders are read class by class. */
static int read_data(struct set *set, const char *path, const struct options *o)
{
    struct ctr_data *data = NULL;
    int rc = 0;
    CTR_TRY(ctr_data_open(&data, &(struct ctr_data_params){.path = path,
                                                           .split = o->split,
                                                           .image_size = (unsigned)o->size,
                                                           .channels = (unsigned)o->channels,
                                                           .bits = 8 * (unsigned)o->bits}));
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

static int read_images(struct set *set, const char *path, const struct options *o)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode) && !ctr_data_is_file(path))
        return read_file(set, path, o);
    return read_data(set, path, o);
}

/* ---- views ---- */

struct inputs {
    struct ctr_augment_source source;
    ctr_tensor *step;
};

static int write_inputs(const struct inputs *in, const struct set *set, const struct options *o)
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
static int run_device(float *out, const struct set *set, const struct options *o,
                      const struct ctr_augment_params *params)
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
    in.source.images = ctr_graph_input(g, "images", set->bytes == 1 ? CTR_U8 : CTR_U16, 4,
                                       (size_t[]){set->n, set->size, set->size, set->channels});
    in.source.index = ctr_graph_input(g, "index", CTR_U32, 1, &set->n);
    in.step = ctr_graph_input(g, "step", CTR_U32, 1, &words);
    ctr_tensor *views = ctr_augment(g, in.source, in.step, o->views, set->size, set->size, params);
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
                to[c] = !pixels           ? (uint8_t)(values[i] * 255 + 0.5f)
                        : set->bytes == 1 ? pixels[i]
                                          : (uint8_t)((((const uint16_t *)pixels)[i] + 128) / 257);
            }
        }
}

static int draw_grid(struct grid *grid, const struct set *set, const float *views,
                     const struct options *o)
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

/* ---- the list; docs/AUGMENTATION.md has it, too ---- */

static void list_transform(struct ctr_str *s, const struct ctr_transform *t)
{
    struct ctr_str text = {0};
    ctr_str_addf(s, "%s%s(", s->n ? "\n" : "", t->name);
    ctr_str_addf(&text, "%s. As in %s.", t->help, t->source);
    for (int i = 0; i < CTR_STAGE_VALUES && t->value[i].name; i++) {
        const struct ctr_value *v = &t->value[i];
        ctr_str_addf(s, "%s%s=%.4g", i ? ", " : "", v->name, v->init);
        ctr_str_addf(&text, "%s %s %g to %g", i ? "," : " Ranges:", v->name, v->min, v->max);
    }
    ctr_str_addf(s, "%sp=%g)\n    ", t->value[0].name ? "; " : "", t->p);
    ctr_str_addf(&text, "%s", t->value[0].name ? "." : "");
    if (text.s)
        opt_wrap(s, text.s, 4, 4, 80);
    ctr_str_free(&text);
}

static int list(void)
{
    struct ctr_str s = {0};
    for (int i = 0; i < CTR_TRANSFORMS; i++)
        list_transform(&s, &ctr_transforms[i]);
    ctr_str_addf(&s, "\nNames that stand for lines:\n");
    for (const struct ctr_augment_preset *p = ctr_augment_presets; p->name; p++) {
        ctr_str_addf(&s, "\n%s\n    %s%s", p->name, p->line, *p->line ? "\n    " : "");
        opt_wrap(&s, p->help, 4, 4, 80);
    }
    int rc = s.failed ? CTR_E_FAIL : 0;
    if (rc == 0)
        fputs(s.s, stdout);
    ctr_str_free(&s);
    return rc;
}

static void json_transform(struct ctr_str *s, const struct ctr_transform *t)
{
    ctr_str_addf(s, "{\"name\":");
    ctr_str_json(s, t->name);
    ctr_str_addf(s, ",\"help\":");
    ctr_str_json(s, t->help);
    ctr_str_addf(s, ",\"source\":");
    ctr_str_json(s, t->source);
    ctr_str_addf(s, ",\"p\":");
    ctr_str_json_num(s, t->p);
    ctr_str_addf(s, ",\"values\":[");
    for (int i = 0; i < CTR_STAGE_VALUES && t->value[i].name; i++) {
        const struct ctr_value *v = &t->value[i];
        const struct ctr_json_field fields[] = {
            ctr_json_str("name", v->name), ctr_json_num("default", v->init),
            ctr_json_num("min", v->min), ctr_json_num("max", v->max)};
        ctr_str_addf(s, i ? "," : "");
        ctr_json_object(s, fields, sizeof fields / sizeof *fields);
    }
    ctr_str_addf(s, "]}");
}

static int list_json(void)
{
    struct ctr_str s = {0};
    ctr_str_addf(&s, "{\"schema\":1,\"transformations\":[");
    for (int i = 0; i < CTR_TRANSFORMS; i++) {
        ctr_str_addf(&s, i ? ",\n" : "\n");
        json_transform(&s, &ctr_transforms[i]);
    }
    ctr_str_addf(&s, "],\n\"lines\":[");
    for (const struct ctr_augment_preset *p = ctr_augment_presets; p->name; p++) {
        const struct ctr_json_field fields[] = {ctr_json_str("name", p->name),
                                                ctr_json_str("line", p->line),
                                                ctr_json_str("help", p->help)};
        ctr_str_addf(&s, p == ctr_augment_presets ? "\n" : ",\n");
        ctr_json_object(&s, fields, sizeof fields / sizeof *fields);
    }
    ctr_str_addf(&s, "]}\n");
    int rc = s.failed ? CTR_E_FAIL : 0;
    if (rc == 0)
        fputs(s.s, stdout);
    ctr_str_free(&s);
    return rc;
}

static int show(const char *path, const struct options *o)
{
    struct ctr_augment_params params;
    struct set set = {0};
    struct grid grid = {0};
    float *views = NULL;
    int rc = 0;
    CTR_TRY(augment_params(&params, &o->augment));
    CTR_TRY(read_images(&set, path, o));
    views = ctr_alloc(o->views * set.n, set.size * set.size * set.channels * sizeof *views);
    if (!views)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(run_device(views, &set, o, &params));
    CTR_TRY(draw_grid(&grid, &set, views, o));
    CTR_TRY(ctr_png_write(o->out, grid.rgb, (unsigned)grid.width, (unsigned)grid.height, 3, 0));
    term_note("wrote %s: %zu images and %zu views of each, %zux%zu pixels", o->out, set.n,
              (size_t)o->views, set.size, set.size);
out:
    free(grid.rgb);
    free(views);
    free(set.index);
    free(set.pixels);
    return rc;
}

static int run(int argc, char **argv)
{
    struct options o;
    struct opt_set options = {0};
    int rc = 0;
    options.elsewhere = augment_elsewhere;
    CTR_TRY(cmd_options(&options, &cmd_augment, &o));
    CTR_TRY(opt_add(&options, "Augmentation", augment_rows, &o.augment));
    CTR_TRY(cmd_parse(&options, &cmd_augment, argc, argv));
    if (o.list)
        CTR_TRY(o.json ? list_json() : list());
    else if (options.n_args == 0)
        CTR_TRY(ctr_hint(ctr_fail(CTR_E_USAGE, "no image and no data set given"),
                         "for example clcontrast augment photos -o views.png"));
    else if (!o.out)
        CTR_TRY(ctr_hint(ctr_fail(CTR_E_USAGE, "no --out given"), "for example -o views.png"));
    else
        CTR_TRY(show(options.args[0], &o));
out:
    opt_finish(&options);
    return rc;
}

const struct cmd cmd_augment = {
    .name = "augment",
    .summary = "show the views that training makes of images",
    .args = "IMAGE|DIR",
    .max_args = 1,
    .about = ABOUT,
    .examples = examples,
    .options = rows,
    .run = run,
};
