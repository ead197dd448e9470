/* columns.c -- JSON lines to columns. In: a file. Out: one array for each key, as long as the file
 * has lines. */
#include "io/columns.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/status.h"

#define MAX_BYTES ((size_t)1 << 32)

static struct ctr_column *find(const struct ctr_columns *c, const char *key)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->column[i].key, key) == 0)
            return &c->column[i];
    return NULL;
}

/* Room for one more row in every column, NaN so far. */
static int add_row(struct ctr_columns *c)
{
    if (c->rows == c->rows_cap) {
        size_t cap = c->rows_cap ? 2 * c->rows_cap : 64;
        for (size_t i = 0; i < c->n; i++) {
            double *value = realloc(c->column[i].value, cap * sizeof *value);
            if (!value)
                return ctr_fail(CTR_E_FAIL, "out of host memory");
            c->column[i].value = value;
        }
        c->rows_cap = cap;
    }
    for (size_t i = 0; i < c->n; i++)
        c->column[i].value[c->rows] = NAN;
    c->rows++;
    return 0;
}

static struct ctr_column *add_column(struct ctr_columns *c, const char *key)
{
    if (ctr_grow((void **)&c->column, &c->n_cap, c->n + 1, sizeof *c->column) != 0)
        return NULL;
    struct ctr_column *new = &c->column[c->n];
    *new = (struct ctr_column){ctr_strdup(key), ctr_alloc(c->rows_cap, sizeof *new->value)};
    if (!new->key || !new->value) {
        free(new->key);
        free(new->value);
        return NULL;
    }
    for (size_t i = 0; i < c->rows; i++)
        new->value[i] = NAN;
    c->n++;
    return new;
}

static int add_line(struct ctr_columns *c, json_t *object)
{
    const char *key;
    json_t *value;
    int rc = add_row(c);
    if (rc != 0)
        return rc;
    json_object_foreach(object, key, value)
    {
        if (!json_is_number(value))
            continue;
        struct ctr_column *column = find(c, key);
        if (!column && !(column = add_column(c, key)))
            return CTR_E_FAIL;
        column->value[c->rows - 1] = json_number_value(value);
    }
    return 0;
}

int ctr_columns_read(struct ctr_columns *out, const char *path)
{
    struct ctr_columns c = {0};
    void *text = NULL;
    size_t bytes = 0, number = 1;
    int rc = 0;
    CTR_TRY(ctr_file_read(&text, &bytes, path, MAX_BYTES));
    const char *line = text, *end = line + bytes, *newline;
    for (; (newline = memchr(line, '\n', (size_t)(end - line))) != NULL; line = newline + 1) {
        json_t *object = json_loadb(line, (size_t)(newline - line), JSON_REJECT_DUPLICATES, NULL);
        rc = json_is_object(object)
                 ? add_line(&c, object)
                 : ctr_fail(CTR_E_DATA, "%s:%zu: the line is no JSON object", path, number);
        json_decref(object);
        if (rc != 0)
            goto out;
        number++;
    }
    *out = c;
    c = (struct ctr_columns){0};
out:
    free(text);
    ctr_columns_free(&c);
    return rc;
}

const double *ctr_columns_find(const struct ctr_columns *columns, const char *key)
{
    const struct ctr_column *c = find(columns, key);
    return c ? c->value : NULL;
}

void ctr_columns_free(struct ctr_columns *columns)
{
    for (size_t i = 0; i < columns->n; i++) {
        free(columns->column[i].key);
        free(columns->column[i].value);
    }
    free(columns->column);
    *columns = (struct ctr_columns){0};
}
