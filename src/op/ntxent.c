/* ntxent.c -- NT-Xent, the loss of SimCLR (Chen et al., arXiv:2002.05709).
 *
 * In: z[2N,D], rows of length one; rows i and i + N are two views of one image. Out: the scalar
 *     mean_i -log(e^(z_i.z_p(i) / T) / sum_{k != i} e^(z_i.z_k / T)),  p(i) the other view,
 * and two health figures. Streamed as in flash attention: products of a tile of queries and a tile
 * of keys live in registers, so memory beyond z and dz is O(N); the gradient computes them again.
 * Saved for it, per row: the log-sum-exp and 1 - P_i,p(i), the latter from the negatives alone, so
 * that loss and gradient keep their digits when the positive dominates.
 * Few rows on many processors: keys are split (a number fixed by shape and device), shares are
 * merged in order. No atomics: same bits every time. */
#include <math.h>

#include "op/op.h"

#define LOG2E 1.44269504088896340736

/* As in ntxent.cl: queries of a work-item, queries and work-items of a group, columns of dz in it.
 */
enum {
    TILE_QUERIES = 32,
    GROUP_QUERIES = 64,
    GROUP_ITEMS = 256,
    GROUP_COLUMNS = 128,
    ROW_ITEMS = 256 /* that share the rows' last steps */
};

struct attr {
    float temperature;
};

/* How a pass over all (query, key) pairs is cut up. */
struct cut {
    size_t items, splits, split_keys;
};

static struct cut cut_up(const ctr_graph *g, size_t M, size_t queries)
{
    size_t items = (M + queries - 1) / queries;
    size_t want = 4 * (size_t)ctr_graph_caps(g)->compute_units; /* groups that keep a device busy */
    size_t splits = (want + items - 1) / items;
    splits = splits < 1 ? 1 : splits > 16 ? 16 : splits;
    size_t keys = ((M + splits - 1) / splits + 63) / 64 * 64;
    return (struct cut){items, (M + keys - 1) / keys, keys};
}

/* Keys between two updates of dz on a CPU: as many as local memory holds beside two tiles of D
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
    const ctr_tensor *z = node->in[node->n_in == 1 ? 0 : 1];
    return block_keys(caps, z->dim[1]) > 0 &&
           (caps->family == CTR_FAMILY_CPU || caps->max_group < GROUP_ITEMS);
}

static float log2_scale(const ctr_node *node)
{
    return (float)(LOG2E / ((const struct attr *)node->attr)->temperature);
}

/* Outputs: the scalars loss, number of rows whose positive is nearest, mean similarity of
 * positives; per row log-sum-exp (base 2) and 1 - P_i,p(i). */
enum { LOSS, NEAREST, SIMILARITY, LSE, MISS };

/* ---- forward: z -> all these ---- */

static int fwd_prepare(ctr_graph *g, ctr_node *node, size_t queries)
{
    size_t M = node->in[0]->dim[0];
    struct cut cut = cut_up(g, M, queries);
    if (!ctr_node_scratch(g, node, 3 * sizeof(float) * ROW_ITEMS) ||
        !ctr_node_scratch(g, node, 3 * sizeof(float) * cut.splits * M))
        return ctr_graph_status(g);
    return 0;
}

static int emit_rows(ctr_graph *g, ctr_node *node, ctr_tensor *part, size_t splits)
{
    ctr_tensor *z = node->in[0], *sums = part->next;
    const struct ctr_caps *caps = ctr_graph_caps(g);
    size_t M = z->dim[0], local = caps->family == CTR_FAMILY_CPU || caps->max_group < 64 ? 1 : 64;
    struct ctr_launch_spec spec = {.file = "op/ntxent.cl",
                                   .kernel = "ntxent_rows",
                                   .global = {ROW_ITEMS},
                                   .local = {local},
                                   .n_args = 7,
                                   .flops = 5.0 * (double)(M * splits), /* maxima, sums of powers */
                                   .bytes = (double)(part->bytes + 2 * M * sizeof(float))};
    spec.args[0] = CTR_BUF(sums->buf);
    spec.args[1] = CTR_BUF(node->out[LSE]->buf);
    spec.args[2] = CTR_BUF(node->out[MISS]->buf);
    spec.args[3] = CTR_BUF(part->buf);
    spec.args[4] = CTR_F32(1 / log2_scale(node));
    spec.args[5] = CTR_I32(M);
    spec.args[6] = CTR_I32(splits);
    int rc = ctr_emit(g, &spec);
    if (rc != 0)
        return rc;
    struct ctr_launch_spec sum = {
        .file = "op/ntxent.cl", .kernel = "ntxent_sum", .global = {1}, .local = {1}, .n_args = 6};
    sum.args[0] = CTR_BUF(node->out[LOSS]->buf);
    sum.args[1] = CTR_BUF(node->out[NEAREST]->buf);
    sum.args[2] = CTR_BUF(node->out[SIMILARITY]->buf);
    sum.args[3] = CTR_BUF(sums->buf);
    sum.args[4] = CTR_F32(1.0 / (double)M);
    sum.args[5] = CTR_I32(ROW_ITEMS);
    return ctr_emit(g, &sum);
}

static int fwd_lower(ctr_graph *g, ctr_node *node, int group)
{
    ctr_tensor *z = node->in[0], *part = node->scratch;
    size_t M = z->dim[0], D = z->dim[1];
    struct cut cut = cut_up(g, M, group ? GROUP_QUERIES : TILE_QUERIES);
    size_t local = group ? GROUP_ITEMS : 1;
    struct ctr_launch_spec spec = {.file = "op/ntxent.cl",
                                   .kernel = group ? "ntxent_fwd_group" : "ntxent_fwd_tile",
                                   .global = {cut.items * local, cut.splits},
                                   .local = {local, 1},
                                   .flops = 2.0 * (double)M * (double)M * (double)D,
                                   .bytes = (double)(z->bytes + part->bytes)};
    unsigned n = 0;
    spec.args[n++] = CTR_BUF(part->buf);
    spec.args[n++] = CTR_BUF(z->buf);
    if (!group)
        spec.args[n++] = CTR_LOCAL(D * TILE_QUERIES * sizeof(float));
    spec.args[n++] = CTR_F32(log2_scale(node));
    spec.args[n++] = CTR_I32(D);
    spec.args[n++] = CTR_I32(M / 2);
    spec.args[n++] = CTR_I32(cut.split_keys);
    spec.n_args = n;
    int rc = ctr_emit(g, &spec);
    return rc != 0 ? rc : emit_rows(g, node, part, cut.splits);
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

/* ---- backward: dloss, z, lse, miss -> dz ---- */

static int bwd_prepare(ctr_graph *g, ctr_node *node, size_t queries)
{
    ctr_tensor *z = node->in[1];
    size_t splits = cut_up(g, z->dim[0], queries).splits;
    if (splits > 1 && !ctr_node_scratch(g, node, splits * z->bytes))
        return ctr_graph_status(g);
    return 0;
}

static int emit_add(ctr_graph *g, ctr_tensor *dz, ctr_tensor *share, size_t splits)
{
    struct ctr_launch_spec spec = {.file = "op/ntxent.cl",
                                   .kernel = "ntxent_add",
                                   .n_args = 5,
                                   .flops = (double)splits * (double)dz->count,
                                   .bytes = (double)(splits + 1) * (double)dz->bytes};
    spec.args[0] = CTR_BUF(dz->buf);
    spec.args[1] = CTR_BUF(share->buf);
    spec.args[2] = CTR_U32(splits);
    spec.args[3] = CTR_U64(dz->count);
    spec.args[4] = CTR_U32(ctr_grid_chunks(g, &spec, dz->count));
    return ctr_emit(g, &spec);
}

static int bwd_lower(ctr_graph *g, ctr_node *node, int group)
{
    ctr_tensor *z = node->in[1], *dz = node->out[0], *share = node->scratch;
    size_t M = z->dim[0], D = z->dim[1], local = group ? GROUP_ITEMS : 1;
    size_t block = block_keys(ctr_graph_caps(g), D);
    struct cut cut = cut_up(g, M, group ? GROUP_QUERIES : TILE_QUERIES);
    double T = ((const struct attr *)node->attr)->temperature;
    struct ctr_launch_spec spec = {.file = "op/ntxent.cl",
                                   .kernel = group ? "ntxent_bwd_group" : "ntxent_bwd_tile",
                                   .global = {cut.items * local, cut.splits, 1},
                                   .local = {local, 1, 1},
                                   .flops = 4.0 * (double)M * (double)M * (double)D,
                                   .bytes = (double)(z->bytes + cut.splits * dz->bytes)};
    unsigned n = 0;
    spec.args[n++] = CTR_BUF(cut.splits > 1 ? share->buf : dz->buf);
    for (unsigned i = 0; i < 4; i++)
        spec.args[n++] = CTR_BUF(node->in[i]->buf);
    if (!group) {
        spec.args[n++] = CTR_LOCAL(D * TILE_QUERIES * sizeof(float));
        spec.args[n++] = CTR_LOCAL(D * TILE_QUERIES * sizeof(float));
        spec.args[n++] = CTR_LOCAL(block * TILE_QUERIES * sizeof(float));
    }
    spec.args[n++] = CTR_F32(log2_scale(node));
    spec.args[n++] = CTR_F32(1 / ((double)M * T));
    spec.args[n++] = CTR_I32(D);
    spec.args[n++] = CTR_I32(M / 2);
    spec.args[n++] = CTR_I32(cut.split_keys);
    if (group)
        spec.global[2] = (D + GROUP_COLUMNS - 1) / GROUP_COLUMNS;
    else
        spec.args[n++] = CTR_I32(block);
    spec.n_args = n;
    int rc = ctr_emit(g, &spec);
    return rc != 0 || cut.splits == 1 ? rc : emit_add(g, dz, share, cut.splits);
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

static const struct ctr_op ntxent_bwd = {
    .name = "ntxent_bwd",
    .variants =
        (const struct ctr_variant[]){
            {.name = "tile", .usable = tile_usable, .prepare = bwd_tile_prepare, .lower = bwd_tile},
            {.name = "group", .prepare = bwd_group_prepare, .lower = bwd_group},
            {0}},
};

static int ntxent_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *z = node->in[0], *loss = node->out[LOSS];
    ctr_tensor *in[] = {loss->grad, z, node->out[LSE], node->out[MISS]};
    if (!loss->grad) /* the health figures carry no gradient */
        return 0;
    ctr_node *bwd = ctr_node_add(g, &ntxent_bwd, node->attr, sizeof(struct attr), 4, in, 0);
    return ctr_grad_add(g, z, ctr_node_out(g, bwd, CTR_F32, 2, z->dim));
}

static const struct ctr_op ntxent = {
    .name = "ntxent",
    .grad = ntxent_grad,
    .variants =
        (const struct ctr_variant[]){
            {.name = "tile", .usable = tile_usable, .prepare = fwd_tile_prepare, .lower = fwd_tile},
            {.name = "group", .prepare = fwd_group_prepare, .lower = fwd_group},
            {0}},
};

ctr_tensor *ctr_ntxent(ctr_graph *g, ctr_tensor *z, float temperature, ctr_tensor **top1)
{
    struct attr attr = {temperature};
    size_t one = 1;
    if (z && (z->rank != 2 || z->dim[0] % 2 != 0 || z->dim[0] > 1u << 30 || z->dim[1] > 1u << 24))
        return ctr_graph_fail(g, CTR_E_USAGE, "ntxent: %s is not a matrix of two views", z->name);
    if (!(temperature >= 1e-4f && temperature <= 1e4f))
        return ctr_graph_fail(g, CTR_E_USAGE, "ntxent: temperature %g is not in [1e-4, 1e4]",
                              (double)temperature);
    ctr_node *node = ctr_node_add(g, &ntxent, &attr, sizeof attr, 1, &z, 0);
    for (unsigned i = LOSS; i <= MISS && node; i++)
        if (!ctr_node_out(g, node, CTR_F32, 1, i >= LSE ? z->dim : &one))
            return NULL;
    if (node && top1)
        *top1 = node->out[NEAREST];
    return node ? node->out[LOSS] : NULL;
}

ctr_tensor *ctr_ntxent_similarity(ctr_tensor *loss)
{
    return loss ? loss->producer->out[SIMILARITY] : NULL;
}
