/* cmd_augment.c -- `clcontrast augment IMAGE|DIR -o FILE.png`: what training sees.
 *
 * In: one image or a data set, a line of augmentations. Out: a PNG with a row for each image: the
 * image itself, then random views of it, made by the same kernels as in training. */
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "io/json.h"
#include "io/png.h"
#include "names.h"
#include "opt_train.h"
#include "out.h"
#include "opt_augment.h"
#include "term.h"
#include "views.h"

struct options {
    const char *out, *device, *split, *local_augment;
    uint64_t rows, views, size, view_size, local_views, local_size, channels, zoom, seed, epoch;
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
            .shown = "as train chooses it", .help = "side of images"),
    SETTING_IN(struct options, view_size, view_size, .name = "view-size", .metavar = "PX",
               .shown = "the images' side", .help = "side of the views"),
    SETTING_IN(struct options, local_views, local_views, .name = "local-views", .metavar = "N",
               .help = "smaller views behind them, as train makes them"),
    SETTING_IN(struct options, local_size, local_size, .name = "local-size", .metavar = "PX",
               .shown = "half the other views'", .help = "their side"),
    SETTING_IN(struct options, local_augment, local_augment, .name = "local-augment",
               .metavar = "LINE", .check = augment_local_check, .help = "what is done to them"),
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
    return term_print(&s);
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
    return term_print(&s);
}

/* "wrote views.png: 4 images of 64x64 pixels, 2 views of 32x32, 3 of 16x16". */
static void say_written(const char *path, const struct views *p, const struct options *o)
{
    char local[64] = "";
    if (o->local_views)
        snprintf(local, sizeof local, ", %zu of %zux%zu", (size_t)o->local_views, p->local_size,
                 p->local_size);
    term_note("wrote %s: %zu image%s of %zux%zu pixels, %zu view%s of %zux%zu%s", path, p->n,
              p->n == 1 ? "" : "s", p->size, p->size, (size_t)o->views, o->views == 1 ? "" : "s",
              p->view_size, p->view_size, local);
}

static int show(const char *path, const struct options *o)
{
    struct ctr_augment_params augment, local;
    struct views picture = {0};
    int rc = 0;
    CTR_TRY(out_given(o->out, "-o views.png"));
    CTR_TRY(out_check("out", o->out, 1));
    CTR_TRY(out_spares("out", o->out, &path, 1));
    CTR_TRY(augment_params(&augment, &o->augment));
    CTR_TRY(ctr_augment_parse(&local, o->local_augment));
    local.cubic = augment.cubic;
    CTR_TRY(views_draw(&picture,
                       &(struct views_params){.path = path,
                                              .split = o->split,
                                              .device = o->device,
                                              .rows = o->rows,
                                              .size = o->size,
                                              .channels = o->channels,
                                              .bits = 8 * (uint64_t)o->bits,
                                              .zoom = o->zoom,
                                              .seed = o->seed,
                                              .epoch = o->epoch,
                                              .views = {o->views, o->view_size, &augment},
                                              .local = {o->local_views, o->local_size, &local}}));
    CTR_TRY(ctr_png_write(o->out, picture.rgb, picture.width, picture.height, 3, 0));
    say_written(o->out, &picture, o);
out:
    free(picture.rgb);
    return rc;
}

static int tables(struct opt_set *set, void *options, int argc, char **argv)
{
    struct options *o = options;
    set->elsewhere = augment_elsewhere;
    int rc = cmd_options(set, &cmd_augment, o);
    return rc ? rc : opt_add(set, "Augmentation", augment_rows, &o->augment);
}

static int run(void *options, const struct opt_set *set)
{
    const struct options *o = options;
    if (o->list)
        return o->json ? list_json() : list();
    if (set->n_args == 0)
        return ctr_hint(ctr_fail(CTR_E_USAGE, "no image and no data set given"),
                        "for example clcontrast augment photos -o views.png");
    return show(set->args[0], o);
}

const struct cmd cmd_augment = {
    .name = "augment",
    .summary = "show the views that training makes of images",
    .args = "IMAGE|DIR",
    .max_args = 1,
    .about = ABOUT,
    .examples = examples,
    .options = rows,
    .tables = tables,
    .bytes = sizeof(struct options),
    .run = run,
};
