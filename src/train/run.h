/* run.h -- the directory of a training run:
 *   config.toml      what it was started with, resolved; enough to start it again
 *   kernels.txt      variants of kernels it works with, lest a resumed run choose others
 *   metrics.jsonl    one object a line: step, the caller's fields, ts (seconds since 1970)
 *   train.log        what ran where, epochs, warnings, how it ended
 *   skipped.tsv      images that could not be used, when there are any: path and reason
 *   events.out.*     the metrics for TensorBoard
 *   checkpoints/     see checkpoint.h
 *   .lock            held while a process works here
 * Only one process at a time can have a run open. */
#ifndef CTR_TRAIN_RUN_H
#define CTR_TRAIN_RUN_H

#include <stdint.h>

#include "base/log.h"
#include "io/json.h"

struct ctr_run;

#define CTR_RUN_KERNELS "kernels.txt"

/* Makes a new run in `dir`, which must not exist or be empty: CTR_E_USAGE else, with a hint, and
 * also while another process is in it. `config` is the text of its config.toml. On failure nothing is left
 * that was made here. */
int ctr_run_create(struct ctr_run **out, const char *dir, const char *config);
/* Fails as ctr_run_create would, as far as that can be known without writing. */
int ctr_run_check(const char *dir);
/* Opens an existing run, to resume it. CTR_E_USAGE when it is in use, CTR_E_MODEL when `dir` holds
 * no run. */
int ctr_run_open(struct ctr_run **out, const char *dir);
void ctr_run_close(struct ctr_run **run);
/* Closes a run that was created and never begun, and removes what was made for it, directories above it, too. */
void ctr_run_discard(struct ctr_run **run);

/* Borrowed until close. */
const char *ctr_run_dir(const struct ctr_run *run);
const char *ctr_run_checkpoint_dir(const struct ctr_run *run);

/* Opens metrics, events and log; to be called once, before the functions below. `step` is that of
 * the checkpoint resumed from, 0 at the start: metrics of later steps are dropped, so that the file
 * becomes that of a run never interrupted (save for the times in it). */
int ctr_run_begin(struct ctr_run *run, uint64_t step);
/* Adds a line to metrics.jsonl and its numbers to the event file. CTR_E_IO leaves both with whole
 * records; the caller may go on. */
int ctr_run_metrics(struct ctr_run *run, const struct ctr_json_field *fields, uint64_t step,
                    size_t n);
/* Adds "2026-01-31T12:00:00Z warn: line" to train.log. A ctr_log_fn; `run` is a struct ctr_run. A
 * line that cannot be written is lost, the last failure is what it was. */
void ctr_run_log(void *run, enum ctr_log_level level, const char *line);
/* Waits until the disk has metrics and events. */
int ctr_run_sync(struct ctr_run *run);

#endif
