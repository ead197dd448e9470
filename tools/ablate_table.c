/* ablate_table.c -- see ablate_table.h. */
#include "ablate_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "base/outfile.h"
#include "config.h"

int ablate_table_find(size_t *at, const struct ablate_table *table, const char *line)
{
    for (*at = 0; *at < table->n; ++*at)
        if (strcmp(table->row[*at].line, line) == 0)
            return 1;
    return 0;
}

int ablate_table_add(struct ablate_table *table, struct ablate_row row)
{
    if (ctr_grow((void **)&table->row, &table->cap, table->n + 1, sizeof *table->row) != 0)
        return CTR_E_FAIL;
    table->row[table->n++] = row;
    return 0;
}

/* What leaves results as they are, or is told by the rows. */
static int is_free(const char *line)
{
    static const char *const keys[] = {"augment",   "device", "kernel", "op",      "out", "quirk",
                                       "recompute", "stream", "sync",   "threads", NULL};
    for (const char *const *key = keys; *key; key++)
        if (strncmp(line, *key, strlen(*key)) == 0 && line[strlen(*key)] == ' ')
            return 1;
    return 0;
}

int ablate_table_options(struct ablate_table *table, const struct opt_set *set)
{
    struct ctr_str all = {0};
    config_write(&all, set); /* a line each */
    for (const char *line = all.s ? all.s : ""; *line; line += strcspn(line, "\n") + 1)
        if (!is_free(line))
            ctr_str_addf(&table->head, "# %.*s\n", (int)strcspn(line, "\n"), line);
    ctr_str_addf(&table->head, "name\ttransformed view\tloss\tknn10\tlinear\n");
    int failed = all.failed || table->head.failed;
    ctr_str_free(&all);
    return failed ? CTR_E_FAIL : 0;
}

/* ---- reading ---- */

/* The next field, ended by a NUL in place; NULL: there is none. */
static char *field(char **at)
{
    char *start = *at, *tab = start ? strchr(start, '\t') : NULL;
    if (tab)
        *tab++ = '\0';
    *at = tab;
    return start;
}

static int number(double *out, const char *text)
{
    *out = NAN;
    return text && (strcmp(text, "-") == 0 || ctr_parse_double(text, out) == 0);
}

static int read_row(struct ablate_table *table, char *line)
{
    struct ablate_row row = {.done = 1};
    size_t at;
    row.name = field(&line);
    row.line = field(&line);
    if (!row.line || !number(&row.loss, field(&line)) || !number(&row.knn, field(&line)) ||
        !number(&row.probe, field(&line)) || line)
        return ctr_fail(CTR_E_USAGE, "this is no row of the table");
    if (!ablate_table_find(&at, table, row.line))
        return ablate_table_add(table, row);
    row.name = table->row[at].name;
    row.pipeline = table->row[at].pipeline;
    table->row[at] = row;
    return 0;
}

/* The first line in which the options differ. */
static int other_options(const struct ablate_table *table, const char *text)
{
    const char *head = table->head.s;
    for (; *head && *head == *text; head++)
        text++;
    for (; head > table->head.s && head[-1] != '\n'; head--)
        text--;
    return ctr_hint(
        ctr_fail(CTR_E_USAGE, "'%s' was made with other options: '%.*s' there, '%.*s' now",
                 table->path, (int)strcspn(text, "\n"), text, (int)strcspn(head, "\n"), head),
        "choose another --out, or remove it");
}

static int read_text(struct ablate_table *table, char *text)
{
    unsigned count = 1;
    if (strncmp(text, table->head.s, table->head.n) != 0)
        return other_options(table, text);
    for (size_t i = 0; i < table->head.n; i++)
        count += text[i] == '\n';
    for (char *line = text + table->head.n, *end; *line; line = end + 1, count++) {
        end = strchr(line, '\n');
        if (end)
            *end = '\0';
        int rc = end ? read_row(table, line) : ctr_fail(CTR_E_USAGE, "this line does not end");
        if (rc != 0)
            return ctr_hint(ctr_fail_in(rc, "%s:%u", table->path, count), "remove the line");
    }
    return 0;
}

int ablate_table_read(struct ablate_table *table)
{
    void *bytes = NULL;
    size_t n = 0;
    if (access(table->path, F_OK) != 0)
        return 0;
    int rc = ctr_file_read(&bytes, &n, table->path, 64u << 20);
    if (rc != 0)
        return rc;
    char *text = ctr_arena_strdup(&table->mem, bytes);
    free(bytes);
    return text ? read_text(table, text) : CTR_E_FAIL;
}

/* ---- writing ---- */

static void add_number(struct ctr_str *s, double x)
{
    if (isfinite(x))
        ctr_str_addf(s, "\t%.6f", x);
    else
        ctr_str_addf(s, "\t-");
}

int ablate_table_write(const struct ablate_table *table)
{
    struct ctr_str s = {0};
    ctr_str_add(&s, table->head.s, table->head.n);
    for (size_t i = 0; i < table->n; i++) {
        const struct ablate_row *row = &table->row[i];
        if (!row->done)
            continue;
        ctr_str_addf(&s, "%s\t%s", row->name, row->line);
        add_number(&s, row->loss);
        add_number(&s, row->knn);
        add_number(&s, row->probe);
        ctr_str_addf(&s, "\n");
    }
    int rc = s.failed ? CTR_E_FAIL : ctr_file_write(table->path, s.s, s.n);
    ctr_str_free(&s);
    return rc;
}

void ablate_table_finish(struct ablate_table *table)
{
    free(table->row);
    ctr_str_free(&table->head);
    ctr_arena_free(&table->mem);
}
