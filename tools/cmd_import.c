/* cmd_import.c -- `clcontrast import FILE`: weights trained elsewhere as a model of ours. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "interrupt.h"
#include "names.h"
#include "out.h"
#include "term.h"
#include "train/import.h"

struct import_options {
    const char *out, *encoder, *normalize;
    int stem, overwrite, json;
    uint64_t image_size;
};

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct import_options, member, __VA_ARGS__)

static int check_normalize(const char *text)
{
    struct ctr_normalize n;
    int rc = ctr_normalize_parse(&n, text);
    return rc ? ctr_fail_in(rc, "--normalize") : 0;
}

static const struct opt rows[] = {
    ROW(STR, out, .name = "out", .letter = 'o', .metavar = "FILE",
        .help = "model to write, a .safetensors file"),
    ROW(STR, encoder, .name = "encoder", .metavar = "NAME", .shown = "the one that fits",
        .names = &names_encoders, .help = "the network"),
    ROW(CHOICE, stem, .name = "stem", .metavar = "KIND", .choices = "auto|cifar|strided|imagenet",
        .init = "auto",
        .help = "first layers of a resnet; auto: imagenet for 7x7, cifar for 3x3, which strided "
                "has as well"),
    ROW(U64, image_size, .name = "image-size", .metavar = "PIXELS", .init = "0",
        .shown = "224 with the stem imagenet, else 32", .max = 4096,
        .help = "side of the images that it is to see"),
    ROW(STR, normalize, .name = "normalize", .metavar = "HOW",
        .shown = "imagenet with that stem, else none", .check = check_normalize,
        .help = "mean and deviation of its training images: none, imagenet or M,M,M/S,S,S for "
                "values from 0 to 1"),
    OPT_OVERWRITE(struct import_options),
    ROW(FLAG, json, .name = "json", .help = "say what was written as JSON"),
    {.name = NULL},
};

static void report(const struct ctr_imported *m, const char *path, int json)
{
    struct ctr_str mean = {0}, std = {0}, name = {0};
    const char *stem = ctr_stem_names[m->params.stem];
    ctr_normalize_text(&mean, &std, &m->params.normalize, m->channels);
    ctr_str_json(&name, path);
    if (json && !name.failed)
        printf("{\"path\":%s,\"encoder\":\"%s\",\"width\":%.9g,\"stem\":\"%s\",\"image_size\":%zu,"
               "\"channels\":%u,\"features\":%zu,\"values\":%zu,\"left_out\":%zu,\"mean\":[%s],"
               "\"std\":[%s]}\n",
               name.s, m->encoder->name, m->params.width, stem, m->file.image_size, m->channels,
               m->file.D, m->file.values, m->left_out, mean.s, std.s);
    else {
        term_note("wrote %s: %s, width %.9g, stem %s, %zu x %zu x %u -> %zu features, %zu values",
                  path, m->encoder->name, m->params.width, stem, m->file.image_size,
                  m->file.image_size, m->channels, m->file.D, m->file.values);
        if (m->params.normalize.channels)
            term_note("images less %s, divided by %s%s", mean.s, std.s,
                      m->guessed ? ": ImageNet's, since nothing says otherwise (--normalize)" : "");
        if (m->left_out)
            term_note("left out: %zu tensors that are not of the encoder, such as its classifier",
                      m->left_out);
    }
    ctr_str_free(&mean);
    ctr_str_free(&std);
    ctr_str_free(&name);
}

static int run(void *options, const struct opt_set *set)
{
    const struct import_options *o = options;
    const struct ctr_import_params params = {.from = set->args[0],
                                             .path = o->out,
                                             .encoder = o->encoder,
                                             .stem = (enum ctr_stem)o->stem,
                                             .image_size = (size_t)o->image_size,
                                             .normalize = o->normalize};
    struct ctr_imported imported;
    int rc = 0;
    CTR_TRY(out_given(o->out, "-o model.safetensors"));
    CTR_TRY(out_check("out", o->out, o->overwrite));
    CTR_TRY(out_spares("out", o->out, set->args, 1));
    interrupt_catch(); /* what is begun is written: it takes a moment */
    CTR_TRY(ctr_import(&imported, &params));
    report(&imported, o->out, o->json);
out:
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast import resnet18.safetensors -o imagenet18.safetensors", "a model of clcontrast"},
    {"clcontrast eval imagenet18.safetensors --data photos",
     "what its features are worth on other images"},
    {"clcontrast train --encoder resnet18 --image-size 224 --init imagenet18.safetensors --data "
     "photos",
     "train it further"},
    {NULL, NULL},
};

const struct cmd cmd_import = {
    .name = "import",
    .summary = "make a model of weights trained elsewhere, such as torchvision's",
    .args = "FILE",
    .min_args = 1,
    .max_args = 1,
    .about = "FILE is a safetensors file with the names of PyTorch's state_dict: ResNet-18, -34, "
             "-50 or ResNeXt-50 as "
             "torchvision has them, also narrower or wider ones, with one prefix before all names "
             "or none. Which encoder "
             "it is its names and shapes tell. What is written is a model for `embed`, `eval`, "
             "`export` and "
             "`train --init`; mean and deviation of its images stand in it and are applied "
             "wherever it is used. Files of "
             "torch.save can hold programs and are not read; the refusal shows how to convert "
             "them. docs/EXPORT.md "
             "tells where torchvision's weights come from.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct import_options),
    .run = run,
};
