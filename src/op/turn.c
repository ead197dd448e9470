/* turn.c -- rows of one turn of a repeated part, out of those of all turns and back.
 * In all[V * times * n, ...] rows stand block by block, V of them, and in each turn by turn, n rows a
 * turn; in part[V * n, ...] the blocks follow each other. No gradient flows through either. */
#include "op/op.h"

struct attr {
    uint64_t times, blocks;
};

/* Both sides in words, if need be in bytes: a block of a turn, and of all. */
static int lower(ctr_graph *g, ctr_node *node, const char *kernel)
{
    const struct attr *a = node->attr;
    const ctr_tensor *to = node->out[0], *from = node->in[0];
    size_t bytes = (to->bytes < from->bytes ? to->bytes : from->bytes) / a->blocks;
    size_t size = bytes % 4 == 0 ? 4 : 1, n = bytes / size;
    struct ctr_launch_spec spec = {.file = "op/turn.cl",
                                   .kernel = kernel,
                                   .options = size == 1 ? "-DBYTES=1" : NULL,
                                   .args = {CTR_BUF(to->buf), CTR_BUF(from->buf),
                                            CTR_BUF(node->in[1]->buf), CTR_U64(n),
                                            CTR_U64(n * a->times)},
                                   .n_args = 6,
                                   .bytes = 2.0 * (double)(bytes * a->blocks)};
    spec.args[5] = CTR_U32(ctr_grid_chunks(g, &spec, n));
    spec.global[1] = a->blocks;
    spec.local[1] = 1;
    return ctr_emit(g, &spec);
}

static int take_lower(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, "turn_take");
}

static int put_lower(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, "turn_put");
}

static const struct ctr_op take = {
    .name = "turn_take",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = take_lower}, {0}},
};

static const struct ctr_op put = {
    .name = "turn_put",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = put_lower}, {0}},
};

static ctr_tensor *record(ctr_graph *g, const struct ctr_op *op, ctr_tensor *x, ctr_tensor *turn,
                          struct attr attr, size_t rows)
{
    ctr_node *node = ctr_node_add(g, op, &attr, sizeof attr, 2, (ctr_tensor *[]){x, turn}, 0);
    return node ? ctr_node_out(g, node, x->dtype, x->rank,
                               (size_t[]){rows, x->dim[1], x->dim[2], x->dim[3]})
                : NULL;
}

ctr_tensor *ctr_turn_take(ctr_graph *g, ctr_tensor *x, ctr_tensor *turn, size_t times, size_t blocks)
{
    if (x && (x->rank == 0 || x->dim[0] % (times * blocks) != 0))
        return ctr_graph_fail(g, CTR_E_USAGE, "turn_take: '%s' has no rows for %zu turns", x->name,
                              times);
    return record(g, &take, x, turn, (struct attr){times, blocks}, x ? x->dim[0] / times : 0);
}

ctr_tensor *ctr_turn_put(ctr_graph *g, ctr_tensor *x, ctr_tensor *turn, size_t times, size_t blocks)
{
    if (x && (x->rank == 0 || x->dim[0] % blocks != 0))
        return ctr_graph_fail(g, CTR_E_USAGE, "turn_put: '%s' is not made of %zu blocks", x->name,
                              blocks);
    return record(g, &put, x, turn, (struct attr){times, blocks}, x ? x->dim[0] * times : 0);
}
