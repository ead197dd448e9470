/* code.c -- a net as C. In: steps, NHWC. Out: weights, the loops that they need (loops.c) and one
 * function that calls them in turn. Filters are written [group][R][S][C/groups][K/groups] and dense
 * weights [I][O], so that innermost loops run over neighbouring values and a compiler vectorises
 * them without reordering sums. The place of a map in the work memory is free again behind its last
 * reader. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "export/export.h"

extern const char ctr_export_loops[]; /* generated from loops.c */

/* The functions of loops.c by kind of step. */
static const char *const loop_names[] = {
    [CTR_STEP_CONV] = "conv",         [CTR_STEP_DENSE] = "dense", [CTR_STEP_SCALE] = "scale",
    [CTR_STEP_ADD] = "add",           [CTR_STEP_RELU] = "relu",   [CTR_STEP_MAX_POOL] = "max_pool",
    [CTR_STEP_AVG_POOL] = "avg_pool", [CTR_STEP_MEAN] = "mean",   [CTR_STEP_UNIT] = "unit",
};

struct code {
    struct ctr_str *out;
    const struct ctr_net *net;
    const char *name;
    char upper[64];
    size_t *at; /* of each step's result, in floats of the work memory; the last step's is the
                   caller's */
    size_t work;
};

/* ---- where results lie ---- */

static size_t last_reader(const struct ctr_net *net, size_t step)
{
    size_t last = step;
    for (size_t i = step + 1; i < net->n; i++)
        if (net->step[i].in[0] == (int)step || net->step[i].in[1] == (int)step)
            last = i;
    return last;
}

/* The lowest place that no result takes which is wanted while step i's is. Steps write what they do
 * not read, so each result may be of any later one's place. */
static size_t place(const struct code *c, size_t i)
{
    const struct ctr_net *net = c->net;
    size_t at = 0, need = ctr_shape_count(net->step[i].to), moved = 1;
    while (moved) {
        moved = 0;
        for (size_t k = 0; k < i; k++) {
            size_t end = c->at[k] + ctr_shape_count(net->step[k].to);
            if (last_reader(net, k) >= i && at < end && c->at[k] < at + need) {
                at = end;
                moved = 1;
            }
        }
    }
    return at;
}

static int place_all(struct code *c)
{
    if (!(c->at = ctr_alloc(c->net->n, sizeof *c->at)))
        return CTR_E_FAIL;
    for (size_t i = 0; i + 1 < c->net->n; i++) {
        c->at[i] = place(c, i);
        size_t end = c->at[i] + ctr_shape_count(c->net->step[i].to);
        c->work = end > c->work ? end : c->work;
    }
    return 0;
}

/* ---- parts of the file ---- */

static void add_head(struct code *c, const struct ctr_st_meta *meta, size_t n_meta)
{
    const struct ctr_shape x = c->net->image, h = c->net->step[c->net->n - 1].to;
    ctr_str_addf(c->out,
                 "/* %s.c -- an image encoder, written by clcontrast " CTR_VERSION ".\n *\n",
                 c->name);
    for (size_t i = 0; i < n_meta; i++)
        if (!strstr(meta[i].value, "*/"))
            ctr_str_addf(c->out, " *   %-11s %s\n", meta[i].key, meta[i].value);
    ctr_str_addf(
        c->out,
        " *\n * In: image[%zu][%zu][%zu] (rows, columns, channels), values from 0 to 1. Out: "
        "features[%zu].\n * work: memory of %s_WORK floats that nobody else uses meanwhile. "
        "Declare it elsewhere as\n *     void %s_embed(float *features, const float *image, "
        "float *work);\n * For a program that reads bytes 0 to 255 of one image and prints its "
        "features:\n *     cc -O3 -D%s_MAIN %s.c -o %s -lm && ./%s < image.rgb */\n"
        "#include <math.h>\n#ifdef %s_MAIN\n#include <stdio.h>\n#endif\n\n"
        "enum { %s_VALUES = %zu, %s_FEATURES = %zu, %s_WORK = %zu };\n\n"
        "void %s_embed(float *features, const float *image, float *work);\n\n",
        x.H, x.W, x.C, ctr_shape_count(h), c->upper, c->name, c->upper, c->name, c->name, c->name,
        c->upper, c->upper, ctr_shape_count(x), c->upper, ctr_shape_count(h), c->upper,
        c->work ? c->work : 1, c->name);
}

/* Copies the part of loops.c that begins with "---- NAME". */
static void add_loop(struct code *c, const char *name)
{
    char mark[32];
    int n = snprintf(mark, sizeof mark, "\n/* ---- %s", name);
    const char *from = ctr_export_loops;
    while (from && (from = strstr(from, mark)) && from[n] != ':' && from[n] != ' ')
        from++;
    if (!from)
        return;
    const char *end = strstr(from + 1, "\n/* ---- ");
    ctr_str_add(c->out, from + 1, end ? (size_t)(end - from) : strlen(from + 1));
    ctr_str_add(c->out, "\n", end ? 0 : 1);
}

static void add_loops(struct code *c)
{
    for (size_t kind = 0; kind < sizeof loop_names / sizeof *loop_names; kind++)
        for (size_t i = 0; i < c->net->n; i++)
            if (c->net->step[i].kind == kind) {
                add_loop(c, loop_names[kind]);
                break;
            }
}

/* The i-th value of a step's weights in the order in which they are written. */
static float weight(const struct ctr_step *s, size_t i)
{
    if (s->kind == CTR_STEP_DENSE)
        return s->w[i % s->to.C * ctr_shape_count(s->from) + i / s->to.C];
    if (s->kind != CTR_STEP_CONV)
        return s->w[i];
    size_t K = s->to.C / s->groups, C = s->from.C / s->groups, taps = s->rows * s->columns;
    size_t k = i % K, c = i / K % C, tap = i / K / C % taps, g = i / K / C / taps;
    return s->w[((g * K + k) * C + c) * taps + tap];
}

static float shift(const struct ctr_step *s, size_t i)
{
    return s->b[i];
}

/* Nine digits read back to the bit; "f" needs a point or an exponent before it. */
static void add_values(struct ctr_str *out, const char *name, size_t step, const struct ctr_step *s,
                       float (*value)(const struct ctr_step *s, size_t i), size_t n)
{
    ctr_str_addf(out, "static const float %s%zu[%zu] = {", name, step, n);
    for (size_t i = 0; i < n && !out->failed; i++) {
        char text[32];
        int m = snprintf(text, sizeof text, "%.9g", (double)value(s, i));
        text[strcspn(text, ",")] = text[strcspn(text, ",")] ? '.' : '\0'; /* some locales' point */
        ctr_str_addf(out, "%s%.*s%sf",
                     i == 0  ? "\n    "
                     : i % 8 ? ", "
                             : ",\n    ",
                     m, text, strpbrk(text, ".e") ? "" : ".0");
    }
    ctr_str_add(out, "\n};\n", 4);
}

static void add_weights(struct code *c)
{
    for (size_t i = 0; i < c->net->n; i++) {
        const struct ctr_step *s = &c->net->step[i];
        if (s->n_w == 0)
            continue;
        ctr_str_addf(c->out, "/* %s */\n", s->name);
        add_values(c->out, "w", i, s, weight, s->n_w);
        add_values(c->out, "b", i, s, shift, s->n_b);
        ctr_str_add(c->out, "\n", 1);
    }
}

/* Where the result of a step lies, as an expression. */
static void add_place(struct code *c, int step)
{
    if (step == CTR_STEP_IMAGE)
        ctr_str_addf(c->out, "image");
    else if ((size_t)step + 1 == c->net->n)
        ctr_str_addf(c->out, "features");
    else
        ctr_str_addf(c->out, "work + %zu", c->at[step]);
}

static void add_call(struct code *c, size_t i)
{
    const struct ctr_step *s = &c->net->step[i];
    struct ctr_str *out = c->out;
    const struct ctr_shape x = s->from, y = s->to;
    ctr_str_addf(out, "    %s(", loop_names[s->kind]);
    add_place(c, (int)i);
    ctr_str_addf(out, ", ");
    add_place(c, s->in[0]);
    if (s->n_w)
        ctr_str_addf(out, ", w%zu, b%zu", i, i);
    switch (s->kind) {
    case CTR_STEP_CONV:
        ctr_str_addf(out, ", %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %d", x.H, x.W,
                     x.C, y.H, y.W, y.C, s->rows, s->columns, s->stride, s->pad, s->groups,
                     s->relu);
        break;
    case CTR_STEP_DENSE:
        ctr_str_addf(out, ", %zu, %zu, %d", ctr_shape_count(x), y.C, s->relu);
        break;
    case CTR_STEP_SCALE:
        ctr_str_addf(out, ", %zu, %zu, %d", ctr_shape_count(x), x.C, s->relu);
        break;
    case CTR_STEP_ADD:
        ctr_str_addf(out, ", ");
        add_place(c, s->in[1]);
        ctr_str_addf(out, ", %zu, %d", ctr_shape_count(x), s->relu);
        break;
    case CTR_STEP_RELU:
        ctr_str_addf(out, ", %zu", ctr_shape_count(x));
        break;
    case CTR_STEP_MAX_POOL:
    case CTR_STEP_AVG_POOL:
        ctr_str_addf(out, ", %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu", x.H, x.W, x.C, y.H, y.W,
                     s->rows, s->stride, s->pad);
        break;
    case CTR_STEP_MEAN:
        ctr_str_addf(out, ", %zu, %zu", x.H * x.W, x.C);
        break;
    case CTR_STEP_UNIT:
        ctr_str_addf(out, ", %zu, %.9gf", ctr_shape_count(x), (double)s->eps);
        break;
    }
    ctr_str_addf(out, "); /* %s */\n", s->name);
}

static void add_functions(struct code *c)
{
    ctr_str_addf(c->out, "void %s_embed(float *features, const float *image, float *work)\n{\n",
                 c->name);
    for (size_t i = 0; i < c->net->n; i++)
        add_call(c, i);
    if (c->work == 0)
        ctr_str_addf(c->out, "    (void)work;\n");
    ctr_str_addf(c->out,
                 "}\n\n#ifdef %s_MAIN\nint main(void)\n{\n"
                 "    static float image[%s_VALUES], features[%s_FEATURES], work[%s_WORK];\n"
                 "    int i;\n"
                 "    for (i = 0; i < %s_VALUES; i++) {\n"
                 "        int byte = getchar();\n"
                 "        if (byte == EOF) {\n"
                 "            fprintf(stderr, \"%%d bytes, not %%d\\n\", i, (int)%s_VALUES);\n"
                 "            return 1;\n"
                 "        }\n"
                 "        image[i] = (float)byte / 255;\n"
                 "    }\n"
                 "    %s_embed(features, image, work);\n"
                 "    for (i = 0; i < %s_FEATURES; i++)\n"
                 "        printf(\"%%.9g\\n\", (double)features[i]);\n"
                 "    return 0;\n}\n#endif\n",
                 c->upper, c->upper, c->upper, c->upper, c->upper, c->upper, c->name, c->upper);
}

int ctr_code_add(struct ctr_str *out, const struct ctr_net *net, const char *name,
                 const struct ctr_st_meta *meta, size_t n_meta)
{
    struct code c = {.out = out, .net = net, .name = name};
    size_t values = ctr_net_values(net);
    if (values > CTR_CODE_MAX)
        return ctr_hint(
            ctr_fail(CTR_E_USAGE, "%zu weights are too many for a C file, of which %d make %d MB",
                     values, CTR_CODE_MAX, CTR_CODE_MAX / 1000000 * 15),
            "C is for small encoders (cnn; resnets with --width 0.25): use --format onnx");
    for (size_t i = 0; name[i] && i + 1 < sizeof c.upper; i++)
        c.upper[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    int rc = place_all(&c);
    if (rc == 0) {
        add_head(&c, meta, n_meta);
        add_loops(&c);
        add_weights(&c);
        add_functions(&c);
        if (out->failed)
            rc = ctr_fail(CTR_E_FAIL, "out of host memory for a C file");
    }
    free(c.at);
    return rc;
}
