/* cmd_classify.c -- `clcontrast classify MODEL --examples DIR IMAGE...`: what images are, told by a
 * few examples. In: a trained encoder, folders of examples, images. Out: a class and a probability
 * for each image. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/outfile.h"
#include "cmd.h"
#include "data/data.h"
#include "embed_data.h"
#include "eval/classify.h"
#include "given.h"
#include "interrupt.h"
#include "names.h"
#include "out.h"
#include "term.h"

struct options {
    const char *examples, *out, *device;
    uint64_t top, seed, batch, threads;
    int classifier, check, json;
};

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct options, member, __VA_ARGS__)

static const struct opt rows[] = {
    ROW(STR, examples, .name = "examples", .letter = 'e', .metavar = "DIR",
        .help = "a folder with a sub-folder for each class, holding a few images of it; or any "
                "data set with classes "
                "(required)"),
    ROW(CHOICE, classifier, .name = "classifier", .metavar = "C", .choices = "auto|logistic|mean",
        .init = "auto",
        .help = "logistic: softmax regression; mean: the nearest class mean; auto: mean where a "
                "class has one example"),
    ROW(U64, top, .name = "top", .letter = 'k', .metavar = "N", .init = "1", .min = 1, .max = 100,
        .help = "show so many classes of each image, the likeliest first"),
    ROW(STR, out, .name = "out", .letter = 'o', .metavar = "FILE",
        .help = "write a table, .csv, with all classes"),
    ROW(FLAG, check, .name = "check", .init = "1",
        .help = "without cross-validation: no estimate of how many are right, and probabilities "
                "that are too sure"),
    ROW(U64, seed, .name = "seed", .metavar = "N", .init = "1",
        .help = "of the parts that are left out to choose and check"),
    OPT_DEVICE(struct options),
    OPT_BATCH(struct options, "64"),
    OPT_THREADS(struct options),
    ROW(FLAG, json, .name = "json", .help = "one JSON object instead of the table"),
    {.name = NULL},
};

struct classify {
    const struct options *o;
    struct given given; /* the model */
    struct ctr_data *examples;
    const struct ctr_data_info *info; /* of the examples */
    struct ctr_features train;
    struct ctr_classify_how how;
    double right; /* by cross-validation; NaN: not known */
    struct ctr_linear l;
    char **name;   /* [n] of the images, */
    float *x;      /* [n][D], of length one */
    double *share; /* [n][classes] */
    size_t n, name_cap, x_cap, skipped;
};

/* ---- examples ---- */

static int check_classes(const struct classify *c, const int32_t *label, size_t n)
{
    size_t *n_of = ctr_alloc(c->info->n_classes, sizeof *n_of);
    int rc = n_of ? 0 : CTR_E_FAIL;
    for (size_t i = 0; rc == 0 && i < n; i++)
        n_of[label[i]]++;
    for (unsigned k = 0; rc == 0 && k < c->info->n_classes; k++)
        if (n_of[k] == 0)
            rc = ctr_fail(CTR_E_DATA, "'%s': there is no image of '%s' that can be read",
                          c->info->path, c->info->class_names[k]);
    free(n_of);
    return rc;
}

static int learn(struct classify *c)
{
    int rc = 0;
    struct ctr_embedding e = {0};
    CTR_TRY(ctr_model_data(&c->examples, c->given.model,
                           &(struct ctr_model_data_params){.path = c->o->examples,
                                                           .threads = (unsigned)c->o->threads}));
    c->info = ctr_data_info(c->examples);
    if (c->info->n_classes < 2)
        CTR_TRY(ctr_hint(ctr_fail(CTR_E_DATA, "'%s' has no classes to tell apart", c->info->path),
                         "make a sub-folder for each class, with a few images of it"));
    CTR_TRY(embed_data(&e, c->given.model, c->examples, 1));
    c->train = (struct ctr_features){.x = e.x, .label = e.label, .n = e.n, .D = e.D};
    e.x = NULL;
    e.label = NULL;
    ctr_features_drop_unlabelled(&c->train);
    CTR_TRY(check_classes(c, c->train.label, c->train.n));
    CTR_TRY(
        ctr_classify_fit(&c->l, &c->how, c->given.dev, &c->train, c->info->n_classes, c->o->seed));
    if (c->o->check)
        CTR_TRY(ctr_classify_check(&c->right, &c->l, &c->how, c->given.dev, &c->train, c->o->seed));
out:
    ctr_embedding_free(&e);
    return rc;
}

/* ---- images ---- */

/* Makes room for one more; its name becomes folder/name, or name. */
static int add_name(struct classify *c, const char *folder, const char *name)
{
    if (ctr_grow((void **)&c->name, &c->name_cap, c->n + 1, sizeof *c->name) != 0 ||
        ctr_grow((void **)&c->x, &c->x_cap, (c->n + 1) * c->train.D, sizeof *c->x) != 0)
        return CTR_E_FAIL;
    c->name[c->n] = folder ? ctr_path_join(folder, name) : ctr_strdup(name);
    return c->name[c->n] ? (c->n++, 0) : CTR_E_FAIL;
}

static int add_set(struct classify *c, const char *path)
{
    int rc = 0;
    struct ctr_data *data = NULL;
    struct ctr_embedding e = {0};
    size_t at = c->n;
    CTR_TRY(ctr_model_data(
        &data, c->given.model,
        &(struct ctr_model_data_params){.path = path, .threads = (unsigned)c->o->threads}));
    CTR_TRY(embed_data(&e, c->given.model, data, 1));
    for (size_t i = 0; i < e.n; i++)
        CTR_TRY(add_name(c, path, e.name[i]));
    if (e.n > 0)
        memcpy(c->x + at * e.D, e.x, e.n * e.D * sizeof *e.x);
    c->skipped += ctr_data_n_skipped(data);
    (void)embed_skipped(data); /* it is told at the end */
out:
    ctr_embedding_free(&e);
    ctr_data_close(&data);
    return rc;
}

/* Files, one after another, as the arguments stand. */
static int add_images(struct classify *c, const char *const *args, size_t n)
{
    struct stat is;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (stat(args[i], &is) != 0 || (!S_ISDIR(is.st_mode) && !ctr_data_is_file(args[i]))) {
            rc = add_name(c, NULL, args[i]);
            if (rc == 0)
                rc = ctr_model_embed_files(c->x + (c->n - 1) * c->train.D, c->given.model, &args[i],
                                           1, 1);
        } else {
            rc = add_set(c, args[i]);
        }
        if (rc == 0 && interrupt_caught())
            rc = ctr_fail(CTR_E_FAIL, "interrupted");
    }
    return rc;
}

static int decide(struct classify *c)
{
    size_t classes = c->info->n_classes;
    if (!(c->share = ctr_alloc(c->n * classes, sizeof *c->share)))
        return CTR_E_FAIL;
    for (size_t i = 0; i < c->n; i++)
        ctr_classify(c->share + i * classes, &c->l, c->x + i * c->train.D);
    return 0;
}

/* The likeliest class that is less likely than `behind` (-1: of all), the first of equals. */
static int next_class(const double *share, unsigned classes, int behind)
{
    int best = -1;
    for (int k = 0; k < (int)classes; k++) {
        int later =
            behind < 0 || share[k] < share[behind] || (share[k] == share[behind] && k > behind);
        if (later && (best < 0 || share[k] > share[best]))
            best = k;
    }
    return best;
}

/* ---- telling ---- */

static const char *kind_name(const struct classify *c)
{
    return c->how.kind == CTR_CLASSIFY_MEAN ? "mean" : "logistic";
}

static size_t shown(const struct classify *c)
{
    return c->o->top < c->info->n_classes ? (size_t)c->o->top : c->info->n_classes;
}

static void print_image(struct ctr_str *s, const struct classify *c, size_t i)
{
    const double *share = c->share + i * c->info->n_classes;
    int k = -1;
    for (size_t rank = 0; rank < shown(c); rank++) {
        k = next_class(share, c->info->n_classes, k);
        ctr_str_addf(s, "%7.3f  ", share[k]);
        term_escape(s, c->info->class_names[k]);
        ctr_str_add(s, "  ", 2);
        if (rank == 0)
            term_escape(s, c->name[i]);
        ctr_str_add(s, "\n", 1);
    }
}

static void json_image(struct ctr_str *s, const struct classify *c, size_t i)
{
    const double *share = c->share + i * c->info->n_classes;
    ctr_str_addf(s, "{\"path\":");
    ctr_str_json(s, c->name[i]);
    ctr_str_addf(s, ",\"classes\":[");
    int k = -1;
    for (size_t rank = 0; rank < shown(c); rank++) {
        k = next_class(share, c->info->n_classes, k);
        ctr_str_addf(s, "%s{\"class\":", rank ? "," : "");
        ctr_str_json(s, c->info->class_names[k]);
        ctr_str_addf(s, ",\"probability\":");
        ctr_str_json_num(s, share[k]);
        ctr_str_addf(s, "}");
    }
    ctr_str_addf(s, "]}");
}

static void json(struct ctr_str *s, const struct classify *c)
{
    ctr_str_addf(s, "{\"schema\":1,\"model\":");
    ctr_str_json(s, ctr_model_info(c->given.model)->path);
    ctr_str_addf(s, ",\"examples\":%zu,\"classes\":%u,\"classifier\":\"%s\",\"cross_validated\":",
                 c->train.n, c->info->n_classes, kind_name(c));
    ctr_str_json_num(s, c->right);
    ctr_str_addf(s, ",\"skipped\":%zu,\"images\":[", c->skipped);
    for (size_t i = 0; i < c->n; i++) {
        ctr_str_addf(s, i ? ",\n" : "\n");
        json_image(s, c, i);
    }
    ctr_str_addf(s, "\n]}\n");
}

static void csv(struct ctr_str *s, const struct classify *c)
{
    unsigned classes = c->info->n_classes;
    ctr_str_addf(s, "path,class,probability");
    for (unsigned k = 0; k < classes; k++) {
        ctr_str_add(s, ",", 1);
        ctr_str_csv(s, c->info->class_names[k]);
    }
    ctr_str_addf(s, "\r\n");
    for (size_t i = 0; i < c->n; i++) {
        const double *share = c->share + i * classes;
        int best = next_class(share, classes, -1);
        ctr_str_csv(s, c->name[i]);
        ctr_str_add(s, ",", 1);
        ctr_str_csv(s, c->info->class_names[best]);
        ctr_str_add(s, ",", 1);
        ctr_str_json_num(s, share[best]);
        for (unsigned k = 0; k < classes; k++) {
            ctr_str_add(s, ",", 1);
            ctr_str_json_num(s, share[k]);
        }
        ctr_str_addf(s, "\r\n");
    }
}

static void note(const struct classify *c)
{
    char right[96] = "";
    if (c->right == c->right)
        snprintf(right, sizeof right, "; %.1f %% of them are right by cross-validation",
                 100 * c->right);
    term_note("%s classifier of %zu examples in %u classes%s",
              c->how.kind == CTR_CLASSIFY_MEAN ? "nearest-mean" : "logistic", c->train.n,
              c->info->n_classes, right);
}

static int tell(const struct classify *c)
{
    int rc = 0;
    struct ctr_str s = {0}, table = {0};
    if (c->o->out) {
        csv(&table, c);
        rc = table.failed ? CTR_E_FAIL : ctr_file_write(c->o->out, table.s, table.n);
    }
    if (c->o->json)
        json(&s, c);
    for (size_t i = 0; !c->o->json && i < c->n; i++)
        print_image(&s, c, i);
    if (rc == 0)
        rc = term_print(&s);
    if (rc == 0 && !c->o->json)
        note(c);
    if (rc == 0 && c->o->out)
        term_note("wrote %s", c->o->out);
    ctr_str_free(&table);
    ctr_str_free(&s);
    return rc;
}

/* ---- running ---- */

/* args: a model, then images. */
static int check_options(const struct options *o, const char *const *args, size_t n)
{
    if (!o->examples)
        return ctr_hint(ctr_fail(CTR_E_USAGE, "no --examples given"),
                        "--examples DIR, with a sub-folder of images for each class");
    if (n < 2)
        return ctr_fail(CTR_E_USAGE,
                        "no image to classify: name files or folders behind the model");
    int rc = out_check("out", o->out, 1);
    return rc ? rc : out_spares("out", o->out, args, n);
}

static int classify(struct classify *c, const char *model, const char *const *images, size_t n)
{
    int rc = 0;
    CTR_TRY(given_model(&c->given, model, 0));
    CTR_TRY(learn(c));
    CTR_TRY(add_images(c, images, n));
    CTR_TRY(decide(c));
    term_progress_end();
    CTR_TRY(tell(c));
    rc = embed_skipped(c->examples);
    if (rc == 0 && c->skipped)
        rc = ctr_fail(CTR_E_PARTIAL, "%zu file%s skipped", c->skipped,
                      c->skipped == 1 ? " was" : "s were");
out:
    term_progress_end();
    return rc;
}

static int run(void *options, const struct opt_set *set)
{
    const struct options *o = options;
    struct classify c = {
        .o = o,
        .right = NAN,
        .how.kind = (enum ctr_classifier)o->classifier,
        .given.o = {.device = o->device, .batch = o->batch, .threads = o->threads}};
    int rc = check_options(o, set->args, set->n_args);
    if (rc != 0)
        return rc;
    interrupt_catch();
    rc = classify(&c, set->args[0], set->args + 1, set->n_args - 1);
    for (size_t i = 0; i < c.n; i++)
        free(c.name[i]);
    free(c.name);
    free(c.x);
    free(c.share);
    ctr_linear_finish(&c.l);
    ctr_features_free(&c.train);
    ctr_data_close(&c.examples);
    given_close(&c.given);
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast classify runs/1 --examples few beach.jpg",
     "few/ has a sub-folder for each class with a few images of it"},
    {"clcontrast classify runs/1 --examples few photos -o classes.csv",
     "all images of a folder, into a table"},
    {"clcontrast classify runs/1 --examples few --top 3 --json a.jpg b.jpg",
     "the three likeliest classes, as JSON"},
    {NULL, NULL},
};

const struct cmd cmd_classify = {
    .name = "classify",
    .summary = "tell what images are, by a few examples of each class",
    .args = "MODEL IMAGE...|DIR...",
    .min_args = 1,
    .max_args = 100000,
    .about = "Embeds the examples with MODEL, a run's directory or a checkpoint's file, learns a "
             "classifier of their features, "
             "which takes a moment, and shows for each image the likeliest class and its "
             "probability. The encoder is not "
             "changed. From several examples of each class it is softmax regression, whose penalty "
             "is chosen on a part of "
             "them; from one, the nearest class mean by cosine. Cross-validation over the examples "
             "estimates how many will be "
             "right and tempers the probabilities accordingly.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct options),
    .run = run,
};
