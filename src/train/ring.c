/* ring.c -- the last node of a step: its scalars into a row of the ring. */
#include "train/ring.h"

static int lower(ctr_graph *g, ctr_node *node)
{
    struct ctr_launch_spec spec = {
        .file = "train/ring.cl", .kernel = "ring_put", .n_args = 6, .global = {1}, .local = {1}};
    ctr_tensor *a = node->in[2], *b = node->in[3];
    spec.args[0] = CTR_BUF(node->in[0]->buf);
    spec.args[1] = CTR_BUF(node->in[1]->buf);
    spec.args[2] = CTR_BUF((a ? a : node->in[1])->buf);
    spec.args[3] = CTR_BUF((b ? b : node->in[1])->buf);
    spec.args[4] = CTR_U32((a != NULL) | (b != NULL) << 1);
    spec.args[5] = CTR_U32(CTR_RING_ROWS);
    return ctr_emit(g, &spec);
}

static const struct ctr_op op = {
    .name = "ring",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = lower}, {0}},
};

ctr_tensor *ctr_ring_record(ctr_graph *g, ctr_tensor *step, ctr_tensor *const value[CTR_RING_COLS])
{
    ctr_tensor *ring =
        ctr_graph_input(g, "ring", CTR_F32, 2, (size_t[]){CTR_RING_ROWS, CTR_RING_COLS});
    ctr_node *node =
        ctr_node_add(g, &op, NULL, 0, 4, (ctr_tensor *[]){ring, step, value[0], value[1]}, 2);
    return node ? ring : NULL;
}
