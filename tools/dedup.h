/* dedup.h -- what `dedup` found, and how it is shown: the parts of cmd_dedup.c. */
#ifndef CTR_TOOLS_DEDUP_H
#define CTR_TOOLS_DEDUP_H

#include "eval/dedup.h"

struct dedup_result {
    const char *what;         /* as it was named */
    const char *by;           /* "pixels", "model", "vectors" */
    const char *data, *split; /* of the pictures; NULL: none are known */
    size_t n, n_exact;        /* images; of these copies of others */
    const char *const *name;  /* [n]; NULL: rows have numbers only */
    const uint64_t *bytes;    /* [n] of their files; NULL: not known */
    double threshold;
    int chosen; /* the threshold, from the data */
    struct ctr_threshold background;
    const struct ctr_groups *groups;
};

/* To standard output: groups, a line each image; one JSON object. */
int dedup_print(const struct dedup_result *result);
int dedup_print_json(const struct dedup_result *result);
/* A page with the pictures of the first groups. */
int dedup_write_html(const char *path, const struct dedup_result *result);

#endif
