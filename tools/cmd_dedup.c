/* cmd_dedup.c -- `clcontrast dedup WHAT`: groups of images that are nearly the same. Deletes
 * nothing.
 *
 * In: a data set, or vectors of one. Out: groups (eval/dedup.h) by the pictures themselves
 * (eval/picture.h), by a model's features, or by the vectors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/mem.h"
#include "base/os.h"
#include "cmd.h"
#include "dedup.h"
#include "embed_data.h"
#include "eval/picture.h"
#include "given.h"
#include "interrupt.h"
#include "names.h"
#include "out.h"
#include "term.h"

struct options {
    const char *model, *split, *html, *device;
    double threshold;
    uint64_t limit, k, batch, threads;
    int json;
};

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct options, member, __VA_ARGS__)

static const struct opt rows[] = {
    ROW(STR, model, .name = "model", .metavar = "MODEL", .shown = "none: by the pixels",
        .help = "run or checkpoint whose features are compared"),
    ROW(DOUBLE, threshold, .name = "threshold", .letter = 't', .metavar = "S", .init = "0",
        .shown = "what the data choose", .max = 1,
        .help = "images of at least this similarity are duplicates, at most 1; 0: chosen"),
    ROW(STR, html, .name = "html", .metavar = "FILE", .help = "write a page that shows the groups"),
    ROW(FLAG, json, .name = "json", .help = "one JSON object instead of the list"),
    ROW(STR, split, .name = "split", .metavar = "NAME", .shown = "all", .names = &names_splits,
        .help = "part of the data set"),
    ROW(U64, limit, .name = "limit", .metavar = "N", .init = "0", .shown = "all", .max = 4e9,
        .help = "a fixed random choice of so many images"),
    ROW(U64, k, .name = "neighbours", .letter = 'k', .metavar = "N", .init = "8", .min = 1,
        .max = 1000, .help = "candidates of each image that are looked at"),
    OPT_DEVICE(struct options),
    OPT_BATCH(struct options, "256"),
    OPT_THREADS(struct options),
    {.name = NULL},
};

struct dedup {
    const struct options *o;
    struct given given;           /* by a model or vectors; the device in any case */
    struct ctr_data *data;        /* the images; by pixels: to be closed */
    struct ctr_pictures pictures; /* by pixels */
    const float *x;               /* [n][D] of one of these */
    size_t n, D;
    uint64_t (*hash)[2]; /* [n] */
    uint64_t *bytes;     /* [n] */
    uint32_t *row_of, *image_of;
    float *row;    /* [n_rows][D] of images that are no copies */
    uint8_t *grey; /* [n_rows] by pixels */
    size_t n_rows;
    struct ctr_pair *pairs;
    size_t n_pairs;
    struct ctr_groups groups;
};

static int step(void *user, size_t done, size_t total)
{
    term_progress("%s %zu/%zu", (const char *)user, done, total);
    return interrupt_caught() ? ctr_fail(CTR_E_FAIL, "interrupted") : 0;
}

/* ---- what is compared ---- */

static int note_sizes(struct dedup *d)
{
    if (!(d->bytes = ctr_alloc(d->n, sizeof *d->bytes)))
        return CTR_E_FAIL;
    for (size_t i = 0; i < d->n; i++)
        d->bytes[i] =
            ctr_data_file_bytes(d->data, d->given.model ? d->given.embedding.image[i] : i);
    return 0;
}

static int read_pictures(struct dedup *d, const char *path)
{
    const struct ctr_data_params params = {.path = path,
                                           .split = d->o->split ? d->o->split : "all",
                                           .bits = 8,
                                           .threads = (unsigned)d->o->threads,
                                           .max_bad = 1,
                                           .limit = d->o->limit};
    int rc = ctr_data_open(&d->data, &params);
    if (rc == 0)
        rc = ctr_pictures_read(&d->pictures, d->data, step, "reading");
    if (rc != 0)
        return rc;
    d->x = d->pictures.coarse;
    d->n = d->pictures.n;
    d->D = d->pictures.D;
    return note_sizes(d);
}

static int read_vectors(struct dedup *d, const char *path)
{
    const struct options *o = d->o;
    const int npy = given_is_npy(path);
    if (npy && (o->model || o->split || o->limit))
        return ctr_fail(CTR_E_USAGE, "--%s is for images, not for the vectors in '%s'",
                        o->model   ? "model"
                        : o->split ? "split"
                                   : "limit",
                        path);
    if (!npy)
        d->given.o.data = path;
    int rc = given_open(&d->given, npy ? path : o->model);
    if (rc != 0)
        return rc;
    d->data = d->given.data;
    d->x = d->given.vectors.x;
    d->n = d->given.vectors.n;
    d->D = d->given.vectors.D;
    return d->data ? note_sizes(d) : 0;
}

static int read_all(struct dedup *d, const char *path)
{
    const struct options *o = d->o;
    d->given.o = (struct given_options){.device = o->device,
                                        .split = o->split,
                                        .limit = o->limit,
                                        .batch = o->batch,
                                        .threads = o->threads};
    int rc = given_dev(&d->given);
    if (rc == 0)
        rc = o->model || given_is_npy(path) ? read_vectors(d, path) : read_pictures(d, path);
    term_progress_end();
    return rc == 0 && d->n == 0 ? ctr_fail(CTR_E_DATA, "no vectors in '%s'", path) : rc;
}

/* ---- finding ---- */

/* Copies go: by pixels those whose pixels are the same, else those of the same vectors. */
static int drop_copies(struct dedup *d)
{
    int rc = 0;
    d->row_of = ctr_alloc(d->n, sizeof *d->row_of);
    d->image_of = ctr_alloc(d->n, sizeof *d->image_of);
    d->hash = ctr_alloc(d->n, sizeof *d->hash);
    if (!d->row_of || !d->image_of || !d->hash)
        return CTR_E_FAIL;
    for (size_t i = 0; i < d->n; i++) {
        XXH128_hash_t h = XXH3_128bits(d->x + i * d->D, d->D * sizeof *d->x);
        d->hash[i][0] = d->pictures.hash ? d->pictures.hash[i][0] : h.low64;
        d->hash[i][1] = d->pictures.hash ? d->pictures.hash[i][1] : h.high64;
    }
    CTR_TRY(
        ctr_dedup_exact(d->row_of, d->image_of, &d->n_rows, (const uint64_t(*)[2])d->hash, d->n));
    d->row = ctr_alloc(d->n_rows * d->D, sizeof *d->row);
    d->grey = d->pictures.grey ? ctr_alloc(d->n_rows, CTR_PICTURE_BYTES) : NULL;
    if (!d->row || (d->pictures.grey && !d->grey))
        return CTR_E_FAIL;
    for (size_t r = 0; r < d->n_rows; r++) {
        memcpy(d->row + r * d->D, d->x + d->image_of[r] * d->D, d->D * sizeof *d->row);
        if (d->grey)
            memcpy(d->grey + r * CTR_PICTURE_BYTES,
                   d->pictures.grey + (size_t)d->image_of[r] * CTR_PICTURE_BYTES,
                   CTR_PICTURE_BYTES);
    }
out:
    return rc;
}

static int find(struct dedup *d, struct dedup_result *r)
{
    int rc = 0;
    CTR_TRY(drop_copies(d));
    CTR_TRY(ctr_dedup_candidates(&d->pairs, &d->n_pairs, d->given.dev, d->row, d->n_rows, d->D,
                                 (size_t)d->o->k, step, "searching"));
    if (d->grey)
        CTR_TRY(ctr_dedup_compare(d->pairs, d->n_pairs, d->grey, d->n_rows, step, "comparing"));
    CTR_TRY(ctr_dedup_threshold(&r->background, d->pairs, d->n_pairs, d->n_rows, !d->grey));
    r->chosen = d->o->threshold == 0;
    r->threshold = r->chosen ? r->background.value : d->o->threshold;
    CTR_TRY(ctr_dedup_groups(&d->groups, d->pairs, d->n_pairs, r->threshold, d->row_of, d->n,
                             d->n_rows));
out:
    term_progress_end();
    return rc;
}

static int show(struct dedup *d, struct dedup_result *r)
{
    int rc = 0;
    const struct ctr_data_info *info = d->data ? ctr_data_info(d->data) : NULL;
    const struct ctr_vectors *v = &d->given.vectors;
    r->by = d->grey ? "pixels" : info ? "model" : "vectors";
    r->data = info ? info->path : v->data;
    r->split = info ? info->split : v->split;
    r->name = d->grey ? info->names : v->name;
    r->bytes = d->bytes;
    r->n = d->n;
    r->n_exact = d->n - d->n_rows;
    r->groups = &d->groups;
    CTR_TRY(d->o->json ? dedup_print_json(r) : dedup_print(r));
    if (d->o->html)
        CTR_TRY(dedup_write_html(d->o->html, r));
    term_note("%zu group%s of %zu images among %zu, by %s; %zu exact copies", d->groups.n,
              d->groups.n == 1 ? "" : "s", d->groups.n_members, d->n, r->by, r->n_exact);
    if (r->chosen && r->background.few)
        term_note(
            "too few images to choose a threshold: copies alone are told; --threshold sets one");
    else if (r->chosen)
        term_note("similar from %.4f on; of other images half have a nearest one of %.4f, a "
                  "quarter of %.4f or more",
                  r->threshold, r->background.median, r->background.quartile);
out:
    return rc;
}

static void close_all(struct dedup *d)
{
    ctr_groups_free(&d->groups);
    ctr_pictures_free(&d->pictures);
    if (d->data != d->given.data)
        ctr_data_close(&d->data);
    given_close(&d->given);
    free(d->hash);
    free(d->bytes);
    free(d->row_of);
    free(d->image_of);
    free(d->row);
    free(d->grey);
    free(d->pairs);
}

static int run(void *options, const struct opt_set *set)
{
    const struct options *o = options;
    struct dedup d = {.o = o};
    struct dedup_result result = {.what = set->args[0]};
    int rc = 0;
    CTR_TRY(out_check("html", o->html, 1));
    CTR_TRY(out_spares("html", o->html, set->args, 1));
    CTR_TRY(out_spares("html", o->html, &o->model, 1));
    interrupt_catch();
    CTR_TRY(read_all(&d, set->args[0]));
    CTR_TRY(find(&d, &result));
    CTR_TRY(show(&d, &result));
    rc = d.data ? embed_skipped(d.data) : 0;
out:
    close_all(&d);
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast dedup photos --html twice.html", "without a model; a page that shows the groups"},
    {"clcontrast dedup photos --model runs/1", "by what a trained encoder sees"},
    {"clcontrast dedup emb.npy --threshold 0.98 --json",
     "vectors that `embed` wrote, a threshold of one's own"},
    {NULL, NULL},
};

const struct cmd cmd_dedup = {
    .name = "dedup",
    .summary = "find groups of images that are nearly the same",
    .args = "DIR|SET.ctrd|EMB.npy",
    .min_args = 1,
    .max_args = 1,
    .about = "Prints groups of near-duplicates: similarity to the nearest of the group (`same`: an "
             "exact copy), size "
             "of the file, path. Nothing is deleted or changed. Without a model pictures are "
             "compared: resized, "
             "recompressed and cropped copies are found, mirrored or turned ones are not. With "
             "--model, or a file of "
             "vectors, what the encoder holds for alike. The threshold is chosen from how similar "
             "the images are to "
             "their nearest others; docs/DEDUP.md tells how, and when to give --threshold.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct options),
    .run = run,
};
