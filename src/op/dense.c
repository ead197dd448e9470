/* dense.c -- y[N,O] = relu(x[N,I] w[O,I]^T + b[O]).
 * Gradients: g = dy where y > 0;  dx = g w;  dw = g^T x;  db = sum of g over N, in a fixed order.
 * Variants: our register tiles on CPUs, shared tiles on GPUs, where permitted by matrix units
 * (gemm.h), else the BLAS with bias and ReLU in one more pass.
 */
#include "op/form.h"
#include "op/gemm.h"
#include "op/op.h"
#include "op/rows.h"

enum how { BLAS, TILES, GPU, MMA };

struct attr {
    size_t N, I, O;
    int relu;
    int dx, dw, db;               /* backward: which output + 1, 0 for none */
    ctr_tensor *temp, *g, *parts; /* scratch: of the products, masked dy, sums for db */
};

/* ---- the three products; buffers are filled in by lower ---- */

static struct ctr_gemm product_y(const struct attr *a)
{
    return (struct ctr_gemm){.transpose_b = 1,
                             .M = a->N,
                             .N = a->O,
                             .K = a->I,
                             .lda = a->I,
                             .ldb = a->I,
                             .ldc = a->O,
                             .alpha = 1};
}

static struct ctr_gemm product_dx(const struct attr *a)
{
    return (struct ctr_gemm){
        .M = a->N, .N = a->I, .K = a->O, .lda = a->O, .ldb = a->I, .ldc = a->I, .alpha = 1};
}

static struct ctr_gemm product_dw(const struct attr *a)
{
    return (struct ctr_gemm){.transpose_a = 1,
                             .M = a->O,
                             .N = a->I,
                             .K = a->N,
                             .lda = a->O,
                             .ldb = a->I,
                             .ldc = a->I,
                             .alpha = 1};
}

static int temp_bytes(size_t *bytes, ctr_graph *g, const ctr_node *node, const struct ctr_gemm *p,
                      enum how how)
{
    if (how == BLAS)
        return ctr_gemm_temp_bytes(bytes, ctr_graph_dev(g), p);
    *bytes = how == TILES
                 ? ctr_gemm_tiles_bytes(g, &(struct ctr_gemm_tiles){.gemm = *p})
                 : ctr_gemm_gpu_bytes(ctr_graph_caps(g),
                                      &(struct ctr_gemm_gpu){.gemm = *p, .config = node->config});
    return 0;
}

static int emit_product(ctr_graph *g, const ctr_node *node, struct ctr_gemm *p, ctr_buf *bias,
                        int relu, enum how how)
{
    const struct attr *a = node->attr;
    p->temp = a->temp ? a->temp->buf : NULL;
    if (how == BLAS)
        return ctr_emit_gemm(g, p);
    if (how == TILES)
        return ctr_emit_gemm_tiles(
            g, &(struct ctr_gemm_tiles){.gemm = *p, .bias = bias, .relu = relu});
    return ctr_emit_gemm_gpu(
        g, &(struct ctr_gemm_gpu){
               .gemm = *p, .bias = bias, .relu = relu, .mma = how == MMA, .config = node->config});
}

/* ---- forward ---- */

static int fwd_prepare(ctr_graph *g, ctr_node *node, enum how how)
{
    struct attr *a = node->attr;
    struct ctr_gemm p = product_y(a);
    size_t bytes = 0;
    int rc = temp_bytes(&bytes, g, node, &p, how);
    if (rc == 0 && bytes)
        a->temp = ctr_node_scratch(g, node, bytes);
    return rc;
}

static int emit_bias(ctr_graph *g, const struct attr *a, ctr_tensor *y, const ctr_tensor *b)
{
    struct ctr_launch_spec spec = {.file = "op/dense.cl",
                                   .kernel = "dense_fwd_bias",
                                   .n_args = 7,
                                   .flops = (double)y->count * ((b != NULL) + a->relu),
                                   .bytes = 2.0 * (double)y->bytes};
    spec.args[0] = CTR_BUF(y->buf);
    spec.args[1] = CTR_BUF(b ? b->buf : y->buf);
    spec.args[2] = CTR_I32(b != NULL);
    spec.args[3] = CTR_I32(a->relu);
    spec.args[4] = CTR_U32(ctr_grid_rows(g, &spec, a->N, a->O));
    spec.args[5] = CTR_U32(a->N);
    spec.args[6] = CTR_U32(a->O);
    return ctr_emit(g, &spec);
}

static int fwd_lower(ctr_graph *g, ctr_node *node, enum how how)
{
    const struct attr *a = node->attr;
    ctr_tensor *x = node->in[0], *w = node->in[1], *b = node->in[2], *y = node->out[0];
    struct ctr_gemm p = product_y(a);
    p.C = y->buf;
    p.A = x->buf;
    p.B = w->buf;
    int rc = emit_product(g, node, &p, b ? b->buf : NULL, a->relu, how);
    return rc == 0 && how == BLAS && (b || a->relu) ? emit_bias(g, a, y, b) : rc;
}

/* ---- backward ---- */

enum { B_DY, B_X, B_W, B_Y, B_N_IN }; /* y only with relu */

/* Few rows are summed at once on CPUs, 16 outputs a work-item: a second launch takes longer. */
static struct ctr_row_split db_split(const ctr_graph *g, const struct attr *a)
{
    if (ctr_graph_caps(g)->family == CTR_FAMILY_CPU && a->N <= 512)
        return (struct ctr_row_split){.chunks = 1, .per = (uint32_t)a->N};
    return ctr_row_split(g, a->N, a->O);
}

/* Whether the only part of db is its total, written where it belongs. */
static int is_total(const ctr_graph *g, const struct attr *a)
{
    return a->db && db_split(g, a).chunks == 1;
}

static int bwd_prepare(ctr_graph *g, ctr_node *node, enum how how)
{
    struct attr *a = node->attr;
    struct ctr_gemm dx = product_dx(a), dw = product_dw(a);
    size_t dx_bytes = 0, dw_bytes = 0;
    int rc = 0;
    if (a->dx)
        CTR_TRY(temp_bytes(&dx_bytes, g, node, &dx, how));
    if (a->dw)
        CTR_TRY(temp_bytes(&dw_bytes, g, node, &dw, how));
    if (dx_bytes < dw_bytes)
        dx_bytes = dw_bytes;
    if (dx_bytes)
        a->temp = ctr_node_scratch(g, node, dx_bytes);
    if (a->relu)
        a->g = ctr_node_scratch(g, node, a->N * a->O * sizeof(float));
    if ((a->relu || a->db) && !is_total(g, a))
        a->parts = ctr_node_scratch(g, node, db_split(g, a).chunks * a->O * sizeof(float));
out:
    return rc;
}

/* g and the partial sums of db in one pass, then their total. */
static int emit_db(ctr_graph *g, const ctr_node *node, const struct attr *a)
{
    const ctr_tensor *dy = node->in[B_DY];
    struct ctr_row_split split = db_split(g, a);
    ctr_buf *sums = is_total(g, a) ? node->out[a->db - 1]->buf : a->parts->buf;
    struct ctr_launch_spec spec = {
        .file = "op/dense.cl",
        .kernel = "dense_bwd_db",
        .args = {CTR_BUF(sums), CTR_BUF(a->relu ? a->g->buf : sums), CTR_BUF(dy->buf),
                 CTR_BUF(a->relu ? node->in[B_Y]->buf : dy->buf), CTR_I32(a->relu),
                 CTR_U32(split.per), CTR_U32(a->N), CTR_U32(a->O)},
        .n_args = 8,
        .flops = (double)dy->count,
        .bytes = (a->relu ? 3.0 : 1.0) * (double)dy->bytes};
    ctr_grid_row_sums(g, &spec, split, a->O);
    if (ctr_graph_caps(g)->family == CTR_FAMILY_CPU && split.chunks == 1)
        spec.global[0] = (a->O + 15) / 16;
    int rc = ctr_emit(g, &spec);
    if (rc != 0 || !a->db || is_total(g, a))
        return rc;
    struct ctr_launch_spec total = {.file = "op/dense.cl",
                                    .kernel = "dense_bwd_db_total",
                                    .args = {CTR_BUF(node->out[a->db - 1]->buf),
                                             CTR_BUF(a->parts->buf), CTR_U32(split.chunks),
                                             CTR_U32(a->O)},
                                    .n_args = 4,
                                    .flops = (double)split.chunks * (double)a->O,
                                    .bytes = 4.0 * (double)(split.chunks + 1) * (double)a->O};
    ctr_grid_row_totals(g, &total, a->O);
    return ctr_emit(g, &total);
}

static int bwd_lower(ctr_graph *g, ctr_node *node, enum how how)
{
    int rc = 0;
    const struct attr *a = node->attr;
    ctr_buf *dy = a->relu ? a->g->buf : node->in[B_DY]->buf;
    if (a->relu || a->db)
        CTR_TRY(emit_db(g, node, a));
    if (a->dx) {
        struct ctr_gemm p = product_dx(a);
        p.C = node->out[a->dx - 1]->buf;
        p.A = dy;
        p.B = node->in[B_W]->buf;
        CTR_TRY(emit_product(g, node, &p, NULL, 0, how));
    }
    if (a->dw) {
        struct ctr_gemm p = product_dw(a);
        p.C = node->out[a->dw - 1]->buf;
        p.A = dy;
        p.B = node->in[B_X]->buf;
        CTR_TRY(emit_product(g, node, &p, NULL, 0, how));
    }
out:
    return rc;
}

/* ---- the variants ---- */

#define VARIANT(way, how)                                                                          \
    static int fwd_prepare_##way(ctr_graph *g, ctr_node *node)                                     \
    {                                                                                              \
        return fwd_prepare(g, node, how);                                                          \
    }                                                                                              \
    static int fwd_lower_##way(ctr_graph *g, ctr_node *node)                                       \
    {                                                                                              \
        return fwd_lower(g, node, how);                                                            \
    }                                                                                              \
    static int bwd_prepare_##way(ctr_graph *g, ctr_node *node)                                     \
    {                                                                                              \
        return bwd_prepare(g, node, how);                                                          \
    }                                                                                              \
    static int bwd_lower_##way(ctr_graph *g, ctr_node *node)                                       \
    {                                                                                              \
        return bwd_lower(g, node, how);                                                            \
    }
VARIANT(tiles, TILES)
VARIANT(gpu, GPU)
VARIANT(mma, MMA)
VARIANT(blas, BLAS)

static size_t fwd_configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                          const ctr_node *node)
{
    const struct attr *a = node->attr;
    return ctr_tile_configs(out, room, caps, a->N, a->O);
}

/* Of the larger of the two products, for both. */
static size_t bwd_configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                          const ctr_node *node)
{
    const struct attr *a = node->attr;
    return ctr_tile_configs(out, room, caps, a->N > a->O ? a->N : a->O, a->I);
}

static const struct ctr_op dense_bwd = {
    .name = "dense_bwd",
    .variants =
        (const struct ctr_variant[]){
            {.name = "tiles",
             .usable = ctr_gemm_tiles_usable,
             .prepare = bwd_prepare_tiles,
             .lower = bwd_lower_tiles},
            {.name = "mma",
             .usable = ctr_gemm_mma_usable,
             .prepare = bwd_prepare_mma,
             .lower = bwd_lower_mma,
             .configs = bwd_configs,
             .error = CTR_TILE_MMA_ERROR},
            {.name = "gpu",
             .usable = ctr_gemm_gpu_usable,
             .prepare = bwd_prepare_gpu,
             .lower = bwd_lower_gpu,
             .configs = bwd_configs},
            {.name = "blas", .prepare = bwd_prepare_blas, .lower = bwd_lower_blas},
            {0}},
};

static int dense_grad(ctr_graph *g, ctr_node *node)
{
    struct attr a = *(const struct attr *)node->attr;
    ctr_tensor *x = node->in[0], *w = node->in[1], *b = node->in[2], *y = node->out[0];
    ctr_tensor *in[B_N_IN] = {y->grad, x, w, a.relu ? y : NULL};
    int n = 0;
    a.temp = NULL;
    a.dx = ctr_needs_grad(x) ? ++n : 0;
    a.dw = ctr_needs_grad(w) ? ++n : 0;
    a.db = ctr_needs_grad(b) ? ++n : 0;
    ctr_node *bwd = ctr_node_add(g, &dense_bwd, &a, sizeof a, B_N_IN, in, 1);
    if (a.dx)
        ctr_grad_add(g, x, ctr_node_out(g, bwd, CTR_F32, x->rank, x->dim));
    if (a.dw)
        ctr_grad_add(g, w, ctr_node_out(g, bwd, CTR_F32, w->rank, w->dim));
    if (a.db)
        ctr_grad_add(g, b, ctr_node_out(g, bwd, CTR_F32, b->rank, b->dim));
    return ctr_graph_status(g);
}

static int dense_form(struct ctr_form *out, const ctr_node *node)
{
    *out = (struct ctr_form){.kind = CTR_FORM_DENSE, .relu = ((const struct attr *)node->attr)->relu};
    return 0;
}

static const struct ctr_op dense = {
    .name = "dense",
    .grad = dense_grad,
    .form = dense_form,
    .variants =
        (const struct ctr_variant[]){
            {.name = "tiles",
             .usable = ctr_gemm_tiles_usable,
             .prepare = fwd_prepare_tiles,
             .lower = fwd_lower_tiles},
            {.name = "mma",
             .usable = ctr_gemm_mma_usable,
             .prepare = fwd_prepare_mma,
             .lower = fwd_lower_mma,
             .configs = fwd_configs,
             .error = CTR_TILE_MMA_ERROR},
            {.name = "gpu",
             .usable = ctr_gemm_gpu_usable,
             .prepare = fwd_prepare_gpu,
             .lower = fwd_lower_gpu,
             .configs = fwd_configs},
            {.name = "blas", .prepare = fwd_prepare_blas, .lower = fwd_lower_blas},
            {0}},
};

ctr_tensor *ctr_dense(ctr_graph *g, ctr_tensor *x, ctr_tensor *w, ctr_tensor *b, int relu)
{
    struct attr a = {.relu = relu != 0};
    if (x && w) {
        a.N = x->dim[0];
        a.I = x->count / x->dim[0];
        a.O = w->dim[0];
        if (w->rank != 2 || w->dim[1] != a.I)
            return ctr_graph_fail(g, CTR_E_USAGE, "dense: '%s' is not [O,%zu] as '%s' needs it",
                                  w->name, a.I, x->name);
        if (b && b->count != a.O)
            return ctr_graph_fail(g, CTR_E_USAGE, "dense: '%s' has %zu values for %zu outputs",
                                  b->name, b->count, a.O);
        if (a.N > INT32_MAX || a.I > INT32_MAX || a.O > INT32_MAX)
            return ctr_graph_fail(g, CTR_E_USAGE, "dense: '%s' is too large", x->name);
    }
    ctr_node *node = ctr_node_add(g, &dense, &a, sizeof a, 3, (ctr_tensor *[]){x, w, b}, 1);
    return ctr_node_out(g, node, CTR_F32, 2, (size_t[]){a.N, a.O});
}
