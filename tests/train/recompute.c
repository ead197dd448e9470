/* A step that makes outputs again in its backward pass, and stores outputs over inputs, gives the bytes
 * of one that keeps everything; one whose tensors share memory, also that of gradients not made yet, those
 * of one where each has its own. */
#include "train/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "graph/impl.h"

static void compare_gradients(const struct step *a, const struct step *b)
{
    for (size_t i = 0; i < ctr_store_entries(a->store); i++) {
        const struct ctr_store_entry *e = ctr_store_entry(a->store, i);
        enum ctr_store_part part = e->is_state ? CTR_STORE_VALUES : CTR_STORE_GRADS;
        float *x = malloc(e->count * sizeof *x), *y = malloc(e->count * sizeof *y);
        assert_int_equal(ctr_store_read(x, a->store, i, part), 0);
        assert_int_equal(ctr_store_read(y, b->store, i, part), 0);
        if (memcmp(x, y, e->count * sizeof *x) != 0)
            fail_msg("'%s' differs", e->name);
        free(x);
        free(y);
    }
}

static void compare_loss(const struct step *a, const struct step *b)
{
    float loss[2];
    assert_int_equal(ctr_tensor_read(&loss[0], a->io.loss, sizeof loss[0]), 0);
    assert_int_equal(ctr_tensor_read(&loss[1], b->io.loss, sizeof loss[1]), 0);
    assert_memory_equal(&loss[0], &loss[1], sizeof loss[0]);
}

static void compare(const char *encoder, double width, size_t N, size_t H,
                    enum ctr_recompute recompute, double share)
{
    const char *device = getenv("CTR_TEST_DEVICE");
    struct step lean = {.plan.recompute = recompute},
                full = {.plan.recompute = CTR_RECOMPUTE_OFF};
    assert_int_equal(step_run(&lean, device, encoder, width, N, H), 0);
    assert_int_equal(step_run(&full, device, encoder, width, N, H), 0);
    struct ctr_plan_report a = ctr_graph_report(lean.g), b = ctr_graph_report(full.g);
    assert_true(a.recomputed > 0);
    assert_int_equal(b.recomputed, 0);
    assert_int_equal(a.kept_bytes, b.live_bytes);
    assert_true((double)a.arena_bytes < share * (double)b.arena_bytes);
    compare_loss(&lean, &full);
    compare_gradients(&lean, &full);
    step_finish(&lean);
    step_finish(&full);
}

static void resnet18_same_bits(void **state)
{
    compare("resnet18", 0.25, 8, 32, CTR_RECOMPUTE_AUTO, 0.65);
}

/* Convolutions, too, are run twice. */
static void resnet18_least_same_bits(void **state)
{
    compare("resnet18", 0.25, 8, 32, CTR_RECOMPUTE_ON, 0.65);
}

static void resnet50_same_bits(void **state)
{
    compare("resnet50", 0.125, 4, 32, CTR_RECOMPUTE_AUTO, 0.8);
}

/* Outputs that lie where a parameter's gradient will be. */
static size_t lent(const struct step *s)
{
    const ctr_node *node;
    size_t n = 0;
    for (size_t i = 0; (node = ctr_graph_node(s->g, i)); i++)
        for (unsigned k = 0; k < node->n_out; k++)
            n += !node->out[k]->grad_of && node->out[k]->chunk == CTR_IN_GRADS;
    return n;
}

static void sharing_keeps_the_bits(void **state)
{
    const char *device = getenv("CTR_TEST_DEVICE");
    struct step shared = {.plan.recompute = CTR_RECOMPUTE_OFF}, apart = {.plan.guard = 1};
    assert_int_equal(step_run(&shared, device, "resnet18", 0.25, 8, 32), 0);
    assert_int_equal(step_run(&apart, device, "resnet18", 0.25, 8, 32), 0);
    assert_true(lent(&shared) > 20);
    assert_int_equal(lent(&apart), 0);
    compare_loss(&shared, &apart);
    compare_gradients(&shared, &apart);
    step_finish(&shared);
    step_finish(&apart);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(resnet18_same_bits),
                                       cmocka_unit_test(resnet18_least_same_bits),
                                       cmocka_unit_test(resnet50_same_bits),
                                       cmocka_unit_test(sharing_keeps_the_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
