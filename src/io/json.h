/* json.h -- flat JSON objects out: what metrics are made of. */
#ifndef CTR_IO_JSON_H
#define CTR_IO_JSON_H

#include <stddef.h>

#include "base/str.h"

enum ctr_json_kind { CTR_JSON_NUM, CTR_JSON_INT, CTR_JSON_BOOL, CTR_JSON_STR };

struct ctr_json_field {
    const char *key;
    enum ctr_json_kind kind;
    double num;      /* NUM, written with 9 digits; not finite: null */
    long long whole; /* INT, BOOL */
    const char *str; /* STR */
};

static inline struct ctr_json_field ctr_json_num(const char *key, double value)
{
    return (struct ctr_json_field){key, CTR_JSON_NUM, value, 0, NULL};
}

static inline struct ctr_json_field ctr_json_int(const char *key, long long value)
{
    return (struct ctr_json_field){key, CTR_JSON_INT, 0, value, NULL};
}

static inline struct ctr_json_field ctr_json_bool(const char *key, int value)
{
    return (struct ctr_json_field){key, CTR_JSON_BOOL, 0, value != 0, NULL};
}

static inline struct ctr_json_field ctr_json_str(const char *key, const char *value)
{
    return (struct ctr_json_field){key, CTR_JSON_STR, 0, 0, value};
}

/* "key":value,... without the braces, for objects that hold lists, too; and with them. */
void ctr_json_members(struct ctr_str *s, const struct ctr_json_field *fields, size_t n);
void ctr_json_object(struct ctr_str *s, const struct ctr_json_field *fields, size_t n);

#endif
