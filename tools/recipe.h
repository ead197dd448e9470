/* recipe.h -- named sets of option values for `clcontrast train`, each with its source. A recipe
 * sets what command line and configuration leave open. To add one: a row in recipe.c. */
#ifndef CTR_TOOLS_RECIPE_H
#define CTR_TOOLS_RECIPE_H

#include "opt.h"

struct recipe {
    const char *name, *text;
    const char *source; /* where the values stand */
    /* What the source reports of them, on lossless CIFAR-10 unless it says otherwise; NULL: nothing */
    const char *score;
    const char *notes; /* what was converted, and what differs here; NULL: nothing */
    struct {
        const char *option, *value;
    } values[24]; /* ends with a NULL option */
};

/* Ends with a row without a name. */
extern const struct recipe recipes[];

/* The recipe for a data set when none is named: drawings are not photographs. It chooses neither
 * encoder nor method nor optimiser. */
const char *recipe_default(const char *data);
/* CTR_E_USAGE for a name that is no recipe's. */
int recipe_check(const char *name);
/* Gives the recipe's values to options that the set has and that have not been given. */
int recipe_apply(struct opt_set *set, const char *name);
/* Appends the list: of all, a line each; or, with a name, all that one says. */
void recipe_list(struct ctr_str *out, int width);
void recipe_show(struct ctr_str *out, const char *name, int width);

#endif
