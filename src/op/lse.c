/* lse.c -- the logarithm of a sum of exponentials of products, row by row, streamed.
 *
 * In: a[M,D] and b[K,D], or twice the same tensor. Out: lse[M], lse_i = log sum_k e^(scale a_i.b_k)
 * over the keys that are not left out (op.h), and the largest scale a_i.b_k. As in flash attention,
 * products of a tile of queries and a tile of keys live in registers, so memory beyond the rows and
 * their gradients is O(M + K); the gradient computes them again.
 * Few rows on many processors: keys are split (a number fixed by shape and device), shares are
 * merged in order. No atomics: same bits every time. */
#include <math.h>

#include "op/op.h"

#define LOG2E 1.44269504088896340736

/* As in lse.cl: queries of a work-item, queries and work-items of a group, columns of dx in it. */
enum {
    TILE_QUERIES = 32,
    GROUP_QUERIES = 64,
    GROUP_ITEMS = 256,
    GROUP_COLUMNS = 128,
    ROW_ITEMS = 256 /* that share the rows' last steps */
};

enum { QUERIES = 1, KEYS = 2 }; /* sides of a gradient */
struct attr {
    float scale;
    uint32_t period, sides;
};

/* How a pass over all (query, key) pairs is cut up. */
struct cut {
    size_t items, splits, split_keys;
};

static struct cut cut_up(const ctr_graph *g, size_t M, size_t K, size_t queries)
{
    size_t items = (M + queries - 1) / queries;
    size_t want = 4 * (size_t)ctr_graph_caps(g)->compute_units; /* groups that keep a device busy */
    size_t splits = (want + items - 1) / items;
    splits = splits < 1 ? 1 : splits > 16 ? 16 : splits;
    size_t keys = ((K + splits - 1) / splits + 63) / 64 * 64;
    return (struct cut){items, (K + keys - 1) / keys, keys};
}

/* Keys between two updates of dx on a CPU: as many as local memory holds beside two tiles of D
 * columns, since few updates round less; 0 when it holds too few. */
static size_t block_keys(const struct ctr_caps *caps, size_t D)
{
    size_t keys = 256;
    while (keys >= 32 && (2 * D + keys) * TILE_QUERIES * sizeof(float) > caps->local_bytes)
        keys /= 2;
    return keys >= 32 ? keys : 0;
}

static int tile_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    return block_keys(caps, node->in[0]->dim[1]) > 0 &&
           (caps->family == CTR_FAMILY_CPU || caps->max_group < GROUP_ITEMS);
}

/* ---- forward: a, b -> lse, largest, lse in base 2 for the gradient ---- */

enum { LSE, TOP, LSE2 };

static int fwd_prepare(ctr_graph *g, ctr_node *node, size_t queries)
{
    size_t M = node->in[0]->dim[0], splits = cut_up(g, M, node->in[1]->dim[0], queries).splits;
    return ctr_node_scratch(g, node, 2 * sizeof(float) * splits * M) ? 0 : ctr_graph_status(g);
}

static int emit_rows(ctr_graph *g, ctr_node *node, size_t splits)
{
    ctr_tensor *part = node->scratch, *lse = node->out[LSE];
    const struct ctr_caps *caps = ctr_graph_caps(g);
    size_t local = caps->family == CTR_FAMILY_CPU || caps->max_group < 64 ? 1 : 64;
    struct ctr_launch_spec spec = {.file = "op/lse.cl",
                                   .kernel = "lse_rows",
                                   .global = {ROW_ITEMS},
                                   .local = {local},
                                   .flops = 5.0 * (double)(lse->count * splits),
                                   .bytes = (double)(part->bytes + 3 * lse->bytes),
                                   .args = {CTR_BUF(lse->buf), CTR_BUF(node->out[TOP]->buf),
                                            CTR_BUF(node->out[LSE2]->buf), CTR_BUF(part->buf),
                                            CTR_I32(lse->count), CTR_I32(splits)},
                                   .n_args = 6};
    return ctr_emit(g, &spec);
}

static int fwd_lower(ctr_graph *g, ctr_node *node, int group)
{
    const struct attr *attr = node->attr;
    ctr_tensor *a = node->in[0], *b = node->in[1], *part = node->scratch;
    size_t M = a->dim[0], K = b->dim[0], D = a->dim[1], local = group ? GROUP_ITEMS : 1;
    struct cut cut = cut_up(g, M, K, group ? GROUP_QUERIES : TILE_QUERIES);
    struct ctr_launch_spec spec = {.file = "op/lse.cl",
                                   .kernel = group ? "lse_fwd_group" : "lse_fwd_tile",
                                   .global = {cut.items * local, cut.splits},
                                   .local = {local, 1},
                                   .flops = 2.0 * (double)M * (double)K * (double)D,
                                   .bytes = (double)(a->bytes + b->bytes + part->bytes)};
    unsigned n = 0;
    spec.args[n++] = CTR_BUF(part->buf);
    spec.args[n++] = CTR_BUF(a->buf);
    spec.args[n++] = CTR_BUF(b->buf);
    if (!group)
        spec.args[n++] = CTR_LOCAL(D * TILE_QUERIES * sizeof(float));
    spec.args[n++] = CTR_F32(LOG2E * attr->scale);
    spec.args[n++] = CTR_I32(D);
    spec.args[n++] = CTR_I32(M);
    spec.args[n++] = CTR_I32(K);
    spec.args[n++] = CTR_I32(attr->period);
    spec.args[n++] = CTR_I32(cut.split_keys);
    spec.n_args = n;
    int rc = ctr_emit(g, &spec);
    return rc != 0 ? rc : emit_rows(g, node, cut.splits);
}

static int fwd_tile_prepare(ctr_graph *g, ctr_node *node)
{
    return fwd_prepare(g, node, TILE_QUERIES);
}

static int fwd_tile(ctr_graph *g, ctr_node *node)
{
    return fwd_lower(g, node, 0);
}

static int fwd_group_prepare(ctr_graph *g, ctr_node *node)
{
    return fwd_prepare(g, node, GROUP_QUERIES);
}

static int fwd_group(ctr_graph *g, ctr_node *node)
{
    return fwd_lower(g, node, 1);
}

/* ---- backward: x, y, lse2, dlse -> dx; the launch's queries are the rows of x ---- */

static int bwd_prepare(ctr_graph *g, ctr_node *node, size_t queries)
{
    ctr_tensor *x = node->in[0], *y = node->in[1];
    size_t splits = cut_up(g, x->dim[0], y->dim[0], queries).splits;
    if (splits > 1 && !ctr_node_scratch(g, node, splits * x->bytes))
        return ctr_graph_status(g);
    return 0;
}

static int emit_add(ctr_graph *g, ctr_tensor *dx, ctr_tensor *share, size_t splits)
{
    struct ctr_launch_spec spec = {.file = "op/lse.cl",
                                   .kernel = "lse_add",
                                   .n_args = 5,
                                   .flops = (double)splits * (double)dx->count,
                                   .bytes = (double)(splits + 1) * (double)dx->bytes};
    spec.args[0] = CTR_BUF(dx->buf);
    spec.args[1] = CTR_BUF(share->buf);
    spec.args[2] = CTR_U32(splits);
    spec.args[3] = CTR_U64(dx->count);
    spec.args[4] = CTR_U32(ctr_grid_chunks(g, &spec, dx->count));
    return ctr_emit(g, &spec);
}

static int bwd_lower(ctr_graph *g, ctr_node *node, int group)
{
    static const char *const options[] = {NULL, "-DSIDES=1", "-DSIDES=2", "-DSIDES=3"};
    const struct attr *attr = node->attr;
    ctr_tensor *x = node->in[0], *y = node->in[1], *dx = node->out[0], *share = node->scratch;
    size_t M = x->dim[0], K = y->dim[0], D = x->dim[1], local = group ? GROUP_ITEMS : 1;
    size_t block = block_keys(ctr_graph_caps(g), D);
    struct cut cut = cut_up(g, M, K, group ? GROUP_QUERIES : TILE_QUERIES);
    struct ctr_launch_spec spec = {.file = "op/lse.cl",
                                   .kernel = group ? "lse_bwd_group" : "lse_bwd_tile",
                                   .options = options[attr->sides],
                                   .global = {cut.items * local, cut.splits, 1},
                                   .local = {local, 1, 1},
                                   .flops = 4.0 * (double)M * (double)K * (double)D,
                                   .bytes = (double)(x->bytes + y->bytes + cut.splits * dx->bytes)};
    unsigned n = 0;
    spec.args[n++] = CTR_BUF(cut.splits > 1 ? share->buf : dx->buf);
    for (unsigned i = 0; i < 4; i++)
        spec.args[n++] = CTR_BUF(node->in[i]->buf);
    if (!group) {
        spec.args[n++] = CTR_LOCAL(D * TILE_QUERIES * sizeof(float));
        spec.args[n++] = CTR_LOCAL(D * TILE_QUERIES * sizeof(float));
        spec.args[n++] = CTR_LOCAL(block * TILE_QUERIES * sizeof(float));
    }
    spec.args[n++] = CTR_F32(LOG2E * attr->scale);
    spec.args[n++] = CTR_F32(attr->scale);
    spec.args[n++] = CTR_I32(D);
    spec.args[n++] = CTR_I32(M);
    spec.args[n++] = CTR_I32(K);
    spec.args[n++] = CTR_I32(attr->period);
    spec.args[n++] = CTR_I32(cut.split_keys);
    if (group)
        spec.global[2] = (D + GROUP_COLUMNS - 1) / GROUP_COLUMNS;
    else
        spec.args[n++] = CTR_I32(block);
    spec.n_args = n;
    int rc = ctr_emit(g, &spec);
    return rc != 0 || cut.splits == 1 ? rc : emit_add(g, dx, share, cut.splits);
}

static int bwd_tile_prepare(ctr_graph *g, ctr_node *node)
{
    return bwd_prepare(g, node, TILE_QUERIES);
}

static int bwd_tile(ctr_graph *g, ctr_node *node)
{
    return bwd_lower(g, node, 0);
}

static int bwd_group_prepare(ctr_graph *g, ctr_node *node)
{
    return bwd_prepare(g, node, GROUP_QUERIES);
}

static int bwd_group(ctr_graph *g, ctr_node *node)
{
    return bwd_lower(g, node, 1);
}

static const struct ctr_op lse_bwd = {
    .name = "lse_bwd",
    .variants =
        (const struct ctr_variant[]){
            {.name = "tile", .usable = tile_usable, .prepare = bwd_tile_prepare, .lower = bwd_tile},
            {.name = "group", .prepare = bwd_group_prepare, .lower = bwd_group},
            {0}},
};

/* The gradient of x, the queries', the keys', or both. */
static void add_gradient(ctr_graph *g, ctr_node *node, ctr_tensor *x, ctr_tensor *y, uint32_t sides)
{
    struct attr attr = *(const struct attr *)node->attr;
    ctr_tensor *in[] = {x, y, node->out[LSE2], node->out[LSE]->grad};
    attr.sides = sides;
    if (!ctr_needs_grad(x))
        return;
    ctr_node *bwd = ctr_node_add(g, &lse_bwd, &attr, sizeof attr, 4, in, 0);
    ctr_grad_add(g, x, ctr_node_out(g, bwd, CTR_F32, 2, x->dim));
}

static int lse_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *a = node->in[0], *b = node->in[1];
    if (!node->out[LSE]->grad) /* the largest carries no gradient */
        return 0;
    add_gradient(g, node, a, b, a == b ? QUERIES | KEYS : QUERIES);
    if (a != b)
        add_gradient(g, node, b, a, KEYS);
    return ctr_graph_status(g);
}

static const struct ctr_op lse = {
    .name = "lse",
    .grad = lse_grad,
    .variants =
        (const struct ctr_variant[]){
            {.name = "tile", .usable = tile_usable, .prepare = fwd_tile_prepare, .lower = fwd_tile},
            {.name = "group", .prepare = fwd_group_prepare, .lower = fwd_group},
            {0}},
};

ctr_tensor *ctr_lse(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, float scale, size_t period,
                    ctr_tensor **top)
{
    struct attr attr = {.scale = scale, .period = (uint32_t)period};
    ctr_tensor *in[] = {a, b};
    if (a && b &&
        (a->rank != 2 || b->rank != 2 || a->dim[1] != b->dim[1] || a->dim[0] > 1u << 30 ||
         b->dim[0] > 1u << 30 || a->dim[1] > 1u << 24 || period > 1u << 30))
        return ctr_graph_fail(g, CTR_E_USAGE, "lse: rows of %s and %s differ in length", a->name,
                              b->name);
    if (!(fabsf(scale) <= 1e4f))
        return ctr_graph_fail(g, CTR_E_USAGE, "lse: scale %g is not within 1e4", (double)scale);
    ctr_node *node = ctr_node_add(g, &lse, &attr, sizeof attr, 2, in, 0);
    for (unsigned i = LSE; i <= LSE2 && node; i++)
        if (!ctr_node_out(g, node, CTR_F32, 1, a->dim))
            return NULL;
    if (node && top)
        *top = node->out[TOP];
    return node ? node->out[LSE] : NULL;
}
