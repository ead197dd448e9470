/* Loss scaling: scaled gradients move the parameters by the same bits as plain ones; a step whose
 * gradient is not finite is as if it had never been; the scale falls and rises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "optim/optim.h"
#include "../device.h"

enum { COUNT = 4097, STATE = 3 };

struct rig {
    ctr_store *store;
    ctr_graph *g;
    ctr_tensor *scalars, *seed;
    int step;
};

static void ok(int rc)
{
    if (rc != 0)
        fail_msg("%s", ctr_error_text());
}

/* One parameter, "w", and nothing in the step but the update; entry 1 is the scale's state. */
static void open_rig(struct rig *r, const struct ctr_optim *optim, int scaled)
{
    double options[CTR_MAX_OPTIONS] = {0};
    for (unsigned i = 0; optim->options[i].name; i++)
        options[i] = optim->options[i].init;
    *r = (struct rig){.step = 0};
    ok(ctr_store_create(&r->store, dev));
    ctr_store_moments(r->store, optim->moments);
    ok(ctr_graph_create(&r->g, dev, r->store));
    ctr_graph_param(r->g, "w", 1, (size_t[]){COUNT}, (struct ctr_init){CTR_INIT_UNIFORM, 1}, 0);
    r->scalars = ctr_graph_input(r->g, "scalars", CTR_F32, 1, (size_t[]){2});
    ctr_tensor *scalars = r->scalars;
    if (scaled) {
        ctr_tensor *scale = ctr_loss_scale(r->g);
        r->seed = ctr_loss_scale_seed(r->g, scale, ctr_graph_input(r->g, "loss", CTR_F32, 0, NULL));
        ctr_graph_keep(r->seed);
        scalars = ctr_loss_scale_settle(r->g, scale, scalars);
    }
    ok(optim->record(r->g, scalars, &(struct ctr_optim_params){0.05f, 1, options}));
    ok(ctr_graph_plan(r->g, NULL));
    ok(ctr_graph_lower(r->g));
    ok(ctr_dev_build(dev, 0, NULL, NULL));
    ok(ctr_store_init(r->store, 1));
}

static void close_rig(struct rig *r)
{
    ctr_graph_destroy(&r->g);
    ctr_store_destroy(&r->store);
}

/* A step with the gradient of stream `number` times `scale`, and `bad` in one place unless zero. */
static void step(struct rig *r, uint32_t number, float scale, float bad)
{
    float g[COUNT], scalars[2] = {0.1f, (float)++r->step};
    struct ctr_rng rng;
    ctr_rng_init(&rng, 7, CTR_RNG_TEST, number, 0);
    for (size_t i = 0; i < COUNT; i++)
        g[i] = scale * (ctr_rng_uniform(&rng) - 0.5f);
    if (bad != 0)
        g[COUNT - 2] = bad;
    ok(ctr_store_write(r->store, 0, CTR_STORE_GRADS, g));
    ok(ctr_tensor_write(r->scalars, scalars, sizeof scalars));
    ok(ctr_graph_replay(r->g));
}

static void state_is(const struct rig *r, float doublings, float good, float left_out)
{
    float s[STATE];
    ok(ctr_store_read(s, r->store, 1, CTR_STORE_VALUES));
    if (s[0] != doublings || s[1] != good || s[2] != left_out)
        fail_msg("the scale's state is {%g, %g, %g}, not {%g, %g, %g}", (double)s[0], (double)s[1],
                 (double)s[2], (double)doublings, (double)good, (double)left_out);
}

static void same_values(const struct rig *a, const struct rig *b)
{
    float x[COUNT], y[COUNT];
    ok(ctr_store_read(x, a->store, 0, CTR_STORE_VALUES));
    ok(ctr_store_read(y, b->store, 0, CTR_STORE_VALUES));
    assert_memory_equal(x, y, sizeof x);
}

/* Good, overflow, good, good, NaN, good: the plain run sees the good ones alone. */
static void left_out_steps_leave_no_trace(void **state)
{
    for (const struct ctr_optim *const *o = ctr_optims; *o; o++) {
        struct rig plain, scaled;
        open_rig(&plain, *o, 0);
        open_rig(&scaled, *o, 1);
        for (uint32_t i = 0; i < 4; i++)
            step(&plain, i, 1, 0);
        step(&scaled, 0, CTR_LOSS_SCALE_FIRST, 0);
        state_is(&scaled, 0, 1, 0);
        step(&scaled, 9, CTR_LOSS_SCALE_FIRST, -INFINITY);
        state_is(&scaled, -1, 0, 1);
        step(&scaled, 1, CTR_LOSS_SCALE_FIRST / 2, 0);
        step(&scaled, 2, CTR_LOSS_SCALE_FIRST / 2, 0);
        step(&scaled, 9, CTR_LOSS_SCALE_FIRST / 2, NAN);
        step(&scaled, 3, CTR_LOSS_SCALE_FIRST / 4, 0);
        state_is(&scaled, -2, 1, 2);
        same_values(&plain, &scaled);
        close_rig(&scaled);
        close_rig(&plain);
    }
}

static void the_scale_doubles(void **state)
{
    struct rig r;
    float seed, near[STATE] = {3, CTR_LOSS_SCALE_STEPS - 1, 0},
                full[STATE] = {8, CTR_LOSS_SCALE_STEPS - 1, 0};
    open_rig(&r, ctr_optims[0], 1);
    ok(ctr_store_write(r.store, 1, CTR_STORE_VALUES, near));
    step(&r, 0, 1, 0);
    ok(ctr_tensor_read(&seed, r.seed, sizeof seed));
    assert_true(seed == 8.0f * CTR_LOSS_SCALE_FIRST);
    state_is(&r, 4, 0, 0);
    ok(ctr_store_write(r.store, 1, CTR_STORE_VALUES, full));
    step(&r, 0, 1, 0);
    state_is(&r, 8, 0, 0); /* 2^24 is the most */
    close_rig(&r);
}

/* At scale 1 it is the gradient itself that is not finite: the run must come to know. */
static void the_scale_ends_at_one(void **state)
{
    struct rig r;
    float w[COUNT], least[STATE] = {-16, 5, 0};
    open_rig(&r, ctr_optims[0], 1);
    ok(ctr_store_write(r.store, 1, CTR_STORE_VALUES, least));
    step(&r, 0, 1, NAN);
    ok(ctr_store_read(w, r.store, 0, CTR_STORE_VALUES));
    assert_true(isnan(w[COUNT - 2]) && isfinite(w[0]));
    close_rig(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(left_out_steps_leave_no_trace),
        cmocka_unit_test(the_scale_doubles),
        cmocka_unit_test(the_scale_ends_at_one),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
