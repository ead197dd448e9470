/* loss_scale.c -- dynamic loss scaling (optim.h). In: the flat gradients of a step. Out: whether they
 * are all finite, hence the scalars that the optimiser goes by and the next step's scale. Two
 * launches: one flag for each work-item's share, then the verdict. */
#include "optim/impl.h"

enum { SCALE, GRADS, SCALARS };
enum { GROUP = 64, ITEMS = 16384 }; /* GROUP as in the kernel file; ITEMS on GPUs */

ctr_tensor *ctr_loss_scale(ctr_graph *g)
{
    return ctr_graph_state(g, "optimizer.loss_scale", 1, (size_t[]){3},
                           (struct ctr_init){.kind = CTR_INIT_ZERO});
}

static int seed_lower(ctr_graph *g, ctr_node *node)
{
    struct ctr_launch_spec spec = {
        .file = "optim/loss_scale.cl",
        .kernel = "loss_scale_seed",
        .global = {1},
        .local = {1},
        .args = {CTR_BUF(node->out[0]->buf), CTR_BUF(node->in[SCALE]->buf),
                 CTR_F32(CTR_LOSS_SCALE_FIRST)},
        .n_args = 3};
    return ctr_emit(g, &spec);
}

static const struct ctr_op seed = {
    .name = "loss_scale_seed",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = seed_lower}, {0}},
};

ctr_tensor *ctr_loss_scale_seed(ctr_graph *g, ctr_tensor *scale, const ctr_tensor *loss)
{
    if (loss && loss->count != 1)
        return ctr_graph_fail(g, CTR_E_USAGE, "loss_scale: '%s' is no scalar", loss->name);
    ctr_node *node = ctr_node_add(g, &seed, NULL, 0, 1, &scale, 0);
    return node ? ctr_node_out(g, node, CTR_F32, loss->rank, loss->dim) : NULL;
}

static size_t items(const ctr_graph *g)
{
    const struct ctr_caps *caps = ctr_graph_caps(g);
    return caps->family == CTR_FAMILY_GPU ? ITEMS : 16 * (size_t)caps->compute_units;
}

static int settle_prepare(ctr_graph *g, ctr_node *node)
{
    return ctr_node_scratch(g, node, items(g) * sizeof(uint32_t)) ? 0 : ctr_graph_status(g);
}

static int settle_lower(ctr_graph *g, ctr_node *node)
{
    const ctr_tensor *grads = node->in[GRADS];
    ctr_buf *flags = node->scratch->buf;
    size_t group = ctr_graph_caps(g)->family == CTR_FAMILY_GPU ? GROUP : 1;
    size_t per = (grads->count / items(g) + 16) / 16 * 16;
    struct ctr_launch_spec look = {
        .file = "optim/loss_scale.cl",
        .kernel = "loss_scale_look",
        .global = {items(g)},
        .local = {group},
        .args = {CTR_BUF(flags), CTR_BUF(grads->buf), CTR_U64(grads->count), CTR_U64(per)},
        .n_args = 4,
        .bytes = (double)grads->bytes};
    struct ctr_launch_spec settle = {
        .file = "optim/loss_scale.cl",
        .kernel = "loss_scale_settle",
        .global = {group},
        .local = {group},
        .args = {CTR_BUF(node->out[0]->buf), CTR_BUF(node->in[SCALE]->buf), CTR_BUF(flags),
                 CTR_BUF(node->in[SCALARS]->buf), CTR_F32(CTR_LOSS_SCALE_FIRST),
                 CTR_F32(CTR_LOSS_SCALE_STEPS), CTR_U32(items(g))},
        .n_args = 7};
    int rc = ctr_emit(g, &look);
    return rc != 0 ? rc : ctr_emit(g, &settle);
}

static const struct ctr_op settle_op = {
    .name = "loss_scale",
    .variants =
        (const struct ctr_variant[]){
            {.name = "general", .prepare = settle_prepare, .lower = settle_lower}, {0}},
};

ctr_tensor *ctr_loss_scale_settle(ctr_graph *g, ctr_tensor *scale, ctr_tensor *scalars)
{
    ctr_tensor *in[] = {scale, ctr_graph_store_part(g, CTR_STORE_GRADS), scalars};
    ctr_node *node = ctr_node_add(g, &settle_op, NULL, 0, 3, in, 0);
    return ctr_node_out(g, node, CTR_F32, 1, (size_t[]){3});
}
