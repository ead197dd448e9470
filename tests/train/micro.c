/* Micro-batches: a step of a few images at a time has the loss, gradients and states of one of all. */
#include "train/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

static const char *device(void)
{
    return getenv("CTR_TEST_DEVICE");
}

static float *part_of(const struct step *s, size_t entry, enum ctr_store_part part)
{
    float *x = malloc(ctr_store_entry(s->store, entry)->count * sizeof *x);
    assert_int_equal(ctr_store_read(x, s->store, entry, part), 0);
    return x;
}

static double largest(const float *x, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)x[i]));
    return most;
}

static double largest_difference(const float *a, const float *b, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(isfinite(a[i]) && isfinite(b[i]));
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    }
    return most;
}

static float loss_of(const struct step *s)
{
    float loss;
    assert_int_equal(ctr_tensor_read(&loss, s->io.loss, sizeof loss), 0);
    return loss;
}

/* One part of each entry that has it, relative to the part's largest value: of biases that a loss does
 * not feel the gradient is nothing but rounding. */
static void compare_part(const struct step *a, const struct step *b, enum ctr_store_part part,
                         int states, double tolerance)
{
    double most = 0, scale = 0;
    for (size_t i = 0; i < ctr_store_entries(a->store); i++) {
        const struct ctr_store_entry *e = ctr_store_entry(a->store, i);
        if (e->is_state != states || strstr(e->name, "running_"))
            continue;
        float *x = part_of(a, i, part), *y = part_of(b, i, part);
        most = fmax(most, largest_difference(x, y, e->count));
        scale = fmax(scale, largest(y, e->count));
        free(x);
        free(y);
    }
    if (!(most <= tolerance * scale))
        fail_msg("%s, part %d: %g of %g", a->method ? a->method : "simclr", (int)part, most, scale);
}

/* Loss, gradients, shadows, and states but running statistics. */
static void compare(const struct step *a, const struct step *b, double tolerance)
{
    assert_true(fabs(loss_of(a) - loss_of(b)) <= 1e-6 * fabs(loss_of(b)));
    compare_part(a, b, CTR_STORE_GRADS, 0, tolerance);
    compare_part(a, b, CTR_STORE_VALUES, 1, tolerance);
    if (ctr_store_has_shadow(a->store))
        compare_part(a, b, CTR_STORE_SHADOW, 0, tolerance);
}

/* In a network without batch-norm. */
static void compare_method(const char *method, unsigned V)
{
    struct step whole = {.method = method, .V = V, .no_norm = 1}, micro = whole;
    micro.micro = 3;
    assert_int_equal(step_run(&whole, device(), "cnn", 1, 12, 16), 0);
    if (step_run(&micro, device(), "cnn", 1, 12, 16) != 0)
        fail_msg("%s: %s", method, ctr_error_text());
    compare(&micro, &whole, 1e-5);
    step_finish(&whole);
    step_finish(&micro);
}

static void equals_one_batch(void **state)
{
    for (const struct ctr_method *const *m = ctr_methods; *m; m++)
        compare_method((*m)->name, 0);
    compare_method("simclr", 3);
}

/* Encoders that take local views have batch-norm: the same images in each micro-batch. */
static void local_views_too(void **state)
{
    static const struct {
        const char *method;
        unsigned L; /* more and fewer than the other views */
    } cases[] = {{"simclr", 3}, {"swav", 3}, {"simclr", 1}};
    for (int i = 0; i < 3; i++) {
        struct step whole = {.method = cases[i].method, .L = cases[i].L, .distinct = 4}, micro = whole;
        micro.micro = 4;
        assert_int_equal(step_run(&whole, device(), "resnet10", 0.125, 8, 32), 0);
        assert_int_equal(step_run(&micro, device(), "resnet10", 0.125, 8, 32), 0);
        compare(&micro, &whole, 1e-4);
        step_finish(&whole);
        step_finish(&micro);
    }
}

/* What n updates of running statistics towards the same leave, from what one has left of `init`. */
static double after(double one, double init, unsigned n)
{
    return init + (one - init) * (1 - pow(0.9, n)) / 0.1;
}

/* A batch of the same images over and over has the statistics of each of its micro-batches. */
static void statistics_of_each(void **state)
{
    struct step whole = {.distinct = 4}, micro = {.distinct = 4, .micro = 4}, one = {.method = NULL};
    assert_int_equal(step_run(&whole, device(), "resnet18", 0.125, 12, 32), 0);
    assert_int_equal(step_run(&micro, device(), "resnet18", 0.125, 12, 32), 0);
    assert_int_equal(step_run(&one, device(), "resnet18", 0.125, 4, 32), 0);
    compare(&micro, &whole, 1e-4);
    size_t compared = 0;
    for (size_t i = 0; i < ctr_store_entries(one.store); i++) {
        const struct ctr_store_entry *e = ctr_store_entry(one.store, i);
        if (!strstr(e->name, "running_"))
            continue;
        float *once = part_of(&one, i, CTR_STORE_VALUES), *x = part_of(&micro, i, CTR_STORE_VALUES);
        double init = strstr(e->name, "running_var") ? 1 : 0;
        for (size_t k = 0; k < e->count; k++)
            once[k] = (float)after(once[k], init, 3); /* not 6: once for each micro-batch */
        double d = largest_difference(x, once, e->count);
        if (!(d <= 1e-5 * largest(once, e->count)))
            fail_msg("'%s': %g", e->name, d);
        free(once);
        free(x);
        compared++;
    }
    assert_true(compared > 40);
    step_finish(&whole);
    step_finish(&micro);
    step_finish(&one);
}

/* The plan shares memory between turns and passes; --recompute changes no bits. */
static void takes_less_memory(void **state)
{
    struct step whole = {.method = NULL}, micro = {.micro = 4}, lean = {.micro = 4};
    micro.plan.recompute = CTR_RECOMPUTE_OFF;
    lean.plan.recompute = CTR_RECOMPUTE_ON;
    assert_int_equal(step_run(&whole, device(), "resnet18", 0.125, 32, 32), 0);
    assert_int_equal(step_run(&micro, device(), "resnet18", 0.125, 32, 32), 0);
    assert_int_equal(step_run(&lean, device(), "resnet18", 0.125, 32, 32), 0);
    struct ctr_plan_report w = ctr_graph_report(whole.g), m = ctr_graph_report(micro.g),
                           l = ctr_graph_report(lean.g);
    assert_true((double)m.arena_bytes < 0.3 * (double)w.arena_bytes);
    assert_true(l.recomputed > 0 && l.arena_bytes < m.arena_bytes);
    assert_true(m.flops > 1.2 * w.flops && m.flops < 1.5 * w.flops); /* forward twice: 4/3 */
    for (size_t i = 0; i < ctr_store_entries(micro.store); i++) {
        const struct ctr_store_entry *e = ctr_store_entry(micro.store, i);
        enum ctr_store_part part = e->is_state ? CTR_STORE_VALUES : CTR_STORE_GRADS;
        float *x = part_of(&micro, i, part), *y = part_of(&lean, i, part);
        assert_memory_equal(x, y, e->count * sizeof *x);
        free(x);
        free(y);
    }
    step_finish(&whole);
    step_finish(&micro);
    step_finish(&lean);
}

/* Bytes that are no whole words, block by block: what all turns have put is what they took. */
static void turns_make_the_whole(void **state)
{
    enum { TIMES = 3, BLOCKS = 2, ROWS = 5, ROW = 7, ALL = TIMES * BLOCKS * ROWS * ROW };
    ctr_dev *dev = NULL;
    ctr_graph *g = NULL;
    uint8_t bytes[ALL], back[ALL];
    for (int i = 0; i < ALL; i++)
        bytes[i] = (uint8_t)(i + 1);
    assert_int_equal(ctr_dev_open(&dev, device(), NULL), 0);
    assert_int_equal(ctr_graph_create(&g, dev, NULL), 0);
    ctr_tensor *x =
        ctr_graph_input(g, "x", CTR_U8, 2, (size_t[]){TIMES * BLOCKS * ROWS, ROW});
    ctr_tensor *turn = ctr_graph_repeat(g, TIMES);
    ctr_tensor *y = ctr_turn_take(g, x, turn, TIMES, BLOCKS);
    y = ctr_turn_put(g, y, turn, TIMES, BLOCKS);
    ctr_graph_once(g);
    ctr_graph_keep(y);
    assert_int_equal(ctr_graph_plan(g, NULL), 0);
    assert_int_equal(ctr_graph_lower(g), 0);
    assert_int_equal(ctr_graph_report(g).launches, 2 * TIMES);
    assert_int_equal(ctr_dev_build(dev, 1, NULL, NULL), 0);
    assert_int_equal(ctr_tensor_write(x, bytes, sizeof bytes), 0);
    assert_int_equal(ctr_graph_replay(g), 0);
    assert_int_equal(ctr_tensor_read(back, y, sizeof back), 0);
    assert_memory_equal(back, bytes, sizeof bytes);
    ctr_graph_destroy(&g);
    ctr_dev_destroy(&dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_make_the_whole),
        cmocka_unit_test(equals_one_batch),
        cmocka_unit_test(local_views_too),
        cmocka_unit_test(statistics_of_each),
        cmocka_unit_test(takes_less_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
