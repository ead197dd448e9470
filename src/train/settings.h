/* settings.h -- public settings as parameters of a trainer, with what these borrow. */
#ifndef CTR_TRAIN_SETTINGS_H
#define CTR_TRAIN_SETTINGS_H

#include "base/str.h"
#include "train/train.h"

struct ctr_train_job {
    struct ctr_train_params params;
    char *data, *init; /* as found from any directory, or NULL; init is a file */
    struct ctr_str config;
};

/* CTR_E_USAGE names the setting that is wrong. The settings' texts are borrowed. Zeroed on failure. */
int ctr_train_job_init(struct ctr_train_job *job, const struct ctr_train_settings *settings);
void ctr_train_job_finish(struct ctr_train_job *job);

#endif
