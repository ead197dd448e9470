/* gemm.c -- see gemm.h. In: a product. Out: one to three launches: pack B, multiply, sum the parts.
 */
#include "op/gemm.h"

#include "op/rows.h"

enum { VEC = 16, MR = 8, PANEL = 32 }; /* as in the kernel files on CPUs */
enum { OWN_TILES = 16, LEAST_LOCAL = 28 << 10, STREAM_BYTES = 8 << 20 };

/* How a product is cut, a function of its shape and of the device alone. */
struct cut {
    int blocked;                     /* which kernel: gemm_tiles or gemm_blocked */
    size_t m_items, n_items, splits; /* the grid */
    size_t k_per;                    /* depth of a split */
    size_t tiles;                    /* gemm_tiles: tiles of a work-item, one above the other */
    int own;                         /* gemm_tiles: each work-item packs its panel of B itself */
    size_t rows, cols, kc;           /* gemm_blocked: block of a work-item, depth at a time */
    size_t pack_floats, part_floats;
};

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t items(const struct cut *c)
{
    return c->m_items * c->n_items * c->splits;
}

static size_t own_bytes(const struct cut *c)
{
    return c->k_per * PANEL * sizeof(float);
}

/* A work-item packs its panel itself where one other at most does the same, and beside enough tiles
 * for that to be little: a launch of its own costs some 20 us and an uneven end. */
static int packs_itself(const struct cut *c, size_t m_tiles, size_t most, size_t local_bytes)
{
    size_t tiles = c->tiles < OWN_TILES ? OWN_TILES : c->tiles;
    return tiles <= most && ceil_div(m_tiles, tiles) <= 2 && 8 * own_bytes(c) <= local_bytes;
}

static void cut_tiles(struct cut *c, const struct ctr_gemm *p, size_t want, size_t local_bytes)
{
    size_t m_tiles = ceil_div(p->M, MR);
    c->n_items = ceil_div(p->N, PANEL);
    if (m_tiles * c->n_items < want && p->K >= 1024) {
        c->splits = min(ceil_div(want, m_tiles * c->n_items), p->K / 512);
        c->k_per = ceil_div(p->K, c->splits);
        c->splits = ceil_div(p->K, c->k_per);
    }
    /* a work-item does at least 2 MFLOP, some 10 us, as long as there are items enough for all */
    size_t flops = 2 * MR * PANEL * c->k_per, per_panel = ceil_div(want, c->n_items * c->splits);
    size_t most = m_tiles / per_panel > 0 ? m_tiles / per_panel : 1;
    c->tiles = min(ceil_div((size_t)2 << 20, flops), most);
    int must = p->transpose_b || p->N % PANEL;
    c->own = (must || (p->M >= 128 && p->K >= 64)) && packs_itself(c, m_tiles, most, local_bytes);
    if (c->own && c->tiles < OWN_TILES)
        c->tiles = OWN_TILES;
    c->m_items = ceil_div(m_tiles, c->tiles);
    if (!c->own && (must || (p->M >= 256 && p->K >= 128)))
        c->pack_floats = c->n_items * PANEL * p->K;
}

/* ---- blocks ---- */

static size_t a_bytes(const struct cut *c)
{
    return ceil_div(c->kc, VEC) * VEC * c->rows * sizeof(float);
}

static size_t b_bytes(const struct cut *c)
{
    return c->pack_floats ? VEC : c->kc * c->cols * sizeof(float);
}

static size_t acc_bytes(const struct cut *c)
{
    return c->kc < c->k_per ? c->rows * c->cols * sizeof(float) : VEC;
}

static void set_cols(struct cut *c, const struct ctr_gemm *p, size_t cols)
{
    c->cols = min(ceil_div(cols, PANEL), ceil_div(p->N, PANEL)) * PANEL;
    c->n_items = ceil_div(p->N, c->cols);
}

/* Blocks that stay in a core's L2 cache. A packed B streams through, so the whole depth can be done
 * at once up to 2048; else both are copied, and wide blocks of a small depth pay for that. */
static void choose_block(struct cut *c, const struct ctr_gemm *p)
{
    int copies = p->transpose_a;
    c->rows = min(copies                              ? 128
                  : p->K > 1024 && p->K <= 2048 ? 32
                                                : 64,
                  ceil_div(p->M, VEC) * VEC);
    c->kc = min(copies ? 128 : p->K > 2048 ? 1024 : 2048, p->K);
    c->m_items = ceil_div(p->M, c->rows);
    set_cols(c, p, copies ? 256 : p->K > 2048 ? 512 : 2048);
}

/* Enough work-items for all threads: long sums over few outputs are split, other blocks narrowed. */
static void spread(struct cut *c, const struct ctr_gemm *p, size_t want, int may_split)
{
    while (items(c) < want && c->cols > (c->kc < 1024 && p->K > c->kc ? 8 : 4) * PANEL)
        set_cols(c, p, c->cols / 2);
    if (items(c) < want && p->K >= 1024 && may_split) {
        c->splits = min(ceil_div(want, items(c)), p->K / 512);
        c->k_per = ceil_div(ceil_div(p->K, c->splits), VEC) * VEC;
        c->splits = ceil_div(p->K, c->k_per);
    }
    while (items(c) < want && c->cols > PANEL)
        set_cols(c, p, c->cols / 2);
    while (items(c) < want && c->rows > VEC) {
        c->rows = ceil_div(c->rows / 2, VEC) * VEC;
        c->m_items = ceil_div(p->M, c->rows);
    }
}

static void cut_blocks(struct cut *c, const struct ctr_gemm_tiles *t, size_t want,
                       size_t local_bytes)
{
    const struct ctr_gemm *p = &t->gemm;
    if (!p->transpose_a)
        c->pack_floats = ceil_div(p->N, PANEL) * PANEL * p->K;
    choose_block(c, p);
    spread(c, p, want, t->strided != CTR_STRIDED_C); /* parts have no pixels between */
    while (a_bytes(c) + b_bytes(c) + acc_bytes(c) > local_bytes) {
        if (c->kc > VEC)
            c->kc = ceil_div(c->kc / 2, VEC) * VEC;
        else if (c->cols > PANEL)
            set_cols(c, p, c->cols / 2);
        else
            break; /* not below LEAST_LOCAL */
    }
}

/* ---- either ---- */

/* Values of C, and whether it is better stored past the caches. */
static size_t written(const struct ctr_gemm_tiles *t)
{
    size_t per_row = t->strided == CTR_STRIDED_C ? (size_t)(t->stride * t->stride) : 1;
    return t->gemm.M * t->gemm.N * per_row;
}

static int large(const struct ctr_gemm_tiles *t)
{
    return written(t) * sizeof(float) >= STREAM_BYTES;
}

/* Where gemm_blocked was measured faster: it can store past the caches, which counts beside sums that are not
 * long, and a long sum down the columns of A and B has each line of them in time and in places of its own.
 * Elsewhere its copies cost a tenth to a quarter. */
static int blocked(const struct ctr_gemm_tiles *t)
{
    const struct ctr_gemm *p = &t->gemm;
    if (t->strided != CTR_STRIDED_NONE)
        return 1;
    if (p->transpose_a)
        return !p->transpose_b && (large(t) || p->K >= 1024);
    return large(t) && p->K < 2048;
}

static struct cut cut(const ctr_graph *g, const struct ctr_gemm_tiles *t)
{
    const struct ctr_caps *caps = ctr_graph_caps(g);
    const struct ctr_gemm *p = &t->gemm;
    size_t want = 8 * (size_t)caps->compute_units;
    struct cut c = {.blocked = blocked(t), .splits = 1, .k_per = p->K};
    if (c.blocked)
        cut_blocks(&c, t, want, caps->local_bytes);
    else
        cut_tiles(&c, p, want, caps->local_bytes);
    c.part_floats = c.splits > 1 ? c.splits * p->M * p->N : 0;
    return c;
}

int ctr_gemm_tiles_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    return caps->family == CTR_FAMILY_CPU && caps->local_bytes >= LEAST_LOCAL;
}

size_t ctr_gemm_tiles_bytes(const ctr_graph *g, const struct ctr_gemm_tiles *tiles)
{
    struct cut c = cut(g, tiles);
    return (c.pack_floats + c.part_floats) * sizeof(float);
}

static int emit_pack(ctr_graph *g, const struct ctr_gemm *p)
{
    size_t panels = ceil_div(p->N, PANEL);
    size_t per = ceil_div(p->K, ceil_div(16 * (size_t)ctr_graph_caps(g)->compute_units, panels));
    if (per < 64)
        per = 64;
    struct ctr_launch_spec spec = {.file = "op/gemm.cl",
                                   .kernel = "gemm_pack",
                                   .args = {CTR_BUF(p->temp), CTR_BUF(p->B), CTR_U64(p->ldb),
                                            CTR_I32(p->transpose_b), CTR_U32(p->N), CTR_U32(p->K),
                                            CTR_U32(per)},
                                   .n_args = 7,
                                   .global = {panels, ceil_div(p->K, per), 1},
                                   .local = {1, 1, 1},
                                   .bytes = 8.0 * (double)(p->N * p->K)};
    return ctr_emit(g, &spec);
}

/* What both kernels start with, M, N and K behind it. */
static struct ctr_launch_spec product(const struct ctr_gemm_tiles *t, const struct cut *c)
{
    const struct ctr_gemm *p = &t->gemm;
    double M = (double)p->M, N = (double)p->N, K = (double)p->K;
    struct ctr_launch_spec spec = {.global = {c->m_items, c->n_items, c->splits},
                                   .local = {1, 1, 1},
                                   .flops = 2 * M * N * K,
                                   .bytes = 4 * (M * K + K * N + (double)(written(t) * c->splits))};
    ctr_buf *out = c->splits > 1 ? p->temp : p->C;
    spec.args[0] = CTR_BUF(out);
    spec.args[1] = CTR_BUF(p->A);
    spec.args[2] = CTR_BUF(c->pack_floats ? p->temp : p->B);
    spec.args[3] = CTR_BUF(t->bias ? t->bias : out);
    return spec;
}

static int emit_tiles(ctr_graph *g, const struct ctr_gemm_tiles *t, const struct cut *c)
{
    const struct ctr_gemm *p = &t->gemm;
    int packed = c->pack_floats != 0, split = c->splits > 1;
    struct ctr_launch_spec spec = product(t, c);
    spec.file = "op/gemm.cl";
    spec.kernel = "gemm_tiles";
    if (c->own)
        spec.options = "-DOWN=1";
    spec.n_args = 22;
    spec.args[4] = CTR_LOCAL(c->own ? own_bytes(c) : VEC);
    spec.args[5] = CTR_I32(p->transpose_b);
    spec.args[6] = CTR_F32(split ? 1.0f : p->alpha);
    spec.args[7] = CTR_F32(split ? 0.0f : p->beta);
    spec.args[8] = CTR_I32(!split && t->bias);
    spec.args[9] = CTR_I32(!split && t->relu);
    spec.args[10] = CTR_U32(p->M);
    spec.args[11] = CTR_U32(p->N);
    spec.args[12] = CTR_U32(p->K);
    spec.args[13] = CTR_U64(p->transpose_a ? 1 : p->lda);
    spec.args[14] = CTR_U64(p->transpose_a ? p->lda : 1);
    spec.args[15] = CTR_U64(packed             ? PANEL * p->K
                            : p->transpose_b ? PANEL * p->ldb
                                             : PANEL);
    spec.args[16] = CTR_U64(packed ? PANEL : p->ldb);
    spec.args[17] = CTR_U64(split ? c->pack_floats : 0);
    spec.args[18] = CTR_U64(split ? p->N : p->ldc);
    spec.args[19] = CTR_U64(p->M * p->N);
    spec.args[20] = CTR_U32(c->k_per);
    spec.args[21] = CTR_U32(c->tiles);
    return ctr_emit(g, &spec);
}

#define OPTIONS(a, s) "-DTRANS_A=" #a " -DSTRIDED=" #s
#define STRIDES(a)    {OPTIONS(a, 0), OPTIONS(a, 1), OPTIONS(a, 2), OPTIONS(a, 3)}

static int emit_blocks(ctr_graph *g, const struct ctr_gemm_tiles *t, const struct cut *c)
{
    static const char *const options[2][4] = {STRIDES(0), STRIDES(1)};
    const struct ctr_gemm *p = &t->gemm;
    int split = c->splits > 1;
    struct ctr_launch_spec spec = product(t, c);
    spec.file = "op/gemm_blocked.cl";
    spec.kernel = "gemm_blocked";
    spec.options = options[p->transpose_a != 0][t->strided];
    spec.n_args = 29;
    spec.args[4] = CTR_LOCAL(a_bytes(c));
    spec.args[5] = CTR_LOCAL(b_bytes(c));
    spec.args[6] = CTR_LOCAL(acc_bytes(c));
    spec.args[7] = CTR_F32(split ? 1.0f : p->alpha);
    spec.args[8] = CTR_F32(split ? 0.0f : p->beta);
    spec.args[9] = CTR_I32(!split && t->bias);
    spec.args[10] = CTR_I32(!split && t->relu);
    spec.args[11] = CTR_I32(!split && large(t) && p->N % VEC == 0 && p->ldc % VEC == 0);
    spec.args[12] = CTR_U32(p->M);
    spec.args[13] = CTR_U32(p->N);
    spec.args[14] = CTR_U32(p->K);
    spec.args[15] = CTR_U64(p->lda);
    spec.args[16] = CTR_U64(p->ldb);
    spec.args[17] = CTR_U64(split ? c->pack_floats : 0);
    spec.args[18] = CTR_U64(split ? p->N : p->ldc);
    spec.args[19] = CTR_U64(p->M * p->N);
    spec.args[20] = CTR_U32(c->k_per);
    spec.args[21] = CTR_U32(c->kc);
    spec.args[22] = CTR_U32(c->rows);
    spec.args[23] = CTR_U32(c->cols);
    spec.args[24] = CTR_U32(t->H);
    spec.args[25] = CTR_U32(t->W);
    spec.args[26] = CTR_U32(t->P);
    spec.args[27] = CTR_U32(t->Q);
    spec.args[28] = CTR_U32(t->stride);
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
    struct cut c = cut(g, tiles);
    if (c.pack_floats)
        CTR_TRY(emit_pack(g, &tiles->gemm));
    CTR_TRY(c.blocked ? emit_blocks(g, tiles, &c) : emit_tiles(g, tiles, &c));
    if (c.splits > 1)
        CTR_TRY(emit_sum(g, tiles, &c));
out:
    return rc;
}
