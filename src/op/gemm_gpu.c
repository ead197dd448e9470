/* gemm_gpu.c -- see gemm.h. In: a product. Out: one launch, or two: parts of the depth and their
 * sum.
 */
#include "op/gemm.h"

#include <math.h>
#include <stdio.h>

enum { BK = 16 }; /* as in cl/lib/tile_fma.clh; a piece of tile_mma.clh, too */

/* How a product is cut, a function of its shape, the device and the configuration alone. */
struct cut {
    struct ctr_tile tile;
    size_t blocks, splits, per; /* groups of a product; parts of the depth, of `per` each */
};

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static size_t batch_of(const struct ctr_gemm_gpu *p)
{
    return p->batch ? p->batch : 1;
}

/* Parts of at least 256 where there would be less than four groups a compute unit. */
static struct cut cut(const struct ctr_caps *caps, const struct ctr_gemm_gpu *p)
{
    const struct ctr_gemm *m = &p->gemm;
    size_t most = ceil_div(m->K, 256);
    struct cut c = {.tile = ctr_tile_of(&p->config, caps, m->M, m->N, most * batch_of(p))};
    c.blocks = ctr_tile_blocks(&c.tile, m->M, m->N);
    c.splits = ceil_div(4 * (size_t)caps->compute_units, c.blocks * batch_of(p));
    c.splits = c.splits > most ? most : c.splits;
    if (p->batch && !p->c_split)
        c.splits = 1;
    c.per = ceil_div(ceil_div(m->K, c.splits), BK) * BK;
    c.splits = ceil_div(m->K, c.per);
    return c;
}

int ctr_gemm_gpu_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    return ctr_tile_usable(caps);
}

static int in_chunks(ctr_tensor *const *t, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (t[i] && t[i]->dim[t[i]->rank - 1] % 4 != 0)
            return 0;
    return 1;
}

int ctr_gemm_mma_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    return ctr_tile_mma_usable(caps, node) && in_chunks(node->in, node->n_in) &&
           in_chunks(node->out, node->n_out);
}

size_t ctr_gemm_gpu_bytes(const struct ctr_caps *caps, const struct ctr_gemm_gpu *p)
{
    struct cut c = cut(caps, p);
    return c.splits > 1 ? c.splits * p->gemm.M * p->gemm.N * sizeof(float) : 0;
}

size_t ctr_gemm_gpu_splits(const struct ctr_caps *caps, const struct ctr_gemm_gpu *p)
{
    return cut(caps, p).splits;
}

static int even(const struct ctr_gemm_gpu *p)
{
    const struct ctr_gemm *m = &p->gemm;
    size_t a = m->transpose_a ? m->M : m->K, b = m->transpose_b ? m->K : m->N;
    return (m->lda | m->ldb | m->ldc | a | b | m->N | p->a_next | p->b_next | p->c_next |
            p->c_split | p->c_at) %
               4 ==
           0;
}

static int emit_sum(ctr_graph *g, const struct ctr_gemm_gpu *p, const struct cut *c,
                    const char *options)
{
    const struct ctr_gemm *m = &p->gemm;
    struct ctr_launch_spec spec = {.file = "op/gemm_gpu.cl",
                                   .kernel = "gemm_gpu_sum",
                                   .options = options,
                                   .bytes = 4.0 * (double)((c->splits + 1) * m->M * m->N)};
    const struct ctr_arg args[] = {CTR_BUF(m->C),
                                   CTR_BUF(m->temp),
                                   CTR_BUF(p->bias ? p->bias : m->C),
                                   CTR_F32(m->alpha),
                                   CTR_I32(p->bias != NULL),
                                   CTR_F32(p->relu ? 0.0f : -INFINITY),
                                   CTR_I32(c->splits),
                                   CTR_I32(m->M),
                                   CTR_I32(m->N),
                                   CTR_U64(m->ldc)};
    for (; spec.n_args < sizeof args / sizeof *args; spec.n_args++)
        spec.args[spec.n_args] = args[spec.n_args];
    ctr_grid_items(g, &spec, m->M * m->N, 64);
    return ctr_emit(g, &spec);
}

int ctr_emit_gemm_gpu(ctr_graph *g, const struct ctr_gemm_gpu *p)
{
    const struct ctr_gemm *m = &p->gemm;
    struct cut c = cut(ctr_graph_caps(g), p);
    int parts = p->batch > 0, split = c.splits > 1 && !parts, bias = !split && p->bias;
    double M = (double)m->M, N = (double)m->N, K = (double)m->K, batch = (double)batch_of(p);
    size_t items = ctr_tile_items(&c.tile);
    ctr_buf *out = split ? m->temp : m->C;
    char options[96];
    snprintf(options, sizeof options, "-DTA=%d -DTB=%d -DEVEN=%d " CTR_TILE_OPTIONS, m->transpose_a,
             m->transpose_b, even(p), CTR_TILE_VALUES(c.tile, p->mma));
    struct ctr_launch_spec spec = {.file = "op/gemm_gpu.cl",
                                   .kernel = "gemm_gpu",
                                   .options = options,
                                   .global = {c.blocks * items, batch_of(p), c.splits},
                                   .local = {items, 1, 1},
                                   .flops = p->flops > 0 ? p->flops : batch * 2 * M * N * K,
                                   .work = p->flops > 0 ? batch * 2 * M * N * K : 0,
                                   .bytes = batch * 4 * (M * K + K * N + M * N)};
    const struct ctr_arg args[] = {CTR_BUF(out),
                                   CTR_BUF(m->A),
                                   CTR_BUF(m->B),
                                   CTR_BUF(bias ? p->bias : out),
                                   CTR_F32(split ? 1.0f : m->alpha),
                                   CTR_I32(bias),
                                   CTR_F32(!split && p->relu ? 0.0f : -INFINITY),
                                   CTR_I32(m->M),
                                   CTR_I32(m->N),
                                   CTR_I32(m->K),
                                   CTR_U64(m->lda),
                                   CTR_U64(m->ldb),
                                   CTR_U64(split ? m->N : m->ldc),
                                   CTR_U64(p->a_next),
                                   CTR_U64(p->b_next),
                                   CTR_U64(p->c_next),
                                   CTR_U64(p->c_at),
                                   CTR_U64(parts ? p->c_split : m->M * m->N),
                                   CTR_I32(c.per)};
    for (; spec.n_args < sizeof args / sizeof *args; spec.n_args++)
        spec.args[spec.n_args] = args[spec.n_args];
    int rc = ctr_emit(g, &spec);
    return rc == 0 && split ? emit_sum(g, p, &c, options) : rc;
}
