/* Philox known answers (Random123 kat_vectors, philox4x32 10), and what is drawn from it. */
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static void known_answers(void **state)
{
    (void)state;
    static const uint32_t cases[][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t out[4];
        ctr_philox(out, cases[i], cases[i] + 4);
        assert_memory_equal(out, cases[i] + 6, sizeof out);
    }
}

static void permutation_is_one(void **state)
{
    (void)state;
    enum { N = 1000 };
    uint32_t perm[N], again[N];
    char seen[N] = {0};
    struct ctr_rng rng;
    ctr_rng_init(&rng, 7, CTR_RNG_SHUFFLE, 3, 0);
    ctr_rng_permutation(&rng, perm, N);
    unsigned fixed = 0;
    for (unsigned i = 0; i < N; i++) {
        assert_true(perm[i] < N && !seen[perm[i]]);
        seen[perm[i]] = 1;
        fixed += perm[i] == i;
    }
    assert_true(fixed < 20);
    ctr_rng_init(&rng, 7, CTR_RNG_SHUFFLE, 3, 0);
    ctr_rng_permutation(&rng, again, N);
    assert_memory_equal(perm, again, sizeof perm);
}

static void normal_has_moments(void **state)
{
    (void)state;
    struct ctr_rng rng;
    ctr_rng_init(&rng, 1, CTR_RNG_TEST, 0, 0);
    double sum = 0, square = 0;
    enum { N = 100000 };
    for (int i = 0; i < N; i++) {
        double x = ctr_rng_normal(&rng);
        sum += x;
        square += x * x;
    }
    assert_true(sum / N > -0.02 && sum / N < 0.02);
    assert_true(square / N > 0.97 && square / N < 1.03);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(permutation_is_one),
        cmocka_unit_test(normal_has_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
