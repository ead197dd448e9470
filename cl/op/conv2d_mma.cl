/* conv2d_mma.cl -- convolution by matrix units, as conv2d_tile.cl a product of matrices that are
 * never written down: copies of 16 bytes gather the left operand from the image on its way to local
 * memory (cl/lib/tile_mma.clh). The host defines what conv2d_tile.cl says.
 *
 * Channels in and out are multiples of a chunk, so that a copy is of one tap. So is a piece of the
 * depth: where C is no multiple of a piece, the last one of each tap is partly zeros. Thus which
 * tap it is, and by how much it moves, is the same for all work-items, and nothing is divided. */
#undef MMA
#define MMA 1
#include "lib/prelude.clh"
#include "lib/tile.clh"
#include "lib/conv_tile.clh"

/* P[O][tap][I] of the weights w(o, i, tap) = w[o * so + i * si + tap], rounded to what matrix units
 * take. An item is one in channel of one out channel. */
kernel void conv2d_mma_pack(global act_t *P, global const float *w, int I, int O, int taps, int so,
                            int si)
{
    const int i = get_global_id(0) % I, o = get_global_id(0) / I;
    if (o >= O)
        return;
    for (int tap = 0; tap < taps; tap++) {
        const float v = w[(size_t)o * so + (size_t)i * si + tap];
        put_act(ACT ? v : as_float(tf32_bits(v)), P + ((size_t)o * taps + tap) * I + i);
    }
}

/* Where a piece of the depth begins: a tap of the phase, a channel. */
struct depth {
    int ky, kx, c;
};

ALWAYS_INLINE void next_piece(struct depth *d, const struct phase *f, int C)
{
    d->c += DEEP;
    if (d->c < C)
        return;
    d->c = 0;
    if (++d->kx == f->nx)
        d->kx = 0, d->ky++;
}

/* The input that a pixel's filter reads from (row, col) on; `in` is there, at channel c of a piece. */
struct window {
    global const act_t *in;
    int row, col;
};

ALWAYS_INLINE void chunk_of_window(struct chunk *to, const struct window *w, const struct depth *d,
                                   const struct phase *f, int c, int H, int W, int C)
{
    const int down = f->down + d->ky * TURN, right = f->right + d->kx * TURN;
    to->from = w->in + ((down * W + right) * C + d->c);
    to->there = (uint)(w->row + down) < (uint)H && (uint)(w->col + right) < (uint)W &&
                c + d->c < C;
}

/* The same of an out channel's weights, P[tap][C] from channel c of a piece on. */
ALWAYS_INLINE void chunk_of_weights(struct chunk *to, global const act_t *P, const struct depth *d,
                                    const struct phase *f, int c, int C, int KW)
{
    const int tap = (f->ky0 + d->ky * STEP) * KW + f->kx0 + d->kx * STEP;
    to->from = P + (tap * C + d->c);
    to->there = c + d->c < C;
}

/* As conv2d_tile. */
kernel TILE_GROUP void conv2d_mma(global out_t *out, global const act_t *in, global const act_t *P,
                                  global const float *bias, int use_bias, float low, int N, int H,
                                  int W, int C, int OH, int OW, int OC, int KH, int KW, int pad)
{
    TILE_LOCALS;
    struct phase f;
    phase_here(&f, OH, OW, KH, KW, pad);
    const int wide = (OC + BN - 1) / BN, pieces = f.ny * f.nx * ((C + DEEP - 1) / DEEP);
    const int m0 = get_group_id(0) / wide * BM, o0 = get_group_id(0) % wide * BN;
    const int c = COPY_CHUNK(4) * CHUNK;
    struct window window[A_COPIES];
    global const act_t *weights[B_COPIES];
    struct depth d = {0, 0, 0}; /* of the next piece to be copied */
    float r[TM * TN];
    if (m0 >= N * f.PH * f.PW) /* the whole group */
        return;
#pragma unroll
    for (int i = 0; i < A_COPIES; i++) {
        struct place at;
        place_of(&at, &f, m0 + COPY_ROW(i, 4), N, H, KH, pad);
        window[i] = (struct window){in + (long)((at.n * H + at.row) * W + at.col) * C + c, at.row,
                                    at.col};
    }
#pragma unroll
    for (int i = 0; i < B_COPIES; i++) /* columns behind the end are not kept */
        weights[i] = P + (size_t)min(o0 + COPY_ROW(i, 4), OC - 1) * KH * KW * C + c;
#define WINDOW(to, i)  chunk_of_window(to, &window[i], &d, &f, c, H, W, C)
#define WEIGHTS(to, i) chunk_of_weights(to, weights[i], &d, &f, c, C, KW)
#define NEXT_PIECE()   next_piece(&d, &f, C)
    TILE_PRODUCT(r, pieces, ALONG_K, WINDOW, ALONG_K_ROUNDED, WEIGHTS, NEXT_PIECE)
    add_bias(r, use_bias ? bias : 0, low, o0, OC);
    store_pixels(out, r, &f, m0, o0, N, OH, OW, OC);
}

/* An out pixel: image, row and column. */
struct pixel {
    int n, y, x;
};

ALWAYS_INLINE void pixel_at(struct pixel *p, int q, int OH, int OW)
{
    p->n = q / (OH * OW);
    p->y = q / OW % OH;
    p->x = q % OW;
}

ALWAYS_INLINE void move_on(struct pixel *p, const struct pixel *step, int OH, int OW)
{
    p->x += step->x;
    p->y += step->y;
    p->n += step->n;
    if (p->x >= OW)
        p->x -= OW, p->y++;
    if (p->y >= OH)
        p->y -= OH, p->n++;
}

/* What tap and channel of a row of the weights' gradient read of x: x itself moved to the channel,
 * by how much the tap moves pixels; of rows behind the end to below the image. */
struct row {
    global const act_t *x;
    int top, left;
};

ALWAYS_INLINE void row_at(struct row *w, global const act_t *x, int m, int H, int C, int KH, int KW,
                          int pad)
{
    const int tap = m / C;
    w->x = x + m - tap * C;
    w->top = tap < KH * KW ? tap / KW - pad : H * STRIDE;
    w->left = tap % KW - pad;
}

ALWAYS_INLINE void chunk_of_row(struct chunk *to, const struct row *w, const struct pixel *p,
                                int there, int H, int W, int C)
{
    const int y = p->y * STRIDE + w->top, x = p->x * STRIDE + w->left;
    to->from = w->x + (long)((p->n * H + y) * W + x) * C;
    to->there = there && (uint)y < (uint)H && (uint)x < (uint)W;
}

ALWAYS_INLINE void chunk_of_pixel(struct chunk *to, global const act_t *dy, int q, int end, int OC)
{
    to->from = dy + (size_t)q * OC;
    to->there = q < end;
}

/* As conv2d_tile_bwd_dw. */
kernel TILE_GROUP void conv2d_mma_bwd_dw(global float *part, global const act_t *x,
                                         global const act_t *dy, int N, int H, int W, int C, int OH,
                                         int OW, int OC, int KH, int KW, int pad, int per)
{
    TILE_LOCALS;
    const int K = KH * KW * C, split = get_group_id(2), wide = (OC + BN - 1) / BN;
    const int m0 = get_group_id(0) / wide * BM, o0 = get_group_id(0) % wide * BN;
    const int q0 = split * per, q1 = min(N * OH * OW, q0 + per);
    const int o = o0 + COPY_CHUNK(B_WIDE(ALONG_ROWS)) * CHUNK;
    struct row row;
    struct pixel step, at[A_COPIES];
    int q = q0; /* of the next piece to be copied */
    float r[TM * TN];
    row_at(&row, x, m0 + COPY_CHUNK(A_WIDE(ALONG_ROWS)) * CHUNK, H, C, KH, KW, pad);
    pixel_at(&step, DEEP, OH, OW);
#pragma unroll
    for (int i = 0; i < A_COPIES; i++)
        pixel_at(&at[i], q0 + COPY_ROW(i, A_WIDE(ALONG_ROWS)), OH, OW);
    dy += min(o, OC - CHUNK); /* columns behind the end are not kept */
#define X(to, i)                                                                                   \
    chunk_of_row(to, &row, &at[i], q + COPY_ROW(i, A_WIDE(ALONG_ROWS)) < q1, H, W, C)
#define DY(to, i) chunk_of_pixel(to, dy, q + COPY_ROW(i, B_WIDE(ALONG_ROWS)), q1, OC)
#define NEXT_PIXELS()                                                                              \
    {                                                                                              \
        q += DEEP;                                                                                 \
        _Pragma("unroll") for (int i = 0; i < A_COPIES; i++) move_on(&at[i], &step, OH, OW);       \
    }
    TILE_PRODUCT(r, (q1 - q0 + DEEP - 1) / DEEP, ALONG_ROWS, X, ALONG_ROWS, DY, NEXT_PIXELS)
    store_weights(part + (size_t)split * K * OC, r, m0, o0, K, OC);
}
