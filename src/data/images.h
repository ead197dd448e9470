/* images.h -- a data set's pixels where the device can reach them: all of them resident when they
 * fit, else a batch at a time. */
#ifndef CTR_DATA_IMAGES_H
#define CTR_DATA_IMAGES_H

#include "data/augment.h"
#include "data/data.h"

struct ctr_images {
    struct ctr_data *data;   /* borrowed */
    ctr_buf *buf;         /* [n][height][width][channels]; NULL: they are streamed */
    enum ctr_dtype dtype; /* CTR_U8 or CTR_U16 */
    size_t n, height, width, channels; /* n good images when resident */
};

/* Uploads everything if it takes at most `budget_bytes` (0: a third of the device's memory and never
 * above its largest allocation); otherwise leaves it to streaming. progress may be NULL. */
int ctr_images_open(struct ctr_images *images, ctr_dev *dev, struct ctr_data *data,
                    uint64_t budget_bytes, ctr_data_progress_fn *progress, void *user);
void ctr_images_close(struct ctr_images *images);

/* The graph's way to them: the resident buffer bound as an input, or an input of N images that the
 * host fills before each replay. `index` as in augment.h; when streaming it is an input, too. */
struct ctr_augment_source ctr_images_source(const struct ctr_images *images, ctr_graph *g, size_t N,
                                            ctr_tensor *index);

#endif
