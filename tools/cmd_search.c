/* cmd_search.c -- `clcontrast search INDEX QUERY...`: which images are nearest to these. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/os.h"
#include "cmd.h"
#include "embed_data.h"
#include "given.h"
#include "interrupt.h"
#include "search.h"
#include "names.h"
#include "out.h"
#include "term.h"
#include "clcontrast/model.h"

struct options {
    const char *model, *data, *split, *html, *device;
    uint64_t k, limit, batch, threads;
    struct opt_list rows;
    int metric, json;
};

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct options, member, __VA_ARGS__)

static const struct opt option_rows[] = {
    ROW(U64, k, .name = "neighbours", .letter = 'k', .metavar = "N", .init = "10", .min = 1,
        .max = CTR_SEARCH_K_MAX, .help = "how many are shown of each query"),
    ROW(LIST, rows, .name = "row", .metavar = "N",
        .help = "search with this row of the index, counted from 0, and leave it out of the "
                "answers; may "
                "be given several times"),
    ROW(CHOICE, metric, .name = "metric", .metavar = "M", .choices = "cosine|inner|euclidean",
        .init = "cosine", .help = "what is near: the angle, the inner product, the distance"),
    ROW(STR, html, .name = "html", .metavar = "FILE",
        .help = "write a page with the pictures, which needs no network and no other file"),
    ROW(FLAG, json, .name = "json", .help = "one JSON object instead of the table"),
    ROW(STR, model, .name = "model", .metavar = "MODEL", .shown = "the one that made the vectors",
        .help = "run or checkpoint that embeds query images"),
    ROW(STR, data, .name = "data", .letter = 'd', .metavar = "PATH",
        .shown = "those that the vectors were made of",
        .help = "the images: to embed when INDEX is a model, else to show"),
    ROW(STR, split, .name = "split", .metavar = "NAME", .shown = "all", .names = &names_splits,
        .help = "part of the data set"),
    ROW(U64, limit, .name = "limit", .metavar = "N", .init = "0", .shown = "all", .max = 4e9,
        .help = "when INDEX is a model: a fixed random choice of so many images"),
    OPT_DEVICE(struct options),
    OPT_BATCH(struct options, "256"),
    OPT_THREADS(struct options),
    {.name = NULL},
};

struct search {
    const struct options *o;
    struct given given; /* INDEX, and the model of query images */
    struct ctr_vectors index;
    struct search_query *query;
    struct ctr_vectors *files; /* [n_files] of query vectors, whose names they borrow */
    float *x;                  /* [n][D] */
    struct ctr_hit *hits;
    size_t n, n_cap, n_files, files_cap;
};

/* ---- the queries ---- */

static int add_query(struct search *s, enum search_kind kind, const char *text, size_t row)
{
    if (ctr_grow((void **)&s->query, &s->n_cap, s->n + 1, sizeof *s->query) != 0)
        return CTR_E_FAIL;
    s->query[s->n++] = (struct search_query){kind, text, row};
    return 0;
}

static int add_vectors(struct search *s, const char *path)
{
    if (ctr_grow((void **)&s->files, &s->files_cap, s->n_files + 1, sizeof *s->files) != 0)
        return CTR_E_FAIL;
    struct ctr_vectors *v = &s->files[s->n_files];
    int rc = given_vectors(v, path);
    if (rc != 0)
        return rc;
    s->n_files++;
    if (v->D != s->index.D)
        return ctr_fail(CTR_E_DATA, "'%s' has vectors of %zu values, the index of %zu", path, v->D,
                        s->index.D);
    for (size_t i = 0; rc == 0 && i < v->n; i++)
        rc = add_query(s, SEARCH_VECTOR, path, i);
    return rc;
}

static const char *row_name(const struct search *s, size_t row)
{
    return s->index.name ? s->index.name[row] : "";
}

/* A name of the index, for images that are no files here: of an archive, or of elsewhere. */
static int add_name(struct search *s, const char *text)
{
    for (size_t i = 0; s->index.name && i < s->index.n; i++)
        if (strcmp(s->index.name[i], text) == 0)
            return add_query(s, SEARCH_ROW, s->index.name[i], i);
    return ctr_hint(
        ctr_fail(CTR_E_DATA, "there is no '%s': neither a file nor a name in the index", text),
        "a QUERY is an image, a .npy file of vectors, or a line of the index's .paths.txt");
}

static int add_argument(struct search *s, const char *text)
{
    struct stat is;
    if (stat(text, &is) != 0)
        return add_name(s, text);
    if (S_ISDIR(is.st_mode))
        return ctr_hint(ctr_fail(CTR_E_USAGE, "'%s' is a directory", text),
                        "search with each of its images: %s/*", text);
    return given_is_npy(text) ? add_vectors(s, text) : add_query(s, SEARCH_FILE, text, 0);
}

static int add_row(struct search *s, const char *text)
{
    unsigned long long row = 0;
    if (ctr_parse_u64(text, &row) != 0 || row >= s->index.n)
        return ctr_fail(CTR_E_USAGE, "--row: '%s' is no row; the index has 0 to %zu", text,
                        s->index.n - 1);
    return add_query(s, SEARCH_ROW, row_name(s, (size_t)row), (size_t)row);
}

static int list_queries(struct search *s, const char *const *args, size_t n)
{
    int rc = 0;
    for (size_t i = 0; i < n; i++)
        CTR_TRY(add_argument(s, args[i]));
    for (size_t i = 0; i < s->o->rows.n; i++)
        CTR_TRY(add_row(s, s->o->rows.items[i]));
    if (s->n == 0)
        rc = ctr_hint(ctr_fail(CTR_E_USAGE, "nothing to search with"),
                      "name images or vectors behind the index, or give --row");
out:
    return rc;
}

/* Image queries go through the model that made the index. */
static int embed_files(struct search *s, const char *const *paths, float *x, size_t n)
{
    int rc = 0;
    const char *path = s->o->model ? s->o->model : s->index.model;
    if (!path && !s->given.model)
        return ctr_hint(ctr_fail(CTR_E_USAGE, "the index does not say what made its vectors"),
                        "--model names the run or checkpoint that embeds '%s'", paths[0]);
    rc = given_model(&s->given, path, s->index.projections);
    if (rc != 0 && !s->o->model)
        return ctr_hint(rc, "the vectors were made by '%s'; --model names it where it is now",
                        path);
    if (rc != 0)
        return rc;
    const struct ctr_model_info *info = ctr_model_info(s->given.model);
    if (info->D != s->index.D)
        return ctr_fail(CTR_E_MODEL, "'%s' makes vectors of %zu values, the index has %zu",
                        info->path, info->D, s->index.D);
    if (s->index.step && info->step != s->index.step)
        term_warn("the index was made at step %llu, '%s' is of step %llu: their vectors differ",
                  (unsigned long long)s->index.step, info->path, (unsigned long long)info->step);
    return ctr_model_embed_files(x, s->given.model, paths, n, s->index.unit);
}

/* s->x: the vector of each query. */
static int fill_queries(struct search *s)
{
    int rc = 0;
    size_t D = s->index.D, n_images = 0, file = 0;
    const char **paths = ctr_alloc(s->n, sizeof *paths);
    float *images = ctr_alloc(s->n * D, sizeof *images);
    s->x = ctr_alloc(s->n * D, sizeof *s->x);
    if (!paths || !images || !s->x)
        CTR_TRY(CTR_E_FAIL);
    for (size_t i = 0; i < s->n; i++)
        if (s->query[i].kind == SEARCH_FILE)
            paths[n_images++] = s->query[i].text;
    if (n_images)
        CTR_TRY(embed_files(s, paths, images, n_images));
    n_images = 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct search_query *q = &s->query[i];
        const float *from = q->kind == SEARCH_FILE  ? images + n_images++ * D
                            : q->kind == SEARCH_ROW ? s->index.x + q->row * D
                                                    : s->files[file].x + q->row * D;
        memcpy(s->x + i * D, from, D * sizeof *from);
        file += q->kind == SEARCH_VECTOR && q->row + 1 == s->files[file].n;
    }
out:
    free(images);
    free(paths);
    return rc;
}

/* ---- the answers ---- */

/* Takes one of the k + 1 hits of each query away: a row of the index itself, else the last. */
static void leave_out_self(struct search *s, size_t k)
{
    for (size_t q = 0; q < s->n; q++) {
        struct ctr_hit *from = s->hits + q * (k + 1), *to = s->hits + q * k;
        size_t n = 0;
        for (size_t i = 0; i <= k && n < k; i++)
            if (s->query[q].kind != SEARCH_ROW || from[i].row != s->query[q].row)
                to[n++] = from[i];
    }
}

static int show(struct search *s, const struct search_result *r)
{
    int rc = 0;
    term_progress_end();
    CTR_TRY(s->o->json ? search_print_json(r) : search_print(r));
    if (s->o->html)
        CTR_TRY(search_write_html(s->o->html, r));
    if (!s->o->json)
        term_note("%zu quer%s among %zu vectors of %zu values: %.3f s, %.3f s to bring them to %s",
                  r->n, r->n == 1 ? "y" : "ies", r->index->n, r->index->D, r->search_s, r->index_s,
                  r->device);
out:
    return rc;
}

static int answer(struct search *s)
{
    int rc = 0, self = 0;
    ctr_index *index = NULL;
    const struct ctr_vectors *v = &s->index;
    struct search_result r = {.index = v,
                              .metric = (enum ctr_metric)s->o->metric,
                              .query = s->query,
                              .n = s->n,
                              .k = (size_t)s->o->k,
                              .device = ctr_dev_name(s->given.dev)};
    for (size_t i = 0; i < s->n; i++)
        self |= s->query[i].kind == SEARCH_ROW;
    if (r.k + (size_t)self > v->n || r.k + (size_t)self > CTR_SEARCH_K_MAX) {
        r.k = (v->n < CTR_SEARCH_K_MAX ? v->n : CTR_SEARCH_K_MAX) - (size_t)self;
        if (r.k == 0)
            return ctr_fail(CTR_E_DATA,
                            "the index holds nothing but the row that is searched with");
        term_warn("there are only %zu neighbours to show", r.k);
    }
    if (!(s->hits = ctr_alloc(s->n * (r.k + 1), sizeof *s->hits)))
        return CTR_E_FAIL;
    double start = ctr_now();
    CTR_TRY(ctr_index_create(&index, s->given.dev, v->x, v->n, v->D, r.metric, 0));
    r.index_s = ctr_now() - start;
    start = ctr_now();
    CTR_TRY(ctr_index_search(s->hits, index, s->x, s->n, r.k + (size_t)self));
    r.search_s = ctr_now() - start;
    if (self)
        leave_out_self(s, r.k);
    r.hits = s->hits;
    CTR_TRY(show(s, &r));
out:
    ctr_index_destroy(&index);
    return rc;
}

static void close_all(struct search *s)
{
    term_progress_end();
    for (size_t i = 0; i < s->n_files; i++)
        ctr_vectors_free(&s->files[i]);
    given_close(&s->given);
    free(s->files);
    free(s->query);
    free(s->x);
    free(s->hits);
}

static int run(void *options, const struct opt_set *set)
{
    const struct options *o = options;
    struct search s = {.o = o,
                       .given.o = {o->device, o->data, o->split, o->limit, o->batch, o->threads}};
    int rc = 0;
    CTR_TRY(out_check("html", o->html, 1));
    CTR_TRY(out_spares("html", o->html, set->args, set->n_args));
    interrupt_catch();
    CTR_TRY(given_dev(&s.given));
    CTR_TRY(given_open(&s.given, set->args[0]));
    s.index = s.given.vectors;
    CTR_TRY(list_queries(&s, set->args + 1, set->n_args - 1));
    CTR_TRY(fill_queries(&s));
    CTR_TRY(answer(&s));
    rc = s.given.data ? embed_skipped(s.given.data) : 0;
out:
    close_all(&s);
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast search emb.npy cat.jpg --html found.html",
     "the images nearest to a picture, and a page that shows them"},
    {"clcontrast search runs/1 --data photos cat.jpg", "without a file: embeds all photos first"},
    {"clcontrast search emb.npy --row 17 -k 5", "what is like the 18th image of emb.npy"},
    {"clcontrast search emb.npy queries.npy --json", "vectors from elsewhere, as JSON"},
    {NULL, NULL},
};

const struct cmd cmd_search = {
    .name = "search",
    .summary = "find the images nearest to others",
    .args = "INDEX [QUERY...]",
    .min_args = 1,
    .max_args = 100000,
    .about = "Compares each QUERY with every vector of INDEX, on the device, and shows the "
             "nearest. INDEX is "
             "a file that `clcontrast embed` wrote, any other .npy file of vectors, or a model, "
             "whose images "
             "are embedded first. A QUERY is an image, which goes through the model that made the "
             "index; a "
             ".npy file, each row of which is a query; or an image's name as the index has it.",
    .examples = examples,
    .options = option_rows,
    .bytes = sizeof(struct options),
    .run = run,
};
