/* info.h -- what a file is, as facts that are printed as lines or as JSON; for `clcontrast info`.
 */
#ifndef CTR_TOOLS_INFO_H
#define CTR_TOOLS_INFO_H

#include "base/mem.h"
#include "io/json.h"

struct info {
    const char *path;
    const char *kind; /* "run", "checkpoint", ...: a word that stays */
    struct ctr_json_field *fact;
    size_t n, cap;
    int all;                        /* --tensors: list every tensor */
    struct ctr_str list, list_json; /* of tensors or members: lines; objects parted by commas */
    struct ctr_arena mem;
    int failed; /* without memory */
};

void info_text(struct info *i, const char *key, const char *fmt, ...) CTR_PRINTF(3, 4);
void info_int(struct info *i, const char *key, long long value);
void info_num(struct info *i, const char *key, double value);
/* A text of unknown origin: nothing where there is none, a whole number as such. */
void info_value(struct info *i, const char *key, const char *text);
/* One more of the list. dims may be NULL with rank 0. */
void info_entry(struct info *i, const char *name, const char *type, const uint64_t *dims,
                unsigned rank);

/* Each tells of a path of its kind, of which bytes[0..n) are the beginning or all. CTR_E_DATA,
 * CTR_E_MODEL when it is damaged. */
int info_directory(struct info *i);
int info_images(struct info *i); /* a directory of them, or a packed set */
int info_safetensors(struct info *i);
int info_onnx(struct info *i, const void *bytes, size_t n);
int info_npy(struct info *i, const void *bytes, size_t n, uint64_t size);
int info_zip(struct info *i, const void *bytes, size_t n);
int info_image(struct info *i, const void *bytes, size_t n);
int info_config(struct info *i, const void *bytes, size_t n);

#endif
