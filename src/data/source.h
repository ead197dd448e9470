/* source.h -- what a driver is: it lists images and decodes the i-th. driver.c has the list of them, data.c
 * does the rest.
 *
 * open() fills n, names, labels, classes, own width, height and kind of pixels, and hashes what identifies the
 * images; everything it allocates in `arena` dies with the source, `state` by close(). decode() is
 * called from many threads at once and must not write to the source. */
#ifndef CTR_DATA_SOURCE_H
#define CTR_DATA_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "data/data.h"
#include "data/image.h"

enum ctr_split { CTR_SPLIT_TRAIN, CTR_SPLIT_TEST, CTR_SPLIT_ALL, CTR_SPLIT_UNLABELED };

struct ctr_source {
    const struct ctr_data_driver *driver;
    const char *path; /* directory, without a driver prefix */
    enum ctr_split split;
    const char *split_name;
    uint64_t seed;

    struct ctr_arena arena;
    size_t n, names_cap, labels_cap;
    const char **names; /* [n] in the arena */
    int32_t *labels;    /* [n] */
    uint64_t *sizes;    /* [n] bytes of the file or record, for the hash */
    size_t sizes_cap;
    const char **classes; /* [n_classes] in the arena */
    size_t n_classes, classes_cap;
    unsigned width, height; /* of the images when all are equal, else 0 */
    struct ctr_pixel pixel; /* of the first images; `bytes` is the least of them; zero: unknown */
    unsigned median_side;   /* of the shorter sides, when they differ; 0 unknown */
    int has_test;
    const char
        *made_by; /* a packed set: the driver that read the images; it counts as that one's */

    struct ctr_data_skip *skips;
    size_t n_skips, skips_cap;
    void *state;
};

struct ctr_data_driver {
    const char *name, *text;
    /* The set is one file made for this program: its size and pixels are the defaults as they are,
     * and where it cannot be read that is a failure of the whole. */
    int sealed;
    /* 1 when the directory or file looks like this source; NULL: only by name. */
    int (*probe)(const char *path);
    int (*open)(struct ctr_source *source);
    /* Pixels as the file has them, `want` as for ctr_image_decode. CTR_E_FAIL is fatal, any other
     * code is a bad image; of a sealed set only CTR_E_PARTIAL is one. */
    int (*decode)(struct ctr_image *out, const struct ctr_source *source, size_t i, unsigned want);
    void (*close)(struct ctr_source *source);
};

extern const struct ctr_data_driver ctr_driver_shapes, ctr_driver_cifar10, ctr_driver_cifar100,
    ctr_driver_idx, ctr_driver_stl10, ctr_driver_folder, ctr_driver_packed;

/* Fills driver, path and split from what data.h says of both; path is borrowed. CTR_E_USAGE, CTR_E_DATA. */
int ctr_source_find(struct ctr_source *source, const char *path, const char *split);
/* Appends an image; the name is copied into the arena. */
int ctr_source_add(struct ctr_source *source, const char *name, uint64_t bytes, int32_t label);
int ctr_source_add_class(struct ctr_source *source, const char *name);
int ctr_source_skip(struct ctr_source *source, const char *path, const char *reason);
/* Numbers of the images in use, rising, in a new array freed with free(), *n of them: of params->part,
 * of these at most params->limit, of these what is set apart for validation or the rest, and of these
 * params->few. CTR_E_DATA when there are none. */
int ctr_source_choose(uint32_t **items, size_t *n, const struct ctr_source *source,
                      const struct ctr_data_params *params);
/* Records CTR_E_DATA: this source has no such split. */
int ctr_source_no_split(const struct ctr_source *source, const char *there_are);

/* openat for relative paths of any length, in steps; "" is the directory itself. -1 with errno. */
int ctr_open_below(int root_fd, const char *rel, int flags);
/* A regular file of at most max_bytes, or with `prefix` its first max_bytes. Freed with free().
 * CTR_E_IO, CTR_E_DATA without the name: the text becomes the reason of a skip; CTR_E_FAIL when
 * memory or file descriptors run out. */
int ctr_read_below(void **out, size_t *bytes, int root_fd, const char *rel, size_t max_bytes,
                   int prefix);
/* Looks into some of the source's images, files below root_fd, for median_side, pixel, width and height. */
void ctr_source_sample(struct ctr_source *source, int root_fd);

/* ---- files of fixed records (records.c), shared by the binary formats ---- */

struct ctr_record_file {
    int fd;
    size_t first, n;     /* images [first, first + n) of the source */
    size_t header_bytes; /* before the first record */
};
struct ctr_records {
    struct ctr_record_file file[8];
    unsigned n_files;
    size_t record_bytes, skip_bytes; /* skip_bytes: labels in front of the pixels */
};

/* Path of the first of dir/sub[i]/name that is a regular file, or NULL without a failure. `subs`
 * ends with NULL; "" is dir itself. Freed with free(). */
char *ctr_records_find(const char *dir, const char *const *subs, const char *name);
/* Opens a regular file without ever blocking; its size in *bytes. CTR_E_IO. */
int ctr_records_open(int *fd, uint64_t *bytes, const char *path);
/* Exactly n bytes at `at`. CTR_E_IO names `what`. */
int ctr_records_pread(void *dst, int fd, uint64_t at, size_t n, const char *what);
/* The i-th record without its label bytes into dst. */
int ctr_records_read(void *dst, const struct ctr_source *source, const struct ctr_records *records,
                     size_t i);
void ctr_records_close(struct ctr_records *records);

#endif
