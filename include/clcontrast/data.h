/* data.h -- image data sets: what is there, classes and names, pixels.
 *
 *     struct ctr_data *data = NULL;
 *     rc = ctr_data_open(&data, &(struct ctr_data_params){.path = "photos", .split = "train"});
 *     const struct ctr_data_info *info = ctr_data_info(data);
 *     ... info->n, info->names[i], info->class_names[info->labels[i]] ...
 *     ctr_data_close(&data);
 *
 * A data set is a folder of images (a subfolder for each class, if there are classes), the binary files
 * of CIFAR, IDX or STL-10, a set that `clcontrast pack` wrote, or the built-in shapes. Images are
 * [height][width][channels], rows from the top, of 8 or 16 bits; 16 bits are uint16_t in the host's
 * order. All get the size, the channels and the bits of the data set: opacity is dropped, grey becomes
 * RGB, RGB grey; those for which it is not clear how are bad images. EXIF orientation is not applied.
 * The values of an image depend only on its file and the image size, not on threads or order.
 *
 * Bad images (truncated, not an image, vanished, over 64 megapixels or 16384 pixels a side) never
 * stop anything while they are few: each is counted and listed with the decoder's reason. Above
 * `max_bad` of the images found, or when none is left, the call fails with CTR_E_DATA.
 *
 * A data set is used by one thread at a time; it decodes on threads of its own. It knows no device. */
#ifndef CLCONTRAST_DATA_H
#define CLCONTRAST_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "clcontrast/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctr_data ctr_data;

#define CTR_DATA_MAX_SIDE 4096 /* pixels */

/* Part of a split, for sets that have no test split of their own: about one image in five, told by
 * a hash of its name, is held out. Adding or removing files moves no other image. */
enum ctr_data_part { CTR_DATA_WHOLE, CTR_DATA_KEPT, CTR_DATA_HELD_OUT };

/* Few labels: so many images of each class, or, when that is 0, a share of all, the same number of each
 * class and at least one; both 0: all. */
struct ctr_few {
    size_t per_class;
    double share;
};

/* A zeroed field means its default. */
struct ctr_data_params {
    const char *path;    /* directory, packed set, "driver:path"; NULL or "shapes": drawn, no files */
    const char *split;   /* "train" (NULL), "test" (or "val"), "all"; STL-10 also "unlabeled" */
    unsigned image_size; /* side in pixels, at most CTR_DATA_MAX_SIDE; 0: see ctr_data_open */
    unsigned channels, bits; /* of the data set: 1 to 16, and 8 or 16; 0: see ctr_data_open */
    unsigned threads;    /* decoding threads; 0: all processors */
    double max_bad;      /* tolerated fraction of bad images; 0: 0.05, negative: none */
    enum ctr_data_part part; /* before the limit */
    size_t limit;            /* use a fixed random choice of this many images, in order; 0: all */
    /* In [0,1): this share of what the limit leaves, about the same of each class, is set apart for
     * validation. Names tell which; the same for each run. */
    double validation_share;
    int validation;          /* use what is set apart, else the rest */
    struct ctr_few few;      /* of these, as many labelled images of each class; {0}: all */
    uint64_t few_seed;
    uint64_t seed; /* of the drawn shapes */
};

/* Borrowed from the data set. n, labels and names change only in ctr_data_read_all. */
struct ctr_data_info {
    const char *driver;               /* "folder", "cifar10", ... */
    const char *path, *split;         /* as resolved; path is "shapes" for the built-in set */
    size_t n;                         /* images */
    unsigned height, width, channels, sample_bytes; /* of what ctr_data_read gives; 3 are RGB */
    unsigned n_classes;               /* 0: unlabelled */
    const char *const *class_names;   /* [n_classes] any bytes but NUL and, in folders, '/' */
    const int32_t *labels;            /* [n] in [0, n_classes), -1: unlabelled */
    const char *const *names;         /* [n] unique; a path below `path` for folders */
    uint64_t hash; /* of the chosen list of names with their sizes in bytes and labels: changes
                      when files are added, removed or resized; not with image_size */
    int has_test;  /* split "test" can be opened from the same path */
};

struct ctr_data_skip {
    const char *path, *reason; /* live as long as the data set */
};

/* Finds the images; folders are listed, not decoded. Without image_size: the images' own size when
 * (a sample of) them are equal squares of at most 256 pixels, else 32, 96 or 224 by the median of
 * their shorter sides; a packed set as it is. Without channels: RGB for grey and coloured images,
 * with opacity or not; the number that the first image has for others. Without bits: 16 when (a
 * sample of) the images all have them. A path is tried with each driver's probe; "driver:" in front
 * forces one. CTR_E_USAGE: unknown driver, bad parameter. CTR_E_DATA: nothing found, malformed, no
 * such split. The caller owns *out.
 */
CTR_API int ctr_data_open(ctr_data **out, const struct ctr_data_params *params);
/* Accepts NULL and pointers to NULL; sets *data to NULL. */
CTR_API void ctr_data_close(ctr_data **data);
CTR_API const struct ctr_data_info *ctr_data_info(const ctr_data *data);
/* Of one image, and of all. */
static inline size_t ctr_data_image_bytes(const struct ctr_data_info *info)
{
    return (size_t)info->height * info->width * info->channels * info->sample_bytes;
}
CTR_API size_t ctr_data_bytes(const ctr_data *data);

/* What was skipped so far, at opening (unreadable folders, FIFOs, symlink loops) and in decoding. */
CTR_API size_t ctr_data_n_skipped(ctr_data *data);
CTR_API struct ctr_data_skip ctr_data_skip(ctr_data *data, size_t i);

/* Decodes index[0..n) into dst[n][height][width][channels]. The shorter side is resized to image_size with
 * an antialiased bilinear filter (as PIL), the centre cropped; pixels are untouched when the size
 * matches. A bad image is replaced by the next good index (cyclically) and counted once; used[i],
 * unless `used` is NULL, tells the index whose image and label stand at i. */
CTR_API int ctr_data_read(ctr_data *data, uint8_t *dst, uint32_t *used, const uint32_t *index,
                          size_t n);

/* Told of `done` images of `total`; non-zero ends the call, which returns it. From the calling thread. */
typedef int ctr_data_progress_fn(void *user, size_t done, size_t total);
/* Every image once, in order, into dst of ctr_data_bytes(). Bad images are removed: afterwards info->n,
 * labels and names are those of the good images, numbered as they lie in dst. progress may be NULL. */
CTR_API int ctr_data_read_all(ctr_data *data, uint8_t *dst, ctr_data_progress_fn *progress,
                              void *user);

/* Name and one-line text of driver i, NULL past the last. */
CTR_API const char *ctr_data_driver_name(size_t i);
CTR_API const char *ctr_data_driver_text(size_t i);
/* Name of the i-th split that may be asked for, NULL behind the last. */
CTR_API const char *ctr_data_split(size_t i);

#ifdef __cplusplus
}
#endif
#endif
