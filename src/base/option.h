/* option.h -- a numeric option that a method or an optimiser describes about itself. The row is the
 * one place of the fact: flag, configuration key, help text, checkpoint field and docs come from it.
 * Values travel as an array of double in the order of the rows. */
#ifndef CTR_BASE_OPTION_H
#define CTR_BASE_OPTION_H

struct ctr_option {
    const char *name;    /* "temperature"; a table ends with a row without a name */
    const char *metavar; /* "T" */
    double init;         /* default */
    double min, max;     /* inclusive */
    const char *help;    /* begins with a small letter, no full stop */
};
#define CTR_MAX_OPTIONS 16

#endif
