/* train.h -- learning an encoder from images.
 *
 *     struct ctr_train_settings s;
 *     ctr_train_defaults(&s);
 *     s.data = "photos";
 *     s.out = "runs/1";
 *     s.epochs = 100;
 *     rc = ctr_train(NULL, &s, &(struct ctr_train_events){.epoch = show});
 *
 * In: settings. Out: a run's directory with its configuration, metrics and checkpoints, which
 * ctr_model_open and every command of the program take. The same settings on the same device and driver
 * give the same bits, whether or not the run was interrupted and resumed in between.
 *
 * ctr_train opens a device of its own and returns when training has ended. It may run in several threads at
 * once, each with an `out` of its own. Callbacks are called from the thread that called ctr_train. */
#ifndef CLCONTRAST_TRAIN_H
#define CLCONTRAST_TRAIN_H

#include <stddef.h>
#include <stdint.h>

#include "clcontrast/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Each member is the option of `clcontrast train` that has its name, with '_' for '-': the same words,
 * ranges, meaning and default (`clcontrast train --help`). Text is borrowed during the call; where NULL
 * is a default it is said. */
struct ctr_train_settings {
    /* the run */
    const char *out;            /* new directory; or, with resume, that of the run to go on with */
    int resume;                 /* go on from the newest checkpoint of `out`. The other settings must be given as
                                 * they were: config.toml is not read, and not all of them are checked */
    const char *init;           /* model whose weights it starts from; NULL: drawn at random */
    uint64_t epochs;            /* passes over the images */
    uint64_t steps;             /* end after so many, if the epochs have more; 0: all of the epochs */
    uint64_t seed;
    uint64_t checkpoint_steps;  /* save every so many steps, too; 0: at the end of each epoch */
    uint64_t keep;              /* newest checkpoints to keep; 0: all */
    uint64_t log_steps;         /* from one line of metrics.jsonl to the next */

    /* images */
    const char *data;           /* as in ctr_data_params.path; NULL: the built-in shapes */
    const char *split;          /* "train", "test", "val", "all", "unlabeled" (STL-10): the part of them that is learnt from */
    uint64_t limit;             /* at most so many images; 0: all */
    double validation;          /* share of them that is held out; the loss on it is told after each epoch */
    const char *labels;         /* "1%" of all or "10" of each class, for methods that need them; NULL: all */
    uint64_t image_size, channels; /* 0: the images' own */
    const char *bits;           /* "auto", "8", "16" */
    uint64_t threads;           /* that decode; 0: all processors */
    int stream;                 /* keep the images off the device even where they fit */

    /* a step */
    uint64_t batch;             /* images */
    uint64_t micro_batch;       /* of them at a time in the network; 0: all */
    uint64_t views;             /* of an image; 0: as many as the augmentation has parts and the method needs */
    uint64_t view_size;         /* pixels; 0: the images' side */
    uint64_t local_views;       /* smaller views beside them */
    uint64_t local_size;        /* pixels; 0: half the other views' */
    const char *augment;        /* a line, docs/AUGMENTATION.md; NULL: the usual one for the size */
    const char *local_augment;  /* for the local views */
    const char *resize;         /* "bilinear", "bicubic" */

    /* network and method */
    const char *encoder;        /* "cnn", "resnet18", ... */
    double width;               /* times the encoder's channels */
    const char *stem;           /* "auto", "cifar", "strided", "imagenet" */
    const char *normalize;      /* "auto", "none", "imagenet", "M,M,M/S,S,S" */
    const char *precision;      /* "fp32", "fp16", "bf16": storage of activations */
    const char *math;           /* "fp32", "tf32" */
    const char *method;         /* "simclr", "byol", ...: docs/METHODS.md */
    uint64_t head_layers, head_hidden, head_out; /* of the projection head; head_hidden 0: the encoder's D */
    int head_bn;
    const char *optimizer;      /* "adamw", "sgd", "lars"; NULL: the encoder's */
    double learning_rate;       /* at its highest; 0: the encoder's, times batch / 256 */
    double encoder_rate;        /* times that, for the encoder alone; 0: it stays as it is */
    double weight_decay;        /* negative: the encoder's */
    double warmup_epochs;
    const char *schedule;       /* "cosine", "constant", "step" */
    const char *options;        /* of method and optimizer: "temperature=0.2, momentum=0.9"; NULL: none */

    /* device */
    const char *device;         /* as in ctr_dev_open */
    const char *quirk, *kernel; /* "+A,-B"; "OP=VARIANT,..."; NULL: none */
    const char *recompute;      /* "auto", "on", "off" */
    const char *tune;           /* "auto", "off", or how many seconds to search for faster kernels */
    int sync;
};

/* Gives every member its default. */
CTR_API void ctr_train_defaults(struct ctr_train_settings *settings);

/* ---- what is told on the way ---- */

/* Of projections divided by their lengths; NaN where it cannot be told. */
struct ctr_health {
    /* mean squared distance of two views of an image: 0 the same, 2 unrelated (Wang, Isola,
     * arXiv:2005.10242, alpha = 2) */
    double alignment;
    /* log mean e^(-2 d^2) over pairs of images: 0 all the same, about -4 spread over the sphere
     * (the same paper, t = 2) */
    double uniformity;
    /* directions in use: e to the entropy of the singular values' shares; from 1 to rank_max, the
     * lesser of D and the sample's rows (Garrido et al., RankMe, arXiv:2210.02885) */
    double rank, rank_max;
    /* mean over columns of the standard deviation, times sqrt(D): 0 collapsed, 1 spread (Chen, He,
     * arXiv:2011.10566, figure 2) */
    double std;
};

enum ctr_verdict {
    CTR_VERDICT_EARLY, /* too soon to tell */
    CTR_VERDICT_LEARNS,
    CTR_VERDICT_STUCK,    /* no better than guessing */
    CTR_VERDICT_COLLAPSE, /* all images alike */
    CTR_VERDICT_NARROW,   /* nearly all in a line or plane */
    CTR_VERDICT_WORSE     /* the loss rises */
};
/* "stuck at chance: ..." with what may help; NULL for the first two. */
CTR_API const char *ctr_verdict_text(enum ctr_verdict verdict);

/* NaN: not measured, or the method has no such figure. */
struct ctr_train_figures {
    double loss, positive_top1, positive_similarity, pairs_right;
};

/* Where training is. */
struct ctr_train_progress {
    uint64_t epoch, epochs, step, steps; /* epoch from 1; step of all steps */
    double loss, chance;                 /* chance: the loss of pure guessing, 0: unknown */
    double learning_rate, positive_top1; /* share of rows whose positive is nearest, NaN: unknown */
    double pairs_right;                  /* share of pairs, or triplets, on the right side, or NaN */
    double images_per_s, eta_s;
    struct ctr_health health; /* of the last time it was measured; NaN: never */
    /* means over the held-out images, in batches as in training but by the running statistics, without
     * update; the same views each time */
    struct ctr_train_figures validation;
    enum ctr_verdict verdict; /* of an epoch that has ended, otherwise CTR_VERDICT_EARLY */
};

/* Every member may be NULL. */
struct ctr_train_events {
    void *user;
    /* Before training: "decoding", "building kernels", ... */
    void (*prepare)(void *user, const char *what, size_t done, size_t total);
    /* Of a step. Not of every one: looking waits for the device, so steps of less than 0.2 s are told of some
     * at a time. */
    void (*progress)(void *user, const struct ctr_train_progress *p);
    void (*epoch)(void *user, const struct ctr_train_progress *p); /* loss is the epoch's mean */
    int (*stop)(void *user); /* after each step; non-zero: save, and end */
};

/* How it ended. */
struct ctr_train_result {
    uint64_t step, steps; /* the last step, and those of the whole run */
    int stopped;          /* by events->stop */
    double loss;          /* of the last step; NaN: no step was left to do */
    uint64_t n_skipped;   /* images that could not be used; their list is skipped.tsv of the run */
    enum ctr_verdict verdict; /* of the last whole epoch */
};

/* result and events may be NULL. 0 at the end or when it was stopped in training; CTR_E_FAIL when it was stopped
 * before. CTR_E_USAGE names the setting that is wrong, or an `out` that is there already; CTR_E_DATA,
 * CTR_E_MODEL (init, resume), CTR_E_IO; CTR_E_NODEVICE, CTR_E_DEVMEM, CTR_E_DEVICE; CTR_E_DIVERGED when the
 * loss is no longer finite: checkpoints before it are kept. */
CTR_API int ctr_train(struct ctr_train_result *result, const struct ctr_train_settings *settings,
                      const struct ctr_train_events *events);

#ifdef __cplusplus
}
#endif
#endif
