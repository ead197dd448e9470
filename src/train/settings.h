/* settings.h -- public settings (clcontrast/train.h): what each may be, and all as parameters of a
 * trainer, with what these borrow. */
#ifndef CTR_TRAIN_SETTINGS_H
#define CTR_TRAIN_SETTINGS_H

#include "base/str.h"
#include "data/image.h"
#include "train/train.h"

/* Kind, default, words or bounds of each setting, once: settings.c and the program's options
 * (tools/opt_train.c) are made of them. F is a macro of theirs. TEXT, WORD: default (NULL: none),
 * and a word's "one|another"; WHOLE, NUMBER: default, least, most; FLAG: default. */
#define CTR_SET_out(F)              F(TEXT, NULL)
#define CTR_SET_resume(F)           F(FLAG, 0)
#define CTR_SET_init(F)             F(TEXT, NULL)
#define CTR_SET_epochs(F)           F(WHOLE, 20, 1, 1e6)
#define CTR_SET_steps(F)            F(WHOLE, 0, 0, 1e12)
#define CTR_SET_seed(F)             F(WHOLE, 1, 0, 9e15)
#define CTR_SET_checkpoint_steps(F) F(WHOLE, 0, 0, 1e12)
#define CTR_SET_keep(F)             F(WHOLE, 3, 0, 1e6)
#define CTR_SET_log_steps(F)        F(WHOLE, 10, 1, 1e9)

#define CTR_SET_data(F)       F(TEXT, NULL)
#define CTR_SET_split(F)      F(TEXT, "train")
#define CTR_SET_limit(F)      F(WHOLE, 0, 0, 4e9)
#define CTR_SET_validation(F) F(NUMBER, 0, 0, 0.9)
#define CTR_SET_labels(F)     F(TEXT, NULL)
#define CTR_SET_image_size(F) F(WHOLE, 0, 0, CTR_DATA_MAX_SIDE)
#define CTR_SET_channels(F)   F(WHOLE, 0, 0, CTR_CHANNELS_MAX)
#define CTR_SET_bits(F)       F(WORD, "auto", "auto|8|16")
#define CTR_SET_threads(F)    F(WHOLE, 0, 0, 256)
#define CTR_SET_stream(F)     F(FLAG, 0)

#define CTR_SET_batch(F)         F(WHOLE, 256, 2, 1e6)
#define CTR_SET_micro_batch(F)   F(WHOLE, 0, 0, 1e6)
#define CTR_SET_views(F)         F(WHOLE, 0, 0, 256)
#define CTR_SET_view_size(F)     F(WHOLE, 0, 0, 4096)
#define CTR_SET_local_views(F)   F(WHOLE, 0, 0, 256)
#define CTR_SET_local_size(F)    F(WHOLE, 0, 0, 4096)
#define CTR_SET_augment(F)       F(TEXT, NULL)
#define CTR_SET_local_augment(F) F(TEXT, "crop(0.05,0.14) flip jitter gray")
#define CTR_SET_resize(F)        F(WORD, "bilinear", "bilinear|bicubic")

#define CTR_SET_encoder(F)       F(TEXT, "cnn")
#define CTR_SET_width(F)         F(NUMBER, 1, 0.01, CTR_WIDTH_MAX)
#define CTR_SET_stem(F)          F(WORD, "auto", "auto|cifar|strided|imagenet")
#define CTR_SET_normalize(F)     F(TEXT, "auto")
#define CTR_SET_precision(F)     F(WORD, "fp32", "fp32|fp16|bf16")
#define CTR_SET_math(F)          F(WORD, "fp32", "fp32|tf32")
#define CTR_SET_method(F)        F(TEXT, "simclr")
#define CTR_SET_head_layers(F)   F(WHOLE, 2, 0, 4)
#define CTR_SET_head_hidden(F)   F(WHOLE, 0, 0, 65536)
#define CTR_SET_head_out(F)      F(WHOLE, 128, 2, 65536)
#define CTR_SET_head_bn(F)       F(FLAG, 1)
#define CTR_SET_optimizer(F)     F(TEXT, NULL)
#define CTR_SET_learning_rate(F) F(NUMBER, 0, 0, 1e6)
#define CTR_SET_encoder_rate(F)  F(NUMBER, 1, 0, 100)
#define CTR_SET_weight_decay(F)  F(NUMBER, -1, -1, 10)
#define CTR_SET_warmup_epochs(F) F(NUMBER, 0, 0, 1e6)
#define CTR_SET_schedule(F)      F(WORD, "cosine", "cosine|constant|step")
#define CTR_SET_options(F)       F(TEXT, NULL)

#define CTR_SET_device(F)    F(TEXT, NULL)
#define CTR_SET_quirk(F)     F(TEXT, NULL)
#define CTR_SET_kernel(F)    F(TEXT, NULL)
#define CTR_SET_recompute(F) F(WORD, "auto", "auto|on|off")
#define CTR_SET_tune(F)      F(TEXT, "auto")
#define CTR_SET_sync(F)      F(FLAG, 0)

struct ctr_train_job {
    struct ctr_train_params params;
    char *data, *init; /* as found from any directory, or NULL; init is a file */
    struct ctr_str config;
};

/* CTR_E_USAGE names the setting that is wrong. The settings' texts are borrowed. Zeroed on failure.
 */
int ctr_train_job_init(struct ctr_train_job *job, const struct ctr_train_settings *settings);
void ctr_train_job_finish(struct ctr_train_job *job);

/* Settings that are in their bounds as parameters; all but `normalize` "auto" (none), `options` and
 * the text of a configuration. CTR_E_USAGE. */
int ctr_train_params_take(struct ctr_train_params *params,
                          const struct ctr_train_settings *settings);
/* Which of "one|another" it is, or -1; and that of a setting which is such a word. */
int ctr_setting_place(const char *words, const char *word);
#define CTR_SETTING_PLACE(settings, member)                                                        \
    ctr_setting_place(CTR_SET_##member(CTR_SET_WORDS_OF), (settings)->member)
#define CTR_SET_WORDS_OF(KIND, value, words) words

#endif
