/* str.c -- growing strings, JSON text, strict numbers. In: text. Out: text or values. */
#include "base/str.h"
#include "base/mem.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct ctr_str *str, size_t more)
{
    if (!str->failed && ctr_grow((void **)&str->s, &str->cap, str->n + more + 1, 1) != 0)
        str->failed = 1;
    return !str->failed;
}

void ctr_str_add(struct ctr_str *str, const char *text, size_t n)
{
    if (!reserve(str, n))
        return;
    memcpy(str->s + str->n, text, n);
    str->n += n;
    str->s[str->n] = '\0';
}

void ctr_str_addf(struct ctr_str *str, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n >= 0 && reserve(str, (size_t)n)) {
        vsnprintf(str->s + str->n, (size_t)n + 1, fmt, again);
        str->n += (size_t)n;
    }
    va_end(again);
}

size_t ctr_str_utf8(const unsigned char *p)
{
    if (p[0] < 0x80)
        return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

void ctr_str_json(struct ctr_str *str, const char *text)
{
    ctr_str_add(str, "\"", 1);
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t n = ctr_str_utf8(p);
        if (n == 0) {
            ctr_str_add(str, "\\ufffd", 6);
            n = 1;
        } else if (*p == '"' || *p == '\\') {
            ctr_str_addf(str, "\\%c", *p);
        } else if (*p < 0x20 || *p == 0x7f) {
            ctr_str_addf(str, "\\u%04x", *p);
        } else {
            ctr_str_add(str, (const char *)p, n);
        }
        p += n;
    }
    ctr_str_add(str, "\"", 1);
}

void ctr_str_quote(struct ctr_str *str, const char *text)
{
    ctr_str_add(str, "\"", 1);
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            ctr_str_addf(str, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            ctr_str_addf(str, "\\u%04x", c);
        else
            ctr_str_add(str, p, 1);
    }
    ctr_str_add(str, "\"", 1);
}

static void number(char *text, size_t size, int digits, double value)
{
    snprintf(text, size, "%.*g", digits, value);
    for (char *p = text; *p; p++)
        if (*p == ',') /* of the locale */
            *p = '.';
}

void ctr_str_json_num(struct ctr_str *str, double value)
{
    char text[40];
    if (!isfinite(value)) {
        ctr_str_add(str, "null", 4);
        return;
    }
    number(text, sizeof text, 9, value);
    ctr_str_add(str, text, strlen(text));
}

void ctr_str_add_double(struct ctr_str *str, double value)
{
    char text[40];
    double back;
    for (int digits = 6; digits <= 17; digits++) {
        number(text, sizeof text, digits, value);
        if (ctr_parse_double(text, &back) == 0 && back == value)
            break;
    }
    ctr_str_add(str, text, strlen(text));
}

void ctr_str_csv(struct ctr_str *s, const char *text)
{
    if (!strpbrk(text, "\",\r\n")) {
        ctr_str_add(s, text, strlen(text));
        return;
    }
    ctr_str_add(s, "\"", 1);
    for (size_t n; *text; text += n) {
        n = strcspn(text, "\"");
        n += text[n] == '"';
        ctr_str_add(s, text, n);
        if (text[n - 1] == '"')
            ctr_str_add(s, "\"", 1);
    }
    ctr_str_add(s, "\"", 1);
}

void ctr_str_free(struct ctr_str *str)
{
    free(str->s);
    *str = (struct ctr_str){0};
}

size_t ctr_str_distance(const char *a, const char *b, size_t limit)
{
    size_t na = strlen(a), nb = strlen(b);
    size_t row[65];
    if (na > 64 || nb > 64)
        return limit + 1;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diag = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = diag + (a[i - 1] != b[j - 1]);
            diag = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[nb] > limit ? limit + 1 : row[nb];
}

int ctr_parse_u64(const char *text, unsigned long long *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return CTR_E_USAGE;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno || *end)
        return CTR_E_USAGE;
    *out = v;
    return 0;
}

int ctr_parse_double(const char *text, double *out)
{
    char *end;
    locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (c == (locale_t)0)
        return CTR_E_USAGE;
    errno = 0;
    double v = strtod_l(text, &end, c);
    freelocale(c);
    if (!*text || *end || !isfinite(v) || (errno && v != 0.0) || strchr(" \t\n", *text))
        return CTR_E_USAGE;
    if (strspn(text, "+-0123456789.eE") != strlen(text))
        return CTR_E_USAGE;
    *out = v;
    return 0;
}
