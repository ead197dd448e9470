/* names.h -- the words that options take: for their rows, the lists of help, and completion. Those
 * of recipes stand in recipe.h, those of commands in cmd.h. */
#ifndef CTR_TOOLS_NAMES_H
#define CTR_TOOLS_NAMES_H

#include "opt.h"

extern const struct opt_names names_encoders, names_methods, names_optimizers;
/* Some of what may be written there. */
extern const struct opt_names names_devices, names_lines;

#endif
