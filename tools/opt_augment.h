/* opt_augment.h -- the options of augmentation, for each command that augments. */
#ifndef CTR_TOOLS_OPT_AUGMENT_H
#define CTR_TOOLS_OPT_AUGMENT_H

#include "data/augment.h"
#include "opt.h"

struct augment_options {
    const char *line; /* NULL: the usual one */
    int resize;
};

/* A table of struct augment_options. */
extern const struct opt augment_rows[];
/* For opt_set.elsewhere: what the line says instead of an option of 0.1.0. */
int augment_elsewhere(struct ctr_str *hint, const char *name);
/* For rows of --local-augment: the line is one. */
int augment_local_check(const char *line);
/* After parsing. CTR_E_USAGE points at what is wrong in the line. */
int augment_params(struct ctr_augment_params *out, const struct augment_options *o);

#endif
