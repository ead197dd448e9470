/* cmd_map.c -- `clcontrast map MODEL|emb.npy -o map.html`: what lies beside what, on a plane. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/outfile.h"
#include "cmd.h"
#include "embed_data.h"
#include "given.h"
#include "interrupt.h"
#include "io/json.h"
#include "map.h"
#include "names.h"
#include "out.h"
#include "term.h"

struct options {
    struct opt_list out;
    const char *data, *split, *device;
    uint64_t points, seed, limit, batch, threads;
    double perplexity;
    int method, metric, json;
};

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct options, member, __VA_ARGS__)

static const struct opt rows[] = {
    ROW(LIST, out, .name = "out", .letter = 'o', .metavar = "FILE",
        .help = "the map, by the file's ending: .svg a drawing, .html a page with pictures, .csv "
                "or .json the "
                "coordinates (required); may be given several times"),
    ROW(CHOICE, method, .name = "method", .metavar = "M", .choices = "tsne|pca", .init = "tsne",
        .help =
            "tsne keeps neighbours together; pca is the plane in which the vectors differ most"),
    ROW(CHOICE, metric, .name = "metric", .metavar = "M", .choices = "cosine|euclidean",
        .init = "cosine",
        .help = "cosine: of vectors brought to length one; euclidean: as they are"),
    ROW(DOUBLE, perplexity, .name = "perplexity", .metavar = "N", .init = "30", .min = 1.5,
        .max = 1000, .help = "of t-SNE: about how many neighbours of each image count"),
    ROW(U64, points, .name = "points", .metavar = "N", .init = "5000", .max = 4e9,
        .help = "show a sample of so many images; 0: all. t-SNE's time grows with the square"),
    ROW(U64, seed, .name = "seed", .metavar = "N", .init = "1",
        .help = "of the sample; the same seed gives the same map"),
    ROW(STR, data, .name = "data", .letter = 'd', .metavar = "PATH",
        .shown = "those that the vectors were made of",
        .help = "the images: to embed when a model is given, else to show"),
    ROW(STR, split, .name = "split", .metavar = "NAME", .shown = "all", .names = &names_splits,
        .help = "part of the data set"),
    ROW(U64, limit, .name = "limit", .metavar = "N", .init = "0", .shown = "all", .max = 4e9,
        .help = "when a model is given: embed a fixed random choice of so many images"),
    OPT_DEVICE(struct options),
    OPT_BATCH(struct options, "256"),
    OPT_THREADS(struct options),
    ROW(FLAG, json, .name = "json", .help = "one JSON object about what was made"),
    {.name = NULL},
};

/* ---- the files ---- */

enum form { FORM_SVG, FORM_HTML, FORM_CSV, FORM_JSON, FORMS };
static const char *const endings[FORMS] = {".svg", ".html", ".csv", ".json"};

static enum form form_of(const char *path)
{
    size_t n = strlen(path), k = 0;
    for (; k < FORMS; k++) {
        size_t m = strlen(endings[k]);
        if (n > m && strcmp(path + n - m, endings[k]) == 0)
            break;
    }
    return (enum form)k;
}

/* Whether each can be made: before any work. */
static int check_out(const struct opt_list *out, const char *index)
{
    int rc = out_given(out->n ? out->items[0] : NULL, "-o map.html");
    for (size_t i = 0; rc == 0 && i < out->n; i++) {
        if (form_of(out->items[i]) == FORMS)
            return ctr_hint(
                ctr_fail(CTR_E_USAGE, "--out: '%s' does not say what to write", out->items[i]),
                "its ending does: .svg, .html, .csv or .json");
        if ((rc = out_check("out", out->items[i], 1)) == 0)
            rc = out_spares("out", out->items[i], &index, 1);
    }
    return rc;
}

static int write_one(const char *path, const struct map *m, const char *from)
{
    int rc = 0;
    struct ctr_str s = {0};
    switch (form_of(path)) {
    case FORM_HTML:
        rc = map_html(&s, m, from);
        break;
    case FORM_CSV:
        map_csv(&s, m);
        break;
    case FORM_JSON:
        map_json(&s, m);
        break;
    default:
        rc = map_svg(&s, m);
    }
    if (rc == 0 && s.failed)
        rc = ctr_fail(CTR_E_FAIL, "out of host memory for '%s'", path);
    if (rc == 0)
        rc = ctr_file_write(path, s.s, s.n);
    ctr_str_free(&s);
    return rc;
}

/* ---- telling ---- */

static void tell(const struct map *m, const struct opt_list *out, double seconds)
{
    char took[24];
    for (size_t i = 0; i < out->n; i++)
        term_note("wrote %s", out->items[i]);
    if (m->o.method == MAP_PCA)
        term_note("%zu of %zu vectors; the plane holds %.1f %% of the variance; %s", m->n, m->of->n,
                  100 * (m->share[0] + m->share[1]), term_duration(took, seconds));
    else
        term_note("%zu of %zu vectors; divergence %.3f; %s", m->n, m->of->n, m->divergence,
                  term_duration(took, seconds));
}

static int tell_json(const struct map *m, const struct opt_list *out, double seconds)
{
    struct ctr_str s = {0};
    int pca = m->o.method == MAP_PCA;
    const struct ctr_json_field fields[] = {
        ctr_json_int("schema", 1),
        ctr_json_str("method", pca ? "pca" : "tsne"),
        ctr_json_str("metric", m->o.metric == MAP_COSINE ? "cosine" : "euclidean"),
        ctr_json_int("n", (long long)m->of->n),
        ctr_json_int("dim", (long long)m->of->D),
        ctr_json_int("points", (long long)m->n),
        ctr_json_int("seed", (long long)m->o.seed),
        ctr_json_num("perplexity", pca ? NAN : m->o.perplexity),
        ctr_json_num("divergence", pca ? NAN : m->divergence),
        ctr_json_num("variance", pca ? m->share[0] + m->share[1] : NAN),
        ctr_json_num("seconds", seconds),
    };
    ctr_str_addf(&s, "{");
    ctr_json_members(&s, fields, sizeof fields / sizeof *fields);
    ctr_str_addf(&s, ",\"out\":[");
    for (size_t i = 0; i < out->n; i++) {
        ctr_str_addf(&s, "%s", i ? "," : "");
        ctr_str_json(&s, out->items[i]);
    }
    ctr_str_addf(&s, "]}\n");
    return term_print(&s);
}

static int map(const char *path, const struct options *o)
{
    int rc = 0;
    struct map m = {0};
    struct given given = {.o = {o->device, o->data, o->split, o->limit, o->batch, o->threads}};
    const struct map_options how = {(enum map_method)o->method, (enum map_metric)o->metric,
                                    o->points, o->seed, o->perplexity};
    CTR_TRY(given_open(&given, path));
    double start = ctr_now();
    rc = map_make(&m, &given.vectors, &how);
    if (rc == CTR_E_DATA)
        CTR_TRY(ctr_fail_in(rc, "'%s'", path));
    CTR_TRY(rc);
    double seconds = ctr_now() - start;
    for (size_t i = 0; i < o->out.n; i++)
        CTR_TRY(write_one(o->out.items[i], &m, path));
    if (o->json)
        CTR_TRY(tell_json(&m, &o->out, seconds));
    else
        tell(&m, &o->out, seconds);
    rc = given.data ? embed_skipped(given.data) : 0;
out:
    term_progress_end();
    map_free(&m);
    given_close(&given);
    return rc;
}

static int run(void *options, const struct opt_set *set)
{
    struct options *o = options;
    int rc = check_out(&o->out, set->args[0]);
    if (rc != 0)
        return rc;
    interrupt_catch();
    return map(set->args[0], o);
}

static const struct cmd_example examples[] = {
    {"clcontrast map emb.npy -o map.html", "a page with the map and pictures on it"},
    {"clcontrast map runs/1 --data photos -o map.html -o map.csv",
     "without a file of vectors: embeds all photos first; and a table of the points"},
    {"clcontrast map emb.npy --method pca -o map.svg", "the two main directions alone, a drawing"},
    {"clcontrast map emb.npy --points 2000 --perplexity 50 --seed 2 -o map.svg",
     "another sample, with wider neighbourhoods"},
    {NULL, NULL},
};

const struct cmd cmd_map = {
    .name = "map",
    .summary = "draw images as points, like beside like",
    .args = "INDEX",
    .min_args = 1,
    .max_args = 1,
    .about = "Brings the vectors of INDEX to a plane, by t-SNE or by principal components, and "
             "draws a point for each, "
             "coloured by class where classes are known. INDEX is a file that `clcontrast embed` "
             "wrote, any other "
             ".npy file of vectors, or a model, whose images are embedded first. Files of vectors "
             "need no device. "
             "docs/MAP.md tells what the maps mean.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct options),
    .run = run,
};
