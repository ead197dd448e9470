/* export.c -- see export.h. In: weights and what they are. Out: a file. What has names and shapes
 * in the file is the encoder as it is; what computes (ONNX, C) is a net made of its graph
 * (export/net.h). */
#include "train/export.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/outfile.h"
#include "export/export.h"
#include "io/json.h"
#include "io/npy.h"
#include "io/zip.h"
#include "train/state.h"

const char *const ctr_export_names[] = {"safetensors", "onnx", "npz", "c"};

enum { META_MAX = 24 };

struct job {
    const struct ctr_weights *w;
    const struct ctr_export_params *p;
    struct ctr_sketch sketch;
    size_t image_size, D;
    struct ctr_st_tensor *tensors;
    size_t n_tensors, n_meta;
    struct ctr_st_meta meta[META_MAX];
    struct ctr_arena mem;
    size_t values;
};

/* Whether it holds a program rather than weights. */
static int computes(enum ctr_export_format format)
{
    return format == CTR_EXPORT_ONNX || format == CTR_EXPORT_C;
}

/* ---- metadata ---- */

/* A copy of the text in the arena, "" without memory. */
static const char *keep(struct job *j, struct ctr_str *s)
{
    const char *text = s->s && !s->failed ? ctr_arena_strdup(&j->mem, s->s) : NULL;
    ctr_str_free(s);
    return text ? text : "";
}

static void tell(struct job *j, const char *key, const char *fmt, ...) CTR_PRINTF(3, 4);
static void tell(struct job *j, const char *key, const char *fmt, ...)
{
    char text[1024];
    struct ctr_str s = {0};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    ctr_str_addf(&s, "%s", text);
    j->meta[j->n_meta++] = (struct ctr_st_meta){key, keep(j, &s)};
}

/* What the checkpoint says under that key, where it does. */
static void hand_on(struct job *j, const char *key)
{
    const char *value = ctr_st_meta_value(j->w->st, key);
    if (value)
        j->meta[j->n_meta++] = (struct ctr_st_meta){key, value};
}

/* Python that loads the file into torchvision's class. */
static void tell_torch(struct job *j)
{
    const struct ctr_encoder *e = j->w->encoder;
    enum ctr_stem stem = ctr_stem_for(j->w->params.stem, j->image_size);
    char first[128] = "";
    if (!e->torch || j->w->params.width != 1)
        return;
    if (stem != CTR_STEM_IMAGENET)
        snprintf(first, sizeof first,
                 "m.conv1 = torch.nn.Conv2d(%u, 64, 3, %d, 1, bias=False); m.maxpool = "
                 "torch.nn.Identity(); ",
                 j->w->channels, stem == CTR_STEM_CIFAR ? 1 : 2);
    else if (j->w->channels != 3)
        snprintf(first, sizeof first, "m.conv1 = torch.nn.Conv2d(%u, 64, 7, 2, 3, bias=False); ",
                 j->w->channels);
    tell(j, "usage",
         "import torch, torchvision; from safetensors.torch import load_file; m = %s; %s"
         "m.load_state_dict(load_file(FILE), strict=False); m.fc = torch.nn.Identity(); m.eval()",
         e->torch, first);
}

static void tell_all(struct job *j)
{
    const struct ctr_weights *w = j->w;
    const struct ctr_normalize none = {0};
    struct ctr_str mean = {0}, std = {0};
    int inside = computes(j->p->format);
    if (j->p->format == CTR_EXPORT_SAFETENSORS)
        tell(j, "format", "pt"); /* as files of PyTorch's tensors say */
    tell(j, "clcontrast", "%s", CTR_VERSION);
    tell(j, "encoder", "%s", w->encoder->name);
    tell(j, "stem", "%s", ctr_stem_names[ctr_stem_for(w->params.stem, j->image_size)]);
    tell(j, "width", "%.17g", w->params.width);
    tell(j, "image_size", "%zu", j->image_size);
    tell(j, "channels", "%u", w->channels);
    tell(j, "bits", "%u", w->bits);
    tell(j, "features", "%zu", j->D);
    tell(j, "input",
         "%s, values divided by %d; shorter side resized to image_size (antialiased, bilinear), "
         "centre cropped",
         w->channels == 3   ? "RGB"
         : w->channels == 1 ? "grey"
                            : "channels as in the files",
         w->bits == 8 ? 255 : 65535);
    ctr_normalize_text(&mean, &std, inside ? &none : &w->params.normalize, w->channels);
    tell(j, "mean", "%s", keep(j, &mean));
    tell(j, "std", "%s", keep(j, &std));
    hand_on(j, "method");
    tell(j, "seed", "%llu", (unsigned long long)w->seed);
    tell(j, "step", "%llu", (unsigned long long)w->step);
    if (!inside)
        tell_torch(j);
    else
        tell(j, "unit", "%s", j->p->unit ? "features have length one" : "no");
}

/* ---- named tensors ---- */

static int take(struct job *j, const struct ctr_st_tensor *t)
{
    j->values += t->bytes / ctr_st_dtype_bytes(t->dtype);
    j->tensors[j->n_tensors++] = *t;
    return 0;
}

static int is_head(const struct job *j, const char *name)
{
    for (size_t i = 0; i < ctr_store_entries(j->sketch.store); i++)
        if (strcmp(ctr_store_entry(j->sketch.store, i)->name, name) == 0)
            return 0;
    return strncmp(name, CTR_STATE_MOMENTS, strlen(CTR_STATE_MOMENTS)) != 0 && strncmp(name, "shadow.", 7) != 0;
}

static int all_finite(const struct ctr_st_tensor *t)
{
    const float *x = t->data;
    for (size_t i = 0; i < t->bytes / sizeof *x; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

static int collect(struct job *j)
{
    const struct ctr_st *st = j->w->st;
    char full[384];
    if (!(j->tensors = ctr_alloc(ctr_st_count(st), sizeof *j->tensors)))
        return CTR_E_FAIL;
    for (size_t i = 0; i < ctr_store_entries(j->sketch.store); i++) {
        const struct ctr_store_entry *e = ctr_store_entry(j->sketch.store, i);
        snprintf(full, sizeof full, "%s%s", j->p->prefix ? j->p->prefix : "", e->name);
        const struct ctr_st_tensor *t = ctr_st_find(st, full);
        if (!t || !ctr_state_same(e, t))
            return ctr_fail(CTR_E_MODEL,
                            t ? "'%s' of '%s' has another shape than the encoder's or is not F32"
                              : "there is no '%s' in '%s'",
                            full, j->w->path);
        if (!all_finite(t))
            return ctr_fail(CTR_E_MODEL, "'%s' of '%s' is not finite", full, j->w->path);
        take(j, t);
        j->tensors[j->n_tensors - 1].name = e->name;
    }
    for (size_t i = 0; j->p->heads && i < ctr_st_count(st); i++)
        if (is_head(j, ctr_st_at(st, i)->name))
            take(j, ctr_st_at(st, i));
    return 0;
}

static int add_npy(struct ctr_zip *zip, const struct ctr_st_tensor *t)
{
    char name[160];
    struct ctr_str head = {0};
    int rc = t->dtype == CTR_ST_F32 ? ctr_npy_header(&head, "<f4", t->dims, t->rank)
                                    : ctr_fail(CTR_E_MODEL, "'%s' is not fp32", t->name);
    snprintf(name, sizeof name, "%.128s.npy", t->name);
    if (rc == 0)
        rc = ctr_zip_add(zip, name, head.s, head.n, t->data, t->bytes);
    ctr_str_free(&head);
    return rc;
}

/* The metadata as an array of one string, NumPy's <U: four bytes a character. */
static int add_metadata(struct ctr_zip *zip, const struct job *j)
{
    struct ctr_json_field field[META_MAX];
    struct ctr_str json = {0}, head = {0}, wide = {0};
    char descr[32];
    for (size_t i = 0; i < j->n_meta; i++)
        field[i] = ctr_json_str(j->meta[i].key, j->meta[i].value);
    ctr_json_object(&json, field, j->n_meta);
    for (size_t i = 0; i < json.n;
         i++) /* ASCII, as ctr_str_json leaves it, or close enough to show */
        ctr_str_add(&wide, (char[]){json.s[i], 0, 0, 0}, 4);
    snprintf(descr, sizeof descr, "<U%zu", json.n);
    int rc = json.failed || wide.failed ? ctr_fail(CTR_E_FAIL, "out of host memory")
                                        : ctr_npy_header(&head, descr, NULL, 0);
    if (rc == 0)
        rc = ctr_zip_add(zip, "metadata.npy", head.s, head.n, wide.s, wide.n);
    ctr_str_free(&json);
    ctr_str_free(&head);
    ctr_str_free(&wide);
    return rc;
}

static int write_npz(const struct job *j)
{
    struct ctr_zip *zip = NULL;
    int rc = ctr_zip_open(&zip, j->p->path);
    for (size_t i = 0; rc == 0 && i < j->n_tensors; i++)
        rc = add_npy(zip, &j->tensors[i]);
    if (rc == 0)
        rc = add_metadata(zip, j);
    if (rc == 0)
        return ctr_zip_commit(&zip);
    ctr_zip_abort(&zip);
    return rc;
}

/* ---- nets ---- */

/* "my_model" of "out/my-model.c": a word for graphs and functions. */
static void word_of(char *word, size_t room, const char *path)
{
    const char *base = strrchr(path, '/');
    size_t n = 0;
    base = base ? base + 1 : path;
    if (!isalpha((unsigned char)*base))
        word[n++] = 'm';
    for (; *base && *base != '.' && n + 1 < room; base++)
        word[n++] = isalnum((unsigned char)*base) ? *base : '_';
    word[n] = '\0';
}

static int write_net(struct job *j)
{
    struct ctr_net net = {0};
    struct ctr_str text = {0};
    char word[48];
    int rc = ctr_net_create(&net, &j->sketch, j->w->st, j->p->unit);
    if (rc != 0)
        return ctr_fail_in(rc, "'%s'", j->w->path);
    word_of(word, sizeof word, j->p->path);
    j->values = ctr_net_values(&net);
    rc = j->p->format == CTR_EXPORT_C ? ctr_code_add(&text, &net, word, j->meta, j->n_meta)
                                      : ctr_onnx_add(&text, &net, word, j->meta, j->n_meta);
    if (rc == 0)
        rc = ctr_file_write(j->p->path, text.s, text.n);
    ctr_str_free(&text);
    ctr_net_free(&net);
    return rc;
}

/* ---- all together ---- */

static int sketch(struct job *j)
{
    const struct ctr_weights *w = j->w;
    struct ctr_encoder_params params = w->params;
    j->image_size = j->p->image_size ? j->p->image_size : w->image_size;
    if (j->image_size != w->image_size && w->encoder->one_size)
        return ctr_fail(CTR_E_USAGE, "the encoder %s takes images of its own size, %zu, only",
                        w->encoder->name, w->image_size);
    params.stem =
        ctr_stem_for(params.stem, w->image_size); /* that of the run, whatever the size now */
    int rc = ctr_sketch_create(&j->sketch, w->encoder, &params, j->image_size, w->channels);
    if (rc == 0)
        j->D = j->sketch.h->count;
    return rc;
}

static int check(const struct ctr_export_params *p)
{
    const char *name = ctr_export_names[p->format];
    if (computes(p->format) && p->heads)
        return ctr_fail(CTR_E_USAGE, "%s holds the encoder without heads", name);
    if (!computes(p->format) && (p->unit || p->image_size))
        return ctr_fail(CTR_E_USAGE,
                        "%s holds weights: neither a length of features nor a size of images",
                        name);
    return 0;
}

int ctr_export(struct ctr_exported *out, const struct ctr_weights *weights,
               const struct ctr_export_params *params)
{
    int rc = 0;
    struct stat is;
    struct job j = {.w = weights, .p = params};
    CTR_TRY(check(params));
    CTR_TRY(sketch(&j));
    tell_all(&j);
    if (!computes(params->format))
        CTR_TRY(collect(&j));
    if (params->format == CTR_EXPORT_SAFETENSORS)
        CTR_TRY(ctr_st_write(params->path, j.tensors, j.meta, CTR_ST_PLAIN, j.n_tensors, j.n_meta));
    else if (params->format == CTR_EXPORT_NPZ)
        CTR_TRY(write_npz(&j));
    else
        CTR_TRY(write_net(&j));
    *out = (struct ctr_exported){.image_size = j.image_size,
                                 .D = j.D,
                                 .values = j.values,
                                 .bytes = stat(params->path, &is) == 0 ? (size_t)is.st_size : 0};
out:
    free(j.tensors);
    ctr_sketch_destroy(&j.sketch);
    ctr_arena_free(&j.mem);
    return rc;
}
