/* recipe.h -- named sets of option values for `clcontrast train`, each with its source. A recipe
 * sets what command line and configuration leave open. To add one: a row in recipe.c. */
#ifndef CTR_TOOLS_RECIPE_H
#define CTR_TOOLS_RECIPE_H

#include "opt.h"

/* The recipe for a data set when none is named: drawings are not photographs. It chooses neither
 * encoder nor method nor optimiser. */
const char *recipe_default(const char *data);
extern const struct opt_names recipe_names;
/* Gives the recipe's values to options that the set has and that have not been given. */
int recipe_apply(struct opt_set *set, const char *name);
/* Appends what all are, with source and score. */
void recipe_list(struct ctr_str *out, int width);
/* Appends one as a JSON object, its values being options of train; nothing for an unknown name. */
void recipe_json(struct ctr_str *out, const char *name);
/* Appends that of one, with its values and what differs here; nothing for an unknown name. */
void recipe_show(struct ctr_str *out, const char *name, int width);

#endif
