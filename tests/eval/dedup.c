/* Pictures against parts and changes of themselves and against others; exact copies; the threshold
 * on numbers of a known distribution; groups. No device. */
#include "eval/dedup.h"
#include "base/rng.h"
#include "eval/picture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define S CTR_PICTURE_SIDE

/* Waves of several lengths; a part of it: from (y, x), `side` wide, seen at S x S. */
static void draw(uint8_t *grey, uint32_t seed, double y0, double x0, double side, double contrast)
{
    struct ctr_rng rng;
    double wave[12][4];
    ctr_rng_init(&rng, seed, CTR_RNG_TEST, 0, 0);
    for (int k = 0; k < 12; k++) {
        wave[k][0] = (ctr_rng_uniform(&rng) - 0.5) * 2.0 / (1 + k % 3);
        wave[k][1] = (ctr_rng_uniform(&rng) - 0.5) * 2.0 / (1 + k % 3);
        wave[k][2] = ctr_rng_uniform(&rng) * 6.28;
        wave[k][3] = 4 + 10 * ctr_rng_uniform(&rng);
    }
    for (int y = 0; y < S; y++)
        for (int x = 0; x < S; x++) {
            double v = 128, py = y0 + (y + 0.5) * side / S, px = x0 + (x + 0.5) * side / S;
            for (int k = 0; k < 12; k++)
                v += contrast * wave[k][3] * sin(wave[k][0] * py + wave[k][1] * px + wave[k][2]);
            grey[y * S + x] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
        }
}

static double score(const uint8_t *a, const uint8_t *b)
{
    struct ctr_alignment at;
    ctr_picture_align(&at, a, b);
    return ctr_picture_score(&at, a, b);
}

static void pictures(void **state)
{
    (void)state;
    uint8_t a[CTR_PICTURE_BYTES], b[CTR_PICTURE_BYTES];
    double worst = 1, best = 0;
    for (uint32_t seed = 0; seed < 20; seed++) {
        draw(a, seed, 0, 0, S, 1);
        assert_true(score(a, a) > 0.9999);
        draw(b, seed, 0, 0, S, 0.5); /* less contrast */
        assert_true(score(a, b) > 0.95);
        draw(b, seed, 1 + seed % 3, seed % 4, 27 + seed % 2, 1); /* cut out */
        worst = fmin(worst, fmin(score(a, b), score(b, a)));
        draw(b, seed + 100, 0, 0, S, 1);
        best = fmax(best, fmax(score(a, b), score(b, a)));
    }
    if (worst < 0.85 || best > 0.55)
        fail_msg("cut out pictures from %g, others up to %g", worst, best);
    memset(b, 200, sizeof b);
    assert_true(score(a, b) == 0 && score(b, b) == 0);
    for (int i = 0; i < CTR_PICTURE_BYTES; i++) /* mirrored: said not to be found */
        b[i] = a[i / S * S + S - 1 - i % S];
    assert_true(score(a, b) < 0.6);
}

/* Frames alone make nothing alike. */
static void frames(void **state)
{
    (void)state;
    uint8_t p[2][CTR_PICTURE_BYTES];
    for (uint32_t k = 0; k < 2; k++) {
        draw(p[k], 7 + k, 0, 0, S, 0.3);
        for (int i = 0; i < CTR_PICTURE_BYTES; i++)
            if (i / S < 2 || i / S >= S - 2 || i % S < 2 || i % S >= S - 2)
                p[k][i] = 0;
    }
    assert_true(score(p[0], p[1]) < 0.6);
}

static void exact(void **state)
{
    (void)state;
    const uint64_t hash[7][2] = {{5, 1}, {3, 3}, {5, 1}, {5, 2}, {3, 3}, {5, 1}, {0, 0}};
    const uint32_t rows[7] = {0, 1, 0, 2, 1, 0, 3}, images[4] = {0, 1, 3, 6};
    uint32_t row_of[7], image_of[7];
    size_t n = 0;
    assert_int_equal(ctr_dedup_exact(row_of, image_of, &n, hash, 7), 0);
    assert_int_equal(n, 4);
    assert_memory_equal(row_of, rows, sizeof rows);
    assert_memory_equal(image_of, images, sizeof images);
}

/* Row i's nearest is row i + 1 of a pair of its own. */
static void fill(struct ctr_pair *pairs, size_t n, double middle, double deviation,
                 size_t n_duplicates)
{
    struct ctr_rng rng;
    ctr_rng_init(&rng, 11, CTR_RNG_TEST, 1, 0);
    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct ctr_pair){
            (uint32_t)(2 * i), (uint32_t)(2 * i + 1),
            i < n_duplicates ? 0.999 : tanh(middle + deviation * (double)ctr_rng_normal(&rng))};
}

static void fill_gumbel(struct ctr_pair *pairs, size_t n, double mode, double scale)
{
    struct ctr_rng rng;
    ctr_rng_init(&rng, 12, CTR_RNG_TEST, 2, 0);
    for (size_t i = 0; i < n; i++) {
        double p = ((double)ctr_rng_u32(&rng) + 0.5) / 4294967296.0;
        pairs[i] = (struct ctr_pair){(uint32_t)(2 * i), (uint32_t)(2 * i + 1),
                                     tanh(mode - scale * log(-log(p)))};
    }
}

static void threshold(void **state)
{
    (void)state;
    enum { N = 4000 };
    struct ctr_pair *pairs = calloc(N, sizeof *pairs);
    struct ctr_threshold t;
    static const size_t n_duplicates[] = {0, 40, 1200};
    for (int i = 0; i < 3; i++) {
        fill(pairs, N, 0.7, 0.1, n_duplicates[i]);
        assert_int_equal(ctr_dedup_threshold(&t, pairs, N, 2 * N, 0), 0);
        /* 2.878 deviations are exceeded once in 500 */
        if (fabs(atanh(t.value) - 0.7 - 0.1 * 2.878) > 0.03 || fabs(atanh(t.median) - 0.7) > 0.01)
            fail_msg("%zu duplicates: %g, median %g", n_duplicates[i], atanh(t.value),
                     atanh(t.median));
    }
    fill_gumbel(pairs, N, 0.7, 0.05);
    assert_int_equal(ctr_dedup_threshold(&t, pairs, N, 2 * N, 1), 0);
    if (fabs(atanh(t.value) - 0.7 - 0.05 * log(499.5)) > 0.04)
        fail_msg("%g", atanh(t.value));
    assert_int_equal(ctr_dedup_threshold(&t, pairs, 3, 6, 0), 0);
    assert_true(t.value == 1);
    free(pairs);
}

static void groups(void **state)
{
    (void)state;
    /* images 0 and 5 are copies (row 0); rows 0-2-3 hang together over 2; 1 and 4 do not */
    const uint32_t row_of[6] = {0, 1, 2, 3, 4, 0};
    const struct ctr_pair pairs[] = {{0, 2, 0.9}, {1, 4, 0.5}, {2, 3, 0.8}, {0, 3, 0.1}};
    struct ctr_groups g;
    assert_int_equal(ctr_dedup_groups(&g, pairs, 4, 0.8, row_of, 6, 5), 0);
    const uint32_t members[] = {0, 2, 3, 5};
    assert_true(g.n == 1 && g.n_members == 4 && g.first[1] == 4);
    assert_memory_equal(g.member, members, sizeof members);
    assert_true(g.exact[0] && !g.exact[1] && g.exact[3] && g.score[0] == 1 && g.score[1] == 0.9 &&
                g.score[2] == 0.8);
    ctr_groups_free(&g);
    assert_int_equal(ctr_dedup_groups(&g, pairs, 4, 0.95, row_of, 6, 5), 0);
    assert_true(g.n == 1 && g.n_members == 2);
    ctr_groups_free(&g);
    assert_int_equal(ctr_dedup_groups(&g, pairs, 4, 0.5, row_of, 6, 5), 0);
    assert_true(g.n == 2 && g.member[4] == 1 && g.member[5] == 4);
    ctr_groups_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures),  cmocka_unit_test(frames), cmocka_unit_test(exact),
        cmocka_unit_test(threshold), cmocka_unit_test(groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
