/* sketch.c -- see nn.h. In: an encoder and the size of its images. Out: its graph and store on the
 * null device, unplanned. */
#include "nn/nn.h"

int ctr_sketch_create(struct ctr_sketch *out, const struct ctr_encoder *encoder,
                      const struct ctr_encoder_params *params, size_t image_size, size_t channels)
{
    int rc = 0;
    const size_t dim[] = {1, image_size, image_size, channels};
    struct ctr_encoder_params p = *params;
    p.training = 0;
    p.storage = CTR_F32;
    p.stem = ctr_stem_for(params->stem, image_size);
    *out = (struct ctr_sketch){0};
    CTR_TRY(ctr_dev_open(&out->dev, "null", NULL));
    CTR_TRY(ctr_store_create(&out->store, out->dev));
    CTR_TRY(ctr_graph_create(&out->g, out->dev, out->store));
    out->x = ctr_graph_input(out->g, "image", CTR_F32, 4, dim);
    out->h = ctr_encode(out->g, encoder, out->x, &p);
    CTR_TRY(ctr_graph_status(out->g));
out:
    if (rc != 0)
        ctr_sketch_destroy(out);
    return rc;
}

void ctr_sketch_destroy(struct ctr_sketch *sketch)
{
    ctr_graph_destroy(&sketch->g);
    ctr_store_destroy(&sketch->store);
    ctr_dev_destroy(&sketch->dev);
    *sketch = (struct ctr_sketch){0};
}
