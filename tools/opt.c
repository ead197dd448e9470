/* opt.c -- parses arguments by tables. In: tables and argv. Out: the callers' structs, filled, and
 * the arguments that are no options. Invariant: a value that fails its check is never stored. */
#include "opt.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* One row found in a set. */
struct place {
    struct opt_group *group;
    const struct opt *row;
    unsigned char *source;
};

static void *slot(const struct place *at)
{
    return (char *)at->group->base + at->row->offset;
}

/* Two neighbours in the wrong order, the commonest slip: one edit, not two. */
static int swapped(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a && *b && a[1] && a[0] == b[1] && a[1] == b[0] && strcmp(a + 2, b + 2) == 0;
}

void opt_near_offer(struct opt_near *near, const char *typed, const char *word)
{
    /* Two edits turn a short word into any other: those get fewer. */
    size_t limit = strlen(typed) < 5 ? 1 : 2;
    size_t distance = swapped(typed, word) ? 1 : ctr_str_distance(typed, word, limit);
    size_t n = strlen(typed);
    if (distance > limit && n >= 3 && strncmp(typed, word, n) == 0)
        distance = limit; /* the beginning of the word */
    if (distance <= limit && (!near->best || distance < near->distance)) {
        near->best = word;
        near->distance = distance;
    }
}

static int find(struct place *at, struct opt_set *set, const char *name, size_t n, char letter)
{
    for (unsigned g = 0; g < set->n_groups; g++) {
        struct opt_group *group = &set->groups[g];
        for (unsigned i = 0; group->rows[i].name; i++) {
            const struct opt *row = &group->rows[i];
            if (name ? strlen(row->name) == n && memcmp(row->name, name, n) == 0
                     : row->letter == letter) {
                *at = (struct place){group, row, &group->source[i]};
                return 1;
            }
        }
    }
    return 0;
}

int opt_unknown_hint(int rc, const struct opt_set *set, const char *name, const char *dashes,
                     int keys)
{
    struct opt_near near = {0};
    struct ctr_str hint = {0};
    for (unsigned g = 0; g < set->n_groups; g++)
        for (const struct opt *row = set->groups[g].rows; row->name; row++)
            if (!keys || !row->flag_only)
                opt_near_offer(&near, name, row->name);
    if (set->elsewhere && set->elsewhere(&hint, name) && !hint.failed)
        ctr_hint(rc, "%s", hint.s);
    else if (near.best)
        ctr_hint(rc, "did you mean '%s%s'?", dashes, near.best);
    ctr_str_free(&hint);
    return rc;
}

static int unknown(const struct opt_set *set, const char *dashes, const char *typed, size_t n)
{
    char word[65] = "";
    if (n < sizeof word)
        memcpy(word, typed, n);
    int rc =
        ctr_fail(CTR_E_USAGE, "unknown option '%s%.*s'", dashes, (int)(n > 200 ? 200 : n), typed);
    return opt_unknown_hint(rc, set, word, dashes, 0);
}

/* ---- values ---- */

static int check_bounds(const struct opt *row, const char *text, double value)
{
    if ((row->min == 0 && row->max == 0) || (value >= row->min && value <= row->max))
        return 0;
    struct ctr_str range = {0};
    opt_bounds(&range, row);
    int rc = ctr_fail(CTR_E_USAGE, "--%s must be %s, not %s", row->name,
                      range.failed ? "within its bounds" : range.s, text);
    ctr_str_free(&range);
    return rc;
}

static int set_u64(uint64_t *out, const struct opt *row, const char *text)
{
    unsigned long long value;
    if (ctr_parse_u64(text, &value) != 0)
        return ctr_fail(CTR_E_USAGE, "--%s needs a whole number, not '%s'", row->name, text);
    if (check_bounds(row, text, (double)value) != 0)
        return CTR_E_USAGE;
    *out = value;
    return 0;
}

static int set_double(double *out, const struct opt *row, const char *text)
{
    double value;
    if (ctr_parse_double(text, &value) != 0)
        return ctr_fail(CTR_E_USAGE, "--%s needs a number, not '%s'", row->name, text);
    if (check_bounds(row, text, value) != 0)
        return CTR_E_USAGE;
    *out = value;
    return 0;
}

static int set_choice(int *out, const struct opt *row, const char *text)
{
    struct opt_near near = {0};
    char words[512];
    int index = 0;
    if (strlen(row->choices) >= sizeof words)
        return ctr_fail(CTR_E_FAIL, "the choices of --%s are too long", row->name);
    strcpy(words, row->choices);
    for (char *word = words, *end; word; word = end, index++) {
        if ((end = strchr(word, '|')))
            *end++ = '\0';
        if (strcmp(word, text) == 0) {
            *out = index;
            return 0;
        }
        opt_near_offer(&near, text, word);
    }
    struct ctr_str list = {0};
    for (const char *p = row->choices; *p; p++)
        ctr_str_add(&list, *p == '|' ? ", " : p, *p == '|' ? 2 : 1);
    int rc = ctr_fail(CTR_E_USAGE, "--%s: '%s' is not one of %s", row->name, text,
                      list.s && !list.failed ? list.s : row->choices);
    ctr_str_free(&list);
    return near.best ? ctr_hint(rc, "did you mean '%s'?", near.best) : rc;
}

int opt_check_name(const struct opt_names *names, const char *text)
{
    struct opt_near near = {0};
    const char *name, *about;
    for (size_t i = 0; (name = names->get(i, &about)) != NULL; i++) {
        if (strcmp(name, text) == 0)
            return 0;
        opt_near_offer(&near, text, name);
    }
    if (!names->see)
        return 0;
    int rc = ctr_fail(CTR_E_USAGE, "there is no %s '%s'", names->what, text);
    return near.best ? ctr_hint(rc, "did you mean '%s'?", near.best)
                     : ctr_hint(rc, "%s", names->see);
}

static int set_flag(int *out, const struct opt *row, const char *text)
{
    static const char *const words[] = {"false", "no", "0", "true", "yes", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = i >= 3;
            return 0;
        }
    return ctr_fail(CTR_E_USAGE, "--%s is on or off: true or false, not '%s'", row->name, text);
}

static int append(const char ***items, size_t *n, size_t *cap, const char *text)
{
    int rc = ctr_grow((void **)items, cap, *n + 1, sizeof **items);
    if (rc == 0)
        (*items)[(*n)++] = text;
    return rc;
}

static int store(const struct place *at, const char *text)
{
    void *to = slot(at);
    struct opt_list *list = to;
    if (at->row->names && *text && opt_check_name(at->row->names, text) != 0)
        return CTR_E_USAGE;
    switch (at->row->kind) {
    case OPT_FLAG:
        return set_flag(to, at->row, text);
    case OPT_U64:
        return set_u64(to, at->row, text);
    case OPT_DOUBLE:
        return set_double(to, at->row, text);
    case OPT_CHOICE:
        return set_choice(to, at->row, text);
    case OPT_LIST:
        return append(&list->items, &list->n, &list->cap, text);
    case OPT_STR:
        break;
    }
    if (!*text)
        return ctr_fail(CTR_E_USAGE, "--%s needs a value that is not empty", at->row->name);
    if (at->row->choices && set_choice(&(int){0}, at->row, text) != 0)
        return CTR_E_USAGE;
    if (at->row->check && at->row->check(text) != 0)
        return CTR_E_USAGE;
    *(const char **)to = text;
    return 0;
}

static int assign(const struct place *at, const char *text, enum opt_source source)
{
    enum opt_kind kind = at->row->kind;
    if (*at->source > source)
        return 0;
    if (*at->source == source && source != OPT_DEFAULT && kind != OPT_FLAG && kind != OPT_LIST)
        return ctr_fail(CTR_E_USAGE, "--%s is given twice", at->row->name);
    int rc = store(at, text);
    if (rc == 0)
        *at->source = (unsigned char)source;
    return rc;
}

int opt_assign(struct opt_set *set, const char *name, const char *text, enum opt_source source)
{
    struct place at;
    if (!find(&at, set, name, strlen(name), 0))
        return unknown(set, "", name, strlen(name));
    return assign(&at, text, source);
}

int opt_add(struct opt_set *set, const char *title, const struct opt *rows, void *base)
{
    if (set->n_groups == OPT_MAX_GROUPS)
        return ctr_fail(CTR_E_FAIL, "too many option tables");
    struct opt_group *group = &set->groups[set->n_groups];
    *group = (struct opt_group){.title = title, .rows = rows, .base = base};
    for (unsigned i = 0; rows[i].name; i++) {
        struct place at = {group, &rows[i], &group->source[i]}, other;
        if (i == OPT_MAX_ROWS || find(&other, set, rows[i].name, strlen(rows[i].name), 0))
            return ctr_fail(CTR_E_FAIL, "option table: --%s is one too many", rows[i].name);
        if (rows[i].kind == OPT_FLAG)
            *(int *)slot(&at) = 0;
        else if (rows[i].kind == OPT_CHOICE)
            *(int *)slot(&at) = -1;
        else if (rows[i].kind == OPT_LIST)
            *(struct opt_list *)slot(&at) = (struct opt_list){0};
        else if (rows[i].kind == OPT_STR)
            *(const char **)slot(&at) = NULL;
        else
            memset(slot(&at), 0, 8); /* uint64_t or double */
        if (rows[i].init && assign(&at, rows[i].init, OPT_DEFAULT) != 0)
            return CTR_E_FAIL;
    }
    set->n_groups++;
    return 0;
}

const struct opt *opt_find(struct opt_set *set, const char *name)
{
    struct place at;
    return find(&at, set, name, strlen(name), 0) ? at.row : NULL;
}

enum opt_source opt_source(const struct opt_set *set, const char *name)
{
    for (unsigned g = 0; g < set->n_groups; g++)
        for (unsigned i = 0; set->groups[g].rows[i].name; i++)
            if (strcmp(set->groups[g].rows[i].name, name) == 0)
                return (enum opt_source)set->groups[g].source[i];
    return OPT_DEFAULT;
}

/* ---- the command line ---- */

/* The value that follows an option. An option in its place is more likely a forgotten value. */
static int next_value(const char **out, int *i, int argc, char **argv, const struct opt *row)
{
    if (*i + 1 >= argc)
        return ctr_fail(CTR_E_USAGE, "--%s needs a value (%s)", row->name, row->metavar);
    const char *text = argv[*i + 1];
    if (strncmp(text, "--", 2) == 0) {
        int rc = ctr_fail(CTR_E_USAGE, "--%s needs a value (%s)", row->name, row->metavar);
        return ctr_hint(rc, "if '%s' is meant, write --%s=%s", text, row->name, text);
    }
    *out = text;
    ++*i;
    return 0;
}

static int parse_long(struct opt_set *set, int *i, int argc, char **argv)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    struct place at;
    if (!find(&at, set, name, n, 0)) {
        int no = n > 3 && memcmp(name, "no-", 3) == 0 && !equals;
        if (!no || !find(&at, set, name + 3, n - 3, 0) || at.row->kind != OPT_FLAG)
            return unknown(set, "--", name, n);
        return assign(&at, "false", OPT_COMMAND_LINE);
    }
    const char *text = equals ? equals + 1 : "true";
    if (!equals && at.row->kind != OPT_FLAG && next_value(&text, i, argc, argv, at.row) != 0)
        return CTR_E_USAGE;
    return assign(&at, text, OPT_COMMAND_LINE);
}

static int parse_short(struct opt_set *set, int *i, int argc, char **argv)
{
    for (const char *p = argv[*i] + 1; *p; p++) {
        struct place at;
        if (!find(&at, set, NULL, 0, *p))
            return ctr_fail(CTR_E_USAGE, "unknown option '-%c' in '%s'", *p, argv[*i]);
        if (at.row->kind == OPT_FLAG) {
            if (assign(&at, "true", OPT_COMMAND_LINE) != 0)
                return CTR_E_USAGE;
            continue;
        }
        const char *text = p + 1;
        if (!*text && next_value(&text, i, argc, argv, at.row) != 0)
            return CTR_E_USAGE;
        return assign(&at, text, OPT_COMMAND_LINE);
    }
    return 0;
}

int opt_parse(struct opt_set *set, int argc, char **argv)
{
    int rc = 0, ended = 0;
    for (int i = 0; i < argc && rc == 0; i++) {
        const char *arg = argv[i];
        if (ended || arg[0] != '-' || !arg[1])
            rc = append(&set->args, &set->n_args, &set->args_cap, arg);
        else if (strcmp(arg, "--") == 0)
            ended = 1;
        else if (arg[1] == '-')
            rc = parse_long(set, &i, argc, argv);
        else
            rc = parse_short(set, &i, argc, argv);
    }
    return rc;
}

const char *opt_peek(int argc, char **argv, const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--", 2) != 0 || strncmp(argv[i] + 2, name, n) != 0)
            continue;
        if (argv[i][2 + n] == '=')
            return argv[i] + 3 + n;
        if (!argv[i][2 + n] && i + 1 < argc)
            return argv[i + 1];
    }
    return NULL;
}

void opt_value(struct ctr_str *out, const struct opt_group *group, const struct opt *row)
{
    const void *from = (const char *)group->base + row->offset;
    const struct opt_list *list = from;
    const char *word = row->choices;
    int number = row->kind == OPT_U64 || row->kind == OPT_DOUBLE;
    if (number && !row->init && group->source[row - group->rows] == OPT_DEFAULT)
        return; /* the 0 that stands there is nobody's value */
    switch (row->kind) {
    case OPT_FLAG:
        ctr_str_addf(out, "%s", *(const int *)from ? "true" : "false");
        break;
    case OPT_U64:
        ctr_str_addf(out, "%llu", (unsigned long long)*(const uint64_t *)from);
        break;
    case OPT_DOUBLE:
        ctr_str_add_double(out, *(const double *)from);
        break;
    case OPT_CHOICE:
        for (int i = *(const int *)from; i > 0 && word; i--)
            word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL;
        if (word && *(const int *)from >= 0)
            ctr_str_add(out, word, strcspn(word, "|"));
        break;
    case OPT_LIST:
        for (size_t i = 0; i < list->n; i++)
            ctr_str_addf(out, "%s%s", i ? "," : "", list->items[i]);
        break;
    case OPT_STR:
        ctr_str_addf(out, "%s", *(const char *const *)from ? *(const char *const *)from : "");
    }
}

void opt_finish(struct opt_set *set)
{
    for (unsigned g = 0; g < set->n_groups; g++)
        for (const struct opt *row = set->groups[g].rows; row->name; row++)
            if (row->kind == OPT_LIST) {
                struct opt_list *list = (void *)((char *)set->groups[g].base + row->offset);
                free(list->items);
                *list = (struct opt_list){0};
            }
    free(set->args);
    *set = (struct opt_set){0};
}
