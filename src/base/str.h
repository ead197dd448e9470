/* str.h -- a growing string, and JSON text written into one. */
#ifndef CTR_BASE_STR_H
#define CTR_BASE_STR_H

#include <stddef.h>

#include "base/status.h"

/* Zero-initialise. `s` is NULL until something is added, NUL-terminated after. When memory runs out
 * `failed` is set and further additions are ignored, so that only the end needs a check. */
struct ctr_str {
    char *s;
    size_t n, cap;
    int failed;
};

void ctr_str_add(struct ctr_str *str, const char *text, size_t n);
void ctr_str_addf(struct ctr_str *str, const char *fmt, ...) CTR_PRINTF(2, 3);
/* A JSON string with quotes; control characters and invalid UTF-8 are escaped (the latter as U+FFFD). */
void ctr_str_json(struct ctr_str *str, const char *text);
/* A TOML string with quotes; control characters are escaped, other bytes are as they are. */
void ctr_str_quote(struct ctr_str *str, const char *text);
/* A JSON number with 9 significant digits, independent of the locale; null when not finite. */
void ctr_str_json_num(struct ctr_str *str, double value);
/* A field of a table parted by commas, in quotes where it must be (RFC 4180). */
void ctr_str_csv(struct ctr_str *str, const char *text);
/* The shortest decimal that reads back as the same number, independent of the locale. */
void ctr_str_add_double(struct ctr_str *str, double value);
void ctr_str_free(struct ctr_str *str);

/* Length of the valid UTF-8 sequence that text begins with (1 to 4), 0 when there is none. */
size_t ctr_str_utf8(const unsigned char *text);
/* Edit distance up to `limit` + 1, for "did you mean". */
size_t ctr_str_distance(const char *a, const char *b, size_t limit);
/* Whole-string numbers, independent of the locale. 0, or CTR_E_USAGE with outputs untouched: empty
 * text, trailing characters, overflow, NaN. Nothing is recorded; the caller knows the option. */
int ctr_parse_u64(const char *text, unsigned long long *out);
int ctr_parse_double(const char *text, double *out);

#endif
