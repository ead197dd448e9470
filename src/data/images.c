/* images.c -- resident or streamed pixels. In: a data set. Out: a source for augment.h. */
#include "data/images.h"

struct upload {
    struct ctr_images *images;
    ctr_data_progress_fn *progress;
    void *user;
};

static int upload_chunk(void *user, const uint8_t *pixels, size_t at, size_t n, size_t done,
                        size_t total)
{
    const struct upload *up = user;
    size_t each = ctr_data_image_bytes(ctr_data_info(up->images->data));
    int rc = n ? ctr_buf_write(up->images->buf, at * each, pixels, n * each) : 0;
    if (rc == 0 && up->progress)
        rc = up->progress(up->user, done, total);
    return rc;
}

int ctr_images_open(struct ctr_images *images, ctr_dev *dev, struct ctr_data *data,
                    uint64_t budget_bytes, ctr_data_progress_fn *progress, void *user)
{
    const struct ctr_caps *caps = ctr_dev_caps(dev);
    const struct ctr_data_info *info = ctr_data_info(data);
    size_t bytes = ctr_data_bytes(data);
    *images = (struct ctr_images){
        .data = data, .n = info->n, .height = info->height, .width = info->width,
        .channels = info->channels,
        .dtype = info->sample_bytes == 1 ? CTR_U8 : CTR_U16};
    if (budget_bytes == 0)
        budget_bytes = caps->global_bytes / 3;
    if (bytes > budget_bytes || bytes > caps->max_alloc_bytes)
        return 0;
    int rc = ctr_buf_create(&images->buf, dev, (bytes + 3) / 4 * 4, "images");
    if (rc != 0)
        return rc;
    struct upload up = {images, progress, user};
    rc = ctr_data_each(data, upload_chunk, &up);
    images->n = info->n; /* bad images are gone */
    if (rc != 0)
        ctr_images_close(images);
    return rc;
}

void ctr_images_close(struct ctr_images *images)
{
    ctr_buf_destroy(&images->buf);
    *images = (struct ctr_images){0};
}

struct ctr_augment_source ctr_images_source(const struct ctr_images *images, ctr_graph *g, size_t N,
                                            ctr_tensor *index)
{
    struct ctr_augment_source source = {.index = index, .stream = !images->buf};
    size_t dim[4] = {images->buf ? images->n : N, images->height, images->width,
                     images->channels};
    source.images = ctr_graph_input(g, "images", images->dtype, 4, dim);
    if (images->buf)
        ctr_graph_bind(source.images, images->buf);
    if (!index)
        source.index = ctr_graph_input(g, "index", CTR_U32, 1, &N);
    return source;
}
