/* batch_norm.c -- y = relu((x - mean) / sqrt(var + eps) * gamma + beta + residual) per channel.
 * In: x of any rank, its last dimension C; see struct ctr_batch_norm. Out: y; a second output holds
 * mean and 1 / sqrt(var + eps) for the gradients.
 *
 * Forward reads x twice and writes y once. Backward finds the ReLU's mask by normalising x again,
 * so that y is not read; with a residual it is taken from y, and the masked dy is written once: it
 * is the residual's gradient. Ioffe and Szegedy, arXiv:1502.03167. */
#include "op/form.h"
#include "op/op.h"
#include "op/rows.h"

struct attr {
    float eps, momentum;
    int training, relu, has_residual;
    size_t rows, C;
    int dx, dresidual; /* backward: which output, 0 for none */
};

enum { X, GAMMA, BETA, RUNNING_MEAN, RUNNING_VAR, RESIDUAL, N_IN };

#define BATCH_NORM_FILE "op/batch_norm.cl"

static int prepare(ctr_graph *g, ctr_node *node)
{
    const struct attr *a = node->attr;
    struct ctr_row_split split = ctr_row_split(g, a->rows, a->C);
    ctr_node_scratch(g, node, split.chunks * 2 * a->C * sizeof(float));
    return ctr_graph_status(g);
}

/* ---- forward ---- */

static int emit_statistics(ctr_graph *g, const ctr_node *node, const struct attr *a)
{
    ctr_buf *x = node->in[X]->buf, *part = node->scratch->buf;
    struct ctr_row_split split = ctr_row_split(g, a->rows, a->C);
    struct ctr_launch_spec sums = {
        .file = BATCH_NORM_FILE,
        .kernel = "batch_norm_fwd_sums",
        .args = {CTR_BUF(part), CTR_BUF(x), CTR_U32(split.per), CTR_U32(a->rows), CTR_U32(a->C)},
        .n_args = 5,
        .flops = 4.0 * (double)node->in[X]->count,
        .bytes = (double)node->in[X]->bytes};
    struct ctr_launch_spec totals = {
        .file = BATCH_NORM_FILE,
        .kernel = "batch_norm_fwd_totals",
        .args = {CTR_BUF(node->out[1]->buf), CTR_BUF(node->in[RUNNING_MEAN]->buf),
                 CTR_BUF(node->in[RUNNING_VAR]->buf), CTR_BUF(part), CTR_F32(a->eps),
                 CTR_F32(a->momentum), CTR_U32(split.chunks), CTR_U32(split.per), CTR_U32(a->rows),
                 CTR_U32(a->C)},
        .n_args = 10};
    ctr_grid_row_sums(g, &sums, split, a->C);
    ctr_grid_row_totals(g, &totals, a->C);
    int rc = ctr_emit(g, &sums);
    return rc != 0 ? rc : ctr_emit(g, &totals);
}

static int emit_running(ctr_graph *g, const ctr_node *node, const struct attr *a)
{
    struct ctr_launch_spec spec = {
        .file = BATCH_NORM_FILE,
        .kernel = "batch_norm_fwd_running",
        .args = {CTR_BUF(node->out[1]->buf), CTR_BUF(node->in[RUNNING_MEAN]->buf),
                 CTR_BUF(node->in[RUNNING_VAR]->buf), CTR_F32(a->eps), CTR_U32(a->C)},
        .n_args = 5};
    ctr_grid_items(g, &spec, a->C, 64);
    return ctr_emit(g, &spec);
}

/* y from x and the statistics in `saved`. */
static int emit_apply(ctr_graph *g, const ctr_node *node, const ctr_tensor *saved,
                      const ctr_tensor *residual)
{
    const struct attr *a = node->attr;
    const ctr_tensor *x = node->in[X], *y = node->out[0];
    struct ctr_launch_spec spec = {.file = BATCH_NORM_FILE,
                                   .kernel = "batch_norm_fwd_apply",
                                   .n_args = 12,
                                   .flops = 4.0 * (double)x->count,
                                   .bytes = (residual ? 3.0 : 2.0) * (double)x->bytes};
    spec.args[0] = CTR_BUF(y->buf);
    spec.args[1] = CTR_BUF(x->buf);
    spec.args[2] = CTR_BUF(saved->buf);
    spec.args[3] = CTR_BUF(node->in[GAMMA]->buf);
    spec.args[4] = CTR_BUF(node->in[BETA]->buf);
    spec.args[5] = CTR_BUF(residual ? residual->buf : x->buf);
    spec.args[6] = CTR_I32(residual != NULL);
    spec.args[7] = CTR_I32(a->relu);
    spec.args[8] = CTR_I32(ctr_stream_rows(y, a->C));
    spec.args[9] = CTR_U32(ctr_grid_rows(g, &spec, a->rows, a->C));
    spec.args[10] = CTR_U32(a->rows);
    spec.args[11] = CTR_U32(a->C);
    return ctr_emit(g, &spec);
}

static int fwd_lower(ctr_graph *g, ctr_node *node)
{
    const struct attr *a = node->attr;
    int rc = a->training ? emit_statistics(g, node, a) : emit_running(g, node, a);
    return rc != 0 ? rc : emit_apply(g, node, node->out[1], node->in[RESIDUAL]);
}

static int fwd_in_place(const ctr_node *node, unsigned out, unsigned in)
{
    return out == 0 && (in == X || in == RESIDUAL);
}

/* ---- y again, for the backward pass ---- */

enum { A_SAVED = BETA + 1, A_RESIDUAL, A_N_IN }; /* x, gamma and beta as above */

static int again_lower(ctr_graph *g, ctr_node *node)
{
    return emit_apply(g, node, node->in[A_SAVED], node->in[A_RESIDUAL]);
}

static int again_in_place(const ctr_node *node, unsigned out, unsigned in)
{
    return in == X || in == A_RESIDUAL;
}

static const struct ctr_op batch_norm_again = {
    .name = "batch_norm_again",
    .in_place = again_in_place,
    .variants =
        (const struct ctr_variant[]){{.name = "general", .lower = again_lower, .half = 1}, {0}},
};

static ctr_node *batch_norm_once_more(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *in[A_N_IN] = {node->in[X],    node->in[GAMMA],   node->in[BETA],
                              node->out[1],   node->in[RESIDUAL]};
    const ctr_tensor *y = node->out[0];
    ctr_node *again =
        ctr_node_add(g, &batch_norm_again, node->attr, node->attr_bytes, A_N_IN, in, 1);
    return ctr_node_out(g, again, y->dtype, y->rank, y->dim) ? again : NULL;
}

/* ---- backward ---- */

enum { B_DY, B_X, B_SAVED, B_GAMMA, B_BETA, B_Y, B_N_IN }; /* y only with ReLU and residual */
enum { B_DGAMMA, B_DBETA };                                /* then dx, dresidual by attr */
enum mask { MASK_NONE, MASK_X, MASK_Y, MASK_KEEP };        /* as in the kernel file */

static const char *bwd_options(enum mask mask, size_t C)
{
    static const char *const text[4][2] = {{"-DMASK=0", "-DMASK=0 -DWHOLE=1"},
                                           {"-DMASK=1", "-DMASK=1 -DWHOLE=1"},
                                           {"-DMASK=2", "-DMASK=2 -DWHOLE=1"},
                                           {"-DMASK=3", "-DMASK=3 -DWHOLE=1"}};
    return text[mask][C % 16 == 0];
}

static int bwd_prepare(ctr_graph *g, ctr_node *node)
{
    const struct attr *a = node->attr;
    int rc = prepare(g, node);
    ctr_node_scratch(g, node, 3 * a->C * sizeof(float));
    return rc != 0 ? rc : ctr_graph_status(g);
}

static int emit_bwd_sums(ctr_graph *g, const ctr_node *node, const struct attr *a, enum mask mask)
{
    const ctr_tensor *coef = node->scratch, *part = coef->next, *x = node->in[B_X];
    ctr_buf *dy = node->in[B_DY]->buf, *saved = node->in[B_SAVED]->buf;
    ctr_buf *gamma = node->in[B_GAMMA]->buf, *beta = node->in[B_BETA]->buf;
    struct ctr_row_split split = ctr_row_split(g, a->rows, a->C);
    struct ctr_launch_spec sums = {
        .file = BATCH_NORM_FILE,
        .kernel = "batch_norm_bwd_sums",
        .args = {CTR_BUF(part->buf),
                 CTR_BUF(a->dresidual ? node->out[a->dresidual]->buf : part->buf), CTR_BUF(dy),
                 CTR_BUF(x->buf), CTR_BUF(mask >= MASK_Y ? node->in[B_Y]->buf : x->buf),
                 CTR_BUF(saved), CTR_BUF(gamma), CTR_BUF(beta), CTR_I32(ctr_stream_rows(x, a->C)),
                 CTR_U32(split.per), CTR_U32(a->rows), CTR_U32(a->C)},
        .n_args = 12,
        .flops = 4.0 * (double)x->count,
        .bytes = (2.0 + (mask >= MASK_Y) + (mask == MASK_KEEP)) * (double)x->bytes};
    struct ctr_launch_spec totals = {.file = BATCH_NORM_FILE,
                                     .kernel = "batch_norm_bwd_totals",
                                     .args = {CTR_BUF(node->out[B_DGAMMA]->buf),
                                              CTR_BUF(node->out[B_DBETA]->buf), CTR_BUF(coef->buf),
                                              CTR_BUF(part->buf), CTR_BUF(saved), CTR_BUF(gamma),
                                              CTR_F32(a->training ? 1.0 / (double)a->rows : 0.0),
                                              CTR_U32(split.chunks), CTR_U32(a->C)},
                                     .n_args = 9};
    ctr_grid_row_sums(g, &sums, split, a->C);
    sums.options = bwd_options(mask, a->C);
    ctr_grid_row_totals(g, &totals, a->C);
    int rc = ctr_emit(g, &sums);
    return rc != 0 ? rc : ctr_emit(g, &totals);
}

static int bwd_lower(ctr_graph *g, ctr_node *node)
{
    const struct attr *a = node->attr;
    const ctr_tensor *x = node->in[B_X], *dy = node->in[B_DY];
    enum mask mask = !a->relu           ? MASK_NONE
                     : !a->has_residual ? MASK_X
                     : a->dresidual     ? MASK_KEEP
                                        : MASK_Y;
    int rc = emit_bwd_sums(g, node, a, mask);
    if (rc != 0 || !a->dx)
        return rc;
    if (a->dresidual) { /* the first pass has masked dy already */
        dy = node->out[a->dresidual];
        mask = MASK_NONE;
    }
    struct ctr_launch_spec spec = {.file = BATCH_NORM_FILE,
                                   .kernel = "batch_norm_bwd_dx",
                                   .n_args = 12,
                                   .flops = 4.0 * (double)x->count,
                                   .bytes = (mask == MASK_Y ? 4.0 : 3.0) * (double)x->bytes};
    spec.args[0] = CTR_BUF(node->out[a->dx]->buf);
    spec.args[1] = CTR_BUF(dy->buf);
    spec.args[2] = CTR_BUF(x->buf);
    spec.args[3] = CTR_BUF(mask >= MASK_Y ? node->in[B_Y]->buf : x->buf);
    spec.args[4] = CTR_BUF(node->in[B_SAVED]->buf);
    spec.args[5] = CTR_BUF(node->scratch->buf);
    spec.args[6] = CTR_BUF(node->in[B_GAMMA]->buf);
    spec.args[7] = CTR_BUF(node->in[B_BETA]->buf);
    spec.args[8] = CTR_I32(ctr_stream_rows(x, a->C));
    spec.args[9] = CTR_U32(ctr_grid_rows(g, &spec, a->rows, a->C));
    spec.args[10] = CTR_U32(a->rows);
    spec.args[11] = CTR_U32(a->C);
    spec.options = bwd_options(mask, a->C);
    return ctr_emit(g, &spec);
}

/* The masked dy over dy, in the first pass. dx in the second, which reads x, and dy unless the masked
 * one takes its part. */
static int bwd_in_place(const ctr_node *node, unsigned out, unsigned in)
{
    const struct attr *a = node->attr;
    if (out <= B_DBETA)
        return 0;
    return in == B_DY || in == B_Y || (in == B_X && out == (unsigned)a->dx);
}

static const struct ctr_op batch_norm_bwd = {
    .name = "batch_norm_bwd",
    .in_place = bwd_in_place,
    .variants =
        (const struct ctr_variant[]){
            {.name = "general", .prepare = bwd_prepare, .lower = bwd_lower, .half = 1}, {0}},
};

static int batch_norm_grad(ctr_graph *g, ctr_node *node)
{
    struct attr a = *(const struct attr *)node->attr;
    ctr_tensor *x = node->in[X], *residual = node->in[RESIDUAL], *y = node->out[0];
    ctr_tensor *in[B_N_IN] = {y->grad,        x,
                              node->out[1],   node->in[GAMMA],
                              node->in[BETA], a.has_residual && a.relu ? y : NULL};
    a.dx = ctr_needs_grad(x) ? 2 : 0;
    a.dresidual = a.relu && ctr_needs_grad(residual) ? 2 + (a.dx != 0) : 0;
    ctr_node *bwd = ctr_node_add(g, &batch_norm_bwd, &a, sizeof a, B_N_IN, in, 1);
    ctr_tensor *dgamma = ctr_node_out(g, bwd, CTR_F32, 1, &a.C);
    ctr_tensor *dbeta = ctr_node_out(g, bwd, CTR_F32, 1, &a.C);
    ctr_tensor *dx = a.dx ? ctr_node_out(g, bwd, x->dtype, x->rank, x->dim) : NULL;
    ctr_tensor *dresidual = a.dresidual ? ctr_node_out(g, bwd, x->dtype, x->rank, x->dim) : y->grad;
    if (ctr_needs_grad(node->in[GAMMA]))
        ctr_grad_add(g, node->in[GAMMA], dgamma);
    if (ctr_needs_grad(node->in[BETA]))
        ctr_grad_add(g, node->in[BETA], dbeta);
    if (ctr_needs_grad(residual))
        ctr_grad_add(g, residual, dresidual);
    return a.dx ? ctr_grad_add(g, x, dx) : ctr_graph_status(g);
}

/* ---- recording ---- */

static int fwd_prepare(ctr_graph *g, ctr_node *node)
{
    return ((const struct attr *)node->attr)->training ? prepare(g, node) : 0;
}

static int batch_norm_form(struct ctr_form *out, const ctr_node *node)
{
    const struct attr *a = node->attr;
    if (a->training)
        return -1;
    *out = (struct ctr_form){.kind = CTR_FORM_NORM, .eps = a->eps, .relu = a->relu};
    return 0;
}

static const struct ctr_op batch_norm = {
    .name = "batch_norm",
    .grad = batch_norm_grad,
    .again = batch_norm_once_more,
    .in_place = fwd_in_place,
    .form = batch_norm_form,
    .variants =
        (const struct ctr_variant[]){
            {.name = "general", .prepare = fwd_prepare, .lower = fwd_lower, .half = 1}, {0}},
};

static int shapes_fit(ctr_graph *g, const ctr_tensor *x, const struct ctr_batch_norm *bn, size_t C)
{
    const ctr_tensor *each[] = {bn->gamma, bn->beta, bn->running_mean, bn->running_var};
    for (unsigned i = 0; i < 4; i++)
        if (each[i] && each[i]->count != C) {
            ctr_graph_fail(g, CTR_E_USAGE, "batch_norm: '%s' has %zu values for %zu channels",
                           each[i]->name, each[i]->count, C);
            return 0;
        }
    if (bn->residual && (bn->residual->count != x->count || bn->residual->dtype != x->dtype)) {
        ctr_graph_fail(g, CTR_E_USAGE, "batch_norm: the residual '%s' is not shaped and stored like '%s'",
                       bn->residual->name, x->name);
        return 0;
    }
    if (bn->training && x->count == C) {
        ctr_graph_fail(g, CTR_E_USAGE, "batch_norm: '%s' has one value per channel to train on",
                       x->name);
        return 0;
    }
    if (x->count / C > UINT32_MAX || C > UINT32_MAX / 3) {
        ctr_graph_fail(g, CTR_E_USAGE, "batch_norm: '%s' is too large", x->name);
        return 0;
    }
    return 1;
}

ctr_tensor *ctr_batch_norm(ctr_graph *g, ctr_tensor *x, const struct ctr_batch_norm *bn)
{
    ctr_tensor *in[N_IN] = {x,           bn->gamma, bn->beta, bn->running_mean, bn->running_var,
                            bn->residual};
    if (!x)
        return NULL;
    if (x->rank == 0)
        return ctr_graph_fail(g, CTR_E_USAGE, "batch_norm: '%s' has no channels", x->name);
    size_t C = x->dim[x->rank - 1];
    struct attr a = {.eps = bn->eps,
                     .momentum = bn->momentum,
                     .training = bn->training,
                     .relu = bn->relu,
                     .has_residual = bn->residual != NULL,
                     .rows = x->count / C,
                     .C = C};
    if (!shapes_fit(g, x, bn, C))
        return NULL;
    ctr_node *node = ctr_node_add(g, &batch_norm, &a, sizeof a, N_IN, in, 1);
    ctr_tensor *y = ctr_node_out(g, node, x->dtype, x->rank, x->dim);
    ctr_node_out(g, node, CTR_F32, 2, (size_t[]){2, C});
    return y;
}
