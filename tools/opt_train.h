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
#include "train/settings.h"

/* What the tables of opt_train.c, cmd_train.c, cmd_tune.c and cmd_ablate.c fill. */
struct train_options {
    struct ctr_train_settings s; /* first: OPT_DEVICE finds its member. resume, augment, resize and
                                    options are not used */
    const char *resume, *recipe, *config;
    int profile, dry_run, print_config;
    double budget; /* cmd_tune.c */
    int full, list, clear, json;
    struct opt_list ops; /* cmd_ablate.c */
    int probe;
};

/* The row of a setting, in another struct than train_options by SETTING_IN: SETTING(batch, .name =
 * "batch", .metavar = "N", .help = "..."); what it may be and its default are the library's
 * (train/settings.h). */
#define SETTING(member, ...) SETTING_IN(struct train_options, s.member, member, __VA_ARGS__)
#define SETTING_IN(type, place, member, ...)                                                       \
    {                                                                                              \
        .offset = offsetof(type, place), CTR_SET_##member(OPT_OF), __VA_ARGS__                     \
    }
#define OPT_OF(KIND, ...)               OPT_OF_##KIND(__VA_ARGS__)
#define OPT_OF_TEXT(value)              .kind = OPT_STR, .init = value
#define OPT_OF_WORD(value, words)       .kind = OPT_STR, .init = value, .choices = words
#define OPT_OF_WHOLE(value, low, high)  .kind = OPT_U64, .init = #value, .min = low, .max = high
#define OPT_OF_NUMBER(value, low, high) .kind = OPT_DOUBLE, .init = #value, .min = low, .max = high
#define OPT_OF_FLAG(value)              .kind = OPT_FLAG, .init = #value

/* --precision, for any command's table: a row, and the storage that its word stands for. */
#define OPT_PRECISION_TEXT                                                                         \
    .name = "precision", .metavar = "KIND",                                                        \
    .help = "storage of the encoder's activations and their gradients (weights and "               \
            "arithmetic: fp32); fp16 scales the loss"
#define OPT_PRECISION(type)                                                                        \
    OPT_ROW(CHOICE, type, precision, OPT_PRECISION_TEXT, .choices = "fp32|fp16|bf16",              \
            .init = "fp32")
enum ctr_dtype opt_storage(int precision);
/* --math: 0 for fp32, 1 for tf32. */
#define OPT_MATH_TEXT                                                                              \
    .name = "math", .metavar = "KIND",                                                             \
    .help = "products of fp32 values: exact, or rounded to 11 bits first where the device "        \
            "has matrix units for that"
#define OPT_MATH(type)                                                                             \
    OPT_ROW(CHOICE, type, math, OPT_MATH_TEXT, .choices = "fp32|tf32", .init = "fp32")

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
    struct opt_set *set; /* borrowed */
    struct ctr_arena arena;
    struct ctr_str config;
    char out[64];
};

/* Adds the tables to the set, which c keeps: images and device, the command's own, network, then
 * those of the method and optimiser chosen: by the command line, else by the configuration file
 * `config` (NULL: none), else by the recipe. */
int train_tables(struct train_command *c, struct opt_set *set, const struct cmd *cmd, int argc,
                 char **argv, const char *config);
/* After parsing: gives what is still open the values of --config, then of the recipe, and makes the
 * data's path absolute. others: see config_read. */
int train_settle(struct train_command *c, const struct opt *others);
/* The text of --normalize. */
int train_normalize_check(const char *text);
/* The texts of --labels and --tune. */
int train_labels_check(const char *text);
int train_tune_check(const char *text);
/* The recipe that holds: the one named, else the data's. */
const char *train_recipe(const struct train_command *c);
/* " with 4 channels of 16 bits"; nothing for RGB of 8 bits. */
const char *train_pixels(char text[48], const struct ctr_data_info *images);
/* Borrows from c. */
int train_params(struct ctr_train_params *p, struct train_command *c);
/* For cmd.finish: frees what a struct train_command holds. */
void train_finish(void *options);

#endif
