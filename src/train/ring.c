/* ring.c -- the last node of a step: its scalars into a row of the ring. */
#include "train/ring.h"

static int lower(ctr_graph *g, ctr_node *node)
{
    struct ctr_launch_spec spec = {
        .file = "train/ring.cl", .kernel = "ring_put", .n_args = 8, .global = {1}, .local = {1}};
    uint32_t have = 0;
    for (unsigned i = 0; i < 2 + CTR_RING_COLS; i++) {
        ctr_tensor *t = node->in[i] ? node->in[i] : node->in[2];
        spec.args[i] = CTR_BUF(t->buf);
        have |= (uint32_t)(node->in[i] != NULL) << i;
    }
    spec.args[6] = CTR_U32(have >> 2);
    spec.args[7] = CTR_U32(CTR_RING_ROWS);
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
    ctr_tensor *in[] = {ring, step, value[0], value[1], value[2], value[3]};
    return ctr_node_add(g, &op, NULL, 0, 6, in, 3) ? ring : NULL;
}
