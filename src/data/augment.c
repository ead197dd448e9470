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

/* Of all three nodes. Attributes are hashed: no padding. */
struct attr {
    size_t N, V, SH, SW, H, W, C, cubic, stream;
    size_t sample_bytes;
    size_t ops;    /* bits 1 << enum ctr_do that may come */
    size_t second; /* 1: an operation moves pixels, or a blur is not the last */
    size_t row;    /* floats of a row of draws */
    size_t kinds;  /* bits of transformations */
    size_t pipelines, stages, first_view;
    double crop_area,
        pixel_flops; /* means over views: the crop's part of the area; a pixel's colour */
};

/* ---- what pipelines may do ---- */

/* Operations that stage i may append. Flips and turns straight after the crop are part of it; a
 * jitter's four come by values that are not 0. */
static unsigned stage_ops(const struct ctr_pipeline *line, unsigned i)
{
    unsigned ops = ctr_transforms[line->stage[i].kind].ops, before = 0;
    for (unsigned k = 0; k < 4 && line->stage[i].kind == CTR_T_JITTER; k++)
        if (line->stage[i].value[k] == 0)
            ops &= ~(1u << (CTR_DO_BRIGHTNESS + k));
    for (unsigned k = 0; k < i; k++)
        before |= ctr_transforms[line->stage[k].kind].ops;
    return ops == 1u << CTR_DO_MOVE && !(before & ~ops) ? 0 : ops;
}

size_t ctr_augment_row(const struct ctr_augment_params *params)
{
    size_t most = 0;
    for (unsigned v = 0; v < params->n; v++) {
        size_t n = 0;
        for (unsigned i = 0; i < params->pipeline[v].n; i++)
            n += (size_t)__builtin_popcount(stage_ops(&params->pipeline[v], i));
        most = n > most ? n : most;
    }
    return CTR_DRAW_FIRST + CTR_DO_FLOATS * most;
}

static void describe_pipeline(struct attr *a, const struct ctr_pipeline *line)
{
    const size_t moving = 1u << CTR_DO_MOVE | 1u << CTR_DO_WARP | 1u << CTR_DO_SOBEL;
    int blurred = 0;
    double area = 1;
    for (unsigned i = 0; i < line->n; i++) {
        const struct ctr_stage *s = &line->stage[i];
        size_t ops = stage_ops(line, i);
        a->ops |= ops;
        a->kinds |= (size_t)1 << s->kind;
        a->second |= (ops & moving) != 0 || (ops && blurred);
        blurred |= s->kind == CTR_T_BLUR;
        a->pixel_flops += (double)s->p * ctr_transforms[s->kind].flops;
        if (s->kind == CTR_T_BLUR)
            a->pixel_flops += 12 * (double)s->p * (double)(2 * (a->H / 20 ? a->H / 20 : 1) + 1);
        if (s->kind == CTR_T_CROP)
            area *= 0.5 * ((double)s->value[0] + (double)s->value[1]);
    }
    a->stages = line->n > a->stages ? line->n : a->stages;
    a->crop_area += area;
}

static void describe(struct attr *a, const struct ctr_augment_params *params)
{
    for (unsigned v = 0; v < params->n; v++)
        describe_pipeline(a, &params->pipeline[v]);
    a->crop_area /= params->n;
    a->pixel_flops /= params->n;
    a->pipelines = params->n;
    a->first_view = params->first_view;
    a->row = ctr_augment_row(params);
}

static int does(const struct attr *a, enum ctr_do op)
{
    return (int)(a->ops >> op & 1);
}

/* ---- sizes that the kernel knows by -D ---- */

static size_t blur_radius(const struct attr *a)
{
    if (!does(a, CTR_DO_BLUR))
        return 0;
    size_t radius = a->H / 10 / 2;
    return radius ? radius : 1;
}

/* Bound on a resize's taps for any crop of `in` samples; tap_count() of the kernel. */
static size_t taps(const struct attr *a, size_t in, size_t out)
{
    size_t support = a->cubic ? 4 : 2;
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
        return (r || a->second ? 2 : 1) * a->C * a->H * pitch;
    size_t tx = taps(a, a->SW, a->W), ty = taps(a, a->SH, a->H);
    size_t row_crop = a->C * (a->SW + tx) + 4, row_blur = a->C * (pitch + 2 * r + vw);
    return (a->second ? 2 : 1) * a->C * a->H * pitch + a->W * (tx + 1) + ty + 2 * r + 1 +
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
        "-DN=%zu -DV=%zu -DSH=%zu -DSW=%zu -DH=%zu -DW=%zu -DBLUR_R=%zu -DCUBIC=%zu -DSTREAM=%zu "
        "-DSINGLE=%d -DAUG_LOCAL=%d -DLSIZE=%zu -DTAPS_X=%zu -DTAPS_Y=%zu -DOPS=0x%zx -DSECOND=%zu "
        "-DROW=%zu -DC=%zu -DSAMPLE=%s",
        a->N, a->V, a->SH, a->SW, a->H, a->W, blur_radius(a), a->cubic, a->stream, l->single,
        l->local, l->group, taps(a, a->SW, a->W), taps(a, a->SH, a->H), a->ops, a->second, a->row,
        a->C, a->sample_bytes == 1 ? "uchar" : "ushort");
}

/* ---- drawing ---- */

/* Stages as the kernel reads them: kind, occurrence, probability, values. */
#define STAGE_FLOATS (3 + CTR_STAGE_VALUES)

static ctr_tensor *stage_table(ctr_graph *g, const struct attr *a,
                               const struct ctr_augment_params *params)
{
    static const size_t most = CTR_PIPELINES_MAX * CTR_STAGES_MAX * STAGE_FLOATS;
    float table[CTR_PIPELINES_MAX * CTR_STAGES_MAX * STAGE_FLOATS + 1], *row = table;
    for (unsigned v = 0; v < params->n; v++)
        for (unsigned i = 0; i < a->stages; i++, row += STAGE_FLOATS) {
            const struct ctr_stage *s = &params->pipeline[v].stage[i];
            int there = i < params->pipeline[v].n;
            row[0] = there ? (float)s->kind : -1.0f;
            row[1] = (float)s->occurrence;
            row[2] = there ? s->p : 0.0f;
            for (unsigned k = 0; k < CTR_STAGE_VALUES; k++) {
                int log = there && (ctr_transforms[s->kind].value[k].flags & CTR_VALUE_LOG);
                row[3 + k] = log ? logf(s->value[k]) : there ? s->value[k] : 0.0f;
            }
        }
    *row++ = 0; /* never empty */
    size_t n = (size_t)(row - table);
    return n <= most + 1 ? ctr_graph_constant(g, "pipelines", CTR_F32, 1, &n, table) : NULL;
}

static int draw_lower(ctr_graph *g, ctr_node *node)
{
    const struct attr *a = node->attr;
    char text[256];
    snprintf(text, sizeof text,
             "-DN=%zu -DV=%zu -DSH=%zu -DSW=%zu -DH=%zu -DW=%zu -DROW=%zu -DKINDS=0x%zx "
             "-DPIPELINES=%zu -DSTAGES=%zu",
             a->N, a->V, a->SH, a->SW, a->H, a->W, a->row, a->kinds, a->pipelines, a->stages);
    struct ctr_launch_spec spec = {.file = "data/augment_draw.cl",
                                   .kernel = "augment_draw",
                                   .options = text,
                                   .args = {CTR_BUF(node->out[0]->buf), CTR_BUF(node->in[0]->buf),
                                            CTR_BUF(node->in[1]->buf), CTR_BUF(node->in[2]->buf),
                                            CTR_U32(a->first_view)},
                                   .n_args = 5,
                                   .bytes = (double)node->out[0]->bytes};
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

/* Operations of a view with the mean of all draws: separable resize, then (unless plain) what the
 * table of transformations says for three channels; 6 a pixel are the gray that contrast needs. */
static double view_flops(const struct attr *a, int plain)
{
    double side = sqrt(a->crop_area), H = (double)a->H, W = (double)a->W;
    double h = (double)a->SH * side, w = (double)a->SW * side, least = a->cubic ? 4 : 2;
    double ty = h > H ? least * h / H : least, tx = w > W ? least * w / W : least;
    double resize = 3 * H * (2 * ty * w + 2 * tx * W);
    return (resize + (plain ? 0 : a->pixel_flops + 6) * H * W) * (double)a->C / 3;
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
    double views = (double)(a->N * a->V);
    spec.flops = views * view_flops(a, node->op == &plain_op);
    spec.bytes = (double)node->out[0]->bytes + views * a->crop_area * (double)(a->SH * a->SW * a->C * a->sample_bytes);
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

static int check_source(const ctr_tensor *im, const ctr_tensor *index, int stream)
{
    return im->rank == 4 && im->dim[3] >= 1 && im->dim[3] <= CTR_CHANNELS_MAX &&
           (im->dtype == CTR_U8 || im->dtype == CTR_U16) && index->rank == 1 &&
           index->dtype == CTR_U32 && (!stream || im->dim[0] == index->dim[0]);
}

/* What is defined for RGB alone; Sobel's filters look at the gray image, which one channel is. */
#define RGB_ALONE (1u << CTR_DO_SATURATION | 1u << CTR_DO_HUE | 1u << CTR_DO_GRAY)

/* What the number of channels rules out. */
static int check_channels(const struct attr *a, const struct ctr_augment_params *params)
{
    unsigned refused = a->C == 3 ? 0 : RGB_ALONE | (a->C == 1 ? 0 : 1u << CTR_DO_SOBEL);
    for (unsigned v = 0; v < params->n; v++)
        for (unsigned i = 0; i < params->pipeline[v].n; i++) {
            int kind = params->pipeline[v].stage[i].kind;
            if (!(stage_ops(&params->pipeline[v], i) & refused))
                continue;
            ctr_fail(CTR_E_USAGE, "augmentation: %s needs images of %s; these have %zu channel%s",
                     ctr_transforms[kind].name,
                     kind == CTR_T_SOBEL ? "1 or 3 channels" : "3 channels, red, green and blue",
                     a->C, a->C == 1 ? "" : "s");
            return kind == CTR_T_JITTER
                       ? ctr_hint(CTR_E_USAGE, "jitter(0.4,0.4,0,0) leaves out saturation and hue")
                       : ctr_hint(CTR_E_USAGE, "all but gray, sobel, and jitter's saturation and "
                                               "hue work on any number of channels");
        }
    return 0;
}

/* What the size of the views rules out. */
static int check_views(const struct attr *a)
{
    size_t radius = blur_radius(a);
    if (a->V < a->pipelines)
        return ctr_fail(CTR_E_USAGE, "augmentation: %zu pipelines, but %zu view%s", a->pipelines,
                        a->V, a->V == 1 ? "" : "s");
    if (radius && (radius >= a->H || radius >= a->W))
        return ctr_fail(CTR_E_USAGE, "augment: %zux%zu views are too small to blur", a->H, a->W);
    if ((a->kinds >> CTR_T_ROTATE90 & 1) && a->H != a->W)
        return ctr_fail(CTR_E_USAGE, "augment: rotate90 needs square views, not %zux%zu", a->H,
                        a->W);
    return 0;
}

/* Fills and checks what all three nodes share. */
static int fill(struct attr *a, ctr_graph *g, struct ctr_augment_source s, size_t views,
                size_t height, size_t width, const struct ctr_augment_params *params)
{
    const size_t most = 16384;
    const ctr_tensor *im = s.images, *index = s.index;
    if (!im || !index)
        return CTR_E_FAIL;
    int rc = 0;
    if (!check_source(im, index, s.stream))
        rc = ctr_fail(CTR_E_USAGE, "augment: images are u8 or u16[n][H][W][1..%u], index is u32[N]",
                      CTR_CHANNELS_MAX);
    if (rc == 0 && (!height || !width || height > most || width > most || im->dim[1] > most ||
                    im->dim[2] > most || !views || index->dim[0] * views > UINT32_MAX / 2))
        rc = ctr_fail(CTR_E_USAGE,
                      "augment: %zux%zu from %zux%zu, %zu views, is beyond 1..%zu pixels", height,
                      width, im->dim[1], im->dim[2], views, most);
    *a = (struct attr){.N = index->dim[0],
                       .V = views,
                       .SH = im->dim[1],
                       .SW = im->dim[2],
                       .H = height,
                       .W = width,
                       .C = im->dim[3],
                       .sample_bytes = im->dtype == CTR_U8 ? 1 : 2,
                       .cubic = params->cubic != 0,
                       .stream = s.stream != 0};
    describe(a, params);
    if (rc == 0)
        rc = check_channels(a, params);
    if (rc == 0)
        rc = check_views(a);
    if (rc) {
        char hint[128];
        snprintf(hint, sizeof hint, "%s", ctr_error_hint());
        ctr_graph_fail(g, rc, "%s", ctr_error_text());
        if (hint[0])
            ctr_hint(rc, "%s", hint);
    }
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
    ctr_tensor *table = stage_table(g, &a, params);
    ctr_node *node =
        ctr_node_add(g, &draw_op, &a, sizeof a, 3, (ctr_tensor *[]){source.index, step, table}, 0);
    return ctr_node_out(g, node, CTR_F32, 2, (size_t[]){a.V * a.N, a.row});
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
    if (draws->dtype != CTR_F32 || draws->rank != 2 || draws->dim[1] != a.row ||
        draws->dim[0] != a.V * a.N)
        return ctr_graph_fail(g, CTR_E_USAGE, "augment: draws are f32[V*N][%zu]", a.row);
    ctr_node *node = ctr_node_add(g, &apply_op, &a, sizeof a, 3,
                                  (ctr_tensor *[]){draws, source.images, source.index}, 0);
    return ctr_node_out(g, node, CTR_F32, 4, (size_t[]){a.V * a.N, a.H, a.W, a.C});
}

ctr_tensor *ctr_augment(ctr_graph *g, struct ctr_augment_source source, ctr_tensor *step,
                        size_t views, size_t height, size_t width,
                        const struct ctr_augment_params *params)
{
    if (!source.images)
        return NULL;
    const struct ctr_augment_params settled =
        ctr_augment_settled(params, height, source.images->dim[3]);
    ctr_tensor *draws = ctr_augment_draw(g, source, step, views, height, width, &settled);
    return ctr_augment_apply(g, draws, source, height, width, &settled);
}

ctr_tensor *ctr_augment_plain(ctr_graph *g, struct ctr_augment_source source, size_t height,
                              size_t width, int cubic)
{
    struct attr a;
    if (fill(&a, g, source, 1, height, width, &(struct ctr_augment_params){.n = 1, .cubic = cubic}) != 0)
        return NULL;
    ctr_node *node = ctr_node_add(g, &plain_op, &a, sizeof a, 2,
                                  (ctr_tensor *[]){source.images, source.index}, 0);
    return ctr_node_out(g, node, CTR_F32, 4, (size_t[]){a.N, a.H, a.W, a.C});
}
