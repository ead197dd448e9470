/* Which images of a set are taken: the part that evaluation tests on, held-out ones, a limit, few
 * of each class. */
#include "data/data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "set.h"

/* Every image is in one part, and stays there when others come. */
static void parts_are_told_by_name(void **state)
{
    (void)state;
    char name[32], held[100][32];
    size_t n_held, kept;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "%c/%u.ppm", 'a' + i % 2, i);
        tmp_ppm(&tmp, name, 1);
    }
    struct ctr_data_params params = {.path = tmp.dir, .image_size = 2, .part = CTR_DATA_KEPT};
    struct ctr_data *data = must_open(&params);
    kept = ctr_data_info(data)->n;
    ctr_data_close(&data);
    params.part = CTR_DATA_HELD_OUT;
    data = must_open(&params);
    n_held = ctr_data_info(data)->n;
    assert_true(n_held >= 10 && n_held <= 30);
    assert_int_equal(kept + n_held, 100);
    for (size_t i = 0; i < n_held; i++)
        snprintf(held[i], sizeof held[i], "%s", ctr_data_info(data)->names[i]);
    ctr_data_close(&data);
    tmp_ppm(&tmp, "a/0new.ppm", 1);
    data = must_open(&params);
    size_t found = 0;
    for (size_t i = 0; i < ctr_data_info(data)->n && found < n_held; i++)
        found += strcmp(ctr_data_info(data)->names[i], held[found]) == 0;
    assert_int_equal(found, n_held);
    ctr_data_close(&data);
    params.limit = 3;
    data = must_open(&params);
    assert_int_equal(ctr_data_info(data)->n, 3);
    ctr_data_close(&data);
}

/* Every image is on one side, each class with the same share, at a limit too. */
static void validation_takes_a_share_of_each_class(void **state)
{
    (void)state;
    char name[32];
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "%c/%u.ppm", i < 80 ? 'a' : 'b', i);
        tmp_ppm(&tmp, name, 1);
    }
    for (size_t limit = 0; limit <= 50; limit += 50) {
        struct ctr_data_params params = {.path = tmp.dir, .image_size = 2, .limit = limit};
        struct ctr_data *whole = must_open(&params), *side[2];
        size_t n[2], of_b[2] = {0, 0}, at[2] = {0, 0}, all_b = 0;
        for (int v = 0; v < 2; v++) {
            params.validation_share = 0.3;
            params.validation = v;
            side[v] = must_open(&params);
            n[v] = ctr_data_info(side[v])->n;
            for (size_t i = 0; i < n[v]; i++)
                of_b[v] += ctr_data_info(side[v])->labels[i] == 1;
        }
        assert_int_equal(n[1], limit ? 15 : 30);
        assert_int_equal(n[0] + n[1], limit ? 50 : 100);
        for (size_t i = 0; i < n[0] + n[1]; i++) { /* merged again: the whole, in order */
            const char *want = ctr_data_info(whole)->names[i];
            int v = at[1] < n[1] && strcmp(ctr_data_info(side[1])->names[at[1]], want) == 0;
            assert_string_equal(ctr_data_info(side[v])->names[at[v]++], want);
            all_b += ctr_data_info(whole)->labels[i] == 1;
        }
        assert_true(fabs((double)of_b[1] - 0.3 * (double)all_b) < 1);
        for (int v = 0; v < 2; v++)
            ctr_data_close(&side[v]);
        ctr_data_close(&whole);
    }
    assert_fails(&(struct ctr_data_params){.path = tmp.dir, .validation_share = 1}, CTR_E_USAGE,
                 "share of 1 is not in [0,1)", "");
    assert_fails(
        &(struct ctr_data_params){.path = tmp.dir, .validation_share = 0.005, .validation = 1},
        CTR_E_DATA, "leaves none", "");
}

static void limit_is_a_fixed_choice(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "%c/%02d.ppm", 'a' + i / 8, i);
        tmp_ppm(&tmp, name, (unsigned char)i);
    }
    struct ctr_data_params params = {.path = tmp.dir, .image_size = 2, .limit = 24};
    struct ctr_data *one = must_open(&params), *two = must_open(&params), *all = open_split(NULL);
    const struct ctr_data_info *a = ctr_data_info(one), *b = ctr_data_info(two);
    int classes = 0;
    assert_int_equal(a->n, 24);
    assert_true(a->hash == b->hash && a->hash != ctr_data_info(all)->hash);
    for (size_t i = 0; i < 24; i++) {
        assert_string_equal(a->names[i], b->names[i]);
        classes |= 1 << a->labels[i];
        if (i)
            assert_true(strcmp(a->names[i - 1], a->names[i]) < 0);
    }
    assert_true(__builtin_popcount((unsigned)classes) >= 6);
    ctr_data_close(&one);
    ctr_data_close(&two);
    ctr_data_close(&all);
}

/* The same as the evaluation draws from a list of labels; all of a class that is too small. */
static void few_of_each_class(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "%c/%02d.ppm", i < 40 ? 'a' : i < 57 ? 'b' : 'c', i);
        tmp_ppm(&tmp, name, (unsigned char)i);
    }
    struct ctr_data_params params = {
        .path = tmp.dir, .image_size = 2, .few = {.share = 0.25}, .few_seed = 3};
    struct ctr_data *few = must_open(&params), *all = open_split(NULL);
    const struct ctr_data_info *a = ctr_data_info(few), *b = ctr_data_info(all);
    uint32_t row[60];
    size_t n, of[3] = {0};
    assert_int_equal(ctr_few_choose(row, &n, b->labels, b->n, 3, 5, 3), 0);
    assert_int_equal(n, 5 + 5 + 3);
    assert_int_equal(a->n, n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(a->names[i], b->names[row[i]]);
        of[a->labels[i]]++;
    }
    assert_true(of[0] == 5 && of[1] == 5 && of[2] == 3);
    ctr_data_close(&all);
    params.few_seed = 4;
    all = must_open(&params);
    assert_true(ctr_data_info(all)->hash != a->hash);
    ctr_data_close(&all);
    ctr_data_close(&few);
    params.path = tmp_path(&tmp, "a");
    assert_fails(&params, CTR_E_DATA, "has no labels", "");
}

static void few_are_parsed(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "%", "0", "0%", "-3", "101%", "1 %", "x", "1e40%%"};
    struct ctr_few few = {7, 0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(ctr_few_parse(&few, wrong[i]), CTR_E_USAGE);
    assert_int_equal(few.per_class, 7);
    assert_int_equal(ctr_few_parse(&few, "12"), 0);
    assert_int_equal(ctr_few_per_class(&few, 5, 3), 12);
    assert_int_equal(ctr_few_parse(&few, "0.5%"), 0);
    assert_int_equal(ctr_few_per_class(&few, 50000, 10), 25);
    assert_int_equal(ctr_few_per_class(&few, 50, 10), 1);
    assert_int_equal(ctr_few_per_class(&(struct ctr_few){0}, 50, 10), 0);
    assert_true(ctr_few_per_class(&(struct ctr_few){.share = 1}, 50, 10) >= 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_are_told_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(validation_takes_a_share_of_each_class, setup, teardown),
        cmocka_unit_test_setup_teardown(limit_is_a_fixed_choice, setup, teardown),
        cmocka_unit_test_setup_teardown(few_of_each_class, setup, teardown),
        cmocka_unit_test(few_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
