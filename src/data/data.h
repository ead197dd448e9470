/* data.h -- image data sets on the host: find, decode, resize, stream.
 *
 * In: where the images are (a folder, CIFAR, IDX or STL-10 binaries, a packed set, the built-in
 * shapes). Out: pixels, [n][size][size][channels] of 8 or 16 bits, labels, names. Nothing here
 * knows a device.
 *
 *     struct ctr_data *data = NULL;
 *     rc = ctr_data_open(&data, &(struct ctr_data_params){.path = "photos", .split = "train"});
 *     const struct ctr_data_info *info = ctr_data_info(data);
 *     if (ctr_data_bytes(data) fits)        resident: every image once, bad ones removed
 *         rc = ctr_data_each(data, upload_chunk, user);
 *     else                                  streaming: bad ones replaced, see ctr_data_read
 *         rc = ctr_loader_open(&loader, data, order, n, batch, 0);
 *
 * Bad images (truncated, not an image, vanished, over 64 megapixels or 16384 pixels a side) never
 * stop anything while they are few: each is counted and listed with the decoder's reason. Above
 * `max_bad` of the images found, or when none is left, the call fails with CTR_E_DATA.
 * The bytes of an image depend only on its file and the image size; not on threads or order.
 * EXIF orientation is not applied. All images get the channels and bits of the data set: opacity is
 * dropped, grey becomes RGB, RGB grey; those for which it is not clear how are bad images. Values
 * of 16 bits are uint16_t in the host's order behind the uint8_t pointers below. */
#ifndef CTR_DATA_DATA_H
#define CTR_DATA_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/few.h"

struct ctr_data;
struct ctr_loader;

#define CTR_DATA_MAX_SIDE 4096 /* pixels */

/* Part of a split, for sets that have no test split of their own: about one image in five, told by
 * a hash of its name, is held out. Adding or removing files moves no other image. */
enum ctr_data_part { CTR_DATA_WHOLE, CTR_DATA_KEPT, CTR_DATA_HELD_OUT };

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

/* Borrowed from the data set. n, labels and names change only in ctr_data_each/_read_all. */
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
 * such split.
 */
int ctr_data_open(struct ctr_data **out, const struct ctr_data_params *params);
void ctr_data_close(struct ctr_data **data);
const struct ctr_data_info *ctr_data_info(const struct ctr_data *data);
/* Of one image, and of all. */
static inline size_t ctr_data_image_bytes(const struct ctr_data_info *info)
{
    return (size_t)info->height * info->width * info->channels * info->sample_bytes;
}
size_t ctr_data_bytes(const struct ctr_data *data);
/* Of the file or record that image i is read from, or was when it was packed. */
uint64_t ctr_data_file_bytes(const struct ctr_data *data, size_t i);

/* What was skipped so far, at opening (unreadable folders, FIFOs, symlink loops) and in decoding.
 * May be called while a loader runs. */
size_t ctr_data_n_skipped(struct ctr_data *data);
struct ctr_data_skip ctr_data_skip(struct ctr_data *data, size_t i);

/* Decodes index[0..n) into dst[n][height][width][channels]. The shorter side is resized to image_size with
 * an antialiased bilinear filter (as PIL), the centre cropped; pixels are untouched when the size
 * matches. A bad image is replaced by the next good index (cyclically) and counted once; used[i],
 * unless `used` is NULL, tells the index whose image and label stand at i. */
int ctr_data_read(struct ctr_data *data, uint8_t *dst, uint32_t *used, const uint32_t *index,
                  size_t n);

/* Good images [at, at + n) in `images`, valid during the call; `done` of `total` files were tried.
 * A non-zero return ends ctr_data_each, which returns it. */
typedef int ctr_data_chunk_fn(void *user, const uint8_t *images, size_t at, size_t n, size_t done,
                              size_t total);
/* Every image once, in order, in chunks of about 8 MB. Bad images are removed: afterwards info->n,
 * labels and names are those of the good images, numbered as the chunks were. Not beside a loader.
 */
int ctr_data_each(struct ctr_data *data, ctr_data_chunk_fn *fn, void *user);
/* The same into dst of ctr_data_bytes(). progress may be NULL; non-zero from it ends the call. */
typedef int ctr_data_progress_fn(void *user, size_t done, size_t total);
int ctr_data_read_all(struct ctr_data *data, uint8_t *dst, ctr_data_progress_fn *progress,
                      void *user);

/* ---- streaming ---- */

/* Decodes the batches of `order` (copied) ahead of their use on a thread of its own; at most
 * `depth` batches wait (0: 3). The last batch may be short: give a multiple of `batch` to avoid it.
 * The data set may be used by one loader, or one caller of ctr_data_read, at a time. */
int ctr_loader_open(struct ctr_loader **out, struct ctr_data *data, const uint32_t *order, size_t n,
                    size_t batch, unsigned depth);
/* Appends the next epoch's order, so that its first batches are ready when this one ends. */
int ctr_loader_add(struct ctr_loader *loader, const uint32_t *order, size_t n);
/* The next batch; blocks until it is decoded. images[n][height][width][channels] and index[n] (those
 * really used, see ctr_data_read) are borrowed until the next call. *n == 0: nothing more was
 * ordered. A failure of the decoding thread is reported here, again at each later call. */
int ctr_loader_next(struct ctr_loader *loader, const uint8_t **images, const uint32_t **index,
                    size_t *n);
/* At any time; waits only for the images being decoded at this moment. */
void ctr_loader_close(struct ctr_loader **loader);

/* ---- drivers ---- */

/* Whether the path is that of a file which is a whole data set (`clcontrast pack`), not an image.
 */
int ctr_data_is_file(const char *path);

/* Name and one-line text of driver i, NULL past the last, for help texts. */
const char *ctr_data_driver_name(size_t i);
const char *ctr_data_driver_text(size_t i);
/* Name of the i-th split that may be asked for, NULL behind the last. */
const char *ctr_data_split(size_t i);

#endif
