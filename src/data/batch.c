/* batch.c -- the first node of a step: this step's part of the epoch's plan. See batch.h. */
#include "data/batch.h"

struct attr {
    uint64_t seed;
    uint32_t steps, N;
    int fed;
};

static int lower(ctr_graph *g, ctr_node *node)
{
    const struct attr *a = node->attr;
    const struct ctr_caps *caps = ctr_graph_caps(g);
    struct ctr_launch_spec spec = {.file = "data/batch.cl", .kernel = "batch_begin"};
    unsigned n = 0;
    if (a->fed)
        spec.options = "-DFED=1";
    spec.args[n++] = CTR_BUF(node->out[0]->buf);
    spec.args[n++] = CTR_BUF(node->out[1]->buf);
    if (!a->fed)
        spec.args[n++] = CTR_BUF(node->out[2]->buf);
    spec.args[n++] = CTR_BUF(node->in[0]->buf);
    spec.args[n++] = CTR_BUF(node->in[1]->buf);
    if (!a->fed)
        spec.args[n++] = CTR_BUF(node->in[2]->buf);
    spec.args[n++] = CTR_U32(a->seed);
    spec.args[n++] = CTR_U32(a->seed >> 32);
    spec.args[n++] = CTR_U32(a->steps);
    spec.args[n++] = CTR_U32(a->N);
    spec.n_args = n;
    spec.local[0] = caps->family == CTR_FAMILY_CPU ? 1
                    : caps->max_group < 64         ? caps->max_group
                                                   : 64;
    spec.global[0] = spec.local[0]; /* one group: it reads the cursor, then moves it */
    return ctr_emit(g, &spec);
}

static const struct ctr_op op = {
    .name = "batch",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = lower}, {0}},
};

int ctr_batch_record(struct ctr_batch *b, ctr_graph *g, size_t steps, size_t N, uint64_t seed,
                     int fed)
{
    const struct attr attr = {seed, (uint32_t)steps, (uint32_t)N, fed};
    *b = (struct ctr_batch){.steps = steps, .N = N};
    if (steps > UINT32_MAX / N)
        ctr_graph_fail(g, CTR_E_USAGE, "an epoch of %zu steps of %zu is too long", steps, N);
    b->cursor = ctr_graph_input(g, "cursor", CTR_U32, 1, (size_t[]){CTR_CURSOR_WORDS});
    b->rates = ctr_graph_input(g, "learning rates", CTR_F32, 1, &steps);
    if (!fed)
        b->order = ctr_graph_input(g, "order", CTR_U32, 2, (size_t[]){steps, N});
    ctr_node *node = ctr_node_add(g, &op, &attr, sizeof attr, 3,
                                  (ctr_tensor *[]){b->cursor, b->rates, b->order}, 1);
    b->step = ctr_node_out(g, node, CTR_U32, 1, (size_t[]){4});
    b->scalars = ctr_node_out(g, node, CTR_F32, 1, (size_t[]){2});
    if (!fed)
        b->index = ctr_node_out(g, node, CTR_U32, 1, &N);
    return ctr_graph_status(g);
}

static int labels_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *label = node->out[0], *labels = node->in[0];
    struct ctr_launch_spec spec = {.file = "data/batch.cl",
                                   .kernel = "batch_labels",
                                   .args = {CTR_BUF(label->buf), CTR_BUF(labels->buf),
                                            CTR_BUF(node->in[1]->buf), CTR_U32(labels->count),
                                            CTR_U32(label->count)},
                                   .n_args = 5};
    ctr_grid_items(g, &spec, label->count, 64);
    return ctr_emit(g, &spec);
}

static const struct ctr_op labels_op = {
    .name = "labels",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = labels_lower}, {0}},
};

ctr_tensor *ctr_batch_labels(ctr_graph *g, ctr_tensor *labels, ctr_tensor *index)
{
    ctr_node *node = ctr_node_add(g, &labels_op, NULL, 0, 2, (ctr_tensor *[]){labels, index}, 0);
    return node ? ctr_node_out(g, node, CTR_I32, 1, index->dim) : NULL;
}

int ctr_batch_begin(struct ctr_batch *b, uint32_t epoch, uint32_t at, uint32_t done,
                    const uint32_t *order, const float *rates)
{
    const uint32_t cursor[CTR_CURSOR_WORDS] = {at, epoch, done, 0};
    int rc = ctr_tensor_write(b->cursor, cursor, sizeof cursor);
    if (rc == 0)
        rc = ctr_tensor_write(b->rates, rates, b->rates->bytes);
    if (rc == 0 && b->order)
        rc = ctr_tensor_write(b->order, order, b->order->bytes);
    return rc;
}
