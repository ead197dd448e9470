/* onnx.c -- a net as ONNX. In: steps, NHWC. Out: nodes of opset 13, NCHW, the batch symbolic. Field
 * numbers are those of github.com/onnx/onnx onnx/onnx.proto, operators those of its
 * docs/Operators.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/export.h"
#include "io/protobuf.h"

enum { FLOAT = 1, INT64 = 7, IR_VERSION = 8, OPSET = 13 };
enum { ATTR_FLOAT = 1, ATTR_INT = 2, ATTR_INTS = 7 };
#define PROTOBUF_MAX 0x7fffffffu

/* The parts of a GraphProto, in the order in which they are written. */
struct graph {
    const struct ctr_net *net;
    struct ctr_str nodes, initializers;
    const char **result; /* the value that each step computes */
    struct ctr_arena mem;
};

/* "a" and what it is called behind it, in a new string; without memory the model becomes one that
 * failed. */
static const char *join(struct graph *g, const char *a, const char *b)
{
    size_t n = strlen(a) + strlen(b) + 1;
    char *s = ctr_arena_alloc(&g->mem, n);
    if (!s) {
        g->nodes.failed = 1;
        return "";
    }
    snprintf(s, n, "%s%s", a, b);
    return s;
}

/* ---- values ---- */

static void add_tensor(struct graph *g, const char *name, int type, const size_t *dim,
                       unsigned rank, const void *data, size_t bytes)
{
    struct ctr_str t = {0};
    for (unsigned k = 0; k < rank; k++)
        ctr_pb_uint(&t, 1, dim[k]);
    ctr_pb_uint(&t, 2, (uint64_t)type);
    ctr_pb_text(&t, 8, name);
    ctr_pb_bytes(&t, 9, data, bytes); /* raw_data */
    ctr_pb_message(&g->initializers, 5, &t);
}

static void add_floats(struct graph *g, const char *name, const size_t *dim, unsigned rank,
                       const float *x)
{
    size_t n = 1;
    for (unsigned k = 0; k < rank; k++)
        n *= dim[k];
    add_tensor(g, name, FLOAT, dim, rank, x, n * sizeof *x);
}

/* Before the dims stands the batch, of any size. */
static void add_value_info(struct ctr_str *s, unsigned field, const char *name, const size_t *dim,
                           unsigned rank)
{
    struct ctr_str shape = {0}, tensor = {0}, type = {0}, info = {0};
    for (unsigned k = 0; k <= rank; k++) {
        struct ctr_str d = {0};
        if (k == 0)
            ctr_pb_text(&d, 2, "batch");
        else
            ctr_pb_uint(&d, 1, dim[k - 1]);
        ctr_pb_message(&shape, 1, &d);
    }
    ctr_pb_uint(&tensor, 1, FLOAT);
    ctr_pb_message(&tensor, 2, &shape);
    ctr_pb_message(&type, 1, &tensor);
    ctr_pb_text(&info, 1, name);
    ctr_pb_message(&info, 2, &type);
    ctr_pb_message(s, field, &info);
}

/* ---- nodes ---- */

static void add_attribute(struct ctr_str *node, const char *name, int type, const int64_t *v,
                          size_t n)
{
    struct ctr_str a = {0};
    ctr_pb_text(&a, 1, name);
    for (size_t i = 0; i < n; i++)
        ctr_pb_uint(&a, type == ATTR_INTS ? 8 : 3, (uint64_t)v[i]);
    ctr_pb_uint(&a, 20, (uint64_t)type);
    ctr_pb_message(node, 5, &a);
}

static void add_int(struct ctr_str *node, const char *name, int64_t v)
{
    add_attribute(node, name, ATTR_INT, &v, 1);
}

/* Begins a node: inputs up to a NULL. */
static struct ctr_str begin(const char *const *in, const char *out)
{
    struct ctr_str node = {0};
    for (; *in; in++)
        ctr_pb_text(&node, 1, *in);
    ctr_pb_text(&node, 2, out);
    return node;
}

static void end(struct graph *g, struct ctr_str *node, const char *op, const char *name)
{
    ctr_pb_text(node, 3, name);
    ctr_pb_text(node, 4, op);
    ctr_pb_message(&g->nodes, 1, node);
}

static void add_simple(struct graph *g, const char *op, const char *a, const char *b,
                       const char *out)
{
    struct ctr_str node = begin((const char *[]){a, b, NULL}, out);
    end(g, &node, op, out);
}

static void add_window(struct ctr_str *node, const struct ctr_step *s)
{
    int64_t size[] = {(int64_t)s->rows, (int64_t)s->columns}, stride = (int64_t)s->stride,
            pad = (int64_t)s->pad;
    add_attribute(node, "kernel_shape", ATTR_INTS, size, 2);
    add_attribute(node, "strides", ATTR_INTS, (int64_t[]){stride, stride}, 2);
    add_attribute(node, "pads", ATTR_INTS, (int64_t[]){pad, pad, pad, pad}, 4);
}

/* ---- steps: from the value `x` to the value `y` ---- */

static void add_conv(struct graph *g, const struct ctr_step *s, const char *x, const char *y,
                     const char *w, const char *b)
{
    const size_t K = s->to.C, dim[] = {K, s->from.C / s->groups, s->rows, s->columns};
    add_floats(g, w, dim, 4, s->w);
    add_floats(g, b, &K, 1, s->b);
    struct ctr_str node = begin((const char *[]){x, w, b, NULL}, y);
    add_window(&node, s);
    add_int(&node, "group", (int64_t)s->groups);
    end(g, &node, "Conv", s->name);
}

/* Columns of w[O][H][W][C] in the order that flattening [C][H][W] gives. */
static float *by_channels(const struct ctr_step *s)
{
    size_t I = ctr_shape_count(s->from), map = s->from.H * s->from.W, C = s->from.C;
    float *w = ctr_alloc(s->n_w, sizeof *w);
    for (size_t o = 0; w && o < s->to.C; o++)
        for (size_t at = 0; at < map; at++)
            for (size_t c = 0; c < C; c++)
                w[o * I + c * map + at] = s->w[o * I + at * C + c];
    return w;
}

static int add_dense(struct graph *g, const struct ctr_step *s, const char *x, const char *y,
                     const char *wn, const char *bn)
{
    const size_t O = s->to.C, dim[] = {O, ctr_shape_count(s->from)};
    float *w = by_channels(s);
    if (!w)
        return CTR_E_FAIL;
    add_floats(g, wn, dim, 2, w);
    add_floats(g, bn, &O, 1, s->b);
    free(w);
    if (!s->from.flat) {
        const char *flat = join(g, y, "/flat");
        add_simple(g, "Flatten", x, NULL, flat);
        x = flat;
    }
    struct ctr_str node = begin((const char *[]){x, wn, bn, NULL}, y);
    add_int(&node, "transB", 1);
    end(g, &node, "Gemm", s->name);
    return 0;
}

static void add_scale(struct graph *g, const struct ctr_step *s, const char *x, const char *y,
                      const char *w, const char *b)
{
    const size_t dim[] = {s->to.C, 1, 1};
    const char *scaled = join(g, y, "/scaled");
    add_floats(g, w, dim, s->to.flat ? 1 : 3, s->w);
    add_floats(g, b, dim, s->to.flat ? 1 : 3, s->b);
    add_simple(g, "Mul", x, w, scaled);
    add_simple(g, "Add", scaled, b, y);
}

static void add_pool(struct graph *g, const struct ctr_step *s, const char *x, const char *y)
{
    struct ctr_str node = begin((const char *[]){x, NULL}, y);
    add_window(&node, s);
    if (s->kind == CTR_STEP_AVG_POOL)
        add_int(&node, "count_include_pad", 1);
    end(g, &node, s->kind == CTR_STEP_AVG_POOL ? "AveragePool" : "MaxPool", y);
}

static void add_mean(struct graph *g, const char *x, const char *y)
{
    const char *map = join(g, y, "/map");
    add_simple(g, "GlobalAveragePool", x, NULL, map);
    add_simple(g, "Flatten", map, NULL, y);
}

static void add_unit(struct graph *g, const struct ctr_step *s, const char *x, const char *y)
{
    const size_t one = 1;
    const char *squares = join(g, y, "/squares"), *eps = join(g, y, "/eps"),
               *sum = join(g, y, "/sum"), *length = join(g, y, "/length");
    struct ctr_str node = begin((const char *[]){x, NULL}, squares);
    add_attribute(&node, "axes", ATTR_INTS, (int64_t[]){1}, 1);
    add_int(&node, "keepdims", 1);
    end(g, &node, "ReduceSumSquare", squares);
    add_floats(g, eps, &one, 1, &s->eps);
    add_simple(g, "Add", squares, eps, sum);
    add_simple(g, "Sqrt", sum, NULL, length);
    add_simple(g, "Div", x, length, y);
}

static const char *result_of(const struct graph *g, int step)
{
    return step >= 0 ? g->result[step] : "image";
}

static int add_step(struct graph *g, size_t i)
{
    const struct ctr_step *s = &g->net->step[i];
    char number[24];
    int relu = s->relu && s->kind != CTR_STEP_RELU, rc = 0;
    snprintf(number, sizeof number, "%zu/", i);
    const char *x = result_of(g, s->in[0]), *w = join(g, s->name, ".weight"),
               *b = join(g, s->name, ".bias");
    const char *out = g->result[i] = i + 1 == g->net->n ? "features" : join(g, number, s->name);
    const char *y = relu ? join(g, out, "/linear") : out;
    switch (s->kind) {
    case CTR_STEP_CONV:
        add_conv(g, s, x, y, w, b);
        break;
    case CTR_STEP_DENSE:
        rc = add_dense(g, s, x, y, w, b);
        break;
    case CTR_STEP_SCALE:
        add_scale(g, s, x, y, w, b);
        break;
    case CTR_STEP_ADD:
        add_simple(g, "Add", x, result_of(g, s->in[1]), y);
        break;
    case CTR_STEP_RELU:
        add_simple(g, "Relu", x, NULL, y);
        break;
    case CTR_STEP_MAX_POOL:
    case CTR_STEP_AVG_POOL:
        add_pool(g, s, x, y);
        break;
    case CTR_STEP_MEAN:
        add_mean(g, x, y);
        break;
    case CTR_STEP_UNIT:
        add_unit(g, s, x, y);
        break;
    }
    if (relu)
        add_simple(g, "Relu", y, NULL, out);
    return rc;
}

/* ---- the model ---- */

static void add_graph(struct ctr_str *model, struct graph *g, const char *name)
{
    struct ctr_str s = {0};
    const struct ctr_shape x = g->net->image, h = g->net->step[g->net->n - 1].to;
    if (g->nodes.failed || g->initializers.failed)
        s.failed = 1;
    else
        ctr_str_add(&s, g->nodes.s, g->nodes.n);
    ctr_pb_text(&s, 2, name);
    if (!s.failed && g->initializers.n)
        ctr_str_add(&s, g->initializers.s, g->initializers.n);
    add_value_info(&s, 11, "image", (size_t[]){x.C, x.H, x.W}, 3);
    if (h.flat)
        add_value_info(&s, 12, "features", &h.C, 1);
    else
        add_value_info(&s, 12, "features", (size_t[]){h.C, h.H, h.W}, 3);
    ctr_pb_message(model, 7, &s);
}

static void add_opset(struct ctr_str *model)
{
    struct ctr_str s = {0};
    ctr_pb_text(&s, 1, "");
    ctr_pb_uint(&s, 2, OPSET);
    ctr_pb_message(model, 8, &s);
}

int ctr_onnx_add(struct ctr_str *out, const struct ctr_net *net, const char *name,
                 const struct ctr_st_meta *meta, size_t n_meta)
{
    int rc = 0;
    struct graph g = {.net = net};
    double bytes = 4.0 * (double)ctr_net_values(net) + 4096.0 * (double)net->n;
    if (bytes > PROTOBUF_MAX)
        return ctr_hint(ctr_fail(CTR_E_USAGE,
                                 "%.1f GiB of weights: an ONNX file holds less than 2 GiB",
                                 bytes / (1 << 30)),
                        "use --format safetensors");
    if (!(g.result = ctr_alloc(net->n, sizeof *g.result)))
        return CTR_E_FAIL;
    for (size_t i = 0; i < net->n; i++)
        CTR_TRY(add_step(&g, i));
    ctr_pb_uint(out, 1, IR_VERSION);
    ctr_pb_text(out, 2, "clcontrast");
    ctr_pb_text(out, 3, CTR_VERSION);
    add_graph(out, &g, name);
    add_opset(out);
    for (size_t i = 0; i < n_meta; i++) {
        struct ctr_str pair = {0};
        ctr_pb_text(&pair, 1, meta[i].key);
        ctr_pb_text(&pair, 2, meta[i].value);
        ctr_pb_message(out, 14, &pair);
    }
    if (out->failed)
        rc = ctr_fail(CTR_E_FAIL, "out of host memory for an ONNX model");
out:
    ctr_str_free(&g.nodes);
    ctr_str_free(&g.initializers);
    ctr_arena_free(&g.mem);
    free(g.result);
    return rc;
}
