/* impl.h -- the trainer, shared by trainer.c (putting together), pass.c (batches and the method), tuning.c
 * (its kernels), train.c (the loop), validation.c (held-out images), start.c (weights of another run),
 * state.c (checkpoints) and evaluate.c (its encoder's worth).
 * Nobody else includes it. */
#ifndef CTR_TRAIN_IMPL_H
#define CTR_TRAIN_IMPL_H

#include "base/str.h"
#include "eval/health.h"
#include "method/method.h"
#include "optim/optim.h"
#include "train/pass.h"
#include "train/run.h"
#include "train/train.h"
#include "train/validation.h"

struct ctr_trainer {
    const struct ctr_train_params *params;
    struct ctr_train_events events;
    const struct ctr_encoder *encoder;
    const struct ctr_method *method;
    const struct ctr_optim *optim;
    ctr_dev *dev;
    ctr_store *store;
    struct ctr_pass pass; /* its graph is the whole step */
    ctr_tensor *z; /* projections of the last step, or NULL */
    struct ctr_validation *validation; /* NULL: none */
    struct ctr_train_figures validated; /* of the last time */
    struct ctr_run *run;
    struct ctr_str start; /* what was taken from params->init */
    size_t image_size, view_size, local_size;
    unsigned views; /* of an image */
    double learning_rate, weight_decay, chance;
    struct ctr_schedule schedule;
    /* where it is */
    uint64_t steps_per_epoch, total_steps, done; /* done: finished steps */
    uint64_t saved;                              /* of them in the newest checkpoint */
    uint64_t fetched;                            /* rows taken from the ring */
    struct ctr_train_figures last;               /* of the last row */
    double epoch_loss;                           /* sum over the epoch's rows */
    uint64_t unwritten;                          /* lines of metrics */
    struct ctr_health health;                    /* of step health_at */
    uint64_t health_at;
    struct ctr_health_watch watch;
    int needs_labels, held_out;
    double started, rate;                        /* clock; steps a second, smoothed */
    uint64_t started_at;                         /* step at `started` */
    int stopped;
};

/* tuning.c: what ctr_graph_plan is to choose (*list, freed with free()); then, planned, what it has
 * chosen goes into the run. */
int ctr_trainer_choices(char **list, ctr_trainer *t);
int ctr_trainer_keep_choices(ctr_trainer *t);
/* Those that the ops would not have taken by themselves go into train.log. */
void ctr_trainer_log_choices(const ctr_trainer *t);

/* start.c: weights of params->init: whether they fit, once the graph is recorded; then taken. */
int ctr_trainer_start_check(ctr_trainer *t);
int ctr_trainer_start_from(ctr_trainer *t);

/* state.c: the trainer's state as a checkpoint of its run, and back from the newest one. */
int ctr_state_save(ctr_trainer *t);
int ctr_state_load(ctr_trainer *t);

#endif
