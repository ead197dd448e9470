/* net.c -- walks a recorded encoder, node by node, and folds what can be folded. See net.h. */
#include "export/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "op/form.h"

struct walk {
    struct ctr_net *net;
    const struct ctr_sketch *sketch;
    const struct ctr_st *st;
    const ctr_tensor **made; /* made[i] is what step i computes */
    size_t cap_made;
};

/* The step that computes a tensor; the input is no step's. */
static int step_of(const struct walk *w, const ctr_tensor *t)
{
    for (size_t i = w->net->n; i-- > 0;)
        if (w->made[i] == t)
            return (int)i;
    return CTR_STEP_IMAGE;
}

static struct ctr_shape shape_of(const ctr_tensor *t)
{
    return t->rank == 4 ? (struct ctr_shape){t->dim[1], t->dim[2], t->dim[3], 0}
                        : (struct ctr_shape){1, 1, t->count / t->dim[0], 1};
}

static size_t readers(const struct walk *w, const ctr_tensor *t)
{
    size_t n = t == w->sketch->h;
    const ctr_node *node;
    for (size_t i = 0; (node = ctr_graph_node(w->sketch->g, i)); i++)
        for (unsigned k = 0; k < node->n_in; k++)
            n += node->in[k] == t;
    return n;
}

/* Values of a parameter, a state or a constant; NULL with a failure recorded. */
static const float *values(const struct walk *w, const ctr_tensor *t)
{
    const float *x = t->content;
    if (!x) {
        const struct ctr_st_tensor *s = ctr_st_find(w->st, t->name);
        int same = s && s->dtype == CTR_ST_F32 && s->rank == t->rank;
        for (unsigned k = 0; same && k < t->rank; k++)
            same = s->dims[k] == t->dim[k];
        if (!same) {
            ctr_fail(CTR_E_MODEL,
                     s ? "'%s' of the model has another shape than the encoder's or is not F32"
                       : "the model has no '%s'",
                     t->name);
            return NULL;
        }
        x = s->data;
    }
    for (size_t i = 0; i < t->count; i++)
        if (!isfinite(x[i])) {
            ctr_fail(CTR_E_MODEL, "'%s' of the model is not finite", t->name);
            return NULL;
        }
    return x;
}

/* ---- adding steps ---- */

/* A step from step `in` on that computes the tensor `made`, NULL where the graph has no such
 * tensor: then of the shape of its input. NULL: no memory. */
static struct ctr_step *add(struct walk *w, enum ctr_step_kind kind, const char *name, int in,
                            const ctr_tensor *made)
{
    struct ctr_net *net = w->net;
    if (ctr_grow((void **)&net->step, &net->cap, net->n + 1, sizeof *net->step) != 0 ||
        ctr_grow((void **)&w->made, &w->cap_made, net->n + 1, sizeof *w->made) != 0)
        return NULL;
    struct ctr_step *s = &net->step[net->n];
    *s = (struct ctr_step){
        .kind = kind, .in = {in, CTR_STEP_IMAGE}, .from = in >= 0 ? net->step[in].to : net->image};
    s->to = made ? shape_of(made) : s->from;
    s->name = ctr_arena_strdup(&net->mem, name);
    w->made[net->n++] = made;
    return s->name ? s : NULL;
}

static float *copy(struct walk *w, const float *x, size_t n)
{
    float *to = ctr_arena_alloc(&w->net->mem, n * sizeof *to);
    return to && x ? memcpy(to, x, n * sizeof *to) : to;
}

/* Weights w and bias b (NULL: zeros) of a step whose result has as many channels as w has rows. */
static int give_weights(struct walk *w, struct ctr_step *s, const ctr_tensor *weight,
                        const ctr_tensor *bias)
{
    const float *x = values(w, weight), *b = bias ? values(w, bias) : NULL;
    if (!x || (bias && !b))
        return CTR_E_MODEL;
    s->n_w = weight->count;
    s->n_b = weight->dim[0];
    s->w = copy(w, x, s->n_w);
    s->b = copy(w, b, s->n_b);
    return s->w && s->b ? 0 : CTR_E_FAIL;
}

/* "layer1.0.conv1" of "layer1.0.conv1.weight". */
static const char *layer_name(struct walk *w, const ctr_tensor *weight)
{
    char *name = ctr_arena_strdup(&w->net->mem, weight->name);
    char *dot = name ? strrchr(name, '.') : NULL;
    if (dot)
        *dot = '\0';
    return name ? name : "";
}

static int add_pool(struct walk *w, const ctr_node *node, enum ctr_step_kind kind, int in,
                    const struct ctr_form *form)
{
    struct ctr_step *s = add(w, kind, node->op->name, in, node->out[0]);
    if (!s)
        return CTR_E_FAIL;
    s->rows = s->columns = form->size;
    s->stride = form->stride;
    s->pad = form->pad;
    return 0;
}

static int add_conv(struct walk *w, const ctr_node *node, const struct ctr_form *form, int in)
{
    const ctr_tensor *weight = node->in[1];
    struct ctr_step *s =
        add(w, CTR_STEP_CONV, layer_name(w, weight), in, form->pool ? NULL : node->out[0]);
    if (!s)
        return CTR_E_FAIL;
    s->rows = weight->dim[2];
    s->columns = weight->dim[3];
    s->stride = form->stride;
    s->pad = form->pad;
    s->groups = form->groups;
    s->relu = form->relu;
    s->to = (struct ctr_shape){(s->from.H + 2 * s->pad - s->rows) / s->stride + 1,
                               (s->from.W + 2 * s->pad - s->columns) / s->stride + 1,
                               weight->dim[0], 0};
    int rc = give_weights(w, s, weight, node->in[2]);
    const struct ctr_form halves = {.size = 2, .stride = 2};
    return rc == 0 && form->pool ? add_pool(w, node, CTR_STEP_MAX_POOL, (int)w->net->n - 1, &halves)
                                 : rc;
}

static int add_dense(struct walk *w, const ctr_node *node, const struct ctr_form *form, int in)
{
    struct ctr_step *s = add(w, CTR_STEP_DENSE, layer_name(w, node->in[1]), in, node->out[0]);
    if (!s)
        return CTR_E_FAIL;
    s->relu = form->relu;
    return give_weights(w, s, node->in[1], node->in[2]);
}

/* y = relu(step a + b). */
static int add_sum(struct walk *w, const ctr_node *node, int a, const ctr_tensor *b, int relu)
{
    struct ctr_step *s = add(w, CTR_STEP_ADD, node->op->name, a, node->out[0]);
    if (!s)
        return CTR_E_FAIL;
    s->in[1] = step_of(w, b);
    s->relu = relu;
    return 0;
}

/* Folds batch-norm, norm[]: gamma, beta, mean and variance of C channels, into a step's weights. */
static void fold(struct ctr_step *s, const float *const *norm, double eps, size_t C)
{
    const float *gamma = norm[0], *beta = norm[1], *mean = norm[2], *var = norm[3];
    size_t per = s->n_w / C;
    for (size_t c = 0; c < C; c++) {
        double scale = gamma[c] / sqrt((double)var[c] + eps);
        for (size_t i = 0; i < per; i++)
            s->w[c * per + i] = (float)(s->w[c * per + i] * scale);
        s->b[c] = (float)(((double)s->b[c] - mean[c]) * scale + beta[c]);
    }
}

static struct ctr_step *add_scale(struct walk *w, const ctr_node *node, int in, size_t C)
{
    struct ctr_step *s = add(w, CTR_STEP_SCALE, layer_name(w, node->in[1]), in, NULL);
    if (!s || !(s->w = copy(w, NULL, C)) || !(s->b = copy(w, NULL, C)))
        return NULL;
    for (size_t c = 0; c < C; c++)
        s->w[c] = 1;
    s->n_w = s->n_b = C;
    return s;
}

/* Batch-norm goes into the weights of the layer before it, where nobody else reads that. */
static int add_norm(struct walk *w, const ctr_node *node, const struct ctr_form *form, int in)
{
    const ctr_tensor *residual = node->in[5];
    const float *norm[4];
    size_t C = node->in[1]->count;
    for (unsigned i = 0; i < 4; i++)
        if (!(norm[i] = values(w, node->in[1 + i])))
            return CTR_E_MODEL;
    struct ctr_step *s = in >= 0 ? &w->net->step[in] : NULL;
    if (!s || (s->kind != CTR_STEP_CONV && s->kind != CTR_STEP_DENSE) || s->relu ||
        readers(w, node->in[0]) != 1)
        s = add_scale(w, node, in, C);
    if (!s)
        return CTR_E_FAIL;
    fold(s, norm, form->eps, C);
    for (size_t k = 0; k < s->n_w + s->n_b; k++) /* e.g. a variance below zero */
        if (!isfinite(k < s->n_w ? s->w[k] : s->b[k - s->n_w]))
            return ctr_fail(CTR_E_MODEL, "'%s' is not finite with its batch-norm in it", s->name);
    int at = (int)(s - w->net->step);
    if (residual)
        return add_sum(w, node, at, residual, form->relu);
    s->relu = form->relu;
    w->made[at] = node->out[0];
    return 0;
}

static int add_unit(struct walk *w, const char *name, int in, const ctr_tensor *y, float eps)
{
    struct ctr_step *s = add(w, CTR_STEP_UNIT, name, in, y);
    if (!s)
        return CTR_E_FAIL;
    s->eps = eps;
    return 0;
}

static int add_node(struct walk *w, const ctr_node *node)
{
    struct ctr_form form = {0};
    const ctr_tensor *y = node->out[0];
    int in = step_of(w, node->in[0]);
    if (!node->op->form || node->op->form(&form, node) != 0)
        return ctr_fail(CTR_E_FAIL, "the encoder uses '%s', which no exporter knows",
                        node->op->name);
    switch (form.kind) {
    case CTR_FORM_CONV:
        return add_conv(w, node, &form, in);
    case CTR_FORM_DENSE:
        return add_dense(w, node, &form, in);
    case CTR_FORM_NORM:
        return add_norm(w, node, &form, in);
    case CTR_FORM_ADD:
        return add_sum(w, node, in, node->in[1], form.relu);
    case CTR_FORM_RELU:
        return add(w, CTR_STEP_RELU, node->op->name, in, y) ? 0 : CTR_E_FAIL;
    case CTR_FORM_MAX_POOL:
        return add_pool(w, node, CTR_STEP_MAX_POOL, in, &form);
    case CTR_FORM_AVG_POOL:
        return add_pool(w, node, CTR_STEP_AVG_POOL, in, &form);
    case CTR_FORM_MEAN:
        return add(w, CTR_STEP_MEAN, node->op->name, in, y) ? 0 : CTR_E_FAIL;
    case CTR_FORM_UNIT:
        return add_unit(w, node->op->name, in, y, form.eps);
    }
    return ctr_fail(CTR_E_FAIL, "the form of '%s' is unknown", node->op->name);
}

int ctr_net_create(struct ctr_net *out, const struct ctr_sketch *sketch, const struct ctr_st *st,
                   int unit)
{
    int rc = 0;
    struct walk w = {.net = out, .sketch = sketch, .st = st};
    const ctr_node *node;
    *out = (struct ctr_net){.image = shape_of(sketch->x)};
    for (size_t i = 0; (node = ctr_graph_node(sketch->g, i)); i++)
        CTR_TRY(add_node(&w, node));
    if (unit)
        CTR_TRY(add_unit(&w, "unit", (int)out->n - 1, sketch->h, 1e-12f));
out:
    free(w.made);
    if (rc != 0)
        ctr_net_free(out);
    return rc;
}

void ctr_net_free(struct ctr_net *net)
{
    free(net->step);
    ctr_arena_free(&net->mem);
    *net = (struct ctr_net){0};
}

size_t ctr_net_values(const struct ctr_net *net)
{
    size_t n = 0;
    for (size_t i = 0; i < net->n; i++)
        n += net->step[i].n_w + net->step[i].n_b;
    return n;
}

double ctr_net_products(const struct ctr_net *net)
{
    double n = 0;
    for (size_t i = 0; i < net->n; i++) {
        const struct ctr_step *s = &net->step[i];
        n += (double)s->n_w * (s->kind == CTR_STEP_CONV ? (double)(s->to.H * s->to.W) : 1);
    }
    return n;
}
