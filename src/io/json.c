/* json.c -- flat JSON objects. In: fields. Out: text added to a string. */
#include "io/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text that reads back as the same double, and as no integer. */
static void add_exact(struct ctr_str *s, double value)
{
    char text[40];
    int digits = 9;
    do
        snprintf(text, sizeof text, "%.*g", digits, value);
    while (strtod(text, NULL) != value && ++digits <= 17);
    for (char *p = text; *p; p++) /* the locale's decimal sign, which strtod above needs */
        if (!strchr("+-0123456789e", *p))
            *p = '.';
    ctr_str_add(s, text, strlen(text));
    if (strspn(text, "+-0123456789") == strlen(text))
        ctr_str_add(s, ".0", 2);
}

void ctr_json_value(struct ctr_str *s, const struct ctr_json_field *field, int exact)
{
    switch (field->kind) {
    case CTR_JSON_NUM:
        if (exact && isfinite(field->num))
            add_exact(s, field->num);
        else
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

void ctr_json_object(struct ctr_str *s, const struct ctr_json_field *fields, size_t n)
{
    ctr_str_add(s, "{", 1);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            ctr_str_add(s, ",", 1);
        ctr_str_json(s, fields[i].key);
        ctr_str_add(s, ":", 1);
        ctr_json_value(s, &fields[i], 0);
    }
    ctr_str_add(s, "}", 1);
}
