/* Element-wise ops whose outputs are stored over their inputs give the bytes of those with places of
 * their own, forward and backward. */
#include "op/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define N 10007

struct run {
    ctr_dev *dev;
    ctr_store *store;
    ctr_graph *g;
    ctr_tensor *y;
};

static size_t shared(const ctr_graph *g)
{
    size_t n = 0;
    const ctr_node *node;
    for (size_t i = 0; (node = ctr_graph_node(g, i)); i++)
        for (unsigned k = 0; k < node->n_out; k++)
            n += node->out[k]->over != NULL;
    return n;
}

/* y = relu(b + relu(a + b)) + relu(a) */
static void run(struct run *r, int keep_all)
{
    const struct ctr_init normal = {CTR_INIT_NORMAL, 1};
    size_t n = N;
    assert_int_equal(ctr_dev_open(&r->dev, getenv("CTR_TEST_DEVICE"), NULL), 0);
    assert_int_equal(ctr_store_create(&r->store, r->dev), 0);
    assert_int_equal(ctr_graph_create(&r->g, r->dev, r->store), 0);
    ctr_tensor *a = ctr_graph_param(r->g, "a", 1, &n, normal, 0);
    ctr_tensor *b = ctr_graph_param(r->g, "b", 1, &n, normal, 0);
    ctr_tensor *h = ctr_relu(r->g, ctr_add(r->g, a, b, 0));
    r->y = ctr_add(r->g, ctr_add(r->g, b, h, 1), ctr_relu(r->g, a), 0);
    ctr_graph_keep(r->y);
    assert_int_equal(ctr_graph_backward(r->g, r->y, r->y), 0);
    for (size_t i = 0; keep_all && ctr_graph_node(r->g, i); i++)
        ctr_graph_keep(ctr_graph_node(r->g, i)->out[0]);
    assert_int_equal(ctr_graph_plan(r->g, NULL), 0);
    assert_int_equal(ctr_graph_lower(r->g), 0);
    assert_int_equal(ctr_dev_build(r->dev, 0, NULL, NULL), 0);
    assert_int_equal(ctr_store_init(r->store, 3), 0);
    assert_int_equal(ctr_graph_replay(r->g), 0);
    assert_int_equal(ctr_dev_finish(r->dev), 0);
}

static void finish(struct run *r)
{
    ctr_graph_destroy(&r->g);
    ctr_store_destroy(&r->store);
    ctr_dev_destroy(&r->dev);
}

static void same_bytes(void **state)
{
    struct run apart = {0}, over = {0};
    static float x[N], y[N];
    run(&apart, 1);
    run(&over, 0);
    assert_int_equal(shared(apart.g), 0);
    assert_true(shared(over.g) >= 3);
    assert_int_equal(ctr_tensor_read(x, apart.y, sizeof x), 0);
    assert_int_equal(ctr_tensor_read(y, over.y, sizeof y), 0);
    assert_memory_equal(x, y, sizeof x);
    for (size_t entry = 0; entry < 2; entry++) {
        assert_int_equal(ctr_store_read(x, apart.store, entry, CTR_STORE_GRADS), 0);
        assert_int_equal(ctr_store_read(y, over.store, entry, CTR_STORE_GRADS), 0);
        assert_memory_equal(x, y, sizeof x);
    }
    finish(&apart);
    finish(&over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
