/* Convolutions that cannot be are refused by name while recording: no device, no kernels. And the
 * largest that can be is planned: its sizes do not wrap. */
#include "op/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

struct rig {
    ctr_dev *dev;
    ctr_store *store;
    ctr_graph *g;
};

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    *state = r;
    return ctr_dev_open(&r->dev, "null", NULL) || ctr_store_create(&r->store, r->dev) ||
           ctr_graph_create(&r->g, r->dev, r->store);
}

static int teardown(void **state)
{
    struct rig *r = *state;
    ctr_graph_destroy(&r->g);
    ctr_store_destroy(&r->store);
    ctr_dev_destroy(&r->dev);
    free(r);
    return 0;
}

struct shape {
    size_t x[4], w[4], b, stride, pad; /* b: values of the bias, 0 for none */
    int pool;
    const char *says;
};

static ctr_tensor *conv(struct rig *r, const struct shape *s)
{
    ctr_tensor *x = ctr_graph_input(r->g, "x", CTR_F32, 4, s->x);
    ctr_tensor *w = ctr_graph_input(r->g, "w", CTR_F32, 4, s->w);
    ctr_tensor *b = s->b ? ctr_graph_input(r->g, "b", CTR_F32, 1, &s->b) : NULL;
    return s->pool ? ctr_conv2d_pool(r->g, x, w, b, s->stride, s->pad, 0)
                   : ctr_conv2d(r->g, x, w, b, s->stride, s->pad, 0);
}

static void refused(const struct shape *s)
{
    void *r;
    assert_int_equal(setup(&r), 0);
    assert_null(conv(r, s));
    assert_int_equal(ctr_graph_status(((struct rig *)r)->g), CTR_E_USAGE);
    if (!strstr(ctr_error_text(), s->says))
        fail_msg("'%s' does not say '%s'", ctr_error_text(), s->says);
    teardown(&r);
}

static void what_does_not_fit_is_refused(void **state)
{
    static const struct shape bad[] = {
        {{1, 8, 8, 3}, {4, 2, 3, 3}, 0, 1, 0, 0, "channels of x and w differ"},
        {{1, 8, 8, 3}, {4, 3, 3, 3}, 3, 1, 0, 0, "one value for each output channel"},
        {{1, 8, 8, 3}, {4, 3, 3, 3}, 0, 0, 0, 0, "stride"},
        {{1, 8, 8, 3}, {4, 3, 3, 3}, 0, 1, SIZE_MAX, 0, "padding"},
        {{1, 8, 8, 3}, {4, 3, 9, 9}, 0, 1, 0, 0, "larger than the padded image"},
        {{1, 3, 8, 3}, {4, 3, 3, 3}, 0, 1, 0, 1, "too small to pool"},
        {{1 << 20, 64, 64, 1}, {4, 1, 3, 3}, 0, 1, 0, 0, "too many values"},
        {{1, 1 << 15, 1 << 15, 3}, {4, 3, 3, 3}, 0, 1, 0, 0, "too many values"},
        {{4, 256, 256, 3}, {1 << 16, 3, 3, 3}, 0, 1, 1, 0, "too many values"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(&bad[i]);
}

static void groups_that_do_not_divide_are_refused(void **state)
{
    static const struct {
        size_t c, k, depth, groups;
        const char *says;
    } bad[] = {
        {6, 8, 2, 4, "groups must divide the channels of x and the number of filters"},
        {8, 6, 2, 4, "groups must divide the channels of x and the number of filters"},
        {8, 8, 8, 0, "groups must divide the channels of x and the number of filters"},
        {8, 8, 8, 4, "w needs the channels of one group"},
        {8, 8, 1, 4, "groups 4"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        void *state_of_one;
        assert_int_equal(setup(&state_of_one), 0);
        struct rig *r = state_of_one;
        const size_t x[4] = {1, 5, 5, bad[i].c}, w[4] = {bad[i].k, bad[i].depth, 3, 3};
        assert_null(ctr_conv2d_grouped(r->g, ctr_graph_input(r->g, "x", CTR_F32, 4, x),
                                       ctr_graph_input(r->g, "w", CTR_F32, 4, w), NULL, 1, 0,
                                       bad[i].groups, 0));
        assert_int_equal(ctr_graph_status(r->g), CTR_E_USAGE);
        if (!strstr(ctr_error_text(), bad[i].says))
            fail_msg("'%s' does not say '%s'", ctr_error_text(), bad[i].says);
        teardown(&state_of_one);
    }
}

static void a_matrix_is_refused(void **state)
{
    struct rig *r = *state;
    const size_t dim[4] = {2, 3, 1, 1};
    ctr_tensor *x = ctr_graph_input(r->g, "x", CTR_F32, 2, dim);
    ctr_tensor *w = ctr_graph_input(r->g, "w", CTR_F32, 4, dim);
    assert_null(ctr_conv2d(r->g, x, w, NULL, 1, 0, 0));
    assert_non_null(strstr(ctr_error_text(), "four dimensions"));
}

/* Three gigabytes of activations: more than 32 bits of bytes and nearly 2^30 values. */
static void a_large_one_is_planned(void **state)
{
    struct rig *r = *state;
    const struct shape s = {{960, 112, 112, 64}, {64, 64, 3, 3}, 64, 1, 1, 0, NULL};
    ctr_tensor *y = conv(r, &s);
    assert_non_null(y);
    assert_int_equal(y->bytes, (size_t)960 * 112 * 112 * 64 * 4);
    assert_int_equal(ctr_graph_status(r->g), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(groups_that_do_not_divide_are_refused),
        cmocka_unit_test_setup_teardown(a_matrix_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_large_one_is_planned, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
