/* opt_train.h -- the options that say what a training step is, for each command that makes one
 * (train, tune, ablate): images, device, network, method, augmentation, optimiser. What else a
 * command has to ask stands in a table of its own. */
#ifndef CTR_TOOLS_OPT_TRAIN_H
#define CTR_TOOLS_OPT_TRAIN_H

#include "base/mem.h"
#include "cmd.h"
#include "data/data.h"
#include "opt.h"
#include "opt_augment.h"
#include "train/train.h"

/* What the tables of opt_train.c, cmd_train.c, cmd_tune.c and cmd_ablate.c fill. */
struct train_options {
    const char *data, *encoder, *method, *optimizer, *out, *resume, *split, *device, *kernel, *quirk,
        *recipe, *config, *tune, *init, *labels, *local_augment, *normalize;
    uint64_t limit, image_size, view_size, channels, threads, head_layers, head_hidden, head_out,
        epochs, steps, batch, views, seed;
    uint64_t micro_batch, local_views, local_size;
    uint64_t checkpoint_steps, keep, log_steps;
    int stream, bits, head_bn, stem, precision, math, recompute, schedule, profile, dry_run,
        print_config, sync;
    double width, learning_rate, weight_decay, warmup, validation;
    double budget; /* cmd_tune.c */
    int full, list, clear, json;
    struct opt_list ops; /* cmd_ablate.c */
    int probe;
};

/* --precision, for any command's table: a row, and the storage that its word stands for. */
#define OPT_PRECISION(type)                                                                        \
    OPT_ROW(CHOICE, type, precision, .name = "precision", .metavar = "KIND",                       \
            .choices = "fp32|fp16|bf16", .init = "fp32",                                           \
            .help = "storage of the encoder's activations and their gradients (weights and "       \
                    "arithmetic: fp32); fp16 scales the loss")
enum ctr_dtype opt_storage(int precision);
/* --math: 0 for fp32, 1 for tf32. */
#define OPT_MATH(type)                                                                             \
    OPT_ROW(CHOICE, type, math, .name = "math", .metavar = "KIND", .choices = "fp32|tf32",         \
            .init = "fp32",                                                                        \
            .help =                                                                                \
                "products of fp32 values: exact, or rounded to 11 bits first where the device "    \
                "has matrix units for that")

/* Options that methods and optimisers describe themselves. */
struct described {
    struct opt rows[CTR_MAX_OPTIONS + 1];
    char init[CTR_MAX_OPTIONS][32];
    double value[CTR_MAX_OPTIONS];
};

/* Everything one invocation owns. */
struct train_command {
    struct train_options o;
    struct augment_options augment;
    struct described method, optim;
    struct opt_set set;
    struct ctr_arena arena;
    struct ctr_str config;
    char out[64];
};

/* Adds the tables: images and device, the command's own, network, then those of the method and
 * optimiser chosen: by the command line, else by the configuration file `config` (NULL: none), else
 * by the recipe. */
int train_tables(struct train_command *c, const struct cmd *cmd, int argc, char **argv,
                 const char *config);
/* After parsing: gives what is still open the values of --config, then of the recipe, and makes the
 * data's path absolute. others: see config_read. */
int train_settle(struct train_command *c, const struct opt *others);
/* The text of --normalize. */
int train_normalize_check(const char *text);
/* The word of --tune. */
int train_tune_check(const char *text);
/* The recipe that holds: the one named, else the data's. */
const char *train_recipe(const struct train_command *c);
/* " with 4 channels of 16 bits"; nothing for RGB of 8 bits. */
const char *train_pixels(char text[48], const struct ctr_data_info *images);
int train_params(struct ctr_train_params *p, const struct train_command *c);
void train_finish(struct train_command *c);

#endif
