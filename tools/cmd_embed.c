/* cmd_embed.c -- `clcontrast embed MODEL -o emb.npy`: images as vectors, in files that others read.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cmd.h"
#include "embed_data.h"
#include "interrupt.h"
#include "io/json.h"
#include "io/vectors.h"
#include "names.h"
#include "out.h"
#include "term.h"
#include "clcontrast/model.h"

struct options {
    const char *data, *split, *out, *device;
    uint64_t limit, batch, threads;
    int format, projections, normalize, overwrite, json;
};

enum { FORMAT_AUTO, FORMAT_NPY, FORMAT_CSV };

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct options, member, __VA_ARGS__)

static const struct opt rows[] = {
    ROW(STR, out, .name = "out", .letter = 'o', .metavar = "FILE",
        .help = "file of vectors to write, .npy or .csv (required)"),
    ROW(STR, data, .name = "data", .letter = 'd', .metavar = "PATH",
        .shown = "what the model was trained on", .help = "images, as in train"),
    ROW(STR, split, .name = "split", .metavar = "NAME", .init = "all", .names = &names_splits,
        .help = "part of the data set"),
    ROW(U64, limit, .name = "limit", .metavar = "N", .init = "0", .shown = "all", .max = 4e9,
        .help = "use a fixed random choice of so many images"),
    ROW(CHOICE, format, .name = "format", .metavar = "F", .choices = "auto|npy|csv", .init = "auto",
        .help = "of the file; auto: by its ending"),
    ROW(FLAG, projections, .name = "projections",
        .help =
            "what the projection head makes of the features, which the loss has seen, instead of "
            "the features"),
    ROW(FLAG, normalize, .name = "normalize", .help = "bring each vector to length one"),
    OPT_OVERWRITE(struct options),
    OPT_DEVICE(struct options),
    OPT_BATCH(struct options, "256"),
    OPT_THREADS(struct options),
    ROW(FLAG, json, .name = "json", .help = "one JSON object about what was written"),
    {.name = NULL},
};

static int ends_with(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n > m && strcmp(path + n - m, ending) == 0;
}

/* Which format, and whether the file and those beside it may be written: before any work. */
static int check_out(int *format, const struct options *o)
{
    int rc = out_given(o->out, "-o emb.npy");
    *format = o->format;
    if (rc != 0)
        return rc;
    if (*format == FORMAT_AUTO)
        *format = ends_with(o->out, ".npy")   ? FORMAT_NPY
                  : ends_with(o->out, ".csv") ? FORMAT_CSV
                                              : FORMAT_AUTO;
    if (*format == FORMAT_AUTO)
        return ctr_hint(
            ctr_fail(CTR_E_USAGE, "--out: '%s' ends neither with .npy nor .csv", o->out),
            "choose by the ending, or with --format");
    rc = out_check("out", o->out, o->overwrite);
    for (size_t i = 0; rc == 0 && *format == FORMAT_NPY && ctr_vectors_endings[i]; i++) {
        char *beside = ctr_vectors_beside(o->out, ctr_vectors_endings[i]);
        rc = beside ? out_check("out", beside, o->overwrite) : CTR_E_FAIL;
        free(beside);
    }
    return rc;
}

static int write_vectors(const struct options *o, int format, const struct ctr_embedding *e,
                         const struct ctr_data *data, const struct ctr_model_info *model)
{
    const struct ctr_data_info *info = ctr_data_info(data);
    char *weights = realpath(model->path, NULL);
    char *images = strcmp(info->path, "shapes") == 0 ? NULL : realpath(info->path, NULL);
    struct ctr_str source = {0};
    ctr_str_addf(&source, "%s%s%s", images ? info->driver : "", images ? ":" : "",
                 images ? images : info->path);
    struct ctr_vectors v = {.n = e->n,
                            .D = e->D,
                            .x = e->x,
                            .label = info->n_classes ? e->label : NULL,
                            .name = e->name,
                            .class_name = info->class_names,
                            .n_classes = info->n_classes,
                            .model = weights ? weights : model->path,
                            .data = source.s,
                            .split = info->split,
                            .step = model->step,
                            .projections = o->projections,
                            .unit = o->normalize};
    int rc = source.failed          ? CTR_E_FAIL
             : format == FORMAT_NPY ? ctr_vectors_write(o->out, &v)
                                    : ctr_vectors_write_csv(o->out, &v);
    ctr_str_free(&source);
    free(images);
    free(weights);
    return rc;
}

static int tell(const struct options *o, const struct ctr_embedding *e, size_t n_skipped,
                const struct ctr_model_info *model, double seconds)
{
    struct ctr_str s = {0};
    char took[24];
    if (!o->json) {
        term_note("wrote %s: %zu vectors of %zu values, by %s (step %llu), %s", o->out, e->n, e->D,
                  model->encoder, (unsigned long long)model->step, term_duration(took, seconds));
        return 0;
    }
    const struct ctr_json_field fields[] = {
        ctr_json_int("schema", 1),
        ctr_json_str("out", o->out),
        ctr_json_int("n", (long long)e->n),
        ctr_json_int("dim", (long long)e->D),
        ctr_json_int("skipped", (long long)n_skipped),
        ctr_json_str("model", model->path),
        ctr_json_str("encoder", model->encoder),
        ctr_json_int("step", (long long)model->step),
        ctr_json_num("seconds", seconds),
        ctr_json_num("images_per_s", seconds > 0 ? (double)e->n / seconds : NAN),
    };
    ctr_json_object(&s, fields, sizeof fields / sizeof *fields);
    ctr_str_add(&s, "\n", 1);
    return term_print(&s);
}

static int embed(const char *path, const struct options *o, int format)
{
    int rc = 0;
    ctr_dev *dev = NULL;
    ctr_model *model = NULL;
    struct ctr_data *data = NULL;
    struct ctr_embedding e = {0};
    const struct ctr_model_params params = {.projections = o->projections, .batch = o->batch};
    const struct ctr_model_data_params images = {
        .path = o->data, .split = o->split, .limit = o->limit, .threads = (unsigned)o->threads};
    CTR_TRY(ctr_dev_open(&dev, o->device, NULL));
    term_progress("building kernels");
    CTR_TRY(ctr_model_open(&model, dev, path, &params));
    term_progress("listing images");
    CTR_TRY(ctr_model_data(&data, model, &images));
    double start = ctr_now();
    CTR_TRY(embed_data(&e, model, data, o->normalize));
    CTR_TRY(write_vectors(o, format, &e, data, ctr_model_info(model)));
    CTR_TRY(tell(o, &e, ctr_data_n_skipped(data), ctr_model_info(model), ctr_now() - start));
    rc = embed_skipped(data);
out:
    term_progress_end();
    ctr_embedding_free(&e);
    ctr_data_close(&data);
    ctr_model_close(&model);
    ctr_dev_destroy(&dev);
    return rc;
}

static int run(void *options, const struct opt_set *set)
{
    const struct options *o = options;
    int format, rc = check_out(&format, o);
    if (rc == 0)
        rc = out_spares("out", o->out, set->args, 1);
    if (rc != 0)
        return rc;
    interrupt_catch();
    return embed(set->args[0], o, format);
}

static const struct cmd_example examples[] = {
    {"clcontrast embed runs/1 -o emb.npy", "all images that the run was trained on"},
    {"clcontrast embed runs/1 --data photos -o photos.npy --normalize",
     "other images, vectors of length one"},
    {"clcontrast embed runs/1 --data photos -o photos.csv", "for a spreadsheet"},
    {"python3 -c \"import numpy; print(numpy.load('emb.npy', mmap_mode='r').shape)\"",
     "and how others read them"},
    {NULL, NULL},
};

const struct cmd cmd_embed = {
    .name = "embed",
    .summary = "turn images into vectors by a trained encoder",
    .args = "MODEL",
    .min_args = 1,
    .max_args = 1,
    .about =
        "Sends images through the encoder of MODEL, a run's directory (its newest checkpoint) or a "
        "checkpoint's file, and writes what it makes of each: its features, the values before the "
        "projection head. Beside emb.npy lie emb.paths.txt, a line for each row; where there are "
        "classes, emb.labels.npy and emb.classes.txt; and emb.json, which tells `search` where the "
        "vectors come from. Images that cannot be read are left out, listed, and make the exit "
        "code "
        "3. docs/SEARCH.md describes the files.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct options),
    .run = run,
};
