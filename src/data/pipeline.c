/* pipeline.c -- reads a line of augmentations by the table of transform.c. In: text. Out:
 * pipelines. Invariant: what is accepted lies within the table's ranges. */
#include "data/pipeline.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *line, *p;
    struct ctr_augment_params out;
};

/* ---- failures ---- */

/* Of a long line, so much before the place and in all is shown. */
enum { SHOWN_BEFORE = 40, SHOWN = 72 };

/* Three lines: the text with its place, the line around it, marks below the n characters meant. */
static int wrong(const struct reader *r, const char *at, size_t n, const char *fmt, ...)
    CTR_PRINTF(4, 5);
static int wrong(const struct reader *r, const char *at, size_t n, const char *fmt, ...)
{
    char text[256], shown[SHOWN + 1], marks[2 * SHOWN + 1];
    size_t where = (size_t)(at - r->line), from = where > SHOWN_BEFORE ? where - SHOWN_BEFORE : 0;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(shown, sizeof shown, "%s", r->line + from);
    for (char *c = shown; *c; c++)
        if ((unsigned char)*c < 0x20)
            *c = ' ';
    size_t blank = where - from, most = SHOWN - blank;
    n = n > most ? most : n;
    memset(marks, ' ', blank);
    memset(marks + blank, '~', n ? n : 1);
    marks[blank] = '^';
    marks[blank + (n ? n : 1)] = '\0';
    return ctr_fail(CTR_E_USAGE, "character %zu: %s\n%s\n%s", where + 1, text, shown, marks);
}

/* The nearest word for "did you mean": those offered are lists separated by blanks, which all stand
 * for `name`. */
struct nearest {
    const char *name;
    size_t distance;
};

static void offer(struct nearest *near, const char *typed, const char *words, const char *name)
{
    char word[32];
    size_t limit = strlen(typed) < 4 ? 1 : strlen(typed) < 8 ? 2 : 3;
    for (const char *w = words; w && *w; w += strspn(w, " ")) {
        size_t n = strcspn(w, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, w);
        w += n;
        size_t distance = ctr_str_distance(typed, word, limit);
        if (distance <= limit && (!near->name || distance < near->distance))
            *near = (struct nearest){name, distance};
    }
}

/* ---- words and numbers ---- */

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static void skip_blanks(struct reader *r)
{
    while (*r->p == ' ' || *r->p == '\t')
        r->p++;
}

/* Copies a word; those too long to be one are cut. */
static size_t read_word(struct reader *r, char word[32])
{
    const char *start = r->p;
    while (is_letter(*r->p))
        r->p++;
    snprintf(word, 32, "%.*s", (int)(r->p - start), start);
    return (size_t)(r->p - start);
}

static int parse_number(double *value, const char *text, size_t n)
{
    char copy[40];
    if (n == 0 || n >= sizeof copy)
        return CTR_E_USAGE;
    memcpy(copy, text, n);
    copy[n] = '\0';
    return ctr_parse_double(copy, value);
}

/* A number or a fraction. */
static int read_number(struct reader *r, double *value)
{
    const char *start = r->p;
    double below = 1;
    size_t n = strcspn(start, "/,;()|= \t");
    int rc = parse_number(value, start, n);
    r->p += n;
    if (rc == 0 && *r->p == '/') {
        size_t m = strcspn(r->p + 1, "/,;()|= \t");
        rc = parse_number(&below, r->p + 1, m);
        r->p += m + 1;
        *value /= below;
    }
    if (rc != 0 || !isfinite(*value))
        return n == 0 ? wrong(r, start, 1, "a number is missing")
                      : wrong(r, start, (size_t)(r->p - start), "this is no number");
    return 0;
}

/* ---- one transformation ---- */

/* Where the values being read go; slot n_values is the probability. */
struct values {
    const struct ctr_transform *t;
    unsigned n_values, next;
    double value[CTR_STAGE_VALUES], p;
    const char *at[CTR_STAGE_VALUES]; /* where each was given */
    unsigned given;                   /* bits; n_values: the probability */
    int named;                        /* a name was given: no position follows */
};

static void list_names(struct ctr_str *s, const struct values *v)
{
    for (unsigned i = 0; i < v->n_values; i++)
        ctr_str_addf(s, "%s, ", v->t->value[i].name);
    ctr_str_addf(s, "p");
}

/* NAME= before a value, if there is one: sets *slot. */
static int read_name(struct reader *r, struct values *v, unsigned *slot)
{
    char word[32];
    const char *start = r->p;
    size_t n = read_word(r, word);
    skip_blanks(r);
    if (n == 0 || *r->p != '=') {
        r->p = start;
        return v->named ? wrong(r, start, 1, "values with names come last") : 0;
    }
    r->p++;
    skip_blanks(r);
    v->named = 1;
    for (*slot = 0; *slot < v->n_values; ++*slot)
        if (strcmp(word, v->t->value[*slot].name) == 0)
            return 0;
    if (strcmp(word, "p") == 0)
        return 0;
    struct ctr_str names = {0};
    list_names(&names, v);
    int rc = ctr_hint(wrong(r, start, n, "%s has no value '%s'", v->t->name, word), "it has %s",
                      names.s ? names.s : "");
    ctr_str_free(&names);
    return rc;
}

static int check_value(const struct reader *r, const struct values *v, unsigned slot, double x,
                       const char *at)
{
    static const struct ctr_value probability = {"p", 0, 0, 1, 0};
    const struct ctr_value *row = slot < v->n_values ? &v->t->value[slot] : &probability;
    size_t n = (size_t)(r->p - at);
    /* Written so that NaN fails. */
    if (!(x >= row->min && x <= row->max))
        return wrong(r, at, n, "%s of %s is %g, not between %g and %g",
                     slot < v->n_values ? row->name : "the probability", v->t->name, x, row->min,
                     row->max);
    if ((row->flags & CTR_VALUE_WHOLE) && x != floor(x))
        return wrong(r, at, n, "%s of %s is a whole number", row->name, v->t->name);
    return 0;
}

static int read_value(struct reader *r, struct values *v, unsigned slot)
{
    double x = 0;
    int rc = read_name(r, v, &slot);
    const char *at = r->p;
    if (rc == 0)
        rc = read_number(r, &x);
    if (rc != 0)
        return rc;
    if (slot > v->n_values)
        return wrong(r, at, (size_t)(r->p - at), "%s has %u value%s and a probability", v->t->name,
                     v->n_values, v->n_values == 1 ? "" : "s");
    if (v->given >> slot & 1)
        return wrong(r, at, (size_t)(r->p - at), "%s of %s is given twice",
                     slot < v->n_values ? v->t->value[slot].name : "the probability", v->t->name);
    v->given |= 1u << slot;
    if (slot < v->n_values) {
        v->value[slot] = x;
        v->at[slot] = at;
    } else {
        v->p = x;
    }
    return check_value(r, v, slot, x, at);
}

/* "(" has been read: values, then `;` and the probability, which stands alone where there are no
 * values. */
static int read_values(struct reader *r, struct values *v)
{
    int rc = 0;
    skip_blanks(r);
    for (unsigned slot = 0; rc == 0 && *r->p != ')' && *r->p != ';'; slot++) {
        if (slot > 0 && *r->p != ',')
            return wrong(r, r->p, 1, "`,`, `;` or `)` is missing");
        r->p += slot > 0;
        skip_blanks(r);
        unsigned past = v->n_values + (v->n_values > 0);
        rc = read_value(r, v, slot < v->n_values ? slot : slot + past - v->n_values);
        skip_blanks(r);
    }
    if (rc == 0 && *r->p == ';') {
        r->p++;
        skip_blanks(r);
        v->named = 0;
        rc = read_value(r, v, v->n_values);
        skip_blanks(r);
    }
    if (rc == 0 && *r->p++ != ')')
        rc = wrong(r, r->p - 1, 1, "`)` is missing");
    return rc;
}

static int check_ranges(const struct reader *r, const struct values *v)
{
    for (unsigned i = 1; i < v->n_values; i++)
        if ((v->t->value[i].flags & CTR_VALUE_UPPER) && v->value[i] < v->value[i - 1]) {
            unsigned shown = v->at[i] ? i : i - 1;
            return wrong(r, v->at[shown], strcspn(v->at[shown], ",;) \t"), "%s %g is above %s %g",
                         v->t->value[i - 1].name, v->value[i - 1], v->t->value[i].name,
                         v->value[i]);
        }
    return 0;
}

static struct ctr_pipeline *pipeline(struct reader *r)
{
    return &r->out.pipeline[r->out.n - 1];
}

static int cuts(int kind)
{
    return kind == CTR_T_CROP || kind == CTR_T_PATCH;
}

static void append(struct ctr_pipeline *line, struct ctr_stage stage)
{
    stage.occurrence = 0;
    for (unsigned i = 0; i < line->n; i++)
        stage.occurrence += line->stage[i].kind == stage.kind;
    line->stage[line->n++] = stage;
}

static int add_stage(struct reader *r, int kind, const struct values *v, const char *at, size_t n)
{
    struct ctr_pipeline *line = pipeline(r);
    if (line->n == CTR_STAGES_MAX)
        return wrong(r, at, n, "a pipeline holds at most %d transformations", CTR_STAGES_MAX);
    if (cuts(kind) && line->n && !cuts(line->stage[line->n - 1].kind))
        return wrong(r, at, n, "%s comes before all others: it cuts out of the image itself",
                     ctr_transforms[kind].name);
    struct ctr_stage stage = {.kind = kind, .p = (float)v->p};
    for (unsigned i = 0; i < v->n_values; i++)
        stage.value[i] = (float)v->value[i];
    append(line, stage);
    return 0;
}

static int read_transform(struct reader *r, int kind, const char *at, size_t n)
{
    struct values v = {.t = &ctr_transforms[kind], .p = ctr_transforms[kind].p};
    while (v.n_values < CTR_STAGE_VALUES && v.t->value[v.n_values].name) {
        v.value[v.n_values] = v.t->value[v.n_values].init;
        v.n_values++;
    }
    int rc = 0;
    skip_blanks(r);
    if (*r->p == '(') {
        r->p++;
        rc = read_values(r, &v);
    }
    if (rc == 0)
        rc = check_ranges(r, &v);
    return rc ? rc : add_stage(r, kind, &v, at, n);
}

/* ---- the line ---- */

static int read_line(struct reader *r);

/* The preset's text, as if it stood here; it is known to be right. */
static int read_preset(struct reader *r, const char *text)
{
    const char *line = r->line, *p = r->p;
    r->line = r->p = text;
    int rc = read_line(r);
    r->line = line;
    r->p = p;
    return rc;
}

static int unknown(const struct reader *r, const char *word, const char *at, size_t n)
{
    struct nearest near = {0};
    if (n == 0)
        return wrong(r, at, 1, "the name of a transformation is expected here");
    for (int i = 0; i < CTR_TRANSFORMS; i++) {
        offer(&near, word, ctr_transforms[i].name, ctr_transforms[i].name);
        offer(&near, word, ctr_transforms[i].also, ctr_transforms[i].name);
    }
    for (const struct ctr_augment_preset *p = ctr_augment_presets; p->name; p++)
        offer(&near, word, p->name, p->name);
    int rc = wrong(r, at, n, "there is no transformation '%s'", word);
    return near.name ? ctr_hint(rc, "did you mean '%s'?", near.name)
                     : ctr_hint(rc, "`clcontrast augment --list` prints all of them");
}

static int read_item(struct reader *r)
{
    char word[32];
    const char *at = r->p;
    size_t n = read_word(r, word);
    for (int kind = 0; kind < CTR_TRANSFORMS; kind++)
        if (strcmp(word, ctr_transforms[kind].name) == 0)
            return read_transform(r, kind, at, n);
    for (const struct ctr_augment_preset *p = ctr_augment_presets; p->name; p++)
        if (strcmp(word, p->name) == 0)
            return read_preset(r, p->line);
    return unknown(r, word, at, n);
}

static int read_line(struct reader *r)
{
    for (skip_blanks(r); *r->p; skip_blanks(r)) {
        int rc = 0;
        if (*r->p != '|')
            rc = read_item(r);
        else if (r->out.n == CTR_PIPELINES_MAX)
            rc = wrong(r, r->p, 1, "a line holds at most %d pipelines", CTR_PIPELINES_MAX);
        else
            r->p++, r->out.n++;
        if (rc != 0)
            return rc;
    }
    return 0;
}

int ctr_augment_parse(struct ctr_augment_params *out, const char *line)
{
    struct reader r = {.line = line, .p = line, .out.n = 1};
    int rc = read_line(&r);
    if (rc == 0)
        *out = r.out;
    return rc;
}

int ctr_pipeline_join(struct ctr_pipeline *out, const struct ctr_pipeline *a,
                      const struct ctr_pipeline *b)
{
    struct ctr_pipeline line = {0};
    if (a->n + b->n > CTR_STAGES_MAX)
        return ctr_fail(CTR_E_USAGE, "a pipeline holds at most %d transformations, not %u",
                        CTR_STAGES_MAX, a->n + b->n);
    for (int part = 0; part < 2; part++)
        for (unsigned i = 0; i < a->n + b->n; i++) {
            const struct ctr_stage *s = i < a->n ? &a->stage[i] : &b->stage[i - a->n];
            if (cuts(s->kind) == (part == 0))
                append(&line, *s);
        }
    *out = line;
    return 0;
}

/* ---- text ---- */

/* The shortest decimal that reads back as the same float. */
static void add_number(struct ctr_str *out, float x)
{
    char text[32];
    double back = 0;
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)x);
        if (ctr_parse_double(text, &back) == 0 && (float)back == x)
            break;
    }
    ctr_str_addf(out, "%s", text);
}

static void add_stage_text(struct ctr_str *out, const struct ctr_stage *s)
{
    const struct ctr_transform *t = &ctr_transforms[s->kind];
    ctr_str_addf(out, "%s(", t->name);
    for (unsigned i = 0; i < CTR_STAGE_VALUES && t->value[i].name; i++) {
        ctr_str_addf(out, "%s", i ? "," : "");
        add_number(out, s->value[i]);
    }
    ctr_str_addf(out, "%s", t->value[0].name ? ";" : "");
    add_number(out, s->p);
    ctr_str_addf(out, ")");
}

void ctr_augment_text(struct ctr_str *out, const struct ctr_augment_params *params)
{
    for (unsigned i = 0; i < params->n; i++) {
        const struct ctr_pipeline *line = &params->pipeline[i];
        ctr_str_addf(out, "%s", i ? " | " : "");
        for (unsigned k = 0; k < line->n; k++) {
            ctr_str_addf(out, "%s", k ? " " : "");
            add_stage_text(out, &line->stage[k]);
        }
    }
}

struct ctr_augment_params ctr_augment_usual(size_t side, size_t channels)
{
    static const char *const names[2][2] = {{"small", "small-any"}, {"large", "large-any"}};
    struct ctr_augment_params params = {.n = 1};
    ctr_augment_parse(&params, names[side > CTR_AUGMENT_SMALL_MAX][channels != 3]); /* cannot fail */
    return params;
}

struct ctr_augment_params ctr_augment_settled(const struct ctr_augment_params *given, size_t side,
                                              size_t channels)
{
    if (given->n > 0)
        return *given;
    struct ctr_augment_params usual = ctr_augment_usual(side, channels);
    usual.cubic = given->cubic;
    usual.first_view = given->first_view;
    return usual;
}
