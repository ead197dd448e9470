/* state.h -- a store as named tensors in a checkpoint: "NAME" for values, "optimizer.moment1.NAME"
 * and "optimizer.moment2.NAME" for moments. */
#ifndef CTR_TRAIN_STATE_H
#define CTR_TRAIN_STATE_H

#include "graph/graph.h"
#include "io/safetensors.h"

/* Names that begin so are no weights. */
#define CTR_STATE_MOMENTS "optimizer."

/* Fills every entry of the store from the file, moments too when asked. CTR_E_MODEL naming the first
 * tensor that is missing or has another shape; tensors that the store does not know are ignored. */
int ctr_state_restore(ctr_store *store, const struct ctr_st *st, int with_moments);

/* Whether the tensor has the entry's shape and is fp32. */
int ctr_state_same(const struct ctr_store_entry *e, const struct ctr_st_tensor *tensor);

#endif
