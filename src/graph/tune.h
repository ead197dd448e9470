/* tune.h -- which variant and configuration of an op is fastest on a device for a shape: found by
 * trying, kept on disk.
 *
 *     rc = ctr_tuned_open(&tuned, dev);                      what is known of this device
 *     rc = ctr_tune(&report, tuned, g, &params);             optional: tries what g, recorded and
 *                                                            not yet planned, consists of
 *     rc = ctr_graph_plan(g, &(struct ctr_plan_params){.tuned = ctr_tuned_list(tuned)});
 *     ctr_tuned_close(&tuned);
 *
 * Only what is faster than the op's own choice by CTR_TUNE_MARGIN, twice, and agrees with its
 * result is taken. One file for each device, driver and build of this program, below the cache
 * directory's "tuned"; what does not match is as good as absent. A candidate is written down before
 * it runs: one that took the process with it is never tried again. */
#ifndef CTR_GRAPH_TUNE_H
#define CTR_GRAPH_TUNE_H

#include "graph/graph.h"

#define CTR_TUNE_MARGIN 0.03 /* of the time */

typedef struct ctr_tuned ctr_tuned;

/* How far a shape was searched. */
enum ctr_tune_depth {
    CTR_TUNE_PART,  /* time ran out on the way */
    CTR_TUNE_QUICK, /* all but the general variant, where there is another */
    CTR_TUNE_FULL
};

/* What is known of one shape of one op. */
struct ctr_tuned_entry {
    char *op, *shape;       /* see ctr_node_shape */
    char *own, *chosen;     /* "winograd:16,64": what the op takes by itself; the fastest */
    double own_s, chosen_s; /* of one run */
    double error;           /* of the chosen one against the own one */
    enum ctr_tune_depth depth;
};

/* Reads what is kept for the device. Fails for lack of memory only. */
int ctr_tuned_open(ctr_tuned **out, ctr_dev *dev);
void ctr_tuned_close(ctr_tuned **tuned);
/* The choices, for ctr_plan_params.tuned; valid until the next call for `tuned`. */
const char *ctr_tuned_list(ctr_tuned *tuned);
/* In the order found. NULL past the end. */
const struct ctr_tuned_entry *ctr_tuned_entry(const ctr_tuned *tuned, size_t i);
/* Candidates that are never tried again, "op@shape=variant". NULL past the end. */
const char *ctr_tuned_skipped(const ctr_tuned *tuned, size_t i);
/* Forgets everything about every device; *n: files removed. */
int ctr_tuned_clear(size_t *n);

struct ctr_tune_progress {
    size_t done, total;     /* shapes */
    unsigned tried;         /* candidates so far */
    const char *what;       /* "conv2d@...=winograd:16,64" */
    double spent_s, left_s; /* left: by the shapes done so far and the budget */
};
struct ctr_tune_params {
    double budget_s; /* checked between candidates; 0: no end */
    int full;        /* all candidates, more repetitions, also shapes already known */
    void *user;
    /* May be NULL. Called before each candidate; non-zero ends the search after what was found. */
    int (*progress)(void *user, const struct ctr_tune_progress *p);
    /* May be NULL. For each shape of the graph that is known at the end; `nodes` have it. */
    void (*row)(void *user, const struct ctr_tuned_entry *e, unsigned nodes, int fresh);
};
struct ctr_tune_report {
    size_t shapes;           /* in the graph, with more than one candidate that can be tried */
    size_t known;            /* of them, when the search ended */
    size_t searched;         /* just now */
    unsigned tried, refused; /* candidates; those that failed or differed */
    int out_of_time, stopped;
    double seconds;
    double own_s, chosen_s; /* of a replay: sums over the nodes of known shapes */
};
/* CTR_E_IO when nothing can be kept, CTR_E_USAGE when another process tunes this device;
 * CTR_E_DEVICE when the device is lost. */
int ctr_tune(struct ctr_tune_report *report, ctr_tuned *tuned, const ctr_graph *g,
             const struct ctr_tune_params *params);

/* ---- for tune.c: the store (tuned.c) ---- */

/* Lets no other process tune this device; a candidate found under way is put on the list of those
 * never to be tried. Ended by ctr_tuned_unlock. */
int ctr_tuned_lock(ctr_tuned *tuned);
void ctr_tuned_unlock(ctr_tuned *tuned);
/* Before a candidate is built and run, and after it. */
int ctr_tuned_mark(ctr_tuned *tuned, const char *candidate);
void ctr_tuned_unmark(ctr_tuned *tuned);
int ctr_tuned_is_skipped(const ctr_tuned *tuned, const char *candidate);
const struct ctr_tuned_entry *ctr_tuned_find(const ctr_tuned *tuned, const char *op,
                                             const char *shape);
/* Adds or replaces, and writes the file. Texts are copied. */
int ctr_tuned_put(ctr_tuned *tuned, const struct ctr_tuned_entry *entry);

#endif
