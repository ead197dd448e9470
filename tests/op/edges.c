/* What the cases of opcheck cannot say: a NaN that goes in comes out, so that a guard sees it, and
 * shapes that do not fit are refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "op/op.h"
#include "op/rows.h"
#include "../device.h"

struct rig {
    ctr_store *store;
    ctr_graph *g;
};

static void open_rig(struct rig *r)
{
    assert_int_equal(ctr_store_create(&r->store, dev), 0);
    assert_int_equal(ctr_graph_create(&r->g, dev, r->store), 0);
}

static void close_rig(struct rig *r)
{
    ctr_graph_destroy(&r->g);
    ctr_store_destroy(&r->store);
}

static ctr_tensor *input(struct rig *r, const char *name, size_t a, size_t b, size_t c, size_t d)
{
    const size_t dim[] = {a, b, c, d};
    return ctr_graph_input(r->g, name, CTR_F32, d ? 4 : b ? 2 : 1, dim);
}

/* ---- NaN ---- */

enum { PIXELS = 4, C = 19, COUNT = PIXELS * C };

static void fill(ctr_tensor *t, float value, int nan_at)
{
    float *x = malloc(t->bytes);
    for (size_t i = 0; i < t->count; i++)
        x[i] = value;
    if (nan_at >= 0)
        x[nan_at] = NAN;
    assert_int_equal(ctr_tensor_write(t, x, t->bytes), 0);
    free(x);
}

typedef ctr_tensor *make(struct rig *r, ctr_tensor *x);

static ctr_tensor *make_relu(struct rig *r, ctr_tensor *x)
{
    return ctr_relu(r->g, x);
}

static ctr_tensor *make_pool_2x2(struct rig *r, ctr_tensor *x)
{
    return ctr_max_pool(r->g, x, 2, 2, 0);
}

static ctr_tensor *make_pool_general(struct rig *r, ctr_tensor *x)
{
    return ctr_max_pool(r->g, x, 2, 1, 1);
}

static ctr_tensor *make_batch_norm(struct rig *r, ctr_tensor *x)
{
    struct ctr_init one = {CTR_INIT_ONE, 0};
    const size_t channels = C;
    return ctr_batch_norm(
        r->g, x,
        &(struct ctr_batch_norm){.gamma = ctr_graph_param(r->g, "gamma", 1, &channels, one, 0),
                                 .beta = ctr_graph_param(r->g, "beta", 1, &channels, one, 0),
                                 .running_mean = ctr_graph_state(r->g, "mean", 1, &channels, one),
                                 .running_var = ctr_graph_state(r->g, "var", 1, &channels, one),
                                 .eps = 1e-5f,
                                 .momentum = 0.1f,
                                 .training = 1,
                                 .relu = 1});
}

static ctr_tensor *make_dense(struct rig *r, ctr_tensor *x)
{
    ctr_tensor *w =
        ctr_graph_param(r->g, "w", 2, (size_t[]){C, COUNT}, (struct ctr_init){CTR_INIT_ONE, 0}, 0);
    return ctr_dense(r->g, x, w, NULL, 1);
}

/* Whether a NaN in channel 17 of pixel `pixel` is seen in channel 17 of the output. */
static void nan_passes(const char *what, make *build)
{
    struct rig r;
    for (int pixel = 0; pixel < PIXELS; pixel++) {
        open_rig(&r);
        ctr_tensor *x = input(&r, "x", 1, 2, 2, C), *y = build(&r, x);
        int seen = 0;
        ctr_graph_keep(y);
        if (ctr_graph_plan(r.g, NULL) != 0 || ctr_graph_lower(r.g) != 0 ||
            ctr_dev_build(dev, 0, NULL, NULL) != 0 || ctr_store_init(r.store, 1) != 0)
            fail_msg("%s: %s", what, ctr_error_text());
        fill(x, 1, pixel * C + 17);
        assert_int_equal(ctr_graph_replay(r.g), 0);
        float *got = malloc(y->bytes);
        assert_int_equal(ctr_tensor_read(got, y, y->bytes), 0);
        for (size_t i = 17; i < y->count; i += C)
            seen |= isnan(got[i]);
        if (!seen)
            fail_msg("%s loses the NaN of pixel %d", what, pixel);
        free(got);
        close_rig(&r);
    }
}

static void nan_is_kept(void **state)
{
    nan_passes("relu", make_relu);
    nan_passes("max_pool 2x2", make_pool_2x2);
    nan_passes("max_pool", make_pool_general);
    nan_passes("batch_norm", make_batch_norm);
    nan_passes("dense", make_dense);
}

/* ---- shapes ---- */

static void refused(struct rig *r, ctr_tensor *y, const char *word)
{
    assert_null(y);
    assert_int_equal(ctr_graph_status(r->g), CTR_E_USAGE);
    if (!strstr(ctr_error_text(), word))
        fail_msg("'%s' does not say '%s'", ctr_error_text(), word);
    close_rig(r);
    open_rig(r);
}

static void pooling_refuses(void **state)
{
    struct rig r;
    open_rig(&r);
    refused(&r, ctr_max_pool(r.g, input(&r, "flat", 3, 4, 0, 0), 2, 2, 0), "'flat'");
    refused(&r, ctr_max_pool(r.g, input(&r, "x", 1, 3, 3, 2), 4, 1, 0), "window 4");
    refused(&r, ctr_max_pool(r.g, input(&r, "x", 1, 8, 8, 2), 2, 0, 0), "stride 0");
    refused(&r, ctr_max_pool(r.g, input(&r, "x", 1, 8, 8, 2), 3, 1, 2), "padding 2");
    refused(&r, ctr_max_pool(r.g, input(&r, "x", 1, 40, 40, 2), 16, 1, 0), "window 16");
    refused(&r, ctr_avg_pool(r.g, input(&r, "x", 1, 8, 8, 2), 0, 1, 0), "window 0");
    refused(&r, ctr_global_avg_pool(r.g, input(&r, "flat", 3, 4, 0, 0)), "'flat'");
    close_rig(&r);
}

static void dense_refuses(void **state)
{
    struct rig r;
    open_rig(&r);
    ctr_tensor *x = input(&r, "x", 3, 4, 0, 0);
    refused(&r, ctr_dense(r.g, x, input(&r, "wide", 2, 5, 0, 0), NULL, 0), "'wide'");
    x = input(&r, "x", 3, 4, 0, 0);
    refused(&r, ctr_dense(r.g, x, input(&r, "w", 2, 4, 0, 0), input(&r, "long", 3, 0, 0, 0), 0),
            "'long'");
    x = input(&r, "x", 3, 4, 0, 0);
    refused(&r, ctr_dense(r.g, x, NULL, NULL, 0), "dense: input 1 is missing");
    close_rig(&r);
}

static void batch_norm_refuses(void **state)
{
    struct rig r;
    open_rig(&r);
    for (int bad = 0; bad < 3; bad++) {
        ctr_tensor *x = input(&r, "x", bad == 1 ? 1 : 5, 4, 0, 0);
        ctr_tensor *four = input(&r, "four", 4, 0, 0, 0), *five = input(&r, "five", 5, 0, 0, 0);
        struct ctr_batch_norm bn = {.gamma = four,
                                    .beta = bad == 0 ? five : four,
                                    .running_mean = four,
                                    .running_var = four,
                                    .residual = bad == 2 ? four : NULL,
                                    .training = 1};
        const char *const word[] = {"'five'", "one value per channel", "residual"};
        refused(&r, ctr_batch_norm(r.g, x, &bn), word[bad]);
    }
    close_rig(&r);
}

static void add_refuses(void **state)
{
    struct rig r;
    open_rig(&r);
    ctr_tensor *x = input(&r, "x", 2, 3, 0, 0), *turned = input(&r, "turned", 3, 2, 0, 0);
    refused(&r, ctr_add(r.g, x, turned, 0), "'turned'");
    close_rig(&r);
}

/* GPUs launch at most 65,535 groups along the second dimension; all rows are still reached. */
static void many_rows_fit_the_grid(void **state)
{
    static const size_t shapes[][2] = {{7, 3}, {1u << 20, 64}, {1u << 26, 64}, {1u << 30, 1000}};
    ctr_dev *gpu = NULL;
    ctr_graph *g = NULL;
    const struct ctr_dev_params params = {.quirks = "+family_gpu"};
    assert_int_equal(ctr_dev_open(&gpu, getenv("CTR_TEST_DEVICE"), &params), 0);
    assert_int_equal(ctr_graph_create(&g, gpu, NULL), 0);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct ctr_launch_spec spec = {0};
        size_t per = ctr_grid_rows(g, &spec, shapes[i][0], shapes[i][1]);
        assert_true(spec.global[1] / spec.local[1] <= 65535);
        assert_int_equal(spec.global[1] % spec.local[1], 0);
        assert_true(spec.global[1] * per >= shapes[i][0]);
    }
    ctr_graph_destroy(&g);
    ctr_dev_destroy(&gpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nan_is_kept),   cmocka_unit_test(pooling_refuses),
        cmocka_unit_test(dense_refuses), cmocka_unit_test(batch_norm_refuses),
        cmocka_unit_test(add_refuses),   cmocka_unit_test(many_rows_fit_the_grid),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
