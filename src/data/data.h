/* data.h -- image data sets on the host, inside the library: what clcontrast/data.h has, and streaming.
 *
 *     if (ctr_data_bytes(data) fits)        resident: every image once, bad ones removed
 *         rc = ctr_data_each(data, upload_chunk, user);
 *     else                                  streaming: bad ones replaced, see ctr_data_read
 *         rc = ctr_loader_open(&loader, data, order, n, batch, 0); */
#ifndef CTR_DATA_DATA_H
#define CTR_DATA_DATA_H

#include "base/status.h"
#include "clcontrast/data.h"
#include "data/few.h"

struct ctr_loader;

/* Good images [at, at + n) in `images`, valid during the call; `done` of `total` files were tried.
 * A non-zero return ends ctr_data_each, which returns it. */
typedef int ctr_data_chunk_fn(void *user, const uint8_t *images, size_t at, size_t n, size_t done,
                              size_t total);
/* Every image once, in order, in chunks of about 8 MB. Bad images are removed: afterwards info->n,
 * labels and names are those of the good images, numbered as the chunks were. Not beside a loader.
 */
int ctr_data_each(struct ctr_data *data, ctr_data_chunk_fn *fn, void *user);

/* ---- streaming ---- */

/* Decodes the batches of `order` (copied) ahead of their use on a thread of its own; at most
 * `depth` batches wait (0: 3). The last batch may be short: give a multiple of `batch` to avoid it.
 * The data set may be used by one loader, or one caller of ctr_data_read, at a time; ctr_data_skip may be
 * called while a loader runs. */
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

/* Of the file or record that image i is read from, or was when it was packed. */
uint64_t ctr_data_file_bytes(const struct ctr_data *data, size_t i);
/* Whether the path is that of a file which is a whole data set (`clcontrast pack`), not an image.
 */
int ctr_data_is_file(const char *path);
/* PATH or DRIVER:PATH so that it is found from any directory; as it is when it is not there. NULL, with the
 * failure recorded, when memory runs out. Freed with free(). */
char *ctr_data_absolute(const char *path);

#endif
