/* batch.h -- what changes from step to step, kept on the device.
 *
 * The host writes one epoch's plan at once (which sample each row of each step takes, each step's
 * learning rate) and sets the cursor; the first node of a step reads its part of the plan and moves
 * the cursor on. So a replay needs nothing from the host. */
#ifndef CTR_DATA_BATCH_H
#define CTR_DATA_BATCH_H

#include "graph/graph.h"

/* Words of the cursor, u32[CTR_CURSOR_WORDS]. */
enum ctr_cursor_word {
    CTR_CURSOR_STEP,  /* of this epoch, from 0 */
    CTR_CURSOR_EPOCH, /* from 0 */
    CTR_CURSOR_DONE,  /* steps finished since the start of the run */
    CTR_CURSOR_UNUSED
};
#define CTR_CURSOR_WORDS 4

struct ctr_batch {
    size_t steps, N;     /* of an epoch, rows of a step */
    ctr_tensor *order;   /* in: u32[steps * N]; NULL when the host feeds each batch */
    ctr_tensor *rates;   /* in: f32[steps] */
    ctr_tensor *cursor;  /* in and out: u32[CTR_CURSOR_WORDS] */
    ctr_tensor *index;   /* out: u32[N], the samples of this step; NULL without order */
    ctr_tensor *step;    /* out: u32[4]: seed low, seed high, epoch, number of this step from 1 */
    ctr_tensor *scalars; /* out: f32[2]: learning rate, number of this step from 1 */
};

/* Records the node; `batch` is filled. With `fed` there is no order and no index. */
int ctr_batch_record(struct ctr_batch *batch, ctr_graph *g, size_t steps, size_t N, uint64_t seed,
                     int fed);
/* label i32[N]: those of this step's samples. labels: i32[n], of all samples; index: u32[N]. */
ctr_tensor *ctr_batch_labels(ctr_graph *g, ctr_tensor *labels, ctr_tensor *index);
/* Sets the plan of an epoch, starting at its step `at`. order[steps * N] (NULL when fed), rates[steps]. */
int ctr_batch_begin(struct ctr_batch *batch, uint32_t epoch, uint32_t at, uint32_t done,
                    const uint32_t *order, const float *rates);

#endif
