/* bench.h -- what the files of `clcontrast bench` share.
 *
 * A family (bench_ops.c, bench_gemm.c) is a way to record an op and a table of shapes; each shape
 * gives a row per pass. bench_time.c builds and times one row, bench_step.c a whole training step;
 * bench_print.c and bench_svg.c show rows. To add a shape: a line in a table. To add an op: a
 * struct bench_family and its row in bench_families. Encoders come from src/nn's own list. */
#ifndef CTR_TOOLS_BENCH_H
#define CTR_TOOLS_BENCH_H

#include "base/str.h"
#include "graph/graph.h"

#define BENCH_SHAPE 8

/* What is timed; a family's cases name the ones they have. */
enum bench_pass {
    BENCH_FWD = 1,
    BENCH_DX = 2,  /* gradient of the input alone */
    BENCH_DW = 4,  /* of the weights alone */
    BENCH_BWD = 8, /* all gradients */
    BENCH_ONE = 16 /* there is only this: the row's name says nothing more */
};

struct bench_case {
    const char *name;
    unsigned passes;
    size_t v[BENCH_SHAPE]; /* what the family's keys name */
    const char *variant;   /* forced on the family's op; the row is left out where it cannot run */
    int full;              /* only with --full, or when named */
};

/* The graph of one row. */
struct bench_graph {
    ctr_graph *g;
    ctr_store *store;
    enum ctr_dtype storage; /* of activations */
    size_t first;           /* node from which on time is taken */
};

struct bench_family {
    const char *name;
    const char *fwd_op, *bwd_op;   /* as in --kernel, for cases with a variant */
    const char *keys[BENCH_SHAPE]; /* what v holds, for --json; "N" first where --batch applies */
    int (*record)(struct bench_graph *b, const size_t *v, enum bench_pass pass);
    const struct bench_case *cases; /* ends with a NULL name */
};
/* Ends with NULL. */
extern const struct bench_family *const bench_families[];
extern const struct bench_family bench_gemm;

/* From here on time is taken. */
void bench_start(struct bench_graph *b);
/* Starts, and records the gradient of y. */
int bench_backward(struct bench_graph *b, ctr_tensor *y);

struct bench_options {
    const char *device, *kernel, *quirk, *encoder, *svg;
    uint64_t batch, image_size, repeat; /* 0: each case's own; by time */
    double seconds;                     /* of each row, about */
    int precision, math;                /* see opt_storage, OPT_MATH */
    int full, list, json, peaks;
};

/* One measured thing. */
struct bench_row {
    char name[96];
    const struct bench_family *family; /* NULL: a training step */
    enum bench_pass pass;
    size_t v[BENCH_SHAPE];
    char variants[96]; /* that ran, "conv2d=winograd" */
    unsigned samples;
    size_t launches;
    double median_s, min_s, max_s;
    double flops, work, bytes, floor_s; /* floor_s 0 without peaks */
    /* of a step */
    const char *encoder;
    size_t pairs, image_size;
    uint64_t arena_bytes, device_bytes, trained_bytes; /* trained: values, gradients, moments */
    struct ctr_profile_row *kernels;
    unsigned n_kernels;
};

/* Times `run(user)` (which enqueues once, and is followed by a wait on dev) until o->seconds or
 * o->repeat are reached; fills samples and times. */
int bench_sample(struct bench_row *row, ctr_dev *dev, const struct bench_options *o,
                 int (*run)(void *user), void *user);
/* Builds and times row->family's op; row's name, family, pass and shape are set. *skipped: its
 * variant cannot run here. `used` is set for each part of o->kernel that spoke of this graph. */
int bench_op(struct bench_row *row, int *skipped, ctr_dev *dev, const struct bench_options *o,
             const char *variant, unsigned *used);
/* A training step of row->encoder with row->pairs; peaks NULL: not measured. */
int bench_step(struct bench_row *row, const struct bench_options *o, const struct ctr_peaks *peaks);
void bench_row_finish(struct bench_row *row);

/* ---- output; peaks may be NULL ---- */

struct bench_result {
    const struct ctr_caps *caps;
    enum ctr_dtype storage; /* of activations */
    int tf32;               /* permitted */
    const struct ctr_peaks *peaks;
    const struct bench_row *rows;
    size_t n;
};
void bench_table_head(const struct bench_result *r);
void bench_table_row(const struct bench_result *r, const struct bench_row *row);
void bench_json(struct ctr_str *out, const struct bench_result *r);
void bench_svg(struct ctr_str *out, const struct bench_result *r);

#endif
