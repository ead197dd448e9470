/* config.c -- config.json of a run. In: key/value pairs. Out: a file, read back strictly, compared.
 */
#include "train/config.h"
#include "base/os.h"
#include "base/status.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

enum { MAX_CONFIG_BYTES = 1 << 20 };

const struct ctr_json_field *ctr_config_find(const struct ctr_json_field *fields, const char *key,
                                             size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

int ctr_config_write(const char *path, const struct ctr_json_field *fields, size_t n)
{
    struct ctr_str s = {0};
    for (size_t i = 0; i < n; i++) {
        if (fields[i].kind == CTR_JSON_NUM && !isfinite(fields[i].num))
            return ctr_fail(CTR_E_USAGE, "configuration key '%s' is not a finite number",
                            fields[i].key);
        if (ctr_config_find(fields, fields[i].key, i))
            return ctr_fail(CTR_E_USAGE, "configuration key '%s' is given twice", fields[i].key);
    }
    for (size_t i = 0; i < n; i++) {
        ctr_str_addf(&s, i ? ",\n  " : "{\n  ");
        ctr_str_json(&s, fields[i].key);
        ctr_str_add(&s, ": ", 2);
        ctr_json_value(&s, &fields[i], 1);
    }
    ctr_str_addf(&s, n ? "\n}\n" : "{}\n");
    int rc = s.failed ? ctr_fail(CTR_E_FAIL, "out of host memory for '%s'", path)
                      : ctr_file_write(path, s.s, s.n);
    ctr_str_free(&s);
    return rc;
}

static int read_value(struct ctr_json_field *field, struct ctr_arena *arena, json_t *value,
                      const char *path)
{
    const char *key = field->key;
    switch (json_typeof(value)) {
    case JSON_REAL:
        *field = ctr_json_num(key, json_real_value(value));
        return 0;
    case JSON_INTEGER:
        *field = ctr_json_int(key, json_integer_value(value));
        return 0;
    case JSON_TRUE:
    case JSON_FALSE:
        *field = ctr_json_bool(key, json_is_true(value));
        return 0;
    case JSON_STRING:
        *field = ctr_json_str(key, ctr_arena_strdup(arena, json_string_value(value)));
        return field->str ? 0 : CTR_E_FAIL;
    default:
        return ctr_fail(CTR_E_MODEL, "'%s': the value of '%s' is no number, text or truth value",
                        path, key);
    }
}

static int read_fields(struct ctr_config *config, json_t *object, const char *path)
{
    const char *key;
    json_t *value;
    config->fields =
        ctr_arena_alloc(&config->arena, (json_object_size(object) + 1) * sizeof *config->fields);
    if (!config->fields)
        return CTR_E_FAIL;
    json_object_foreach(object, key, value)
    {
        struct ctr_json_field *field = &config->fields[config->n++];
        field->key = ctr_arena_strdup(&config->arena, key);
        int rc = field->key ? read_value(field, &config->arena, value, path) : CTR_E_FAIL;
        if (rc != 0)
            return rc;
    }
    return 0;
}

int ctr_config_read(struct ctr_config *out, const char *path)
{
    struct ctr_config config = {0};
    void *text = NULL;
    size_t bytes = 0;
    json_error_t error;
    json_t *object = NULL;
    int rc = ctr_file_read(&text, &bytes, path, MAX_CONFIG_BYTES);
    if (rc == CTR_E_IO)
        rc = CTR_E_MODEL; /* the text says which file and why */
    CTR_TRY(rc);
    object = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(object))
        CTR_TRY(object ? ctr_fail(CTR_E_MODEL, "'%s': not a JSON object", path)
                       : ctr_fail(CTR_E_MODEL, "'%s':%d:%d: %s", path, error.line, error.column,
                                  error.text));
    CTR_TRY(read_fields(&config, object, path));
    *out = config;
    config = (struct ctr_config){0};
out:
    ctr_config_free(&config);
    json_decref(object);
    free(text);
    return rc;
}

void ctr_config_free(struct ctr_config *config)
{
    ctr_arena_free(&config->arena);
    *config = (struct ctr_config){0};
}

/* Someone may have edited 1.0 into 1. */
static int same_value(const struct ctr_json_field *a, const struct ctr_json_field *b)
{
    if (a->kind == CTR_JSON_STR || b->kind == CTR_JSON_STR)
        return a->kind == b->kind && strcmp(a->str, b->str) == 0;
    if (a->kind == CTR_JSON_BOOL || b->kind == CTR_JSON_BOOL)
        return a->kind == b->kind && a->whole == b->whole;
    if (a->kind == CTR_JSON_INT && b->kind == CTR_JSON_INT)
        return a->whole == b->whole;
    return (a->kind == CTR_JSON_INT ? (double)a->whole : a->num) ==
           (b->kind == CTR_JSON_INT ? (double)b->whole : b->num);
}

static int excepted(const char *key, const char *const *except)
{
    for (; except && *except; except++)
        if (strcmp(key, *except) == 0)
            return 1;
    return 0;
}

static void add_side(struct ctr_str *s, const struct ctr_json_field *field)
{
    if (field)
        ctr_json_value(s, field, 1);
    else
        ctr_str_addf(s, "(none)");
}

static void add_change(struct ctr_str *s, const char *key, const struct ctr_json_field *a,
                       const struct ctr_json_field *b)
{
    ctr_str_addf(s, "%s: ", key);
    add_side(s, a);
    ctr_str_addf(s, " -> ");
    add_side(s, b);
    ctr_str_add(s, "\n", 1);
}

size_t ctr_config_diff(struct ctr_str *out, const struct ctr_json_field *old_fields,
                       const struct ctr_json_field *new_fields, const char *const *except,
                       size_t n_old, size_t n_new)
{
    size_t changes = 0;
    for (size_t i = 0; i < n_old; i++) {
        const char *key = old_fields[i].key;
        const struct ctr_json_field *now = ctr_config_find(new_fields, key, n_new);
        if (excepted(key, except) || (now && same_value(&old_fields[i], now)))
            continue;
        add_change(out, key, &old_fields[i], now);
        changes++;
    }
    for (size_t i = 0; i < n_new; i++) {
        const char *key = new_fields[i].key;
        if (excepted(key, except) || ctr_config_find(old_fields, key, n_old))
            continue;
        add_change(out, key, NULL, &new_fields[i]);
        changes++;
    }
    return changes;
}

uint64_t ctr_config_hash(const struct ctr_json_field *fields, size_t n)
{
    uint64_t sum = n; /* a sum of hashes does not depend on the order */
    for (size_t i = 0; i < n; i++) {
        struct ctr_str s = {0};
        ctr_str_addf(&s, "%s=", fields[i].key);
        ctr_json_value(&s, &fields[i], 1);
        if (!s.failed)
            sum += XXH64(s.s, s.n, 0);
        ctr_str_free(&s);
    }
    return sum;
}
