/* settings.c -- public settings (clcontrast/train.h) to parameters of a trainer. In: settings. Out:
 * parameters, and the text of the run's config.toml, which the program reads. The table below is
 * the one place of defaults, ranges and words; tests/check/library.py holds it against the
 * program's. */
#include "train/settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/image.h"
#include "method/method.h"
#include "train/weights.h"

static const char bits[] = "auto|8|16", stems[] = "auto|cifar|strided|imagenet",
                  resizes[] = "bilinear|bicubic", precisions[] = "fp32|fp16|bf16",
                  maths[] = "fp32|tf32", schedules[] = "cosine|constant|step",
                  recomputes[] = "auto|on|off", splits[] = "train|test|val|all|unlabeled";

enum kind { TEXT, WORD, WHOLE, NUMBER, FLAG };

struct setting {
    const char *name;
    size_t at; /* in struct ctr_train_settings */
    enum kind kind;
    const char *text;  /* TEXT, WORD: default */
    const char *words; /* WORD: "one|another" */
    double init, min, max;
    int unwritten; /* not in config.toml, or not as it is given */
};

#define ROW(KIND, member, ...)                                                                     \
    {                                                                                              \
        .name = #member, .at = offsetof(struct ctr_train_settings, member), .kind = KIND,          \
        __VA_ARGS__                                                                                \
    }

static const struct setting table[] = {
    ROW(TEXT, out, .unwritten = 1),
    ROW(FLAG, resume, .unwritten = 1),
    ROW(TEXT, init, .unwritten = 1),
    ROW(WHOLE, epochs, .init = 20, .min = 1, .max = 1e6),
    ROW(WHOLE, steps, .max = 1e12),
    ROW(WHOLE, seed, .init = 1, .max = 9e15),
    ROW(WHOLE, checkpoint_steps, .max = 1e12),
    ROW(WHOLE, keep, .init = 3, .max = 1e6),
    ROW(WHOLE, log_steps, .init = 10, .min = 1, .max = 1e9),
    ROW(TEXT, data, .unwritten = 1),
    ROW(WORD, split, .text = "train", .words = splits),
    ROW(WHOLE, limit, .max = 4e9),
    ROW(NUMBER, validation, .max = 0.9),
    ROW(TEXT, labels, .text = NULL),
    ROW(WHOLE, image_size, .max = CTR_DATA_MAX_SIDE),
    ROW(WHOLE, channels, .max = CTR_CHANNELS_MAX),
    ROW(WORD, bits, .text = "auto", .words = bits),
    ROW(WHOLE, threads, .max = 256),
    ROW(FLAG, stream, .init = 0),
    ROW(WHOLE, batch, .init = 256, .min = 2, .max = 1e6),
    ROW(WHOLE, micro_batch, .max = 1e6),
    ROW(WHOLE, views, .max = 256),
    ROW(WHOLE, view_size, .max = 4096),
    ROW(WHOLE, local_views, .max = 256),
    ROW(WHOLE, local_size, .max = 4096),
    ROW(TEXT, augment, .text = NULL),
    ROW(TEXT, local_augment, .text = "crop(0.05,0.14) flip jitter gray"),
    ROW(WORD, resize, .text = "bilinear", .words = resizes),
    ROW(TEXT, encoder, .text = "cnn"),
    ROW(NUMBER, width, .init = 1, .min = 0.01, .max = CTR_WIDTH_MAX),
    ROW(WORD, stem, .text = "auto", .words = stems),
    ROW(TEXT, normalize, .text = "auto", .unwritten = 1),
    ROW(WORD, precision, .text = "fp32", .words = precisions),
    ROW(WORD, math, .text = "fp32", .words = maths),
    ROW(TEXT, method, .text = "simclr"),
    ROW(WHOLE, head_layers, .init = 2, .max = 4),
    ROW(WHOLE, head_hidden, .max = 65536),
    ROW(WHOLE, head_out, .init = 128, .min = 2, .max = 65536),
    ROW(FLAG, head_bn, .init = 1),
    ROW(TEXT, optimizer, .text = NULL),
    ROW(NUMBER, learning_rate, .max = 1e6),
    ROW(NUMBER, weight_decay, .init = -1, .min = -1, .max = 10),
    ROW(NUMBER, warmup_epochs, .max = 1e6),
    ROW(WORD, schedule, .text = "cosine", .words = schedules),
    ROW(TEXT, options, .unwritten = 1),
    ROW(TEXT, device, .text = NULL),
    ROW(TEXT, quirk, .text = NULL),
    ROW(TEXT, kernel, .text = NULL),
    ROW(WORD, recompute, .text = "auto", .words = recomputes),
    ROW(TEXT, tune, .text = "auto"),
    ROW(FLAG, sync, .init = 0),
};
#undef ROW
enum { SETTINGS = sizeof table / sizeof *table };

/* ---- defaults ---- */

void ctr_train_defaults(struct ctr_train_settings *settings)
{
    *settings = (struct ctr_train_settings){0};
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &table[i];
        void *to = (char *)settings + s->at;
        if (s->kind == TEXT || s->kind == WORD)
            *(const char **)to = s->text;
        else if (s->kind == WHOLE)
            *(uint64_t *)to = (uint64_t)s->init;
        else if (s->kind == NUMBER)
            *(double *)to = s->init;
        else
            *(int *)to = (int)s->init;
    }
}

/* ---- what may stand there ---- */

/* Which of "one|another" it is, or -1. */
static int place(const char *words, const char *word)
{
    size_t n = word ? strlen(word) : 0;
    for (int i = 0; n && words; i++) {
        if (strcspn(words, "|") == n && memcmp(words, word, n) == 0)
            return i;
        words = strchr(words, '|') ? strchr(words, '|') + 1 : NULL;
    }
    return -1;
}

static int check_one(const struct setting *s, const void *value)
{
    const char *text = s->kind == TEXT || s->kind == WORD ? *(const char *const *)value : NULL;
    if (s->kind == TEXT)
        return text || !s->text ? 0 : ctr_fail(CTR_E_USAGE, "%s is NULL", s->name);
    if (s->kind == WORD)
        return place(s->words, text) >= 0 ? 0
                                          : ctr_fail(CTR_E_USAGE, "%s: '%s' is none of %s", s->name,
                                                     text ? text : "(null)", s->words);
    double x = s->kind == WHOLE    ? (double)*(const uint64_t *)value
               : s->kind == NUMBER ? *(const double *)value
                                   : 0;
    if (x >= s->min && x <= s->max)
        return 0;
    return ctr_fail(CTR_E_USAGE, "%s: %.15g is not between %.15g and %.15g", s->name, x, s->min,
                    s->max);
}

static int check(const struct ctr_train_settings *settings)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < SETTINGS; i++)
        rc = check_one(&table[i], (const char *)settings + table[i].at);
    return rc == 0 && !settings->out
               ? ctr_fail(CTR_E_USAGE, "out is NULL: where should the run be?")
               : rc;
}

/* ---- options of method and optimizer ---- */

static void defaults_of(double *value, const struct ctr_option *options)
{
    for (size_t i = 0; options && options[i].name; i++)
        value[i] = options[i].init;
}

/* 1 when it was one of these; *rc tells whether its value was good. */
static int assign(double *value, const struct ctr_option *options, const char *name,
                  const char *text, int *rc)
{
    size_t i = 0;
    double x;
    while (options && options[i].name && strcmp(options[i].name, name) != 0)
        i++;
    if (!options || !options[i].name)
        return 0;
    if (ctr_parse_double(text, &x) != 0)
        *rc = ctr_fail(CTR_E_USAGE, "options: '%s' of %s is no number", text, name);
    else if (x < options[i].min || x > options[i].max)
        *rc = ctr_fail(CTR_E_USAGE, "options: %s: %g is not between %g and %g", name, x,
                       options[i].min, options[i].max);
    else
        value[i] = x;
    return 1;
}

static int parse_options(struct ctr_train_job *job, const struct ctr_method *m,
                         const struct ctr_optim *o, const char *line)
{
    static const char between[] = ", ";
    int rc = 0;
    defaults_of(job->params.method_option, m->options);
    defaults_of(job->params.optim_option, o->options);
    for (const char *p = line ? line : ""; rc == 0 && *(p += strspn(p, between));) {
        size_t n = strcspn(p, between);
        char item[96], *value;
        if (n >= sizeof item)
            return ctr_fail(CTR_E_USAGE, "options: '%.40s...' is too long", p);
        memcpy(item, p, n);
        item[n] = '\0';
        p += n;
        if (!(value = strchr(item, '=')))
            return ctr_fail(CTR_E_USAGE, "options: '%s' is not NAME=NUMBER", item);
        *value++ = '\0';
        if (!assign(job->params.method_option, m->options, item, value, &rc) &&
            !assign(job->params.optim_option, o->options, item, value, &rc))
            rc = ctr_fail(CTR_E_USAGE, "options: neither %s nor %s has '%s'", m->name, o->name,
                          item);
    }
    return rc;
}

/* ---- config.toml ---- */

static void write_text(struct ctr_str *out, const char *name, const char *text)
{
    if (!text)
        return;
    ctr_str_addf(out, "%s = ", name);
    ctr_str_quote(out, text);
    ctr_str_add(out, "\n", 1);
}

static void write_one(struct ctr_str *out, const struct setting *s, const void *value)
{
    char name[32];
    size_t n = strlen(s->name);
    for (size_t i = 0; i <= n; i++) /* with the NUL */
        name[i] = s->name[i] == '_' ? '-' : s->name[i];
    if (s->kind == TEXT || s->kind == WORD) {
        write_text(out, name, *(const char *const *)value);
        return;
    }
    ctr_str_addf(out, "%s = ", name);
    if (s->kind == WHOLE)
        ctr_str_addf(out, "%llu", (unsigned long long)*(const uint64_t *)value);
    else if (s->kind == NUMBER)
        ctr_str_add_double(out, *(const double *)value);
    else
        ctr_str_addf(out, "%s", *(const int *)value ? "true" : "false");
    ctr_str_add(out, "\n", 1);
}

static void write_options(struct ctr_str *out, const struct ctr_option *options,
                          const double *value)
{
    for (size_t i = 0; options && options[i].name; i++) {
        ctr_str_addf(out, "%s = ", options[i].name);
        ctr_str_add_double(out, value[i]);
        ctr_str_add(out, "\n", 1);
    }
}

/* recipe: lest the program look for values that are not its defaults. */
static int write_config(struct ctr_train_job *job, const struct ctr_train_settings *settings,
                        const struct ctr_method *m, const struct ctr_optim *o)
{
    struct ctr_str *out = &job->config, normalize = {0};
    ctr_normalize_line(&normalize, &job->params.normalize);
    write_text(out, "recipe", "simclr");
    write_text(out, "data", job->data);
    write_text(out, "init", job->init);
    for (size_t i = 0; i < SETTINGS; i++)
        if (!table[i].unwritten)
            write_one(out, &table[i], (const char *)settings + table[i].at);
    write_text(out, "normalize", normalize.s);
    write_options(out, m->options, job->params.method_option);
    write_options(out, o->options, job->params.optim_option);
    job->params.config = out->s;
    out->failed |= normalize.failed;
    ctr_str_free(&normalize);
    return out->failed ? ctr_fail(CTR_E_FAIL, "out of memory") : 0;
}

/* ---- parameters ---- */

/* Weights to start from, and auto: as the model has it that they belong to, or the run that goes on, unless that has
 * saved nothing and begins anew. */
static int take_start(struct ctr_train_job *job, const struct ctr_train_settings *s)
{
    struct ctr_train_params *p = &job->params;
    char *file = NULL;
    int rc = 0, goes_on = s->resume && ctr_weights_start(&file, &p->normalize, s->out) == 0;
    if (!goes_on && s->init) {
        CTR_TRY(ctr_weights_start(&file, &p->normalize, s->init));
        p->init = job->init = ctr_data_absolute(file);
        rc = job->init ? 0 : CTR_E_FAIL;
    }
    if (strcmp(s->normalize, "auto") != 0 && (rc = ctr_normalize_parse(&p->normalize, s->normalize)) != 0)
        rc = ctr_fail_in(rc, "normalize");
out:
    free(file);
    return rc;
}

static int take_augment(struct ctr_train_params *p, const struct ctr_train_settings *s)
{
    int rc = s->augment ? ctr_augment_parse(&p->augment, s->augment) : 0;
    if (rc != 0)
        return ctr_fail_in(rc, "augment");
    rc = ctr_augment_parse(&p->augment_local, s->local_augment);
    p->augment.cubic = p->augment_local.cubic = place(resizes, s->resize) == 1;
    return rc ? ctr_fail_in(rc, "local_augment") : 0;
}

static void take_values(struct ctr_train_job *job, const struct ctr_train_settings *s)
{
    static const enum ctr_dtype stored[] = {CTR_F32, CTR_F16, CTR_BF16};
    job->params = (struct ctr_train_params){
        .data = job->data,
        .split = s->split,
        .limit = s->limit,
        .validation = s->validation,
        .image_size = s->image_size,
        .channels = s->channels,
        .bits = 8 * (uint64_t)place(bits, s->bits),
        .view_size = s->view_size,
        .threads = s->threads,
        .stream = s->stream,
        .encoder = s->encoder,
        .method = s->method,
        .optimizer = s->optimizer,
        .stem = (enum ctr_stem)place(stems, s->stem),
        .width = s->width,
        .precision = stored[place(precisions, s->precision)],
        .head_layers = s->head_layers,
        .head_hidden = s->head_hidden,
        .head_out = s->head_out,
        .head_bn = s->head_bn,
        .epochs = s->epochs,
        .max_steps = s->steps,
        .batch = s->batch,
        .views = s->views,
        .micro_batch = s->micro_batch,
        .local_views = s->local_views,
        .local_size = s->local_size,
        .seed = s->seed,
        .learning_rate = s->learning_rate,
        .weight_decay = s->weight_decay,
        .warmup_epochs = s->warmup_epochs,
        .schedule = (enum ctr_schedule_kind)place(schedules, s->schedule),
        .out = s->out,
        .resume = s->resume,
        .checkpoint_steps = s->checkpoint_steps,
        .log_steps = s->log_steps,
        .device = s->device,
        .kernels = s->kernel,
        .quirks = s->quirk,
        .tf32 = place(maths, s->math),
        .recompute = (enum ctr_recompute)place(recomputes, s->recompute),
        .sync = s->sync,
        .keep = s->keep,
    };
}

/* What the encoder, the method and the optimizer are called; the trainer knows what goes together.
 */
static int find(const struct ctr_method **m, const struct ctr_optim **o,
                const struct ctr_train_settings *s)
{
    const struct ctr_encoder *e = ctr_encoder_find(s->encoder);
    if (!e)
        return ctr_fail(CTR_E_USAGE, "there is no encoder '%s'", s->encoder);
    const char *optimizer = s->optimizer ? s->optimizer : e->optimizer;
    *m = ctr_method_find(s->method);
    *o = ctr_optim_find(optimizer);
    if (!*m)
        return ctr_fail(CTR_E_USAGE, "there is no method '%s'", s->method);
    return *o ? 0 : ctr_fail(CTR_E_USAGE, "there is no optimizer '%s'", optimizer);
}

int ctr_train_job_init(struct ctr_train_job *job, const struct ctr_train_settings *settings)
{
    int rc = 0;
    const struct ctr_method *m = NULL;
    const struct ctr_optim *o = NULL;
    *job = (struct ctr_train_job){0};
    CTR_TRY(check(settings));
    CTR_TRY(find(&m, &o, settings));
    if (settings->data && !(job->data = ctr_data_absolute(settings->data)))
        CTR_TRY(CTR_E_FAIL);
    take_values(job, settings);
    struct ctr_train_params *p = &job->params;
    if (settings->labels && (rc = ctr_few_parse(&p->labels, settings->labels)) != 0)
        CTR_TRY(ctr_fail_in(rc, "labels"));
    if ((rc = ctr_train_tune_parse(p, settings->tune)) != 0)
        CTR_TRY(ctr_fail_in(rc, "tune"));
    CTR_TRY(take_start(job, settings));
    CTR_TRY(take_augment(p, settings));
    CTR_TRY(parse_options(job, m, o, settings->options));
    CTR_TRY(write_config(job, settings, m, o));
out:
    if (rc != 0)
        ctr_train_job_finish(job);
    return rc;
}

void ctr_train_job_finish(struct ctr_train_job *job)
{
    free(job->data);
    free(job->init);
    ctr_str_free(&job->config);
    *job = (struct ctr_train_job){0};
}
