/* cmd_bench.c -- `clcontrast bench`: how fast the ops and whole training steps are on a device,
 * beside what the device could do at most.
 *
 * In: names of what to time. Out: a table as it is measured, or one JSON object; a drawing on
 * demand. bench.h tells who does what. */
#include "bench.h"
#include "cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/outfile.h"
#include "nn/nn.h"
#include "names.h"
#include "out.h"
#include "opt_train.h"
#include "term.h"

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct bench_options, member, __VA_ARGS__)

static const struct opt rows[] = {
    OPT_DEVICE(struct bench_options),
    ROW(STR, encoder, .name = "encoder", .metavar = "NAME", .shown = "cnn and resnet18",
        .names = &names_encoders, .help = "whose training step is timed"),
    ROW(U64, batch, .name = "batch", .letter = 'b', .metavar = "N", .init = "0",
        .shown = "each case's own", .max = 1e6,
        .help = "pairs of views of a step; images or rows of an op"),
    ROW(U64, image_size, .name = "image-size", .metavar = "PIXELS", .init = "32", .min = 8,
        .max = 1024, .help = "side of the views of a step"),
    ROW(DOUBLE, seconds, .name = "seconds", .metavar = "S", .init = "0.3", .min = 0, .max = 3600,
        .help = "measuring time of each row, about"),
    ROW(U64, repeat, .name = "repeat", .metavar = "N", .init = "0", .shown = "by time", .max = 1000,
        .help = "timings of each row"),
    ROW(FLAG, full, .name = "full", .help = "the large cases too"),
    ROW(FLAG, peaks, .name = "peaks", .init = "1",
        .help = "do not measure what the device can do at most"),
    ROW(FLAG, list, .name = "list", .help = "print the names of what can be timed, and stop"),
    ROW(FLAG, json, .name = "json", .help = "print one JSON object"),
    ROW(STR, svg, .name = "svg", .metavar = "FILE", .help = "draw the roofline"),
    OPT_PRECISION(struct bench_options),
    OPT_MATH(struct bench_options),
    ROW(STR, kernel, .name = "kernel", .metavar = "OP=VARIANT,...",
        .help = "force kernel variants where they can be used"),
    ROW(STR, quirk, .name = "quirk", .metavar = "+A,-B",
        .help = "switch workarounds on or off (see `clcontrast devices`)"),
    {.name = NULL},
};

/* ---- what is to be timed ---- */

struct bench {
    struct bench_options o;
    const struct opt_set *set;
    struct bench_row *rows;
    const char **variants; /* of each row, NULL: the chooser's */
    size_t n, cap, cap_variants;
    ctr_dev *dev;
    struct ctr_peaks peaks;
    unsigned used; /* parts of --kernel */
};

/* "conv2d" and "conv2d/64x32" select "conv2d/64x32/fwd". */
static int selects(const char *word, const char *name)
{
    size_t n = strlen(word);
    return n > 0 && strncmp(word, name, n) == 0 && (name[n] == '\0' || name[n] == '/');
}

/* Whether a name was asked for; `full` cases only when named themselves. */
static int wanted(const struct bench *b, const char *name, int full)
{
    if (b->set->n_args == 0)
        return !full || b->o.full || b->o.list;
    for (size_t i = 0; i < b->set->n_args; i++)
        if (selects(b->set->args[i], name) && (!full || b->o.full || strchr(b->set->args[i], '/')))
            return 1;
    return 0;
}

static struct bench_row *add_row(struct bench *b, const char *variant)
{
    if (ctr_grow((void **)&b->rows, &b->cap, b->n + 1, sizeof *b->rows) != 0 ||
        ctr_grow((void **)&b->variants, &b->cap_variants, b->n + 1, sizeof *b->variants) != 0)
        return NULL;
    b->variants[b->n] = variant;
    return &b->rows[b->n++];
}

static int add_case(struct bench *b, const struct bench_family *f, const struct bench_case *c)
{
    static const struct {
        enum bench_pass pass;
        const char *name;
    } passes[] = {{BENCH_FWD, "/fwd"},
                  {BENCH_DX, "/dx"},
                  {BENCH_DW, "/dw"},
                  {BENCH_BWD, "/bwd"},
                  {BENCH_ONE, ""}};
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        struct bench_row row = {.family = f, .pass = passes[i].pass};
        snprintf(row.name, sizeof row.name, "%s/%s%s", f->name, c->name, passes[i].name);
        if (!(c->passes & passes[i].pass) || !wanted(b, row.name, c->full))
            continue;
        memcpy(row.v, c->v, sizeof row.v);
        if (b->o.batch && strcmp(f->keys[0], "N") == 0)
            row.v[0] = b->o.batch;
        struct bench_row *to = add_row(b, c->variant);
        if (!to)
            return CTR_E_FAIL;
        *to = row;
    }
    return 0;
}

static int add_step(struct bench *b, const char *encoder, size_t pairs, int full)
{
    struct bench_row row = {.encoder = encoder,
                            .pairs = b->o.batch ? b->o.batch : pairs,
                            .image_size = b->o.image_size};
    snprintf(row.name, sizeof row.name, "step/%s", encoder);
    if (!wanted(b, row.name, full))
        return 0;
    struct bench_row *to = add_row(b, NULL);
    if (to)
        *to = row;
    return to ? 0 : CTR_E_FAIL;
}

/* Small networks are timed with 256 pairs, others with 64; all but the two most used only when
 * asked for. */
static int add_steps(struct bench *b)
{
    int rc = 0;
    const char *only = b->o.encoder;
    for (const struct ctr_encoder *e = ctr_encoders; rc == 0 && e->name; e++) {
        int small = strcmp(e->name, "cnn") == 0, usual = small || strcmp(e->name, "resnet18") == 0;
        if (!only || strcmp(only, e->name) == 0)
            rc = add_step(b, e->name, small ? 256 : 64, !only && !usual);
    }
    return rc;
}

static int collect(struct bench *b)
{
    int rc = 0;
    for (const struct bench_family *const *f = bench_families; *f; f++)
        for (const struct bench_case *c = (*f)->cases; c->name; c++)
            CTR_TRY(add_case(b, *f, c));
    CTR_TRY(add_steps(b));
out:
    return rc;
}

/* Every word must select something. */
static int check_words(const struct bench *b)
{
    for (size_t i = 0; i < b->set->n_args; i++) {
        const char *word = b->set->args[i];
        struct opt_near near = {0};
        int found = strcmp(word, "peaks") == 0;
        opt_near_offer(&near, word, "peaks");
        opt_near_offer(&near, word, "step");
        for (size_t k = 0; k < b->n && !found; k++)
            found = selects(word, b->rows[k].name);
        for (const struct bench_family *const *f = bench_families; *f; f++)
            opt_near_offer(&near, word, (*f)->name);
        if (found)
            continue;
        int rc = ctr_fail(CTR_E_USAGE, "there is nothing to time named '%s'", word);
        return near.best ? ctr_hint(rc, "did you mean '%s'?", near.best)
                         : ctr_hint(rc, "`clcontrast bench --list` has the names");
    }
    return 0;
}

static int check_kernels(const struct bench *b)
{
    const char *list = b->o.kernel;
    for (unsigned k = 0; list && *list; k++) {
        size_t n = ctr_variant_item_length(list);
        if (n && !(b->used >> (k < 31 ? k : 31) & 1))
            return ctr_hint(
                ctr_fail(CTR_E_USAGE, "--kernel %.*s: nothing timed uses such an op", (int)n, list),
                "the last column of the table names ops and their variants");
        list += n + (list[n] == ',');
    }
    return 0;
}

/* ---- running ---- */

static int time_row(struct bench *b, struct bench_row *row, const char *variant, int *skipped)
{
    const struct ctr_peaks *peaks = b->o.peaks ? &b->peaks : NULL;
    *skipped = 0;
    int rc = row->family ? bench_op(row, skipped, b->dev, &b->o, variant, &b->used)
                         : bench_step(row, &b->o, peaks);
    if (!row->family)
        b->used = ~0u; /* the graph of a step has checked them */
    return rc == 0 ? 0 : ctr_fail_in(rc, "timing %s", row->name);
}

static int time_all(struct bench *b, struct bench_result *r)
{
    int rc = 0;
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++) {
        int skipped;
        if (b->o.json) /* else the table shows how far it is */
            term_progress("%s %zu/%zu", b->rows[i].name, i + 1, b->n);
        CTR_TRY(time_row(b, &b->rows[i], b->variants[i], &skipped));
        if (skipped)
            continue;
        b->rows[kept++] = b->rows[i];
        if (kept - 1 != i)
            b->rows[i].kernels = NULL, b->rows[i].n_kernels = 0;
        if (!b->o.json)
            bench_table_row(r, &b->rows[kept - 1]);
    }
    r->n = kept;
out:
    return rc;
}

static int write_svg(const struct bench_result *r, const char *path)
{
    struct ctr_str text = {0};
    bench_svg(&text, r);
    int rc =
        text.failed ? ctr_fail(CTR_E_FAIL, "out of memory") : ctr_file_write(path, text.s, text.n);
    if (rc == 0)
        term_note("wrote %s", path);
    ctr_str_free(&text);
    return rc;
}

static int measure(struct bench *b)
{
    int rc = 0;
    struct ctr_str json = {0};
    CTR_TRY(ctr_dev_open(&b->dev, b->o.device,
                         &(struct ctr_dev_params){.quirks = b->o.quirk, .tf32 = b->o.math}));
    if (b->o.peaks) {
        CTR_TRY(ctr_dev_measure(&b->peaks, b->dev));
        ctr_dev_set_peaks(b->dev, &b->peaks);
    }
    struct bench_result r = {.caps = ctr_dev_caps(b->dev),
                             .storage = opt_storage(b->o.precision),
                             .tf32 = b->o.math,
                             .peaks = b->o.peaks ? &b->peaks : NULL,
                             .rows = b->rows,
                             .n = b->n};
    if (!b->o.json)
        bench_table_head(&r);
    CTR_TRY(time_all(b, &r));
    CTR_TRY(check_kernels(b));
    if (b->o.json) {
        bench_json(&json, &r);
        CTR_TRY(term_print(&json));
    }
    if (b->o.svg)
        CTR_TRY(write_svg(&r, b->o.svg));
out:
    return rc;
}

static int list_names(const struct bench *b)
{
    struct ctr_str json = {0};
    if (b->o.json) {
        bench_json(&json, &(struct bench_result){.rows = b->rows, .n = b->n});
        return term_print(&json);
    }
    for (size_t i = 0; i < b->n; i++)
        puts(b->rows[i].name);
    return 0;
}

static int run(void *options, const struct opt_set *set)
{
    struct bench *b = options;
    int rc = 0;
    b->set = set;
    if (b->o.svg && !b->o.peaks)
        return ctr_hint(ctr_fail(CTR_E_USAGE, "--svg draws the measured peaks"),
                        "leave out --no-peaks");
    CTR_TRY(out_check("svg", b->o.svg, 1));
    CTR_TRY(collect(b));
    CTR_TRY(check_words(b));
    rc = b->o.list ? list_names(b) : measure(b);
out:
    return rc;
}

static void finish(void *options)
{
    struct bench *b = options;
    for (size_t i = 0; i < b->n; i++)
        bench_row_finish(&b->rows[i]);
    ctr_dev_destroy(&b->dev);
    free(b->rows);
    free(b->variants);
}

static const struct cmd_example examples[] = {
    {"clcontrast bench", "everything, in about a minute"},
    {"clcontrast bench conv2d/64x32 gemm", "some of it, by the beginnings of names"},
    {"clcontrast bench step --encoder resnet18 --batch 64", "one training step, kernel by kernel"},
    {"clcontrast bench conv2d --kernel conv2d=direct --svg roofline.svg",
     "another kernel than the one chosen, and a drawing"},
    {NULL, NULL},
};

const struct cmd cmd_bench = {
    .name = "bench",
    .summary = "time ops and training steps beside what the device can do",
    .args = "[NAME...]",
    .max_args = 64,
    .about =
        "Measures the device's peak arithmetic and bandwidth, then ops with the networks' shapes "
        "and "
        "whole training steps. GFLOP/s are those of the direct algorithm and GB/s count each "
        "operand once; "
        "flop% and mem% are shares of the measured peaks, of the arithmetic really done; x floor "
        "is the time over what the peaks allow. Nothing else should run beside it.",
    .examples = examples,
    .options = rows,
    .finish = finish,
    .bytes = sizeof(struct bench),
    .run = run,
};
