/* json.c -- flat JSON objects. In: fields. Out: text added to a string. */
#include "io/json.h"

static void add_value(struct ctr_str *s, const struct ctr_json_field *field)
{
    switch (field->kind) {
    case CTR_JSON_NUM:
        ctr_str_json_num(s, field->num);
        break;
    case CTR_JSON_INT:
        ctr_str_addf(s, "%lld", field->whole);
        break;
    case CTR_JSON_BOOL:
        ctr_str_addf(s, "%s", field->whole ? "true" : "false");
        break;
    case CTR_JSON_STR:
        ctr_str_json(s, field->str);
        break;
    }
}

void ctr_json_members(struct ctr_str *s, const struct ctr_json_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            ctr_str_add(s, ",", 1);
        ctr_str_json(s, fields[i].key);
        ctr_str_add(s, ":", 1);
        add_value(s, &fields[i]);
    }
}

void ctr_json_object(struct ctr_str *s, const struct ctr_json_field *fields, size_t n)
{
    ctr_str_add(s, "{", 1);
    ctr_json_members(s, fields, n);
    ctr_str_add(s, "}", 1);
}
