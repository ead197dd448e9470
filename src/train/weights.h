/* weights.h -- what a run's checkpoint, or one safetensors file of such, says of the network in it. */
#ifndef CTR_TRAIN_WEIGHTS_H
#define CTR_TRAIN_WEIGHTS_H

#include "io/safetensors.h"
#include "nn/nn.h"

struct ctr_weights {
    struct ctr_st *st; /* every tensor, on the host */
    char *path;        /* of the file */
    uint64_t step, seed;
    const struct ctr_encoder *encoder;
    struct ctr_encoder_params params;
    size_t image_size;
    unsigned channels, bits;
    int has_head;                /* "projection_head.*" is there, */
    struct ctr_head_params head; /* as the shapes of its tensors tell */
    const char *data;            /* what it was trained on; "": not said. Borrowed from st */
};

/* Opens and verifies the file; of a run's directory, the newest checkpoint that is whole. *path
 * (freed with free()) tells which; may be NULL. CTR_E_MODEL. */
int ctr_weights_file(struct ctr_st **st, char **path, uint64_t *step, const char *run_or_file);
/* The same, and what network it holds. CTR_E_MODEL when it does not say. Zeroed on failure. */
int ctr_weights_open(struct ctr_weights *out, const char *run_or_file);
/* For a run that starts from these weights: *file (freed with free()), chosen once, since a run may save more, and
 * how images are normalised there, which others do not say: none. CTR_E_MODEL. */
int ctr_weights_start(char **file, struct ctr_normalize *normalize, const char *run_or_file);
/* How images are normalised in a run that goes on. CTR_E_MODEL where it has saved nothing. */
int ctr_weights_saved(struct ctr_normalize *normalize, const char *run);
void ctr_weights_close(struct ctr_weights *weights);

#endif
