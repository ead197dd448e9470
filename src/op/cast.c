/* cast.c -- y = x, stored otherwise: fp32 as fp16 or bf16 (rounded to nearest, ties to even), or the
 * reverse, which is exact;  dx = dy cast back.  Any shape. */
#include "op/op.h"

static int lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0], *y = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/cast.cl",
                                   .kernel = y->dtype == CTR_F32 ? "cast_widen" : "cast_narrow",
                                   .n_args = 4,
                                   .bytes = (double)(x->bytes + y->bytes)};
    spec.args[0] = CTR_BUF(y->buf);
    spec.args[1] = CTR_BUF(x->buf);
    spec.args[2] = CTR_U64(y->count);
    spec.args[3] = CTR_U32(ctr_grid_chunks(g, &spec, y->count));
    return ctr_emit(g, &spec);
}

static int cast_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0];
    return ctr_grad_add(g, x, ctr_cast(g, node->out[0]->grad, x->dtype));
}

static const struct ctr_op cast = {
    .name = "cast",
    .grad = cast_grad,
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = lower, .half = 1}, {0}},
};

ctr_tensor *ctr_cast(ctr_graph *g, ctr_tensor *x, enum ctr_dtype dtype)
{
    if (!x || x->dtype == dtype)
        return x;
    if (!ctr_dtype_is_float(x->dtype) || !ctr_dtype_is_float(dtype) ||
        (x->dtype != CTR_F32 && dtype != CTR_F32))
        return ctr_graph_fail(g, CTR_E_USAGE, "cast: '%s' is %s, which is not cast to %s", x->name,
                              ctr_dtype_name(x->dtype), ctr_dtype_name(dtype));
    ctr_node *node = ctr_node_add(g, &cast, NULL, 0, 1, &x, 0);
    return ctr_node_out(g, node, dtype, x->rank, x->dim);
}
