/* cmd_export.c -- `clcontrast export MODEL`: the encoder of a model for other programs. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "interrupt.h"
#include "out.h"
#include "term.h"
#include "train/export.h"

struct export_options {
    const char *out;
    int format, heads, unit, overwrite, json;
    uint64_t image_size;
};

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct export_options, member, __VA_ARGS__)

static const struct opt rows[] = {
    ROW(STR, out, .name = "out", .letter = 'o', .metavar = "FILE", .help = "file to write"),
    ROW(CHOICE, format, .name = "format", .metavar = "F", .choices = "safetensors|onnx|npz|c",
        .shown = "by the ending of --out", .help = "what FILE is to be"),
    ROW(FLAG, heads, .name = "heads",
        .help = "safetensors, npz: with the projection head and whatever else was trained"),
    ROW(FLAG, unit, .name = "normalize", .help = "onnx, c: features at length one"),
    ROW(U64, image_size, .name = "image-size", .metavar = "N", .init = "0", .shown = "the model's",
        .max = 4096, .help = "onnx, c: side of the images in pixels; cnn takes its own only"),
    OPT_OVERWRITE(struct export_options),
    ROW(FLAG, json, .name = "json", .help = "say what was written as JSON"),
    {.name = NULL},
};

/* The format that a path's ending names. */
static int format_of(enum ctr_export_format *format, const char *path)
{
    const char *dot = strrchr(path, '.');
    for (unsigned i = 0; dot && i < CTR_EXPORT_FORMATS; i++)
        if (strcmp(dot + 1, ctr_export_names[i]) == 0) {
            *format = (enum ctr_export_format)i;
            return 0;
        }
    return ctr_hint(ctr_fail(CTR_E_USAGE, "'%s' does not end with the name of a format", path),
                    "end it with .safetensors, .onnx, .npz or .c, or give --format");
}

static void report(const struct ctr_exported *e, const struct ctr_export_params *p,
                   const struct ctr_weights *w, int json)
{
    char size[24];
    if (json) {
        struct ctr_str path = {0};
        ctr_str_json(&path, p->path);
        printf(
            "{\"path\":%s,\"format\":\"%s\",\"encoder\":\"%s\",\"channels\":%u,\"image_size\":%zu,"
            "\"features\":%zu,\"values\":%zu,\"bytes\":%zu}\n",
            path.s ? path.s : "null", ctr_export_names[p->format], w->encoder->name, w->channels,
            e->image_size, e->D, e->values, e->bytes);
        ctr_str_free(&path);
        return;
    }
    term_note("wrote %s: %s, %zu x %zu x %u -> %zu features, %zu values, %s", p->path,
              w->encoder->name, e->image_size, e->image_size, w->channels, e->D, e->values,
              term_bytes(size, e->bytes));
}

static int run(void *options, const struct opt_set *set)
{
    const struct export_options *o = options;
    struct ctr_weights weights = {0};
    struct ctr_exported exported;
    struct ctr_export_params params = {.path = o->out,
                                       .format = (enum ctr_export_format)o->format,
                                       .heads = o->heads,
                                       .unit = o->unit,
                                       .image_size = (size_t)o->image_size};
    int rc = 0;
    CTR_TRY(out_given(o->out, "-o model.onnx"));
    if (o->format < 0)
        CTR_TRY(format_of(&params.format, o->out));
    CTR_TRY(out_check("out", o->out, o->overwrite));
    CTR_TRY(out_spares("out", o->out, set->args, 1));
    interrupt_catch(); /* what is begun is written: it takes a moment */
    CTR_TRY(ctr_weights_open(&weights, set->args[0]));
    CTR_TRY(ctr_export(&exported, &weights, &params));
    report(&exported, &params, &weights, o->json);
out:
    ctr_weights_close(&weights);
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast export runs/1 -o model.safetensors",
     "weights under torchvision's names; its metadata say how to load them"},
    {"clcontrast export runs/1 -o model.onnx --normalize",
     "for ONNX Runtime: image[batch,3,H,W] from 0 to 1 -> features of length one"},
    {"clcontrast export runs/1/checkpoints/last -o encoder.c",
     "one C file that needs nothing else, for small encoders"},
    {"clcontrast export runs/1 -o weights.npz", "numpy.load(\"weights.npz\")[\"conv1.weight\"]"},
    {NULL, NULL},
};

const struct cmd cmd_export = {
    .name = "export",
    .summary = "write a trained encoder as safetensors, ONNX, NumPy arrays or C",
    .args = "MODEL",
    .min_args = 1,
    .max_args = 1,
    .about = "MODEL is a run's directory (its newest checkpoint is taken), a checkpoint, or what "
             "`import` or "
             "`export` wrote. The file holds the encoder: images in, features before the "
             "projection head out. "
             "Images are values from 0 to 1 in the order of channels that they were trained in, "
             "RGB mostly; "
             "what was trained with a mean and a deviation has them inside (ONNX, C) or in its "
             "metadata. No "
             "device is needed. docs/EXPORT.md shows how each format is read.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct export_options),
    .run = run,
};
