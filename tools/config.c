/* config.c -- reads and writes `key = value` files. In: text and option tables. Out: options set,
 * or text. Invariant: an error names file, line and column; options set before it stay set. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

#define MAX_BYTES (1u << 20)

/* What is being read; `p` runs to `end`, where a NUL stands. */
struct reader {
    const char *name, *p, *end, *line_start;
    unsigned line;
    struct opt_set *set;
    struct ctr_arena *arena;
    const struct opt *others; /* rows whose keys are read and left alone, or NULL */
    int glance;               /* so are all keys that the set has not */
};

static int wrong_at(const struct reader *r, const char *at, const char *what)
{
    return ctr_fail(CTR_E_USAGE, "%s:%u:%d: %s", r->name, r->line, (int)(at - r->line_start) + 1,
                    what);
}

static void skip_blanks(struct reader *r)
{
    while (*r->p == ' ' || *r->p == '\t')
        r->p++;
}

/* At most a comment may follow on the line. */
static int end_of_line(struct reader *r)
{
    skip_blanks(r);
    if (*r->p == '#')
        r->p += strcspn(r->p, "\n");
    if (*r->p == '\r' && r->p[1] == '\n')
        r->p++;
    if (r->p < r->end && *r->p != '\n')
        return wrong_at(r, r->p, "one `key = value` a line: this does not belong here");
    if (r->p < r->end)
        r->p++;
    r->line++;
    r->line_start = r->p;
    return 0;
}

/* The character of \uXXXX as UTF-8. */
static int read_unicode(struct reader *r, struct ctr_str *out)
{
    unsigned code = 0;
    for (int i = 1; i <= 4; i++) {
        char c = r->p[i], low = (char)(c | 0x20);
        int digit = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
        if (digit < 0)
            return wrong_at(r, r->p, "\\u needs four hexadecimal digits");
        code = code << 4 | (unsigned)digit;
    }
    r->p += 4;
    if (code == 0 || (code >= 0xd800 && code < 0xe000))
        return wrong_at(r, r->p, "this is no character");
    char utf8[3] = {(char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3f)),
                    (char)(0x80 | (code & 0x3f))};
    if (code < 0x80)
        utf8[0] = (char)code;
    else if (code < 0x800)
        utf8[0] = (char)(0xc0 | code >> 6), utf8[1] = utf8[2];
    ctr_str_add(out, utf8, code < 0x80 ? 1 : code < 0x800 ? 2 : 3);
    return 0;
}

static int read_escape(struct reader *r, struct ctr_str *out)
{
    static const char names[] = "\"\\ntre", means[] = "\"\\\n\t\r\x1b";
    r->p++;
    if (*r->p == 'u')
        return read_unicode(r, out);
    const char *found = *r->p ? strchr(names, *r->p) : NULL;
    if (!found)
        return wrong_at(r, r->p, "unknown escape in a string");
    ctr_str_add(out, &means[found - names], 1);
    return 0;
}

static int read_string(struct reader *r, struct ctr_str *out)
{
    const char *start = r->p++;
    for (; *r->p != '"'; r->p++) {
        if (r->p >= r->end || *r->p == '\n')
            return wrong_at(r, start, "this string does not end");
        if (*r->p != '\\')
            ctr_str_add(out, r->p, 1);
        else if (read_escape(r, out) != 0)
            return CTR_E_USAGE;
    }
    r->p++;
    return 0;
}

static int give(struct reader *r, const char *key, const struct ctr_str *value, const char *at)
{
    char why[1024];
    char *text = ctr_arena_strdup(r->arena, value->s ? value->s : "");
    if (!text)
        return CTR_E_FAIL;
    int rc = opt_assign(r->set, key, text, OPT_CONFIG);
    if (rc == 0)
        return 0;
    /* The option's own message, with the place in front; its hint stays. */
    char hint[512];
    snprintf(why, sizeof why, "%s", ctr_error_text());
    snprintf(hint, sizeof hint, "%s", ctr_error_hint());
    rc = wrong_at(r, at, why);
    return *hint ? ctr_hint(rc, "%s", hint) : rc;
}

/* Text stands in quotes, nothing else does. */
static int check_quotes(const struct reader *r, const struct opt *row, const char *at)
{
    int text = row->kind == OPT_STR || row->kind == OPT_CHOICE || row->kind == OPT_LIST;
    char why[128];
    if (text == (*at == '"'))
        return 0;
    snprintf(why, sizeof why, "'%s' is %s", row->name,
             text                    ? "text"
             : row->kind == OPT_FLAG ? "true or false"
                                     : "a number");
    return ctr_hint(wrong_at(r, at, why), "%s",
                    text ? "text is put in double quotes" : "leave out the quotes");
}

/* A string or a bare word; strings only within a list. row NULL: read and left alone. */
static int read_scalar(struct reader *r, const struct opt *row, int in_list)
{
    struct ctr_str value = {0};
    const char *at = r->p;
    int rc = 0;
    if (*r->p == '"') {
        rc = read_string(r, &value);
    } else {
        size_t n = strcspn(r->p, " \t\r\n#\"[],");
        ctr_str_add(&value, r->p, n);
        r->p += n;
        if (value.failed)
            rc = CTR_E_FAIL; /* told below */
        else if (n == 0 || in_list)
            rc = wrong_at(r, at, in_list ? "a list holds strings in quotes" : "a value is missing");
        else if (!strchr("0123456789+-.", *at) && strcmp(value.s, "true") &&
                 strcmp(value.s, "false"))
            rc = ctr_hint(wrong_at(r, at, "this is no number, true or false"),
                          "text is put in double quotes");
    }
    if (value.failed)
        rc = ctr_fail(CTR_E_FAIL, "out of host memory reading %s", r->name);
    if (rc == 0 && row)
        rc = check_quotes(r, row, at);
    if (rc == 0 && row)
        rc = give(r, row->name, &value, at);
    ctr_str_free(&value);
    return rc;
}

static int read_list(struct reader *r, const struct opt *row)
{
    r->p++;
    for (;;) {
        skip_blanks(r);
        if (*r->p == ']') {
            r->p++;
            return 0;
        }
        int rc = read_scalar(r, row, 1);
        if (rc != 0)
            return rc;
        skip_blanks(r);
        if (*r->p == ',')
            r->p++;
        else if (*r->p != ']')
            return wrong_at(r, r->p, "`,` or `]` is missing");
    }
}

static int is_key(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* *out is the row of a key, or NULL for one that is to be left alone. It must be a list where brackets
 * follow. */
static int find_key(const struct opt **out, struct reader *r, const char *key, const char *at,
                    int list)
{
    const struct opt *row = opt_find(r->set, key), *other = r->others;
    char why[128];
    *out = NULL;
    if (row && !row->flag_only) {
        *out = row;
        return (row->kind == OPT_LIST) == list
                   ? 0
                   : wrong_at(r, at,
                              list ? "this key takes no list" : "this key takes a list: [...]");
    }
    while (other && other->name && (other->flag_only || strcmp(other->name, key) != 0))
        other++;
    if (r->glance || (other && other->name))
        return 0;
    snprintf(why, sizeof why, "unknown key '%s'", key);
    return opt_unknown_hint(wrong_at(r, at, why), r->set, key, "", 1);
}

static int read_pair(struct reader *r)
{
    const char *at = r->p;
    char key[65];
    size_t n = 0;
    for (; is_key(*r->p); r->p++)
        if (n < sizeof key - 1)
            key[n++] = *r->p;
    key[n] = '\0';
    if (n == 0)
        return *at == '[' ? wrong_at(r, at, "keys are flat: no [tables]")
                          : wrong_at(r, at, "`key = value` is expected");
    skip_blanks(r);
    if (*r->p != '=')
        return wrong_at(r, r->p, "`=` is missing");
    r->p++;
    skip_blanks(r);
    int list = *r->p == '[';
    const struct opt *row;
    if (find_key(&row, r, key, at, list) != 0)
        return CTR_E_USAGE;
    return list ? read_list(r, row) : read_scalar(r, row, 0);
}

static int parse(struct reader r, const char *text, size_t bytes)
{
    r.p = text;
    r.end = text + bytes;
    r.line = 1;
    if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.p += 3;
    r.line_start = r.p;
    if (memchr(text, '\0', bytes))
        return ctr_fail(CTR_E_USAGE, "%s: has a NUL byte, so it is no text", r.name);
    while (r.p < r.end) {
        skip_blanks(&r);
        int blank = *r.p == '#' || *r.p == '\n' || *r.p == '\r' || r.p == r.end;
        int rc = blank ? 0 : read_pair(&r);
        if (rc == 0)
            rc = end_of_line(&r);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_file(struct reader r)
{
    void *text;
    size_t bytes;
    int rc = ctr_file_read(&text, &bytes, r.name, MAX_BYTES);
    if (rc)
        return rc;
    rc = parse(r, text, bytes);
    free(text);
    return rc;
}

int config_parse(struct opt_set *set, struct ctr_arena *arena, const char *name, const char *text,
                 size_t bytes)
{
    return parse((struct reader){.name = name, .set = set, .arena = arena}, text, bytes);
}

int config_read(struct opt_set *set, struct ctr_arena *arena, const char *path,
                const struct opt *others)
{
    return read_file(
        (struct reader){.name = path, .set = set, .arena = arena, .others = others});
}

int config_glance(struct opt_set *set, struct ctr_arena *arena, const char *path)
{
    return read_file((struct reader){.name = path, .set = set, .arena = arena, .glance = 1});
}

/* ---- writing ---- */

static void write_row(struct ctr_str *out, const struct opt_group *group, const struct opt *row)
{
    const struct opt_list *list = (const void *)((const char *)group->base + row->offset);
    struct ctr_str value = {0};
    if (row->kind == OPT_LIST) {
        for (size_t i = 0; i < list->n; i++) {
            ctr_str_addf(out, "%s%s", i ? ", " : row->name, i ? "" : " = [");
            ctr_str_quote(out, list->items[i]);
        }
        ctr_str_addf(out, "%s", list->n ? "]\n" : "");
        return;
    }
    opt_value(&value, group, row);
    out->failed |= value.failed;
    if (value.n && !value.failed) {
        ctr_str_addf(out, "%s = ", row->name);
        if (row->kind == OPT_STR || row->kind == OPT_CHOICE)
            ctr_str_quote(out, value.s);
        else
            ctr_str_add(out, value.s, value.n);
        ctr_str_add(out, "\n", 1);
    }
    ctr_str_free(&value);
}

void config_write(struct ctr_str *out, const struct opt_set *set)
{
    for (unsigned g = 0; g < set->n_groups; g++)
        for (const struct opt *row = set->groups[g].rows; row->name; row++)
            if (!row->flag_only)
                write_row(out, &set->groups[g], row);
}

/* What stands behind a value: who gave it, or what the default means. */
static void comment(struct ctr_str *out, const struct opt *row, const char *from)
{
    if (from)
        ctr_str_addf(out, "# %s", from);
    else
        ctr_str_addf(out, "# default%s%s", row->shown ? ": " : "", row->shown ? row->shown : "");
}

#define COMMENT_COLUMN 32

static void show_row(struct ctr_str *out, const struct opt_group *group, const struct opt *row,
                     const char *from)
{
    struct ctr_str line = {0};
    write_row(&line, group, row);
    out->failed |= line.failed;
    if (line.n == 0 && from)
        return; /* given, and taken away by the caller */
    if (line.n == 0)
        ctr_str_addf(out, "# %s is not given%s%s", row->name, row->shown ? ": " : "",
                     row->shown ? row->shown : "");
    else if (!line.failed)
        ctr_str_addf(out, "%-*.*s ", COMMENT_COLUMN - 1, (int)line.n - 1, line.s);
    if (line.n)
        comment(out, row, from);
    ctr_str_add(out, "\n", 1);
    ctr_str_free(&line);
}

void config_show(struct ctr_str *out, const struct opt_set *set, const char *const *from)
{
    for (unsigned g = 0; g < set->n_groups; g++) {
        const struct opt_group *group = &set->groups[g];
        size_t n = 0;
        for (const struct opt *row = group->rows; row->name; row++)
            if (!row->flag_only && n++ == 0)
                ctr_str_addf(out, "\n# %s\n", group->title);
        for (const struct opt *row = group->rows; row->name; row++)
            if (!row->flag_only)
                show_row(out, group, row, from[group->source[row - group->rows]]);
    }
}
