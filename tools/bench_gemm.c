/* bench_gemm.c -- C[M,N] = op(A) op(B) as an op of its own, to time products apart from layers: our
 * register tiles (op/gemm.h) and the BLAS. */
#include "bench.h"
#include "op/gemm.h"

struct attr {
    size_t M, N, K;
    int ta, tb;
};

static struct ctr_gemm product(const ctr_node *node)
{
    const struct attr *a = node->attr;
    return (struct ctr_gemm){.C = node->out[0]->buf,
                             .A = node->in[0]->buf,
                             .B = node->in[1]->buf,
                             .temp = node->scratch ? node->scratch->buf : NULL,
                             .transpose_a = a->ta,
                             .transpose_b = a->tb,
                             .M = a->M,
                             .N = a->N,
                             .K = a->K,
                             .lda = a->ta ? a->M : a->K,
                             .ldb = a->tb ? a->K : a->N,
                             .ldc = a->N,
                             .alpha = 1};
}

static int scratch(ctr_graph *g, ctr_node *node, size_t bytes)
{
    return bytes && !ctr_node_scratch(g, node, bytes) ? CTR_E_FAIL : 0;
}

static int tiles_prepare(ctr_graph *g, ctr_node *node)
{
    struct ctr_gemm_tiles tiles = {.gemm = product(node)};
    return scratch(g, node, ctr_gemm_tiles_bytes(g, &tiles));
}

static int tiles_lower(ctr_graph *g, ctr_node *node)
{
    return ctr_emit_gemm_tiles(g, &(struct ctr_gemm_tiles){.gemm = product(node)});
}

static int blas_prepare(ctr_graph *g, ctr_node *node)
{
    struct ctr_gemm gemm = product(node);
    size_t bytes = 0;
    int rc = ctr_gemm_temp_bytes(&bytes, ctr_graph_dev(g), &gemm);
    return rc != 0 ? rc : scratch(g, node, bytes);
}

static int blas_lower(ctr_graph *g, ctr_node *node)
{
    struct ctr_gemm gemm = product(node);
    return ctr_emit_gemm(g, &gemm);
}

static const struct ctr_op op = {
    .name = "gemm",
    .variants =
        (const struct ctr_variant[]){{.name = "tiles",
                                      .usable = ctr_gemm_tiles_usable,
                                      .prepare = tiles_prepare,
                                      .lower = tiles_lower},
                                     {.name = "blas", .prepare = blas_prepare, .lower = blas_lower},
                                     {0}},
};

static int record(struct bench_graph *b, const size_t *v, enum bench_pass pass)
{
    struct attr a = {v[0], v[1], v[2], (int)v[3], (int)v[4]};
    ctr_tensor *in[] = {
        ctr_graph_input(b->g, "A", CTR_F32, 2, (size_t[]){a.ta ? a.K : a.M, a.ta ? a.M : a.K}),
        ctr_graph_input(b->g, "B", CTR_F32, 2, (size_t[]){a.tb ? a.N : a.K, a.tb ? a.K : a.N})};
    ctr_node *node = ctr_node_add(b->g, &op, &a, sizeof a, 2, in, 0);
    ctr_node_out(b->g, node, CTR_F32, 2, (size_t[]){a.M, a.N});
    return ctr_graph_status(b->g);
}

/* Square ones, those of dense layers' gradients (B not transposed: nn; A transposed: tn), and of
 * similarities of a batch (nt); each by both. */
#define CASE(label, by, M, N, K, ta, tb, only_full)                                                \
    {                                                                                              \
        .name = label "/" by, .passes = BENCH_ONE, .v = {M, N, K, ta, tb}, .variant = by,          \
        .full = only_full                                                                          \
    }
static const struct bench_case cases[] = {
    CASE("1024", "tiles", 1024, 1024, 1024, 0, 0, 0),
    CASE("1024", "blas", 1024, 1024, 1024, 0, 0, 0),
    CASE("1024tn", "tiles", 1024, 1024, 1024, 1, 0, 1),
    CASE("1024tn", "blas", 1024, 1024, 1024, 1, 0, 1),
    CASE("1024nt", "tiles", 1024, 1024, 1024, 0, 1, 1),
    CASE("1024nt", "blas", 1024, 1024, 1024, 0, 1, 1),
    CASE("2048", "tiles", 2048, 2048, 2048, 0, 0, 0),
    CASE("2048", "blas", 2048, 2048, 2048, 0, 0, 0),
    CASE("4096", "tiles", 4096, 4096, 4096, 0, 0, 1),
    CASE("4096", "blas", 4096, 4096, 4096, 0, 0, 1),
    CASE("512x512x128nt", "tiles", 512, 512, 128, 0, 1, 0),
    CASE("512x512x128nt", "blas", 512, 512, 128, 0, 1, 0),
    {.name = NULL},
};

const struct bench_family bench_gemm = {
    .name = "gemm",
    .fwd_op = "gemm",
    .keys = {"M", "N", "K", "transpose_a", "transpose_b"},
    .record = record,
    .cases = cases,
};
