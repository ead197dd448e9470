/* train.h -- learning an encoder from images.
 *
 * In: parameters. Out: a run directory (train/run.h) with configuration, metrics and checkpoints.
 *
 *     rc = ctr_trainer_create(&trainer, &params, &events);   device, data, graph, kernels
 *     rc = ctr_trainer_run(trainer);                         the loop, to the end or to a stop
 *     ctr_trainer_destroy(&trainer);
 *
 * The same parameters on the same device give the same bits, whether or not the run was interrupted
 * and resumed in between. */
#ifndef CTR_TRAIN_TRAIN_H
#define CTR_TRAIN_TRAIN_H

#include "base/option.h"
#include "clcontrast/train.h"
#include "data/augment.h"
#include "data/data.h"
#include "data/few.h"
#include "eval/health.h"
#include "graph/graph.h"
#include "nn/nn.h"
#include "optim/optim.h"

typedef struct ctr_trainer ctr_trainer;

/* Where a new run's kernel choices come from (graph/tune.h). A resumed one has its own. */
enum ctr_tune_when {
    CTR_TUNE_STORED, /* from those found before on this device */
    CTR_TUNE_AUTO,   /* the same; on GPUs what is unknown is searched for, CTR_TUNE_AUTO_S long */
    CTR_TUNE_FOR,    /* the same, on any device, tune_s long */
    CTR_TUNE_OFF     /* as the ops take them by themselves */
};
#define CTR_TUNE_AUTO_S 10.0

struct ctr_train_params {
    const char *data;    /* see ctr_data_params.path; NULL: the built-in shapes */
    const char *split;   /* see ctr_data_params; NULL: train */
    uint64_t limit;      /* images at most; 0: all */
    double validation;   /* share of them that is held out and looked at after each epoch; 0: none */
    struct ctr_few labels; /* for methods that need them: of as many of each class only; {0}: all */
    uint64_t image_size; /* pixels; 0: the data's own */
    uint64_t channels, bits; /* see ctr_data_params */
    uint64_t view_size;  /* pixels; 0: the images' */
    uint64_t threads;    /* decoding; 0: all processors */
    int stream;          /* keep images off the device */
    const char *encoder, *method, *optimizer; /* optimizer NULL: the encoder's */
    enum ctr_stem stem;
    double width; /* of the encoder, see ctr_encoder_params */
    struct ctr_normalize normalize;
    enum ctr_dtype precision; /* storage of its activations: CTR_F32, CTR_BF16, or CTR_F16, then with
                               * loss scaling; parameters and arithmetic are fp32 */
    uint64_t head_layers, head_hidden, head_out; /* head_hidden 0: the encoder's dimension */
    int head_bn;
    uint64_t epochs, max_steps; /* max_steps 0: all of the epochs */
    uint64_t batch;             /* images a step, at least 2 */
    uint64_t views;             /* of an image; 0: as many as the line of augmentations has parts, but
                                 * at least what the method needs */
    uint64_t micro_batch;       /* of them at a time in the network (method.h), a divisor; 0: all */
    uint64_t local_views, local_size; /* smaller views beside them, and their side; 0: none, half */
    uint64_t seed;
    double learning_rate;       /* at this batch; 0: the encoder's, scaled by batch / 256 */
    double encoder_rate;        /* times the learning rate, for the encoder; 0: it stays as it is */
    double weight_decay;        /* negative: the encoder's */
    double warmup_epochs;
    enum ctr_schedule_kind schedule;
    double method_option[CTR_MAX_OPTIONS], optim_option[CTR_MAX_OPTIONS];
    struct ctr_augment_params augment; /* without pipelines: the usual one */
    struct ctr_augment_params augment_local; /* for local views */
    const char *out;          /* run directory */
    const char *init;         /* run or safetensors file whose weights it starts from; NULL: drawn */
    int resume;               /* go on from the newest checkpoint of `out` */
    uint64_t checkpoint_steps; /* also every so many steps; 0: at the end of each epoch only */
    uint64_t log_steps;       /* metrics every so many steps */
    const char *device, *kernels, *quirks; /* see dev.h, graph.h */
    int tf32;                              /* see dev.h */
    enum ctr_recompute recompute;
    enum ctr_tune_when tune; /* without `out` nothing is searched for */
    double tune_s;
    int profile, sync;
    uint64_t keep;            /* checkpoints kept; 0: all */
    const char *config;       /* text of a new run's config.toml */
};

/* events is copied; params is borrowed until the trainer is destroyed. Without params->out nothing is
 * written (for plans and timing). */
int ctr_trainer_create(ctr_trainer **out, const struct ctr_train_params *params,
                       const struct ctr_train_events *events);
void ctr_trainer_destroy(ctr_trainer **trainer);
/* CTR_E_DIVERGED when the loss is no longer finite; the last checkpoint stays. CTR_E_IO at the end when the
 * last checkpoint, or metrics on the way, could not be written. */
int ctr_trainer_run(ctr_trainer *trainer);
/* One step, enqueued and not waited for; nothing is looked at, logged or saved. For timing. */
int ctr_trainer_step(ctr_trainer *trainer);

/* "auto", "off" or seconds into p->tune and tune_s; CTR_E_USAGE. */
int ctr_train_tune_parse(struct ctr_train_params *p, const char *text);
/* Searches the fastest kernels for the step that the parameters describe; nothing is trained. tune:
 * its budget, progress and rows; its user and events are the caller's. */
struct ctr_tune_params;
struct ctr_tune_report;
int ctr_train_tune(struct ctr_tune_report *report, const struct ctr_train_params *params,
                   const struct ctr_train_events *events, const struct ctr_tune_params *tune);

ctr_dev *ctr_trainer_dev(const ctr_trainer *trainer);
const ctr_graph *ctr_trainer_graph(const ctr_trainer *trainer);
/* What it trains on. */
struct ctr_data *ctr_trainer_data(const ctr_trainer *trainer);
/* "from FILE: taken ...", what was taken from params->init; NULL: nothing, as in a run that goes on. */
const char *ctr_trainer_start(const ctr_trainer *trainer);
/* The method sees labels and the data have no test split: a fifth of the images was left out, that on
 * which evaluate.h tests. */
int ctr_trainer_held_out(const ctr_trainer *trainer);
/* Images that could not be used, as in ctr_data_skip; those held out are among them. */
size_t ctr_trainer_n_skipped(const ctr_trainer *trainer);
struct ctr_data_skip ctr_trainer_skip(const ctr_trainer *trainer, size_t i);
/* Images held out for validation that are used, 0: none; bytes on the device for it. */
size_t ctr_trainer_n_validation(const ctr_trainer *trainer);
uint64_t ctr_trainer_validation_bytes(const ctr_trainer *trainer);
/* Steps done before this process began (resumed), and those of the whole run. */
uint64_t ctr_trainer_done(const ctr_trainer *trainer);
uint64_t ctr_trainer_total(const ctr_trainer *trainer);
/* What was settled at its making; borrowed. */
struct ctr_train_settled {
    const char *encoder, *method, *optimizer;
    double learning_rate, weight_decay;
    double chance; /* the loss of pure guessing, 0: unknown */
    unsigned views;
    size_t view_size, local_size; /* pixels */
    uint64_t steps_per_epoch;
    struct ctr_augment_params augment;
};
struct ctr_train_settled ctr_trainer_settled(const ctr_trainer *trainer);
/* Bytes of the resident images, 0 when they are streamed. */
uint64_t ctr_trainer_resident_bytes(const ctr_trainer *trainer);

#endif
