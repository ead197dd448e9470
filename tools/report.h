/* report.h -- what a run was, what it made of the images and what that is worth, as one page: the
 * parts of cmd_report.c. */
#ifndef CTR_TOOLS_REPORT_H
#define CTR_TOOLS_REPORT_H

#include "given.h"
#include "opt_train.h"

struct report_options {
    const char *out, *data, *split, *device;
    uint64_t limit, batch, threads, seed, points;
    double perplexity;
    int views, neighbours, map, scores, json;
};

struct report {
    const struct report_options *o;
    const char *run;             /* directory */
    struct train_command config; /* of the run, */
    struct opt_set config_set;   /* as its options */
    struct given given;          /* its model; the vectors of its images, once they are there */
    struct ctr_str s;            /* the page */
};

/* Each adds what stands below a heading, or fails, and then what it has added does not count. */

/* report_run.c: from the files in the run's directory. */
int report_about(struct report *r);
int report_curves(struct report *r);
int report_settings(struct report *r);
/* report_images.c: from the images, and the encoder's vectors of them. */
int report_views(struct report *r);
int report_neighbours(struct report *r);
int report_map(struct report *r);
/* report_scores.c: from all images with labels. */
int report_scores(struct report *r);

#endif
