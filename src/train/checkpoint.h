/* checkpoint.h -- the state of a run at a step, so that it survives anything.
 *
 * In and out: host tensors and text; what they mean is the caller's. A checkpoint is one sealed
 * safetensors file `step-00001234.safetensors`; the symbolic link `last` names the newest for
 * people and scripts. A file is there whole and verified, or not at all. One process at a time may
 * write to a directory (the run directory's lock sees to that). */
#ifndef CTR_TRAIN_CHECKPOINT_H
#define CTR_TRAIN_CHECKPOINT_H

#include "io/safetensors.h"

/* Writes the checkpoint of `step`, reads it back, moves `last`, then deletes all but the `keep`
 * newest (0: deletes none) and those of later steps, which this one replaces: the run was resumed
 * from before them. Metadata gets "step"; the caller's must not hold it. Files half-written by dead
 * processes are removed first. On any failure (CTR_E_IO mostly) the older checkpoints are intact
 * and the caller may go on and try again at a later step. */
int ctr_checkpoint_save(const char *dir, const struct ctr_st_tensor *tensors,
                        const struct ctr_st_meta *meta, uint64_t step, unsigned keep,
                        size_t n_tensors, size_t n_meta);
/* Opens the newest checkpoint that is whole, passing over damaged ones with a warning each through
 * ctr_log. CTR_E_MODEL when there is none. */
int ctr_checkpoint_open_newest(struct ctr_st **out, uint64_t *step, const char *dir);
/* The newest whose header is whole, for what its metadata say; its tensors' data are not read, and nothing is
 * said of damaged ones. CTR_E_MODEL when there is none. */
int ctr_checkpoint_peek(struct ctr_st **out, const char *dir);
/* Opens one by its step, verified. */
int ctr_checkpoint_open(struct ctr_st **out, const char *dir, uint64_t step);
/* Steps with a checkpoint file, newest first, into a new array freed with free(). */
int ctr_checkpoint_list(uint64_t **steps, size_t *n, const char *dir);
/* "dir/step-00001234.safetensors" in a new string, or NULL (failure recorded). */
char *ctr_checkpoint_path(const char *dir, uint64_t step);

#endif
