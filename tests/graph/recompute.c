/* Outputs made again in the backward pass, on the null device. */
#include "graph/graph.h"
#include "op/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 12

struct fixture {
    ctr_dev *dev;
    ctr_store *store;
    ctr_graph *g;
    ctr_tensor *h[DEPTH + 1];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    return ctr_dev_open(&f->dev, "null", NULL) || ctr_store_create(&f->store, f->dev) ||
           ctr_graph_create(&f->g, f->dev, f->store);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    ctr_graph_destroy(&f->g);
    ctr_store_destroy(&f->store);
    ctr_dev_destroy(&f->dev);
    free(f);
    return 0;
}

/* A parameter through `depth` ReLUs, the gradient of each of which reads its output. */
static void chain(struct fixture *f, int depth, const struct ctr_plan_params *params)
{
    size_t n = 1000;
    const struct ctr_init zero = {CTR_INIT_ZERO, 0};
    f->h[0] = ctr_graph_param(f->g, "p", 1, &n, zero, 0);
    for (int i = 0; i < depth; i++)
        f->h[i + 1] = ctr_relu(f->g, f->h[i]);
    assert_int_equal(ctr_graph_backward(f->g, f->h[depth], NULL), 0);
    assert_int_equal(ctr_graph_plan(f->g, params), 0);
}

/* How many ReLUs lie between the parameter and t; none of them runs after `reader`. */
static int depth_of(const ctr_tensor *t, const ctr_node *reader)
{
    if (t->role == CTR_ROLE_STORE)
        return 0;
    assert_string_equal(t->producer->op->name, "relu");
    assert_true(t->producer->number < reader->number);
    assert_ptr_equal(t->producer->out[0], t);
    return 1 + depth_of(t->producer->in[0], t->producer);
}

static const struct ctr_plan_params least = {.recompute = CTR_RECOMPUTE_ON};

/* Each reader gets the value it would have got; nodes are in the order of their numbers. */
static void readers_get_the_same(void **state)
{
    struct fixture *f = *state;
    const ctr_node *node;
    chain(f, DEPTH, &least);
    int depth = DEPTH;
    for (size_t i = 0; (node = ctr_graph_node(f->g, i)); i++) {
        assert_int_equal(node->number, i);
        assert_non_null(node->variant);
        if (strcmp(node->op->name, "relu_bwd") == 0)
            assert_int_equal(depth_of(node->in[1], node), depth--);
    }
    assert_int_equal(depth, 0);
}

static void memory_falls(void **state)
{
    struct fixture *f = *state;
    chain(f, DEPTH, &least);
    struct ctr_plan_report r = ctr_graph_report(f->g);
    assert_true(r.recomputed > 0);
    assert_true(r.kept_bytes >= DEPTH * f->h[0]->bytes);
    assert_true(r.live_bytes <= 3 * f->h[0]->bytes);
    assert_true(r.arena_bytes >= r.live_bytes);
}

/* On its own account it makes no more again than is cheap: here a quarter of the 24 nodes and the
 * seed's. */
static void automatically_little_is_made(void **state)
{
    struct fixture *f = *state;
    chain(f, DEPTH, NULL);
    struct ctr_plan_report r = ctr_graph_report(f->g);
    assert_true(r.recomputed <= 7);
    assert_true(r.live_bytes <= r.kept_bytes);
}

static void all_is_kept_on_request(void **state)
{
    struct fixture *f = *state;
    chain(f, DEPTH, &(struct ctr_plan_params){.recompute = CTR_RECOMPUTE_OFF});
    struct ctr_plan_report r = ctr_graph_report(f->g);
    assert_int_equal(r.recomputed, 0);
    assert_true(r.live_bytes >= DEPTH * f->h[0]->bytes);
}

/* Where the peak would not fall, nothing is made twice. */
static void without_gain_all_is_kept(void **state)
{
    struct fixture *f = *state;
    chain(f, 1, &least);
    struct ctr_plan_report r = ctr_graph_report(f->g);
    assert_int_equal(r.recomputed, 0);
    assert_int_equal(r.live_bytes, r.kept_bytes);
}

/* What is to stay readable is never made again: its first copy is there anyway. */
static void kept_tensors_are_read(void **state)
{
    struct fixture *f = *state;
    const ctr_node *node;
    size_t n = 1000;
    const struct ctr_init zero = {CTR_INIT_ZERO, 0};
    ctr_tensor *x = ctr_graph_param(f->g, "p", 1, &n, zero, 0);
    for (int i = 0; i < DEPTH; i++) {
        x = ctr_relu(f->g, x);
        ctr_graph_keep(x);
    }
    assert_int_equal(ctr_graph_backward(f->g, x, NULL), 0);
    assert_int_equal(ctr_graph_plan(f->g, &least), 0);
    assert_int_equal(ctr_graph_report(f->g).recomputed, 0);
    for (size_t i = 0; (node = ctr_graph_node(f->g, i)); i++)
        for (unsigned k = 0; k < node->n_out; k++)
            assert_true(!node->out[k]->over || !node->out[k]->over->keep);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(readers_get_the_same),     TEST(memory_falls),          TEST(all_is_kept_on_request),
        TEST(without_gain_all_is_kept), TEST(kept_tensors_are_read),
        TEST(automatically_little_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
