/* info_model.c -- runs, safetensors and ONNX files, for `clcontrast info`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/os.h"
#include "data/data.h"
#include "info.h"
#include "io/columns.h"
#include "io/protobuf.h"
#include "io/safetensors.h"
#include "term.h"
#include "train/checkpoint.h"
#include "train/run.h"

/* ---- safetensors ---- */

static const char *const shown[] = {"encoder", "stem",     "width",     "image_size", "channels",
                                    "bits",    "features", "method",    "seed",       "step",
                                    "data",    "images",   "mean",      "std",        "input",
                                    "usage",   "device",   "clcontrast"};

static void tell_meta(struct info *i, const struct ctr_st *st)
{
    for (size_t k = 0; k < sizeof shown / sizeof *shown; k++)
        info_value(i, shown[k], ctr_st_meta_value(st, shown[k]));
}

static void tell_tensors(struct info *i, const struct ctr_st *st)
{
    long long weights = 0, optimizer = 0, shadow = 0, of_optimizer = 0;
    for (size_t k = 0; k < ctr_st_count(st); k++) {
        const struct ctr_st_tensor *t = ctr_st_at(st, k);
        long long n = (long long)(t->bytes / ctr_st_dtype_bytes(t->dtype));
        int is_optimizer = strncmp(t->name, "optimizer.", 10) == 0,
            is_shadow = strncmp(t->name, "shadow.", 7) == 0;
        *(is_optimizer ? &optimizer : is_shadow ? &shadow : &weights) += n;
        of_optimizer += is_optimizer;
        if (i->all)
            info_entry(i, t->name, ctr_st_dtype_name(t->dtype), t->dims, t->rank);
    }
    info_int(i, "tensors", (long long)ctr_st_count(st));
    info_int(i, "weights", weights);
    if (shadow)
        info_int(i, "shadow_values", shadow);
    if (of_optimizer)
        info_int(i, "optimizer_values", optimizer);
}

/* The names that torchvision's ResNets begin and end with. */
static int looks_like_torchvision(const struct ctr_st *st)
{
    return ctr_st_find(st, "conv1.weight") && ctr_st_find(st, "layer4.0.conv1.weight");
}

int info_safetensors(struct info *i)
{
    struct ctr_st *st = NULL;
    int rc = ctr_st_open(&st, i->path, CTR_ST_VERIFY);
    if (rc != 0)
        return rc;
    int ours = ctr_st_meta_value(st, "clcontrast") && ctr_st_meta_value(st, "encoder");
    i->kind = !ours                                      ? "safetensors"
              : ctr_st_meta_value(st, "epoch_loss_bits") ? "checkpoint"
                                                         : "model";
    tell_meta(i, st);
    if (!ours && looks_like_torchvision(st))
        info_text(i, "note",
                  "names of a ResNet of torchvision: `clcontrast import` makes a model of it");
    tell_tensors(i, st);
    info_text(i, "checksum", "%s", ctr_st_meta_value(st, "xxh64") ? "good" : "none");
    ctr_st_close(&st);
    return 0;
}

/* ---- runs and directories ---- */

static void tell_metrics(struct info *i)
{
    static const char *const keys[] = {"epoch", "loss", "validation_loss"};
    struct ctr_columns columns = {0};
    char *path = ctr_path_join(i->path, "metrics.jsonl");
    if (path && ctr_columns_read(&columns, path) == 0)
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            const double *column = ctr_columns_find(&columns, keys[k]);
            size_t last = columns.rows;
            while (column && last > 0 && !(column[last - 1] == column[last - 1]))
                last--;
            if (column && last > 0)
                info_num(i, keys[k], column[last - 1]);
        }
    ctr_columns_free(&columns);
    free(path);
}

static int tell_run(struct info *i, const char *checkpoints)
{
    struct ctr_st *st = NULL;
    uint64_t *steps = NULL, step = 0;
    size_t n = 0;
    int rc = ctr_checkpoint_list(&steps, &n, checkpoints);
    free(steps);
    i->kind = "run";
    if (rc == 0 && n > 0)
        rc = ctr_checkpoint_open_newest(&st, &step, checkpoints);
    if (rc != 0)
        return rc;
    if (st) {
        tell_meta(i, st);
        tell_tensors(i, st);
        ctr_st_close(&st);
    }
    info_int(i, "checkpoints", (long long)n);
    tell_metrics(i);
    return 0;
}

/* Every record of a packed set, with its checksum. */
static int read_through(const char *path)
{
    enum { STEP = 64 };
    int rc = 0;
    uint32_t index[STEP];
    uint8_t *pixels = NULL;
    struct ctr_data *data = NULL;
    CTR_TRY(ctr_data_open(
        &data, &(struct ctr_data_params){.path = path, .split = "all", .max_bad = 1}));
    const struct ctr_data_info *info = ctr_data_info(data);
    if (!(pixels = ctr_alloc(STEP, ctr_data_image_bytes(info))))
        CTR_TRY(CTR_E_FAIL);
    for (size_t at = 0; at < info->n; at += STEP) {
        size_t n = info->n - at < STEP ? info->n - at : STEP;
        for (size_t k = 0; k < n; k++)
            index[k] = (uint32_t)(at + k);
        CTR_TRY(ctr_data_read(data, pixels, NULL, index, n));
    }
out:
    free(pixels);
    ctr_data_close(&data);
    return rc;
}

int info_images(struct info *i)
{
    struct ctr_data *data = NULL;
    int rc = ctr_data_open(&data, &(struct ctr_data_params){.path = i->path, .max_bad = 1});
    if (rc == 0 && strcmp(ctr_data_info(data)->driver, "packed") == 0 &&
        (rc = read_through(i->path)) != 0)
        ctr_data_close(&data);
    if (rc != 0)
        return rc;
    const struct ctr_data_info *info = ctr_data_info(data);
    struct ctr_str classes = {0};
    for (unsigned k = 0; k < info->n_classes && k < 20; k++)
        ctr_str_addf(&classes, "%s%s", k ? ", " : "", info->class_names[k]);
    if (info->n_classes > 20)
        ctr_str_addf(&classes, ", ...");
    i->kind = "data";
    info_text(i, "driver", "%s", info->driver);
    info_text(i, "split", "%s%s", info->split, info->has_test ? ", beside test" : "");
    info_int(i, "images", (long long)info->n);
    info_int(i, "classes", info->n_classes);
    info_value(i, "class_names", classes.s);
    info_int(i, "image_size", info->width);
    info_int(i, "channels", info->channels);
    info_int(i, "bits", 8 * (long long)info->sample_bytes);
    if (ctr_data_n_skipped(data))
        info_int(i, "skipped", (long long)ctr_data_n_skipped(data));
    ctr_str_free(&classes);
    ctr_data_close(&data);
    return 0;
}

int info_directory(struct info *i)
{
    struct stat is;
    char *checkpoints = ctr_path_join(i->path, "checkpoints"),
         *config = ctr_path_join(i->path, "config.toml");
    int rc = CTR_E_FAIL;
    if (checkpoints && config)
        rc = stat(config, &is) == 0 && stat(checkpoints, &is) == 0 ? tell_run(i, checkpoints)
                                                                   : info_images(i);
    free(checkpoints);
    free(config);
    return rc;
}

/* ---- ONNX, field numbers as in export/onnx.c ---- */

static int each(const struct ctr_pb_field *message,
                int (*fn)(void *user, const struct ctr_pb_field *f), void *user)
{
    const void *at = message->data, *end = (const char *)at + message->bytes;
    struct ctr_pb_field f;
    int more;
    while ((more = ctr_pb_next(&f, &at, end)) > 0)
        if (fn(user, &f) != 0)
            return -1;
    return more;
}

struct tensor {
    char name[256];
    uint64_t dims[8], type, count;
    unsigned rank;
};

static int on_tensor(void *user, const struct ctr_pb_field *f)
{
    struct tensor *t = user;
    if (f->number == 1 && !f->is_bytes && t->rank < 8)
        t->count *= t->dims[t->rank++] = f->value;
    else if (f->number == 2)
        t->type = f->value;
    else if (f->number == 8 && f->is_bytes)
        snprintf(t->name, sizeof t->name, "%.*s", (int)(f->bytes < 255 ? f->bytes : 255),
                 (const char *)f->data);
    return 0;
}

struct onnx {
    struct info *i;
    long long nodes, initializers;
    uint64_t values;
    struct ctr_str *side; /* "name[batch,3,32,32]" */
    struct ctr_str in, out;
    int has_graph, depth;
};

/* A dimension, then shape, tensor type, type and value: the messages within each other. */
static int on_value(void *user, const struct ctr_pb_field *f)
{
    struct onnx *o = user;
    if (o->depth == 0 && f->number == 1 && f->is_bytes)
        ctr_str_addf(o->side, "%s%.*s [", o->side->n ? ", " : "", (int)f->bytes,
                     (const char *)f->data);
    if (o->depth == 4 && f->number == 1 && !f->is_bytes)
        ctr_str_addf(o->side, "%llu,", (unsigned long long)f->value);
    if (o->depth == 4 && f->number == 2 && f->is_bytes)
        ctr_str_addf(o->side, "%.*s,", (int)f->bytes, (const char *)f->data);
    static const unsigned inner[] = {2, 1, 2, 1};
    if (o->depth == 4 || f->number != inner[o->depth] || !f->is_bytes)
        return 0;
    o->depth++;
    int rc = each(f, on_value, o);
    o->depth--;
    return rc;
}

static int on_graph(void *user, const struct ctr_pb_field *f)
{
    struct onnx *o = user;
    struct tensor t = {.count = 1};
    if (f->number == 1)
        o->nodes++;
    if (f->number == 5 && f->is_bytes) {
        if (each(f, on_tensor, &t) != 0)
            return -1;
        o->initializers++;
        o->values += t.count;
        if (o->i->all)
            info_entry(o->i, t.name, t.type == 1 ? "F32" : "other", t.dims, t.rank);
    }
    if ((f->number != 11 && f->number != 12) || !f->is_bytes)
        return 0;
    o->side = f->number == 11 ? &o->in : &o->out;
    int rc = each(f, on_value, o);
    if (o->side->n && o->side->s[o->side->n - 1] == ',')
        o->side->s[o->side->n - 1] = ']';
    return rc;
}

static int on_text_pair(void *user, const struct ctr_pb_field *f)
{
    char(*text)[1024] = user;
    if ((f->number == 1 || f->number == 2) && f->is_bytes)
        snprintf(text[f->number - 1], sizeof *text, "%.*s", (int)f->bytes, (const char *)f->data);
    return 0;
}

static int on_model(void *user, const struct ctr_pb_field *f)
{
    struct onnx *o = user;
    char pair[2][1024] = {{0}};
    if (f->number == 1 && !f->is_bytes)
        info_int(o->i, "ir_version", (long long)f->value);
    if (f->number == 2 && f->is_bytes)
        info_text(o->i, "producer", "%.*s", (int)f->bytes, (const char *)f->data);
    if (f->number == 7 && f->is_bytes) {
        o->has_graph = 1;
        return each(f, on_graph, o);
    }
    if (f->number == 14 && f->is_bytes) {
        if (each(f, on_text_pair, pair) != 0)
            return -1;
        char *key = ctr_arena_strdup(&o->i->mem, pair[0]);
        if (key && *key)
            info_value(o->i, key, pair[1]);
    }
    return 0;
}

int info_onnx(struct info *i, const void *bytes, size_t n)
{
    struct onnx o = {.i = i};
    const struct ctr_pb_field whole = {.data = bytes, .bytes = n};
    int bad = each(&whole, on_model, &o) != 0 || !o.has_graph;
    i->kind = "onnx";
    info_value(i, "inputs", o.in.s);
    info_value(i, "outputs", o.out.s);
    info_int(i, "nodes", o.nodes);
    info_int(i, "tensors", o.initializers);
    info_int(i, "weights", (long long)o.values);
    ctr_str_free(&o.in);
    ctr_str_free(&o.out);
    return bad ? ctr_fail(CTR_E_MODEL, "'%s' begins like an ONNX model and is malformed or cut off",
                          i->path)
               : 0;
}
