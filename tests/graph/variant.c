/* Choosing variants and configurations, on the null device: an op of this test's own with two
 * variants, of which "fast" takes 16,64 or 32, and even lengths only. */
#include "graph/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static int lower(ctr_graph *g, ctr_node *node)
{
    return 0;
}

static int even(const struct ctr_caps *caps, const ctr_node *node)
{
    return node->in[0]->count % 2 == 0;
}

static size_t configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                      const ctr_node *node)
{
    assert_true(room >= 2);
    out[0] = (struct ctr_config){{16, 64}};
    out[1] = (struct ctr_config){{32}};
    return 2;
}

static const struct ctr_op op = {
    .name = "fake",
    .variants =
        (const struct ctr_variant[]){
            {.name = "fast", .usable = even, .lower = lower, .configs = configs},
            {.name = "general", .lower = lower},
            {0}},
};

struct fixture {
    ctr_dev *dev;
    ctr_graph *g;
    ctr_node *even, *odd;
};

static ctr_node *add(ctr_graph *g, size_t n, int attr)
{
    ctr_tensor *x = ctr_graph_input(g, "x", CTR_F32, 1, &n);
    ctr_node *node = ctr_node_add(g, &op, &attr, sizeof attr, 2, (ctr_tensor *[]){x, NULL}, 1);
    ctr_node_out(g, node, CTR_F32, 1, &n);
    return node;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    if (ctr_dev_open(&f->dev, "null", NULL) || ctr_graph_create(&f->g, f->dev, NULL))
        return -1;
    f->even = add(f->g, 8, 0);
    f->odd = add(f->g, 9, 0);
    return ctr_graph_status(f->g);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    ctr_graph_destroy(&f->g);
    ctr_dev_destroy(&f->dev);
    free(f);
    return 0;
}

static void assert_chosen(const ctr_node *node, const char *want)
{
    struct ctr_str s = {0};
    ctr_str_addf(&s, "%s", node->variant->name);
    ctr_config_text(&s, &node->config);
    assert_string_equal(s.s, want);
    ctr_str_free(&s);
}

static void choose(struct fixture *f, const char *list, const char *even_one, const char *odd_one)
{
    assert_int_equal(ctr_graph_plan(f->g, &(struct ctr_plan_params){.kernels = list}), 0);
    assert_chosen(f->even, even_one);
    assert_chosen(f->odd, odd_one);
}

static void first_usable(void **state)
{
    choose(*state, NULL, "fast", "general");
}

static void forced(void **state)
{
    choose(*state, "fake=general", "general", "general");
}

static void forced_where_usable(void **state)
{
    choose(*state, "fake=fast:16,64", "fast:16,64", "general");
}

static void first_choice_wins(void **state)
{
    choose(*state, ",fake=fast:32,fake=general,\n", "fast:32", "general");
}

static void one_shape_only(void **state)
{
    struct fixture *f = *state;
    struct ctr_str shape = {0}, list = {0};
    ctr_node_shape(&shape, f->even);
    assert_int_equal(strncmp(shape.s, "8/-#", 4), 0);
    ctr_str_addf(&list, "fake@7/-#00000000=fast:16,64\nfake@%s=fast:32\n", shape.s);
    choose(f, list.s, "fast:32", "general");
    ctr_str_free(&shape);
    ctr_str_free(&list);
}

/* Shapes differ with the attributes and with what comes out. */
static void shapes_tell_apart(void **state)
{
    struct fixture *f = *state;
    struct ctr_str a = {0}, b = {0}, c = {0};
    ctr_node *more = add(f->g, 8, 0), *other = add(f->g, 8, 1);
    ctr_node_out(f->g, more, CTR_U8, 1, (size_t[]){3});
    ctr_node_shape(&a, f->even);
    ctr_node_shape(&b, more);
    ctr_node_shape(&c, other);
    assert_string_not_equal(a.s, b.s);
    assert_string_not_equal(a.s, c.s);
    ctr_str_free(&a);
    ctr_str_free(&b);
    ctr_str_free(&c);
}

static void items_have_lengths(void **state)
{
    assert_int_equal(ctr_variant_item_length("a=b:16,64,c=d"), 9);
    assert_int_equal(ctr_variant_item_length("a=b,c=d:1,2"), 3);
    assert_int_equal(ctr_variant_item_length("a=b:16\nc=d"), 6);
    assert_int_equal(ctr_variant_item_length(""), 0);
}

static void slips_are_told(void **state)
{
    struct fixture *f = *state;
    static const char *const lists[][3] = {
        {"fake", "not op=variant", ""},
        {"fake=fast:", "not op=variant", ""},
        {"fake=fast:1,2,3,4,5,6", "not op=variant", ""},
        {"fake=fast:x", "not op=variant", ""},
        {"fake=general,fake=fsat", "no such variant", "fast general"},
        {"fkae=fast", "no such op", "fake"},
        {"fake=fast:16", "no such configuration", "fast:16,64 fast:32"},
        {"fake=fast:99999999999999999999", "not op=variant", ""},
        {"fake=general:16,64", "no such configuration", ""},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        assert_int_equal(ctr_graph_plan(f->g, &(struct ctr_plan_params){.kernels = lists[i][0]}),
                         CTR_E_USAGE);
        assert_non_null(strstr(ctr_error_text(), lists[i][1]));
        assert_non_null(strstr(ctr_error_hint(), lists[i][2]));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_usable),       TEST(forced),         TEST(forced_where_usable),
        TEST(first_choice_wins),  TEST(one_shape_only), TEST(shapes_tell_apart),
        TEST(items_have_lengths), TEST(slips_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
