/* config.h -- a run's resolved configuration: every key with the value it was run with. */
#ifndef CTR_TRAIN_CONFIG_H
#define CTR_TRAIN_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "io/json.h"

/* Zero-initialise; fields are sorted as in the file and live in the arena. */
struct ctr_config {
    struct ctr_json_field *fields;
    size_t n;
    struct ctr_arena arena;
};

/* One JSON object, one line a key, atomically. CTR_E_USAGE for numbers that are not finite and keys
 * given twice, CTR_E_IO. Numbers read back as the same double. */
int ctr_config_write(const char *path, const struct ctr_json_field *fields, size_t n);
/* CTR_E_MODEL when missing, no flat object, or larger than 1 MiB; `out` untouched on failure. */
int ctr_config_read(struct ctr_config *out, const char *path);
void ctr_config_free(struct ctr_config *config);
/* NULL when there is no such key. */
const struct ctr_json_field *ctr_config_find(const struct ctr_json_field *fields, const char *key,
                                             size_t n);
/* Adds a line "key: old -> new" for each key whose value differs or that only one side has (shown
 * as
 * "(none)"); keys in the NULL-terminated list `except` (may be NULL) are passed over. Returns how
 * many. Numbers and integers of the same value are equal. */
size_t ctr_config_diff(struct ctr_str *out, const struct ctr_json_field *old_fields,
                       const struct ctr_json_field *new_fields, const char *const *except,
                       size_t n_old, size_t n_new);
/* XXH64 over keys and values, whatever their order. */
uint64_t ctr_config_hash(const struct ctr_json_field *fields, size_t n);

#endif
