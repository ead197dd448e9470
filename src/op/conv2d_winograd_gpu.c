/* conv2d_winograd_gpu.c -- the convolution's Winograd F(4x4, 3x3) variants for GPUs: 3x3, stride 1
 * (cl/op/conv2d_winograd_gpu.cl). Inputs are transformed, 36 products of matrices are made by the
 * tiles of gemm.h, and what comes out is transformed back; for the weight gradient both operands
 * are transformed and the sums. A quarter of the multiply-adds, and memory traffic for it: in
 * chunks of images, so that scratch has a bound and large caches a chance. A configuration is a
 * tile, and behind it the images of a chunk. */
#include "op/conv2d.h"
#include "op/gemm.h"

#include <math.h>

#define POINTS      36
#define CHUNK_BYTES ((size_t)128 << 20) /* of transformed values on both sides */
/* Operations that a GPU does in the time of a byte; 12 to 40 is usual. Neither is reached in full.
 */
#define BALANCE 18

/* One direction: the forward, or the data gradient as the forward of dy. */
struct side {
    int H, W, in;  /* map and channels that are read */
    int P, Q, out; /* and written */
    int pad;
};

static struct side forward(const struct conv2d *c)
{
    return (struct side){c->H, c->W, c->C, c->P, c->Q, c->K, c->pad};
}

static struct side backward(const struct conv2d *c)
{
    return (struct side){c->P, c->Q, c->K, c->H, c->W, c->C, 2 - c->pad};
}

static size_t tiles(const struct side *s)
{
    return conv2d_ceil((size_t)s->P, 4) * conv2d_ceil((size_t)s->Q, 4);
}

/* ---- when ---- */

/* Operations saved against bytes of both transformed sides, written and read. */
static int pays(const struct side *s)
{
    double in = s->in, out = s->out, t = (double)tiles(s), pixels = (double)s->P * s->Q;
    double saved = 2 * in * out * (9 * pixels - POINTS * t);
    return saved > BALANCE * 2 * 4 * POINTS * t * (in + out);
}

static int suits(const struct ctr_caps *caps, const struct conv2d *c)
{
    return ctr_tile_usable(caps) && c->R == 3 && c->S == 3 && c->stride == 1 && c->C % 4 == 0 &&
           c->K % 4 == 0;
}

int conv2d_winograd_gpu_fwd_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    struct side s = forward(conv2d_of(node));
    return suits(caps, conv2d_of(node)) && pays(&s);
}

int conv2d_winograd_gpu_dx_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    struct side s = backward(conv2d_of(node));
    return suits(caps, conv2d_of(node)) && s.pad >= 0 && pays(&s);
}

int conv2d_winograd_gpu_dw_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    return conv2d_winograd_gpu_fwd_usable(caps, node);
}

/* ---- chunks of images ---- */

/* As configured, else by CHUNK_BYTES; chunks are of about the same size. */
static size_t chunk_images(const ctr_node *node, const struct side *s)
{
    size_t image = POINTS * tiles(s) * (size_t)(s->in + s->out) * sizeof(float);
    size_t N = (size_t)conv2d_of(node)->N, most = (size_t)node->config.v[4];
    if (most == 0)
        most = conv2d_max(1, CHUNK_BYTES / image);
    return conv2d_ceil(N, conv2d_ceil(N, most));
}

/* The tiles for a product, and chunks of a quarter as many images as by default. */
static size_t configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                      const ctr_node *node, const struct side *s, size_t rows)
{
    ctr_node plain = *node;
    plain.config = (struct ctr_config){{0}};
    size_t images = chunk_images(&plain, s);
    size_t n = ctr_tile_configs(out, room, caps, rows, (size_t)s->out);
    if (n < room && images > 1)
        out[n++] = (struct ctr_config){{0, 0, 0, 0, (int)conv2d_ceil(images, 4)}};
    return n;
}

/* Scratch, in this order: U, or partial sums of the weight gradient; then both sides of a chunk. */
static int prepare(ctr_graph *g, ctr_node *node, const struct side *s, size_t first_bytes)
{
    size_t T = chunk_images(node, s) * tiles(s), value = POINTS * sizeof(float);
    return ctr_node_scratch(g, node, first_bytes) &&
                   ctr_node_scratch(g, node, value * T * (size_t)s->in) &&
                   ctr_node_scratch(g, node, value * T * (size_t)s->out)
               ? 0
               : CTR_E_FAIL;
}

struct scratch {
    ctr_tensor *first, *in, *out;
};

static struct scratch scratch_of(const ctr_node *node)
{
    ctr_tensor *out = node->scratch, *in = out->next; /* newest first */
    return (struct scratch){in->next, in, out};
}

/* Images [first, first + n) of the batch. */
struct chunk {
    size_t first, n, T;
};

static int next_chunk(struct chunk *k, const ctr_node *node, const struct side *s)
{
    size_t N = (size_t)conv2d_of(node)->N;
    k->first += k->n;
    if (k->first >= N)
        return 0;
    k->n = conv2d_min(chunk_images(node, s), N - k->first);
    k->T = k->n * tiles(s);
    return 1;
}

/* ---- launches ---- */

/* A transform of every tile and channel of a chunk: `reads` and `writes` values of each. */
static int emit_tiles(ctr_graph *g, struct ctr_launch_spec *spec, const struct chunk *k, int h,
                      int w, int channels, int pad, const struct side *s, double values)
{
    size_t items = k->T * (size_t)channels;
    spec->file = "op/conv2d_winograd_gpu.cl";
    spec->bytes = (double)items * values * sizeof(float);
    conv2d_ints(spec, 5, (int[]){(int)k->first, (int)k->T, h, w, channels});
    if (pad >= 0)
        conv2d_ints(spec, 1, &pad);
    conv2d_ints(spec, 2, (int[]){(s->P + 3) / 4, (s->Q + 3) / 4});
    ctr_grid_items(g, spec, items, 128);
    return ctr_emit(g, spec);
}

static int emit_in(ctr_graph *g, ctr_tensor *V, ctr_tensor *x, const struct chunk *k,
                   const struct side *s)
{
    struct ctr_launch_spec spec = {.kernel = "conv2d_winograd_gpu_in"};
    conv2d_bufs(&spec, 2, (ctr_tensor *[]){V, x});
    return emit_tiles(g, &spec, k, s->H, s->W, s->in, s->pad, s, POINTS + 16);
}

static int emit_out(ctr_graph *g, ctr_tensor *out, ctr_tensor *M, ctr_tensor *bias, float low,
                    const struct chunk *k, const struct side *s, const char *options)
{
    struct ctr_launch_spec spec = {.kernel = "conv2d_winograd_gpu_out", .options = options};
    conv2d_bufs(&spec, 3, (ctr_tensor *[]){out, M, bias ? bias : M});
    conv2d_ints(&spec, 1, (int[]){bias != NULL});
    spec.args[spec.n_args++] = CTR_F32(low);
    return emit_tiles(g, &spec, k, s->P, s->Q, s->out, -1, s, POINTS + 16);
}

static int emit_pack(ctr_graph *g, ctr_tensor *U, ctr_tensor *w, const struct side *s, int turn)
{
    struct ctr_launch_spec spec = {.file = "op/conv2d_winograd_gpu.cl",
                                   .kernel = "conv2d_winograd_gpu_pack",
                                   .bytes = (double)(U->bytes + w->bytes)};
    conv2d_bufs(&spec, 2, (ctr_tensor *[]){U, w});
    conv2d_ints(&spec, 5,
                (int[]){s->in, s->out, turn ? 9 : s->in * 9, turn ? s->out * 9 : 9, turn});
    ctr_grid_items(g, &spec, (size_t)s->in * (size_t)s->out, 128);
    return ctr_emit(g, &spec);
}

/* M = V U at each point. */
static int emit_product(ctr_graph *g, const ctr_node *node, const struct scratch *b,
                        const struct chunk *k, const struct side *s)
{
    size_t in = (size_t)s->in, out = (size_t)s->out;
    return ctr_emit_gemm_gpu(g, &(struct ctr_gemm_gpu){.gemm = {.C = b->out->buf,
                                                                .A = b->in->buf,
                                                                .B = b->first->buf,
                                                                .M = k->T,
                                                                .N = out,
                                                                .K = in,
                                                                .lda = in,
                                                                .ldb = out,
                                                                .ldc = out,
                                                                .alpha = 1},
                                                       .config = node->config,
                                                       .batch = POINTS,
                                                       .a_next = k->T * in,
                                                       .b_next = in * out,
                                                       .c_next = k->T * out,
                                                       .flops = conv2d_flops(conv2d_of(node)) *
                                                                (double)k->n / conv2d_of(node)->N});
}

/* ---- forward and data gradient ---- */

static size_t weights_bytes(const struct side *s)
{
    return POINTS * (size_t)s->in * (size_t)s->out * sizeof(float);
}

/* All chunks of one direction; U is there. */
static int emit_chunks(ctr_graph *g, const ctr_node *node, const struct side *s, ctr_tensor *x,
                       ctr_tensor *y, ctr_tensor *bias, float low, const char *options)
{
    int rc = 0;
    struct scratch b = scratch_of(node);
    for (struct chunk k = {0}; next_chunk(&k, node, s);) {
        CTR_TRY(emit_in(g, b.in, x, &k, s));
        CTR_TRY(emit_product(g, node, &b, &k, s));
        CTR_TRY(emit_out(g, y, b.out, bias, low, &k, s, options));
    }
out:
    return rc;
}

int conv2d_winograd_gpu_fwd_prepare(ctr_graph *g, ctr_node *node)
{
    struct side s = forward(conv2d_of(node));
    int rc = conv2d_prepare_full(g, node);
    return rc != 0 ? rc : prepare(g, node, &s, weights_bytes(&s));
}

int conv2d_winograd_gpu_fwd_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    const struct conv2d *c = conv2d_of(node);
    struct side s = forward(c);
    CTR_TRY(emit_pack(g, scratch_of(node).first, node->in[1], &s, 0));
    CTR_TRY(emit_chunks(g, node, &s, node->in[0], conv2d_full(node), node->in[2],
                        c->relu ? 0.0f : -INFINITY, conv2d_writes_full(node) ? "-DFULL=1" : NULL));
    CTR_TRY(conv2d_emit_pool(g, node));
out:
    return rc;
}

size_t conv2d_winograd_gpu_fwd_configs(struct ctr_config *out, size_t room,
                                       const struct ctr_caps *caps, const ctr_node *node)
{
    struct side s = forward(conv2d_of(node));
    return configs(out, room, caps, node, &s, tiles(&s) * (size_t)conv2d_of(node)->N);
}

int conv2d_winograd_gpu_dx_prepare(ctr_graph *g, ctr_node *node)
{
    struct side s = backward(conv2d_of(node));
    int rc = conv2d_prepare_gated(g, node, 0);
    return rc != 0 ? rc : prepare(g, node, &s, weights_bytes(&s));
}

int conv2d_winograd_gpu_dx_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    struct side s = backward(conv2d_of(node));
    ctr_tensor *dy;
    CTR_TRY(conv2d_emit_gated(g, node, &dy, node->in[0], node->in[2], NULL));
    CTR_TRY(emit_pack(g, scratch_of(node).first, node->in[1], &s, 1));
    CTR_TRY(emit_chunks(g, node, &s, dy, node->out[0], NULL, -INFINITY, NULL));
out:
    return rc;
}

size_t conv2d_winograd_gpu_dx_configs(struct ctr_config *out, size_t room,
                                      const struct ctr_caps *caps, const ctr_node *node)
{
    struct side s = backward(conv2d_of(node));
    return configs(out, room, caps, node, &s, tiles(&s) * (size_t)conv2d_of(node)->N);
}

/* ---- weight gradient ---- */

/* Of a chunk at each point: Vt Z, Z the transformed dy; partial sums from number `at` on. */
static struct ctr_gemm_gpu product_dw(const ctr_node *node, const struct chunk *k,
                                      const struct side *s, size_t at)
{
    size_t in = (size_t)s->in, out = (size_t)s->out;
    return (struct ctr_gemm_gpu){.gemm = {.transpose_a = 1,
                                          .M = in,
                                          .N = out,
                                          .K = k->T,
                                          .lda = in,
                                          .ldb = out,
                                          .ldc = out,
                                          .alpha = 1},
                                 .config = node->config,
                                 .batch = POINTS,
                                 .a_next = k->T * in,
                                 .b_next = k->T * out,
                                 .c_next = in * out,
                                 .c_split = POINTS * in * out,
                                 .c_at = at * POINTS * in * out,
                                 .flops = conv2d_flops(conv2d_of(node)) * (double)k->n /
                                          conv2d_of(node)->N};
}

static size_t parts_of(const struct ctr_caps *caps, const ctr_node *node, const struct side *s)
{
    size_t parts = 0;
    for (struct chunk k = {0}; next_chunk(&k, node, s);) {
        struct ctr_gemm_gpu p = product_dw(node, &k, s, 0);
        parts += ctr_gemm_gpu_splits(caps, &p);
    }
    return parts;
}

int conv2d_winograd_gpu_dw_prepare(ctr_graph *g, ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    struct side s = forward(c);
    int rc = conv2d_prepare_gated(g, node, c->bias);
    size_t parts = parts_of(ctr_graph_caps(g), node, &s);
    return rc != 0 ? rc : prepare(g, node, &s, parts * weights_bytes(&s));
}

static int emit_grad(ctr_graph *g, ctr_tensor *Z, ctr_tensor *dy, const struct chunk *k,
                     const struct side *s)
{
    struct ctr_launch_spec spec = {.kernel = "conv2d_winograd_gpu_grad"};
    conv2d_bufs(&spec, 2, (ctr_tensor *[]){Z, dy});
    return emit_tiles(g, &spec, k, s->P, s->Q, s->out, -1, s, POINTS + 16);
}

static int emit_dw(ctr_graph *g, ctr_tensor *dw, ctr_tensor *part, size_t parts,
                   const struct side *s)
{
    struct ctr_launch_spec spec = {.file = "op/conv2d_winograd_gpu.cl",
                                   .kernel = "conv2d_winograd_gpu_dw",
                                   .bytes = (double)(dw->bytes + parts * weights_bytes(s))};
    conv2d_bufs(&spec, 2, (ctr_tensor *[]){dw, part});
    conv2d_ints(&spec, 3, (int[]){(int)parts, s->in, s->out});
    ctr_grid_items(g, &spec, (size_t)s->in * (size_t)s->out, 128);
    return ctr_emit(g, &spec);
}

int conv2d_winograd_gpu_dw_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    struct side s = forward(conv2d_of(node));
    struct scratch b = scratch_of(node);
    size_t parts = 0;
    ctr_tensor *dy;
    CTR_TRY(conv2d_emit_gated(g, node, &dy, node->in[1], node->in[2], node->out[1]));
    for (struct chunk k = {0}; next_chunk(&k, node, &s);) {
        struct ctr_gemm_gpu p = product_dw(node, &k, &s, parts);
        p.gemm.C = b.first->buf;
        p.gemm.A = b.in->buf;
        p.gemm.B = b.out->buf;
        CTR_TRY(emit_in(g, b.in, node->in[0], &k, &s));
        CTR_TRY(emit_grad(g, b.out, dy, &k, &s));
        CTR_TRY(ctr_emit_gemm_gpu(g, &p));
        parts += ctr_gemm_gpu_splits(ctr_graph_caps(g), &p);
    }
    CTR_TRY(emit_dw(g, node->out[0], b.first, parts, &s));
out:
    return rc;
}

size_t conv2d_winograd_gpu_dw_configs(struct ctr_config *out, size_t room,
                                      const struct ctr_caps *caps, const ctr_node *node)
{
    struct side s = forward(conv2d_of(node));
    return configs(out, room, caps, node, &s, (size_t)s.in);
}
