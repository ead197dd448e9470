/* gemm.c -- see gemm.h. In: a product. Out: one to three launches: pack B, multiply, sum the parts.
 */
#include "op/gemm.h"

#include "op/rows.h"

enum { MR = 8, PANEL = 32 }; /* as in the kernel file, VW being 16 on CPUs */

/* How a product is cut, a function of its shape and of the number of threads alone. */
struct cut {
    size_t panels, splits, k_per, m_items, tiles;
    size_t pack_floats, part_floats;
};

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static struct cut cut(const ctr_graph *g, const struct ctr_gemm *p)
{
    struct cut c = {.panels = ceil_div(p->N, PANEL), .splits = 1, .k_per = p->K};
    size_t m_tiles = ceil_div(p->M, MR), want = 8 * (size_t)ctr_graph_caps(g)->compute_units;
    if (m_tiles * c.panels < want && p->K >= 1024) {
        size_t most = p->K / 512;
        c.splits = ceil_div(want, m_tiles * c.panels);
        c.splits = c.splits > most ? most : c.splits;
        c.k_per = ceil_div(p->K, c.splits);
        c.splits = ceil_div(p->K, c.k_per);
    }
    /* a work-item does at least 2 MFLOP, some 10 us, as long as there are items enough for all */
    size_t flops = 2 * MR * PANEL * c.k_per, per_panel = ceil_div(want, c.panels * c.splits);
    c.tiles = ceil_div((size_t)2 << 20, flops);
    if (ceil_div(m_tiles, c.tiles) < per_panel)
        c.tiles = m_tiles / per_panel > 0 ? m_tiles / per_panel : 1;
    c.m_items = ceil_div(m_tiles, c.tiles);
    int pack = p->transpose_b || p->N % PANEL || (p->M >= 256 && p->K >= 128);
    c.pack_floats = pack ? c.panels * PANEL * p->K : 0;
    c.part_floats = c.splits > 1 ? c.splits * p->M * p->N : 0;
    return c;
}

int ctr_gemm_tiles_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    return caps->family == CTR_FAMILY_CPU;
}

size_t ctr_gemm_tiles_bytes(const ctr_graph *g, const struct ctr_gemm *gemm)
{
    struct cut c = cut(g, gemm);
    return (c.pack_floats + c.part_floats) * sizeof(float);
}

static int emit_pack(ctr_graph *g, const struct ctr_gemm *p, const struct cut *c)
{
    size_t per = ceil_div(p->K, ceil_div(16 * (size_t)ctr_graph_caps(g)->compute_units, c->panels));
    if (per < 64)
        per = 64;
    struct ctr_launch_spec spec = {.file = "op/gemm.cl",
                                   .kernel = "gemm_pack",
                                   .args = {CTR_BUF(p->temp), CTR_BUF(p->B), CTR_U64(p->ldb),
                                            CTR_I32(p->transpose_b), CTR_U32(p->N), CTR_U32(p->K),
                                            CTR_U32(per)},
                                   .n_args = 7,
                                   .global = {c->panels, ceil_div(p->K, per), 1},
                                   .local = {1, 1, 1},
                                   .bytes = 8.0 * (double)(p->N * p->K)};
    return ctr_emit(g, &spec);
}

static int emit_tiles(ctr_graph *g, const struct ctr_gemm_tiles *t, const struct cut *c)
{
    const struct ctr_gemm *p = &t->gemm;
    int packed = c->pack_floats != 0, split = c->splits > 1;
    ctr_buf *out = split ? p->temp : p->C;
    double M = (double)p->M, N = (double)p->N, K = (double)p->K;
    struct ctr_launch_spec spec = {.file = "op/gemm.cl",
                                   .kernel = "gemm_tiles",
                                   .n_args = 20,
                                   .global = {c->m_items, c->panels, c->splits},
                                   .local = {1, 1, 1},
                                   .flops = 2 * M * N * K,
                                   .bytes = 4 * (M * K + K * N + M * N * (double)c->splits)};
    spec.args[0] = CTR_BUF(out);
    spec.args[1] = CTR_BUF(p->A);
    spec.args[2] = CTR_BUF(packed ? p->temp : p->B);
    spec.args[3] = CTR_BUF(t->bias ? t->bias : out);
    spec.args[4] = CTR_F32(split ? 1.0f : p->alpha);
    spec.args[5] = CTR_F32(split ? 0.0f : p->beta);
    spec.args[6] = CTR_I32(!split && t->bias);
    spec.args[7] = CTR_I32(!split && t->relu);
    spec.args[8] = CTR_U32(p->M);
    spec.args[9] = CTR_U32(p->N);
    spec.args[10] = CTR_U32(p->K);
    spec.args[11] = CTR_U64(p->transpose_a ? 1 : p->lda);
    spec.args[12] = CTR_U64(p->transpose_a ? p->lda : 1);
    spec.args[13] = CTR_U64(packed ? PANEL * p->K : PANEL);
    spec.args[14] = CTR_U64(packed ? PANEL : p->ldb);
    spec.args[15] = CTR_U64(split ? c->pack_floats : 0);
    spec.args[16] = CTR_U64(split ? p->N : p->ldc);
    spec.args[17] = CTR_U64(p->M * p->N);
    spec.args[18] = CTR_U32(c->k_per);
    spec.args[19] = CTR_U32(c->tiles);
    return ctr_emit(g, &spec);
}

static int emit_sum(ctr_graph *g, const struct ctr_gemm_tiles *t, const struct cut *c)
{
    const struct ctr_gemm *p = &t->gemm;
    struct ctr_launch_spec spec = {.file = "op/gemm.cl",
                                   .kernel = "gemm_sum",
                                   .n_args = 13,
                                   .flops = (double)(c->splits * p->M * p->N),
                                   .bytes = 4.0 * (double)((c->splits + 1) * p->M * p->N)};
    spec.args[0] = CTR_BUF(p->C);
    spec.args[1] = CTR_BUF(p->temp);
    spec.args[2] = CTR_BUF(t->bias ? t->bias : p->C);
    spec.args[3] = CTR_U64(c->pack_floats);
    spec.args[4] = CTR_F32(p->alpha);
    spec.args[5] = CTR_F32(p->beta);
    spec.args[6] = CTR_I32(t->bias != NULL);
    spec.args[7] = CTR_I32(t->relu);
    spec.args[8] = CTR_U32(c->splits);
    spec.args[9] = CTR_U32(ctr_grid_rows(g, &spec, p->M, p->N));
    spec.args[10] = CTR_U32(p->M);
    spec.args[11] = CTR_U32(p->N);
    spec.args[12] = CTR_U64(p->ldc);
    return ctr_emit(g, &spec);
}

int ctr_emit_gemm_tiles(ctr_graph *g, const struct ctr_gemm_tiles *tiles)
{
    int rc = 0;
    struct cut c = cut(g, &tiles->gemm);
    if (c.pack_floats)
        CTR_TRY(emit_pack(g, &tiles->gemm, &c));
    CTR_TRY(emit_tiles(g, tiles, &c));
    if (c.splits > 1)
        CTR_TRY(emit_sum(g, tiles, &c));
out:
    return rc;
}
