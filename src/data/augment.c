/* augment.c -- records the augmentation nodes and lays out their launches (cl/data/augment*.cl). */
#include "data/augment.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"

/* Work-items of a group on GPUs, a power of two: group_sum() of the kernel halves it. */
#define GROUP 128
/* Scratch beyond these goes to a buffer: a share of a core's L2, a third of a GPU's usual 48 KB. */
#define LOCAL_MAX_SINGLE ((size_t)64 << 10)
#define LOCAL_MAX_GROUP  ((size_t)16 << 10)
#define SLICES_MAX       ((size_t)256 << 20)

struct attr {
    struct ctr_augment_params params;
    int stream; /* here: no padding, for attributes are hashed */
    size_t N, V, SH, SW, H, W;
};

struct ctr_augment_params ctr_augment_large(void)
{
    return (struct ctr_augment_params){.area_min = 0.08f,
                                       .area_max = 1.0f,
                                       .aspect_min = 3.0f / 4.0f,
                                       .aspect_max = 4.0f / 3.0f,
                                       .flip_p = 0.5f,
                                       .jitter_p = 0.8f,
                                       .brightness = 0.8f,
                                       .contrast = 0.8f,
                                       .saturation = 0.8f,
                                       .hue = 0.2f,
                                       .gray_p = 0.2f,
                                       .blur_p = 0.5f,
                                       .sigma_min = 0.1f,
                                       .sigma_max = 2.0f};
}

struct ctr_augment_params ctr_augment_small(void)
{
    struct ctr_augment_params p = ctr_augment_large();
    p.brightness = p.contrast = p.saturation = 0.4f;
    p.hue = 0.1f;
    p.blur_p = 0.0f;
    return p;
}

int ctr_augment_check(const struct ctr_augment_params *p)
{
    const struct {
        const char *name;
        double value, lo, hi;
    } rows[] = {
        {"smallest area", p->area_min, 1e-6, 1},
        {"largest area", p->area_max, p->area_min, 1},
        {"smallest aspect", p->aspect_min, 1e-3, 1e3},
        {"largest aspect", p->aspect_max, p->aspect_min, 1e3},
        {"flip probability", p->flip_p, 0, 1},
        {"jitter probability", p->jitter_p, 0, 1},
        {"brightness strength", p->brightness, 0, 100},
        {"contrast strength", p->contrast, 0, 100},
        {"saturation strength", p->saturation, 0, 100},
        {"hue strength", p->hue, 0, 0.5},
        {"grayscale probability", p->gray_p, 0, 1},
        {"blur probability", p->blur_p, 0, 1},
        {"smallest blur sigma", p->sigma_min, 1e-3, 1e3},
        {"largest blur sigma", p->sigma_max, p->sigma_min, 1e3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        /* Written so that NaN fails. */
        if (!(rows[i].value >= rows[i].lo && rows[i].value <= rows[i].hi))
            return ctr_fail(CTR_E_USAGE, "augmentation: %s %g is not between %g and %g",
                            rows[i].name, rows[i].value, rows[i].lo, rows[i].hi);
    return 0;
}

/* ---- sizes that the kernel knows by -D ---- */

static size_t blur_radius(const struct attr *a)
{
    if (!(a->params.blur_p > 0))
        return 0;
    size_t radius = a->H / 10 / 2;
    return radius ? radius : 1;
}

/* Bound on a resize's taps for any crop of `in` samples; tap_count() of the kernel. */
static size_t taps(const struct attr *a, size_t in, size_t out)
{
    size_t support = a->params.cubic ? 4 : 2;
    return in <= out ? support : support * in / out + 2;
}

/* How a node is laid out: which of the kernel's two forms, and where its scratch lies. */
struct layout {
    int single, local;
    size_t group, groups;
    size_t slice_bytes; /* SCRATCH of the kernel: what one work-group works in */
};

static size_t scratch_floats(const struct attr *a, int single, size_t vw)
{
    size_t r = blur_radius(a), pitch = (a->W + vw - 1) / vw * vw;
    if (!single)
        return (r ? 6 : 3) * a->H * pitch;
    size_t tx = taps(a, a->SW, a->W), ty = taps(a, a->SH, a->H);
    size_t row_crop = 3 * a->SW + 3 * tx + 4, row_blur = 3 * (pitch + 2 * r + vw);
    return 3 * a->H * pitch + a->W * (tx + 1) + ty + 2 * r + 1 +
           (row_crop > row_blur ? row_crop : row_blur);
}

/* All views at once in local memory where that is enough, else as many groups as keep every compute
 * unit busy, each with its slice of a buffer. */
static struct layout layout(const ctr_graph *g, const struct attr *a, int single)
{
    const struct ctr_caps *caps = ctr_graph_caps(g);
    struct layout l = {.single = single, .group = 1, .groups = a->N * a->V};
    size_t vw = caps->family == CTR_FAMILY_CPU ? 16 : 4; /* VW of the kernels */
    size_t most = single ? LOCAL_MAX_SINGLE : LOCAL_MAX_GROUP;
    if (!single)
        for (l.group = GROUP; l.group > caps->max_group;)
            l.group /= 2;
    l.slice_bytes = scratch_floats(a, single, vw) * sizeof(float);
    l.local = l.slice_bytes <= (most < caps->local_bytes / 2 ? most : caps->local_bytes / 2);
    if (l.local)
        return l;
    size_t busy = (size_t)caps->compute_units * (single ? 8 : 4), fit = SLICES_MAX / l.slice_bytes;
    l.groups = busy < l.groups ? busy : l.groups;
    l.groups = fit < l.groups ? fit : l.groups;
    l.groups = l.groups ? l.groups : 1;
    return l;
}

static void options(char *text, size_t bytes, const struct attr *a, const struct layout *l)
{
    snprintf(
        text, bytes,
        "-DN=%zu -DV=%zu -DSH=%zu -DSW=%zu -DH=%zu -DW=%zu -DBLUR_R=%zu -DCUBIC=%d -DSTREAM=%d "
        "-DSINGLE=%d -DAUG_LOCAL=%d -DLSIZE=%zu -DTAPS_X=%zu -DTAPS_Y=%zu",
        a->N, a->V, a->SH, a->SW, a->H, a->W, blur_radius(a), a->params.cubic != 0, a->stream != 0,
        l->single, l->local, l->group, taps(a, a->SW, a->W), taps(a, a->SH, a->H));
}

/* ---- drawing ---- */

static int draw_lower(ctr_graph *g, ctr_node *node)
{
    const struct attr *a = node->attr;
    const struct ctr_augment_params *p = &a->params;
    char text[128];
    snprintf(text, sizeof text, "-DN=%zu -DV=%zu -DSH=%zu -DSW=%zu", a->N, a->V, a->SH, a->SW);
    struct ctr_launch_spec spec = {.file = "data/augment_draw.cl",
                                   .kernel = "augment_draw",
                                   .options = text,
                                   .n_args = 17,
                                   .bytes = (double)node->out[0]->bytes};
    const struct ctr_arg args[] = {
        CTR_BUF(node->out[0]->buf),   CTR_BUF(node->in[0]->buf), CTR_BUF(node->in[1]->buf),
        CTR_F32(p->area_min),         CTR_F32(p->area_max),      CTR_F32(logf(p->aspect_min)),
        CTR_F32(logf(p->aspect_max)), CTR_F32(p->flip_p),        CTR_F32(p->jitter_p),
        CTR_F32(p->gray_p),           CTR_F32(p->blur_p),        CTR_F32(p->brightness),
        CTR_F32(p->contrast),         CTR_F32(p->saturation),    CTR_F32(p->hue),
        CTR_F32(p->sigma_min),        CTR_F32(p->sigma_max),
    };
    for (unsigned i = 0; i < spec.n_args; i++)
        spec.args[i] = args[i];
    ctr_grid_items(g, &spec, a->N * a->V, 64);
    return ctr_emit(g, &spec);
}

static const struct ctr_op draw_op = {
    .name = "augment_draw",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = draw_lower}, {0}},
};

/* ---- applying ---- */

static int cpu_only(const struct ctr_caps *caps, const ctr_node *node)
{
    return caps->family == CTR_FAMILY_CPU;
}

static int prepare(ctr_graph *g, ctr_node *node, int single)
{
    struct layout l = layout(g, node->attr, single);
    if (l.local || ctr_node_scratch(g, node, l.slice_bytes * l.groups))
        return 0;
    return ctr_graph_status(g);
}

static int single_prepare(ctr_graph *g, ctr_node *node)
{
    return prepare(g, node, 1);
}

static int group_prepare(ctr_graph *g, ctr_node *node)
{
    return prepare(g, node, 0);
}

/* Operations of a view with the mean of all draws: separable resize, then (unless plain) jitter, whose
 * steps take 15, 21, 20 and 46 operations a pixel, gray and blur. Also the mean crop's share of the
 * source's area. */
static double view_flops(const struct attr *a, double *area, int plain)
{
    const struct ctr_augment_params *p = &a->params;
    *area = plain ? 1 : 0.5 * ((double)p->area_min + (double)p->area_max);
    double side = sqrt(*area), H = (double)a->H, W = (double)a->W;
    double h = (double)a->SH * side, w = (double)a->SW * side, least = p->cubic ? 4 : 2;
    double ty = h > H ? least * h / H : least, tx = w > W ? least * w / W : least;
    double resize = 3 * H * (2 * ty * w + 2 * tx * W);
    double pixel = plain ? 0 : 102 * (double)p->jitter_p + 6 +
                                   12 * (double)p->blur_p * (double)(2 * blur_radius(a) + 1);
    return resize + pixel * H * W;
}

static const struct ctr_op plain_op;

/* Both kernels: out, slices, then the inputs in order. */
static int lower(ctr_graph *g, ctr_node *node, const char *kernel)
{
    const struct attr *a = node->attr;
    struct layout l = layout(g, a, node->variant->prepare == single_prepare);
    char text[512];
    options(text, sizeof text, a, &l);
    struct ctr_launch_spec spec = {
        .file = "data/augment.cl", .kernel = kernel, .options = text, .n_args = 2 + node->n_in};
    /* Unused, and so any buffer, when the scratch is local. */
    ctr_tensor *slices = node->scratch ? node->scratch : node->out[0];
    spec.args[0] = CTR_BUF(node->out[0]->buf);
    spec.args[1] = CTR_BUF(slices->buf);
    for (unsigned i = 0; i < node->n_in; i++)
        spec.args[2 + i] = CTR_BUF(node->in[i]->buf);
    spec.global[0] = l.groups * l.group;
    spec.local[0] = l.group;
    double views = (double)(a->N * a->V), area;
    spec.flops = views * view_flops(a, &area, node->op == &plain_op);
    spec.bytes = (double)node->out[0]->bytes + views * area * (double)(a->SH * a->SW * 3);
    return ctr_emit(g, &spec);
}

static int view_lower(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, "augment_view");
}

static int plain_lower(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, "augment_plain");
}

static const struct ctr_op apply_op = {
    .name = "augment",
    .variants =
        (const struct ctr_variant[]){
            {.name = "single", .usable = cpu_only, .prepare = single_prepare, .lower = view_lower},
            {.name = "group", .prepare = group_prepare, .lower = view_lower},
            {0}},
};

static const struct ctr_op plain_op = {
    .name = "augment_plain",
    .variants =
        (const struct ctr_variant[]){
            {.name = "single", .usable = cpu_only, .prepare = single_prepare, .lower = plain_lower},
            {.name = "group", .prepare = group_prepare, .lower = plain_lower},
            {0}},
};

/* ---- recording ---- */

/* Fills and checks what all three nodes share. */
static int fill(struct attr *a, ctr_graph *g, struct ctr_augment_source s, size_t views,
                size_t height, size_t width, const struct ctr_augment_params *params)
{
    const size_t most = 16384;
    const ctr_tensor *im = s.images, *index = s.index;
    if (!im || !index)
        return CTR_E_FAIL;
    int rc = ctr_augment_check(params);
    if (rc == 0 && (im->rank != 4 || im->dim[3] != 3 || im->dtype != CTR_U8 || index->rank != 1 ||
                    index->dtype != CTR_U32 || (s.stream && im->dim[0] != index->dim[0])))
        rc = ctr_fail(CTR_E_USAGE, "augment: images are u8[n][H][W][3], index is u32[N]");
    if (rc == 0 && (!height || !width || height > most || width > most || im->dim[1] > most ||
                    im->dim[2] > most || !views || index->dim[0] * views > UINT32_MAX / 2))
        rc = ctr_fail(CTR_E_USAGE,
                      "augment: %zux%zu from %zux%zu, %zu views, is beyond 1..%zu pixels", height,
                      width, im->dim[1], im->dim[2], views, most);
    *a = (struct attr){.params = *params,
                       .N = index->dim[0],
                       .V = views,
                       .SH = im->dim[1],
                       .SW = im->dim[2],
                       .H = height,
                       .W = width,
                       .stream = s.stream};
    size_t radius = blur_radius(a);
    if (rc == 0 && radius && (radius >= height || radius >= width))
        rc = ctr_fail(CTR_E_USAGE, "augment: %zux%zu views are too small to blur", height, width);
    if (rc)
        ctr_graph_fail(g, rc, "%s", ctr_error_text());
    return rc;
}

ctr_tensor *ctr_augment_draw(ctr_graph *g, struct ctr_augment_source source, ctr_tensor *step,
                             size_t views, size_t height, size_t width,
                             const struct ctr_augment_params *params)
{
    struct attr a;
    if (!step || fill(&a, g, source, views, height, width, params) != 0)
        return NULL;
    if (step->dtype != CTR_U32 || step->count != CTR_STEP_WORDS)
        return ctr_graph_fail(g, CTR_E_USAGE, "augment: the step is u32[%d]", CTR_STEP_WORDS);
    ctr_node *node =
        ctr_node_add(g, &draw_op, &a, sizeof a, 2, (ctr_tensor *[]){source.index, step}, 0);
    return ctr_node_out(g, node, CTR_F32, 2, (size_t[]){a.V * a.N, CTR_DRAWS});
}

ctr_tensor *ctr_augment_apply(ctr_graph *g, ctr_tensor *draws, struct ctr_augment_source source,
                              size_t height, size_t width, const struct ctr_augment_params *params)
{
    struct attr a;
    if (!draws || !source.index)
        return NULL;
    size_t views = draws->dim[0] / source.index->dim[0];
    if (fill(&a, g, source, views, height, width, params) != 0)
        return NULL;
    if (draws->dtype != CTR_F32 || draws->rank != 2 || draws->dim[1] != CTR_DRAWS ||
        draws->dim[0] != a.V * a.N)
        return ctr_graph_fail(g, CTR_E_USAGE, "augment: draws are f32[V*N][%d]", CTR_DRAWS);
    ctr_node *node = ctr_node_add(g, &apply_op, &a, sizeof a, 3,
                                  (ctr_tensor *[]){draws, source.images, source.index}, 0);
    return ctr_node_out(g, node, CTR_F32, 4, (size_t[]){a.V * a.N, a.H, a.W, 3});
}

ctr_tensor *ctr_augment(ctr_graph *g, struct ctr_augment_source source, ctr_tensor *step,
                        size_t views, size_t height, size_t width,
                        const struct ctr_augment_params *params)
{
    ctr_tensor *draws = ctr_augment_draw(g, source, step, views, height, width, params);
    return ctr_augment_apply(g, draws, source, height, width, params);
}

ctr_tensor *ctr_augment_plain(ctr_graph *g, struct ctr_augment_source source, size_t height,
                              size_t width, int cubic)
{
    struct attr a;
    struct ctr_augment_params params = ctr_augment_small();
    params.cubic = cubic;
    if (fill(&a, g, source, 1, height, width, &params) != 0)
        return NULL;
    ctr_node *node = ctr_node_add(g, &plain_op, &a, sizeof a, 2,
                                  (ctr_tensor *[]){source.images, source.index}, 0);
    return ctr_node_out(g, node, CTR_F32, 4, (size_t[]){a.N, a.H, a.W, 3});
}
