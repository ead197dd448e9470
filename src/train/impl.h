/* impl.h -- the trainer, shared by trainer.c (putting together), tuning.c (its kernels), train.c (the
 * loop), validation.c (held-out images), state.c (checkpoints) and evaluate.c (its encoder's worth).
 * Nobody else includes it. */
#ifndef CTR_TRAIN_IMPL_H
#define CTR_TRAIN_IMPL_H

#include "base/str.h"
#include "data/batch.h"
#include "data/images.h"
#include "eval/health.h"
#include "method/method.h"
#include "optim/optim.h"
#include "train/ring.h"
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
    struct ctr_data *data;
    struct ctr_images images;
    struct ctr_loader *loader; /* streaming */
    ctr_store *store;
    ctr_graph *g;
    struct ctr_batch batch;
    struct ctr_augment_source source;
    ctr_tensor *z; /* projections of the last step, or NULL */
    ctr_tensor *ring, *labels; /* labels: i32 of all images; NULL unless the method needs them */
    struct ctr_validation *validation; /* NULL: none */
    struct ctr_validation_scores validated; /* of the last time */
    struct ctr_run *run;
    struct ctr_str start; /* what was taken from params->init */
    size_t image_size, view_size, local_size;
    unsigned views; /* of an image */
    double learning_rate, weight_decay, chance;
    struct ctr_schedule schedule;
    /* where it is */
    uint64_t steps_per_epoch, total_steps, done; /* done: finished steps */
    uint64_t fetched;                            /* rows taken from the ring */
    double loss, epoch_loss;                     /* of the last row; sum over the epoch's rows */
    double positive_top1, positive_similarity; /* of the last row; NaN: the method has none */
    double pairs_right;
    struct ctr_health health;                    /* of step health_at */
    uint64_t health_at;
    struct ctr_health_watch watch;
    int has_top1, has_similarity, has_right, needs_labels, held_out;
    double started, rate;                        /* clock; steps a second, smoothed */
    uint64_t started_at;                         /* step at `started` */
    int stopped;
    uint32_t *order;
    float *rates;
};

/* trainer.c: the images to train on or, for validation, those held out. */
int ctr_trainer_open_data(struct ctr_data **out, ctr_trainer *t, int validation);
/* trainer.c: what the method is given, but views, labels and step. */
struct ctr_method_io ctr_trainer_io(const ctr_trainer *t, ctr_graph *g, int training);
/* trainer.c: gives the method a batch's augmented views and its step; `from` is wanted until the graph is
 * recorded. */
struct ctr_view_source {
    const ctr_trainer *trainer;
    struct ctr_augment_source source;
    ctr_tensor *step; /* of data/batch.h */
};
void ctr_trainer_views(struct ctr_method_io *io, struct ctr_view_source *from);
/* trainer.c: whether there is a class for each image, if the method needs one. */
int ctr_trainer_check_labels(const ctr_trainer *t, const struct ctr_data *data);
/* train.c: streaming: the next batch's pixels, and whose they are. */
int ctr_trainer_feed(struct ctr_loader *loader, const struct ctr_augment_source *source);

/* tuning.c: what ctr_graph_plan is to choose (*list, freed with free()); then, planned, what it has
 * chosen goes into the run. */
int ctr_trainer_choices(char **list, ctr_trainer *t);
int ctr_trainer_keep_choices(ctr_trainer *t);
/* Those that the ops would not have taken by themselves go into train.log. */
void ctr_trainer_log_choices(const ctr_trainer *t);

/* start.c: weights of params->init. */
int ctr_trainer_start_from(ctr_trainer *t);

/* state.c: the trainer's state as a checkpoint of its run, and back from the newest one. */
int ctr_state_save(ctr_trainer *t);
int ctr_state_load(ctr_trainer *t);

#endif
