/* The optimisers on a device: five steps against torch.optim (optim_fixture.h, made by
 * tests/torch/optim.py) and, for LARS, against plain C in double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optim/optim.h"

#include "optim_fixture.h"
#include "../device.h"

enum { N_PARAMS = 3, STEPS = 5, STRIDE = 13 };
#define WEIGHT_DECAY 0.05

static const double rates[STEPS] = {0.1, 0.2, 0.15, 0.1, 0.05};
static const size_t small[N_PARAMS] = {300, 20, 33}, large[N_PARAMS] = {300000, 20, 4097};

/* Value i of a stream, exact in fp32; optim.py has the same formula. */
static double draw(size_t i, uint32_t stream)
{
    uint32_t x = ((uint32_t)i + 1) * 2654435761u + stream * 40503u;
    x ^= x >> 15;
    x *= 2246822519u;
    return (double)(x >> 8 & 0xffff) / 65536 - 0.5;
}

static double gradient(size_t i, int step, unsigned param)
{
    return draw(i, 100 * ((uint32_t)step + 1) + param) * 0.5;
}

struct rig {
    ctr_store *store;
    ctr_graph *g;
    ctr_tensor *scalars;
    const size_t *count;
};

static void ok(int rc)
{
    if (rc != 0)
        fail_msg("%s", ctr_error_text());
}

/* Three parameters, the second free of weight decay, the last without a rate of its own, and nothing in the step but
 * the update. */
static void open_rig(struct rig *r, const char *name, const double *option, const size_t *count,
                     float own_rate)
{
    static const char *const names[N_PARAMS] = {"w", "b", "v"};
    const struct ctr_optim *optim = ctr_optim_find(name);
    double options[CTR_MAX_OPTIONS] = {0};
    assert_non_null(optim);
    for (unsigned i = 0; optim->options[i].name; i++)
        options[i] = option ? option[i] : optim->options[i].init;
    r->count = count;
    ok(ctr_store_create(&r->store, dev));
    ctr_store_moments(r->store, optim->moments);
    ok(ctr_graph_create(&r->g, dev, r->store));
    for (unsigned i = 0; i < N_PARAMS; i++) {
        ctr_graph_param_flags(r->g, i < 2 ? CTR_PARAM_OWN_RATE : 0);
        ctr_graph_param(r->g, names[i], 1, &count[i], (struct ctr_init){.kind = CTR_INIT_ZERO},
                        i == 1 ? CTR_PARAM_NO_DECAY : 0);
    }
    r->scalars = ctr_graph_input(r->g, "scalars", CTR_F32, 1, (size_t[]){2});
    ok(optim->record(r->g, r->scalars, &(struct ctr_optim_params){(float)WEIGHT_DECAY, own_rate, options}));
    ok(ctr_graph_plan(r->g, NULL));
    ok(ctr_graph_lower(r->g));
    ok(ctr_dev_build(dev, 0, NULL, NULL));
    ok(ctr_store_init(r->store, 1));
}

static void put(struct rig *r, unsigned param, enum ctr_store_part part, int step)
{
    float *x = malloc(r->count[param] * sizeof *x);
    for (size_t i = 0; i < r->count[param]; i++)
        x[i] = (float)(part == CTR_STORE_GRADS ? gradient(i, step, param) : draw(i, param));
    ok(ctr_store_write(r->store, param, part, x));
    free(x);
}

static void run(struct rig *r, double scale)
{
    for (unsigned i = 0; i < N_PARAMS; i++)
        put(r, i, CTR_STORE_VALUES, 0);
    for (int step = 0; step < STEPS; step++) {
        float scalars[2] = {(float)(scale * rates[step]), (float)(step + 1)};
        ok(ctr_tensor_write(r->scalars, scalars, sizeof scalars));
        for (unsigned i = 0; i < N_PARAMS; i++)
            put(r, i, CTR_STORE_GRADS, step);
        ok(ctr_graph_replay(r->g));
    }
}

static float *take(struct rig *r, unsigned param)
{
    float *x = malloc(r->count[param] * sizeof *x);
    ok(ctr_store_read(x, r->store, param, CTR_STORE_VALUES));
    return x;
}

static void close_rig(struct rig *r)
{
    ctr_graph_destroy(&r->g);
    ctr_store_destroy(&r->store);
}

/* Relative to the distance travelled, which is what an update is about. */
static void compare(const char *what, double diff, double moved, double tolerance)
{
    double error = sqrt(diff / moved);
    if (!(error <= tolerance))
        fail_msg("%s: relative error %.2g of the update, more than %.2g", what, error, tolerance);
}

static void against_torch(const char *what, const char *name, const double *option,
                          const double *want, size_t n_want)
{
    struct rig r;
    double diff = 0, moved = 0;
    size_t k = 0;
    open_rig(&r, name, option, small, 1);
    run(&r, 1);
    for (unsigned p = 0; p < N_PARAMS; p++) {
        float *got = take(&r, p);
        for (size_t i = 0; i < small[p]; i += STRIDE, k++) {
            assert_true(k < n_want);
            diff += (got[i] - want[k]) * (got[i] - want[k]);
            moved += (draw(i, p) - want[k]) * (draw(i, p) - want[k]);
        }
        free(got);
    }
    assert_int_equal(k, n_want);
    compare(what, diff, moved, 2e-6);
    close_rig(&r);
}

#define AGAINST_TORCH(name, fixture, ...)                                                          \
    against_torch(#fixture, name, (const double[]){__VA_ARGS__}, fixture,                          \
                  sizeof fixture / sizeof *fixture)

static void sgd_equals_torch(void **state)
{
    AGAINST_TORCH("sgd", sgd_momentum, 0.9, 0);
    AGAINST_TORCH("sgd", sgd_nesterov, 0.8, 1);
    AGAINST_TORCH("sgd", sgd_plain, 0, 0);
}

static void adamw_equals_torch(void **state)
{
    AGAINST_TORCH("adamw", adamw, 0.9, 0.999, 1e-8);
    AGAINST_TORCH("adamw", adamw_betas, 0.8, 0.99, 1e-4);
}

/* ---- LARS ---- */

static double norm(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* You et al., algorithm 1; with clip as apex's LARC. option: as the table's. */
static void lars_step(double *w, double *m, const double *g, size_t n, double rate,
                      const double *option, int adapt)
{
    double momentum = option[0], eta = option[2];
    int nesterov = option[1] != 0, clip = option[3] != 0;
    double decay = adapt ? WEIGHT_DECAY : 0, w_norm = norm(w, n);
    double trust = adapt ? eta * w_norm / (norm(g, n) + decay * w_norm) : 1;
    if (adapt && clip)
        trust = fmin(trust / rate, 1);
    for (size_t i = 0; i < n; i++) {
        double d = rate * trust * (g[i] + decay * w[i]);
        m[i] = momentum * m[i] + d;
        w[i] -= nesterov ? momentum * m[i] + d : m[i];
    }
}

static void lars_case(const size_t *count, const double *option)
{
    struct rig r;
    open_rig(&r, "lars", option, count, 1);
    run(&r, 1);
    for (unsigned p = 0; p < N_PARAMS; p++) {
        size_t n = count[p];
        double *w = calloc(n, sizeof *w), *m = calloc(n, sizeof *m), *g = calloc(n, sizeof *g);
        double diff = 0, moved = 0;
        float *got = take(&r, p);
        for (size_t i = 0; i < n; i++)
            w[i] = draw(i, p);
        for (int step = 0; step < STEPS; step++) {
            for (size_t i = 0; i < n; i++)
                g[i] = gradient(i, step, p);
            lars_step(w, m, g, n, rates[step], option, p != 1);
        }
        for (size_t i = 0; i < n; i++) {
            diff += (got[i] - w[i]) * (got[i] - w[i]);
            moved += (draw(i, p) - w[i]) * (draw(i, p) - w[i]);
        }
        compare("lars", diff, moved, 2e-6);
        free(got);
        free(g);
        free(m);
        free(w);
    }
    close_rig(&r);
}

static void lars_equals_reference(void **state)
{
    lars_case(small, (const double[]){0.9, 0, 0.5, 0});
    lars_case(small, (const double[]){0.9, 1, 0.5, 0});
    lars_case(large, (const double[]){0.9, 0, 0.5, 0});
    lars_case(small, (const double[]){0.9, 0, 0.08, 1}); /* above the learning rate and below it */
    lars_case(large, (const double[]){0.9, 1, 0.05, 1});
}

/* No gradient, no weights: nothing to divide by, nothing moves. */
static void zeros_stay(void **state)
{
    for (const struct ctr_optim *const *o = ctr_optims; *o; o++) {
        struct rig r;
        float scalars[2] = {1, 1};
        open_rig(&r, (*o)->name, NULL, small, 1);
        ok(ctr_tensor_write(r.scalars, scalars, sizeof scalars));
        ok(ctr_graph_replay(r.g));
        for (unsigned p = 0; p < N_PARAMS; p++) {
            float *got = take(&r, p);
            for (size_t i = 0; i < small[p]; i++)
                assert_true(got[i] == 0);
            free(got);
        }
        close_rig(&r);
    }
}

/* Of the same values after the same steps, parameter p has the same bits in both. */
static void same(struct rig *a, struct rig *b, unsigned p)
{
    float *x = take(a, p), *y = take(b, p);
    assert_memory_equal(x, y, small[p] * sizeof *x);
    free(x);
    free(y);
}

/* A rate of its own is that multiple of the rate, for the parameters that are marked; at 0 they stay. */
static void own_rate(const char *name, const double *option)
{
    struct rig whole, quarter, own, held;
    open_rig(&whole, name, option, small, 1);
    open_rig(&quarter, name, option, small, 1);
    open_rig(&own, name, option, small, 0.25f);
    open_rig(&held, name, option, small, 0);
    run(&whole, 1);
    run(&quarter, 0.25);
    run(&own, 1);
    run(&held, 1);
    for (unsigned p = 0; p < 2; p++) {
        float *got = take(&held, p);
        same(&own, &quarter, p);
        for (size_t i = 0; i < small[p]; i++)
            assert_true(got[i] == (float)draw(i, p));
        free(got);
    }
    same(&own, &whole, 2);
    same(&held, &whole, 2);
    close_rig(&whole);
    close_rig(&quarter);
    close_rig(&own);
    close_rig(&held);
}

static void rates_of_their_own(void **state)
{
    for (const struct ctr_optim *const *o = ctr_optims; *o; o++)
        own_rate((*o)->name, NULL);
    own_rate("lars", (const double[]){0.9, 1, 0.05, 1});
}

/* Step after step of a run of unknown length, and of one of four steps. */
static void shadow_follows(void **state)
{
    enum { N = 300 };
    const size_t n = N;
    for (uint64_t steps = 0; steps <= 4; steps += 4) {
        ctr_store *store;
        ctr_graph *g;
        float x[N], got[N];
        double want[N] = {0};
        ok(ctr_store_create(&store, dev));
        ok(ctr_graph_create(&g, dev, store));
        for (int shadow = 1; shadow >= 0; shadow--) {
            ctr_graph_shadow(g, shadow);
            ctr_graph_param(g, "w", 1, &n, (struct ctr_init){.kind = CTR_INIT_ZERO}, 0);
        }
        ctr_tensor *step = ctr_graph_input(g, "step", CTR_U32, 1, (size_t[]){4});
        ok(ctr_ema(g, step, 0.75, steps));
        ok(ctr_graph_plan(g, NULL));
        ok(ctr_graph_lower(g));
        ok(ctr_dev_build(dev, 0, NULL, NULL));
        ok(ctr_store_init(store, 1));
        for (uint32_t s = 1; s <= 4; s++) {
            double rate = 0.25 * (steps ? 0.5 * (1 + cos(acos(-1) * (s - 1) / 4)) : 1);
            for (int i = 0; i < N; i++) {
                x[i] = (float)draw((size_t)i, s);
                want[i] += rate * ((double)x[i] - want[i]);
            }
            ok(ctr_store_write(store, 0, CTR_STORE_VALUES, x));
            ok(ctr_tensor_write(step, (uint32_t[]){0, 0, 0, s}, 16));
            ok(ctr_graph_replay(g));
            ok(ctr_store_read(got, store, 0, CTR_STORE_SHADOW));
            for (int i = 0; i < N; i++)
                assert_true(fabs((double)got[i] - want[i]) < 1e-6);
        }
        ctr_graph_destroy(&g);
        ctr_store_destroy(&store);
    }
}

static void names_and_defaults(void **state)
{
    assert_null(ctr_optim_find("adagrad"));
    for (const struct ctr_optim *const *o = ctr_optims; *o; o++) {
        assert_ptr_equal(ctr_optim_find((*o)->name), *o);
        for (const struct ctr_option *x = (*o)->options; x->name; x++)
            assert_true(x->min <= x->init && x->init <= x->max && x->metavar && x->help);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_defaults), cmocka_unit_test(sgd_equals_torch),
        cmocka_unit_test(adamw_equals_torch), cmocka_unit_test(lars_equals_reference),
        cmocka_unit_test(zeros_stay), cmocka_unit_test(rates_of_their_own),
        cmocka_unit_test(shadow_follows),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
