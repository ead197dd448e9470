/* queue.c -- see queue.h. Where a row goes follows from the number of the step. */
#include "method/queue.h"

ctr_tensor *ctr_queue(ctr_graph *g, const char *name, size_t K, size_t D)
{
    return ctr_graph_state(g, name, 2, (size_t[]){K, D},
                           (struct ctr_init){.kind = CTR_INIT_DIRECTIONS});
}

static int lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *queue = node->in[0], *rows = node->in[1];
    struct ctr_launch_spec spec = {.file = "method/queue.cl",
                                   .kernel = "queue_put",
                                   .n_args = 7,
                                   .bytes = 2.0 * (double)rows->bytes};
    for (unsigned i = 0; i < 3; i++)
        spec.args[i] = CTR_BUF(node->in[i]->buf);
    spec.args[3] = CTR_U64(queue->dim[0]);
    spec.args[4] = CTR_U64(queue->dim[1]);
    spec.args[5] = CTR_U64(rows->count);
    spec.args[6] = CTR_U32(ctr_grid_chunks(g, &spec, rows->count));
    return ctr_emit(g, &spec);
}

static const struct ctr_op put = {
    .name = "queue_put",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = lower}, {0}},
};

int ctr_queue_put(ctr_graph *g, ctr_tensor *queue, ctr_tensor *rows, ctr_tensor *step)
{
    if (queue && rows && (rows->dim[1] != queue->dim[1] || rows->dim[0] > queue->dim[0]))
        ctr_graph_fail(g, CTR_E_USAGE, "a queue of %zu rows is shorter than the %zu of a step",
                       queue->dim[0], rows->dim[0]);
    ctr_node_add(g, &put, NULL, 0, 3, (ctr_tensor *[]){queue, rows, step}, 0);
    return ctr_graph_status(g);
}
