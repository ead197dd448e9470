/* settings.c -- public settings (clcontrast/train.h) to parameters of a trainer. In: settings. Out:
 * parameters, and the text of the run's config.toml, which the program reads. */
#include "train/settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "method/method.h"
#include "train/weights.h"

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

#define AS_TEXT(value)              .kind = TEXT, .text = value
#define AS_WORD(value, list)        .kind = WORD, .text = value, .words = list
#define AS_WHOLE(value, low, high)  .kind = WHOLE, .init = value, .min = low, .max = high
#define AS_NUMBER(value, low, high) .kind = NUMBER, .init = value, .min = low, .max = high
#define AS_FLAG(value)              .kind = FLAG, .init = value
#define AS_ROW(KIND, ...)           AS_##KIND(__VA_ARGS__)
#define ROW(member, ...)                                                                           \
    {                                                                                              \
        .name = #member, .at = offsetof(struct ctr_train_settings, member),                        \
        CTR_SET_##member(AS_ROW), __VA_ARGS__                                                      \
    }

static const struct setting table[] = {
    ROW(out, .unwritten = 1),
    ROW(resume, .unwritten = 1),
    ROW(init, .unwritten = 1),
    ROW(epochs),
    ROW(steps),
    ROW(seed),
    ROW(checkpoint_steps),
    ROW(keep),
    ROW(log_steps),
    ROW(data, .unwritten = 1),
    ROW(split),
    ROW(limit),
    ROW(validation),
    ROW(labels),
    ROW(image_size),
    ROW(channels),
    ROW(bits),
    ROW(threads),
    ROW(stream),
    ROW(batch),
    ROW(micro_batch),
    ROW(views),
    ROW(view_size),
    ROW(local_views),
    ROW(local_size),
    ROW(augment),
    ROW(local_augment),
    ROW(resize),
    ROW(encoder),
    ROW(width),
    ROW(stem),
    ROW(normalize, .unwritten = 1),
    ROW(precision),
    ROW(math),
    ROW(method),
    ROW(head_layers),
    ROW(head_hidden),
    ROW(head_out),
    ROW(head_bn),
    ROW(optimizer),
    ROW(learning_rate),
    ROW(encoder_rate),
    ROW(weight_decay),
    ROW(warmup_epochs),
    ROW(schedule),
    ROW(options, .unwritten = 1),
    ROW(device),
    ROW(quirk),
    ROW(kernel),
    ROW(recompute),
    ROW(tune),
    ROW(sync),
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

int ctr_setting_place(const char *words, const char *word)
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
        return ctr_setting_place(s->words, text) >= 0
                   ? 0
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

static int take_augment(struct ctr_train_params *p, const struct ctr_train_settings *s)
{
    int rc = s->augment ? ctr_augment_parse(&p->augment, s->augment) : 0;
    if (rc != 0)
        return ctr_fail_in(rc, "augment");
    rc = ctr_augment_parse(&p->augment_local, s->local_augment);
    p->augment.cubic = p->augment_local.cubic = strcmp(s->resize, "bicubic") == 0;
    return rc ? ctr_fail_in(rc, "local_augment") : 0;
}

int ctr_train_params_take(struct ctr_train_params *p, const struct ctr_train_settings *s)
{
    static const enum ctr_dtype stored[] = {CTR_F32, CTR_F16, CTR_BF16};
    int rc = 0;
    *p = (struct ctr_train_params){
        .data = s->data,
        .split = s->split,
        .limit = s->limit,
        .validation = s->validation,
        .image_size = s->image_size,
        .channels = s->channels,
        .bits = 8 * (uint64_t)CTR_SETTING_PLACE(s, bits),
        .view_size = s->view_size,
        .threads = s->threads,
        .stream = s->stream,
        .encoder = s->encoder,
        .method = s->method,
        .optimizer = s->optimizer,
        .stem = (enum ctr_stem)CTR_SETTING_PLACE(s, stem),
        .width = s->width,
        .precision = stored[CTR_SETTING_PLACE(s, precision)],
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
        .encoder_rate = s->encoder_rate,
        .weight_decay = s->weight_decay,
        .warmup_epochs = s->warmup_epochs,
        .schedule = (enum ctr_schedule_kind)CTR_SETTING_PLACE(s, schedule),
        .out = s->out,
        .init = s->init,
        .resume = s->resume,
        .checkpoint_steps = s->checkpoint_steps,
        .log_steps = s->log_steps,
        .device = s->device,
        .kernels = s->kernel,
        .quirks = s->quirk,
        .tf32 = CTR_SETTING_PLACE(s, math),
        .recompute = (enum ctr_recompute)CTR_SETTING_PLACE(s, recompute),
        .sync = s->sync,
        .keep = s->keep,
    };
    if (s->labels && (rc = ctr_few_parse(&p->labels, s->labels)) != 0)
        CTR_TRY(ctr_fail_in(rc, "labels"));
    if ((rc = ctr_train_tune_parse(p, s->tune)) != 0)
        CTR_TRY(ctr_fail_in(rc, "tune"));
    if (strcmp(s->normalize, "auto") != 0 &&
        (rc = ctr_normalize_parse(&p->normalize, s->normalize)) != 0)
        CTR_TRY(ctr_fail_in(rc, "normalize"));
    rc = take_augment(p, s);
out:
    return rc;
}

/* Weights to start from, and auto: as the model has it that they belong to, or the run that goes
 * on, unless that has saved nothing and begins anew. */
static int take_start(struct ctr_train_job *job, const struct ctr_train_settings *s)
{
    struct ctr_train_params *p = &job->params;
    struct ctr_normalize there = {0};
    char *file = NULL;
    int rc = s->resume ? ctr_weights_saved(&there, s->out) : CTR_E_MODEL, goes_on = rc == 0;
    if (rc == CTR_E_FAIL)
        return rc;
    rc = 0;
    if (!goes_on && s->init) {
        CTR_TRY(ctr_weights_start(&file, &there, s->init));
        p->init = job->init = ctr_data_absolute(file);
        rc = job->init ? 0 : CTR_E_FAIL;
    }
    if (strcmp(s->normalize, "auto") == 0)
        p->normalize = there;
out:
    free(file);
    return rc;
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
    CTR_TRY(ctr_train_params_take(&job->params, settings));
    job->params.data = job->data;
    job->params.init = NULL;
    CTR_TRY(take_start(job, settings));
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
