/* Recording, differentiating and planning on the null device: no driver, no kernels. */
#include "base/mem.h"
#include "graph/graph.h"
#include "op/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    ctr_dev *dev;
    ctr_store *store;
    ctr_graph *g;
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

static const struct ctr_init zero = {CTR_INIT_ZERO, 0};

/* A chain of equal temporaries, each element-wise in the last, needs the room of one. */
static void chain_shares_memory(void **state)
{
    struct fixture *f = *state;
    size_t n = 1 << 20;
    ctr_tensor *x = ctr_graph_input(f->g, "x", CTR_F32, 1, &n);
    for (int i = 0; i < 10; i++)
        x = ctr_relu(f->g, x);
    ctr_graph_keep(x);
    assert_int_equal(ctr_graph_plan(f->g, NULL), 0);
    struct ctr_plan_report r = ctr_graph_report(f->g);
    assert_int_equal(r.unshared_bytes, 10 * n * 4);
    assert_int_equal(r.arena_bytes, n * 4);
    assert_int_equal(r.live_bytes, n * 4);
}

static void constants_hold_what_was_given(void **state)
{
    struct fixture *f = *state;
    const size_t n = 3;
    float values[3] = {1, -2, 0.5f}, got[3] = {0};
    ctr_tensor *t = ctr_graph_constant(f->g, "table", CTR_F32, 1, &n, values);
    values[1] = 7; /* copied: this is too late */
    ctr_graph_keep(ctr_relu(f->g, t));
    assert_int_equal(ctr_graph_plan(f->g, NULL), 0);
    assert_int_equal(ctr_tensor_read(got, t, sizeof got), 0);
    assert_true(got[0] == 1 && got[1] == -2 && got[2] == 0.5f);
}

static const ctr_tensor *place(const ctr_tensor *t)
{
    return t->over ? place(t->over) : t;
}

/* No two tensors that live at the same time overlap, unless one has taken the other's place: then
 * it is born where the other dies. */
static void no_overlap(void **state)
{
    struct fixture *f = *state;
    size_t n = 4 * CTR_STORE_BLOCK;
    ctr_tensor *p = ctr_graph_param(f->g, "p", 1, &n, zero, 0), *t[4] = {p, p, p, p};
    for (int i = 0; i < 40; i++)
        t[i % 4] = ctr_relu(f->g, t[(i * 7 + 3) % 4]);
    assert_int_equal(ctr_graph_backward(f->g, t[3], NULL), 0);
    assert_int_equal(ctr_graph_plan(f->g, NULL), 0);
    const ctr_node *node;
    const ctr_tensor *all[256];
    size_t count = 0;
    for (size_t i = 0; (node = ctr_graph_node(f->g, i)); i++)
        for (unsigned k = 0; k < node->n_out; k++)
            all[count++] = node->out[k];
    assert_true(count > 40);
    for (size_t a = 0; a < count; a++)
        for (size_t b = 0; b < a; b++) {
            int together = all[a]->first <= all[b]->last && all[b]->first <= all[a]->last &&
                           place(all[a]) != place(all[b]);
            int apart = all[a]->chunk != all[b]->chunk ||
                        all[a]->at + all[a]->bytes <= all[b]->at ||
                        all[b]->at + all[b]->bytes <= all[a]->at;
            assert_true(!together || apart);
        }
}

/* Whether t lies in places of gradients that are made after its end, and nowhere else in the store. */
static int is_lent(struct fixture *f, const ctr_tensor *t, ctr_tensor *const *param, size_t n)
{
    size_t covered = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = ctr_store_entry(f->store, param[i]->entry)->at * sizeof(float);
        size_t from = at > t->at ? at : t->at, to = at + param[i]->bytes;
        to = to < t->at + t->bytes ? to : t->at + t->bytes;
        if (from < to && param[i]->grad && param[i]->grad->first > t->last)
            covered += to - from;
    }
    return covered == t->bytes;
}

/* The first layer's gradient is made last: until then its place serves as memory, but not that of a
 * parameter without gradient, and no padding. */
static void gradients_lend_their_places(void **state)
{
    struct fixture *f = *state;
    const ctr_node *node;
    enum { N = 16, LAYERS = 30 };
    size_t rows[] = {N, 1024}, dim[] = {64, 1024}, odd = 33000;
    ctr_tensor *p[LAYERS + 1], *h[LAYERS], *x = ctr_graph_input(f->g, "x", CTR_F32, 2, rows);
    p[LAYERS] = ctr_graph_param(f->g, "unused", 1, &odd, zero, 0);
    for (int i = 0; i < LAYERS; i++) {
        char name[] = {'w', (char)('0' + i), 0};
        p[i] = ctr_graph_param(f->g, name, 2, dim, zero, 0);
        x = h[i] = ctr_dense(f->g, x, p[i], NULL, 1);
        dim[1] = dim[0];
        dim[0] = 63;
    }
    assert_int_equal(ctr_graph_backward(f->g, x, NULL), 0);
    assert_int_equal(ctr_graph_plan(f->g, NULL), 0);
    for (size_t i = 0; (node = ctr_graph_node(f->g, i)); i++)
        for (unsigned k = 0; k < node->n_out; k++)
            if (!node->out[k]->grad_of && node->out[k]->chunk == CTR_IN_GRADS)
                assert_true(is_lent(f, node->out[k], p, LAYERS + 1));
    for (int i = 1; i < LAYERS; i++) /* h[0] is read when the last gradient is made */
        assert_true(h[i]->chunk == CTR_IN_GRADS);
    struct ctr_plan_report r = ctr_graph_report(f->g);
    assert_true(r.live_bytes < LAYERS * h[1]->bytes); /* these alone would need more */
    assert_true(r.arena_bytes >= r.live_bytes && r.arena_bytes < r.live_bytes + 1024); /* aligned */
}

/* A tensor read twice gets the sum of both gradients; a parameter's lands in the store. */
static void gradients_add_up(void **state)
{
    struct fixture *f = *state;
    size_t n = 300;
    ctr_tensor *p = ctr_graph_param(f->g, "p", 1, &n, zero, 0);
    ctr_tensor *h = ctr_relu(f->g, p);
    ctr_tensor *y = ctr_relu(f->g, h);
    ctr_tensor *again = ctr_graph_param(f->g, "p", 1, &n, zero, 0);
    assert_ptr_equal(p, again);
    assert_int_equal(ctr_graph_backward(f->g, y, NULL), 0);
    assert_non_null(p->grad);
    assert_ptr_equal(p->grad->grad_of, p);
    assert_int_equal(ctr_graph_plan(f->g, NULL), 0);
    assert_int_equal(ctr_buf_bytes(p->grad->buf), n * 4);
    assert_int_equal(ctr_graph_report(f->g).param_count, n);
}

/* What crosses the border of a repeated part stays through all its turns: nothing made in it lies there.
 * Replays and costs count the turns. */
static void parts_are_repeated(void **state)
{
    struct fixture *f = *state;
    size_t n = 1 << 16;
    ctr_tensor *x = ctr_graph_input(f->g, "x", CTR_F32, 1, &n), *inner[4];
    ctr_tensor *before = ctr_relu(f->g, x);
    ctr_tensor *turn = ctr_graph_repeat(f->g, 5);
    inner[0] = ctr_take_rows(f->g, x, 0, n);
    inner[1] = ctr_add(f->g, inner[0], before, 0); /* the last to read it in a turn */
    for (int i = 2; i < 4; i++)
        inner[i] = ctr_take_rows(f->g, inner[i - 1], 0, n);
    ctr_tensor *all = ctr_turn_put(f->g, inner[3], turn, 5, 1);
    ctr_graph_once(f->g);
    ctr_graph_keep(ctr_relu(f->g, all));
    assert_int_equal(ctr_graph_plan(f->g, NULL), 0);
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++) {
            const ctr_tensor *a = inner[i], *b = k ? all : before;
            assert_true(a->chunk != b->chunk || a->at + a->bytes <= b->at || b->at + b->bytes <= a->at);
        }
    assert_int_equal(ctr_graph_lower(f->g), 0);
    struct ctr_plan_report r = ctr_graph_report(f->g);
    assert_int_equal(r.launches, 1 + 5 * 5 + 1);
    assert_int_equal(ctr_dev_build(f->dev, 1, NULL, NULL), 0);
    uint64_t launches = ctr_dev_stats(f->dev).launches;
    assert_int_equal(ctr_graph_replay(f->g), 0);
    assert_int_equal(ctr_dev_stats(f->dev).launches - launches, r.launches);
}

/* Nor is anything stored over what the next turn reads, though this turn has no use for it any more. */
static void turns_leave_the_place(void **state)
{
    struct fixture *f = *state;
    size_t n = 1 << 16;
    ctr_tensor *before = ctr_relu(f->g, ctr_graph_input(f->g, "x", CTR_F32, 1, &n));
    ctr_graph_repeat(f->g, 2);
    ctr_tensor *inner = ctr_relu(f->g, before);
    ctr_graph_once(f->g);
    ctr_graph_keep(inner);
    assert_int_equal(ctr_graph_plan(f->g, NULL), 0);
    assert_ptr_not_equal(place(inner), place(before));
}

static void failures_wait(void **state)
{
    struct fixture *f = *state;
    assert_null(ctr_relu(f->g, NULL));
    assert_int_equal(ctr_graph_status(f->g), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "relu"));
    size_t n = 4;
    assert_null(ctr_graph_input(f->g, "x", CTR_F32, 1, &n)); /* still the first failure */
    assert_int_equal(ctr_graph_plan(f->g, NULL), CTR_E_USAGE);
}

static void shapes_must_agree(void **state)
{
    struct fixture *f = *state;
    size_t n = 4, m = 5;
    assert_non_null(ctr_graph_param(f->g, "p", 1, &n, zero, 0));
    assert_null(ctr_graph_param(f->g, "p", 1, &m, zero, 0));
    assert_int_equal(ctr_graph_status(f->g), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "'p'"));
}

/* Each starts from a graph of its own, since the first failure stays. */
static void assert_refused(struct fixture *f, const char *word)
{
    assert_int_equal(ctr_graph_status(f->g), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), word));
    ctr_graph_destroy(&f->g);
    assert_int_equal(ctr_graph_create(&f->g, f->dev, f->store), 0);
}

static void limits_hold(void **state)
{
    struct fixture *f = *state;
    static const struct ctr_op op = {.name = "wide"};
    const size_t n[CTR_MAX_RANK + 1] = {2, 2, 2, 2, 2};
    ctr_tensor *in[CTR_MAX_IO + 1];
    assert_null(ctr_graph_input(f->g, "x", CTR_F32, CTR_MAX_RANK + 1, n));
    assert_refused(f, "dimensions");
    assert_null(ctr_graph_param(f->g, "p", CTR_MAX_RANK + 1, n, zero, 0));
    assert_refused(f, "dimensions");
    for (unsigned i = 0; i <= CTR_MAX_IO; i++)
        in[i] = ctr_graph_input(f->g, "x", CTR_F32, 1, n);
    assert_null(ctr_node_add(f->g, &op, NULL, 0, CTR_MAX_IO + 1, in, 0));
    assert_refused(f, "inputs");
    ctr_node *node = ctr_node_add(f->g, &op, NULL, 0, 0, NULL, 0);
    for (unsigned i = 0; i < CTR_MAX_IO; i++)
        assert_non_null(ctr_node_out(f->g, node, CTR_F32, 1, n));
    assert_null(ctr_node_out(f->g, node, CTR_F32, 1, n));
    assert_refused(f, "outputs");
    assert_int_equal(ctr_graph_backward(f->g, NULL, NULL), CTR_E_USAGE);
    assert_refused(f, "gradient");
}

/* Plan, lower, each once and in this order; the graph of no store says so. */
static void order_holds(void **state)
{
    struct fixture *f = *state;
    ctr_graph *bare = NULL;
    size_t n = 100;
    ctr_graph_keep(ctr_relu(f->g, ctr_graph_input(f->g, "x", CTR_F32, 1, &n)));
    assert_int_equal(ctr_graph_lower(f->g), CTR_E_USAGE);
    assert_int_equal(ctr_graph_plan(f->g, NULL), 0);
    assert_int_equal(ctr_graph_plan(f->g, NULL), CTR_E_USAGE);
    assert_int_equal(ctr_graph_lower(f->g), 0);
    assert_int_equal(ctr_graph_lower(f->g), CTR_E_USAGE);
    assert_int_equal(ctr_graph_report(f->g).launches, 1);
    assert_int_equal(ctr_graph_create(&bare, f->dev, NULL), 0);
    assert_null(ctr_graph_param(bare, "p", 1, &n, zero, 0));
    assert_int_equal(ctr_graph_status(bare), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "store"));
    ctr_graph_destroy(&bare);
    assert_int_equal(ctr_graph_create(&bare, f->dev, NULL), 0); /* nothing at all */
    assert_int_equal(ctr_graph_plan(bare, NULL), 0);
    assert_int_equal(ctr_graph_lower(bare), 0);
    assert_int_equal(ctr_graph_replay(bare), 0);
    ctr_graph_destroy(&bare);
}

/* A buffer bound to an input must hold it. */
static void bound_buffers_fit(void **state)
{
    struct fixture *f = *state;
    size_t n = 100;
    ctr_buf *buf = NULL;
    assert_int_equal(ctr_buf_create(&buf, f->dev, 4 * n - 1, "images"), 0);
    ctr_tensor *x = ctr_graph_input(f->g, "x", CTR_F32, 1, &n);
    ctr_graph_bind(x, buf);
    ctr_relu(f->g, x);
    assert_int_equal(ctr_graph_plan(f->g, NULL), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "'x'"));
    ctr_buf_destroy(&buf);
}

/* Gradients of a repeated part are its own. */
static void parts_are_refused(void **state)
{
    struct fixture *f = *state;
    size_t n = 16;
    ctr_tensor *y = ctr_relu(f->g, ctr_graph_param(f->g, "p", 1, &n, zero, 0));
    ctr_graph_repeat(f->g, 2);
    assert_int_equal(ctr_graph_backward(f->g, y, NULL), CTR_E_USAGE);
    assert_refused(f, "not made in the repeated part");
    ctr_tensor *p = ctr_graph_param(f->g, "p", 1, &n, zero, 0);
    assert_int_equal(ctr_graph_backward(f->g, ctr_relu(f->g, p), NULL), 0);
    ctr_graph_repeat(f->g, 2);
    assert_int_not_equal(ctr_graph_backward(f->g, ctr_relu(f->g, p), NULL), 0);
    assert_int_equal(ctr_graph_status(f->g), CTR_E_FAIL);
    assert_non_null(strstr(ctr_error_text(), "two parts"));
}

/* Replaying allocates nothing. */
static void replay_allocates_nothing(void **state)
{
    struct fixture *f = *state;
    size_t n = 1000;
    ctr_tensor *y = ctr_relu(f->g, ctr_graph_param(f->g, "p", 1, &n, zero, 0));
    assert_int_equal(ctr_graph_backward(f->g, y, NULL), 0);
    assert_int_equal(ctr_graph_plan(f->g, NULL), 0);
    assert_int_equal(ctr_graph_lower(f->g), 0);
    assert_int_equal(ctr_dev_build(f->dev, 1, NULL, NULL), 0);
    struct ctr_dev_stats before = ctr_dev_stats(f->dev);
    for (int i = 0; i < 5; i++)
        assert_int_equal(ctr_graph_replay(f->g), 0);
    struct ctr_dev_stats after = ctr_dev_stats(f->dev);
    assert_int_equal(after.allocations, before.allocations);
    assert_int_equal(after.builds, before.builds);
    assert_int_equal(after.launches - before.launches, 5 * ctr_graph_report(f->g).launches);
}

/* The same seed gives the same parameters; entries are padded with zeros, moments start at zero. */
static void store_init(void **state)
{
    struct fixture *f = *state;
    const struct ctr_init normal = {CTR_INIT_NORMAL, 0.5f};
    size_t n = 1000;
    float a[1000], b[1000];
    assert_non_null(ctr_graph_param(f->g, "p", 1, &n, normal, 0));
    assert_non_null(ctr_graph_param(f->g, "q", 1, &n, normal, CTR_PARAM_NO_DECAY));
    ctr_store_moments(f->store, 1);
    assert_int_equal(ctr_store_init(f->store, 7), 0);
    assert_int_equal(ctr_store_flat_count(f->store), 2 * 1024);
    assert_int_equal(ctr_store_read(a, f->store, 0, CTR_STORE_VALUES), 0);
    assert_int_equal(ctr_store_read(b, f->store, 1, CTR_STORE_VALUES), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(ctr_store_init(f->store, 7), 0);
    assert_int_equal(ctr_store_read(b, f->store, 0, CTR_STORE_VALUES), 0);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(ctr_store_read(b, f->store, 0, CTR_STORE_MOMENT1), 0);
    for (size_t i = 0; i < n; i++)
        assert_true(b[i] == 0);
    assert_int_equal(ctr_store_read(b, f->store, 0, CTR_STORE_MOMENT2), CTR_E_FAIL);
}

/* A graph that makes no gradients takes values alone; one that does, over the same store, adds them. */
static void only_what_is_asked_for(void **state)
{
    struct fixture *f = *state;
    size_t n = 1000;
    const uint64_t flat = 1024 * sizeof(float);
    ctr_graph *trained = NULL;
    uint64_t before = ctr_dev_stats(f->dev).live_bytes;
    assert_non_null(ctr_graph_param(f->g, "p", 1, &n, zero, 0));
    assert_int_equal(ctr_graph_plan(f->g, NULL), 0);
    assert_int_equal(ctr_graph_report(f->g).grad_bytes, 0);
    assert_int_equal(ctr_dev_stats(f->dev).live_bytes - before, flat);
    assert_int_equal(ctr_graph_create(&trained, f->dev, f->store), 0);
    ctr_tensor *p = ctr_graph_param(trained, "p", 1, &n, zero, 0);
    assert_int_equal(ctr_graph_backward(trained, p, NULL), 0);
    assert_int_equal(ctr_graph_plan(trained, NULL), 0);
    assert_int_equal(ctr_graph_report(trained).grad_bytes, flat);
    assert_true(ctr_dev_stats(f->dev).live_bytes - before >= 2 * flat);
    ctr_graph_destroy(&trained);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(chain_shares_memory),
        TEST(constants_hold_what_was_given),
        TEST(no_overlap),
        TEST(gradients_lend_their_places),
        TEST(gradients_add_up),
        TEST(parts_are_repeated),
        TEST(turns_leave_the_place),
        TEST(parts_are_refused),
        TEST(failures_wait),
        TEST(shapes_must_agree),
        TEST(replay_allocates_nothing),
        TEST(limits_hold),
        TEST(order_holds),
        TEST(bound_buffers_fit),
        TEST(store_init),
        TEST(only_what_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
