/* take_nearest.c -- y_i = the row of keys[K,D] with the largest s_ik, the first among equals. No
 * gradient: what is nearest does not move. */
#include "op/rowgroup.h"

static int lower(ctr_graph *g, ctr_node *node, int group)
{
    ctr_tensor *s = node->in[0], *keys = node->in[1], *y = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/take_nearest.cl",
                                   .kernel = "take_nearest",
                                   .n_args = 7,
                                   .flops = (double)s->count,
                                   .bytes = (double)(s->bytes + 2 * y->bytes)};
    spec.args[0] = CTR_BUF(y->buf);
    spec.args[1] = CTR_BUF(s->buf);
    spec.args[2] = CTR_BUF(keys->buf);
    spec.args[3] = CTR_U64(s->dim[0]);
    spec.args[4] = CTR_I32(s->dim[1]);
    spec.args[5] = CTR_I32(keys->dim[1]);
    spec.args[6] = CTR_U32(ctr_rowgroup_grid(g, &spec, group, s->dim[0], s->dim[1]));
    return ctr_emit(g, &spec);
}

static int row(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, 0);
}

static int group(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, 1);
}

static const struct ctr_op take_nearest = {
    .name = "take_nearest",
    .variants =
        (const struct ctr_variant[]){{.name = "row", .usable = ctr_rowgroup_single, .lower = row},
                                     {.name = "group", .lower = group},
                                     {0}},
};

ctr_tensor *ctr_take_nearest(ctr_graph *g, ctr_tensor *s, ctr_tensor *keys)
{
    if (s && keys &&
        (s->rank != 2 || keys->rank != 2 || s->dim[1] != keys->dim[0] || s->dim[1] > 1u << 24))
        return ctr_graph_fail(g, CTR_E_USAGE,
                              "take_nearest: %s has not a column for each row of %s", s->name,
                              keys->name);
    ctr_node *node = ctr_node_add(g, &take_nearest, NULL, 0, 2, (ctr_tensor *[]){s, keys}, 0);
    return node ? ctr_node_out(g, node, CTR_F32, 2, (size_t[]){s->dim[0], keys->dim[1]}) : NULL;
}
