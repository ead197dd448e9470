/* plan.c -- from nodes to memory and launches.
 *
 * In: a recorded graph. Out: each tensor has a buffer (place.c), the step is a flat array of launches. */
#include "graph/impl.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHEAP 0.25 /* of what nodes read and write; with convolutions 1 to 2 % of the time */

static int pick_variant(ctr_graph *g, ctr_node *node, const struct ctr_plan_params *params)
{
    int rc = ctr_variant_choose(g, node, (const char *[]){params->kernels, params->tuned}, 2);
    if (rc == 0 && node->variant->prepare)
        rc = node->variant->prepare(g, node);
    return rc != 0 ? rc : g->status;
}

/* ---- memory ---- */

static void report_store(ctr_graph *g)
{
    const ctr_store *s = g->store;
    for (size_t i = 0; i < s->n; i++)
        if (!s->entries[i].is_state)
            g->report.param_count += s->entries[i].count;
    g->report.param_bytes = s->flat_count * sizeof(float);
    g->report.grad_bytes = s->grads ? s->flat_count * sizeof(float) : 0;
    g->report.moment_bytes = s->n_moments * s->flat_count * sizeof(float);
    g->report.shadow_bytes = s->shadow ? s->flat_count * sizeof(float) : 0;
    g->report.state_bytes = s->state_count * sizeof(float);
    g->report.nodes = g->n_nodes;
}

/* Buffers of the caller's that stand for inputs. */
static int check_bound(const ctr_graph *g)
{
    for (size_t i = 0; i < g->n_tensors; i++) {
        const ctr_tensor *t = g->tensors[i];
        if (t->role == CTR_ROLE_INPUT && t->buf && ctr_buf_bytes(t->buf) < t->bytes)
            return ctr_fail(CTR_E_USAGE, "input '%s' needs %zu bytes, its buffer has %zu", t->name,
                            t->bytes, ctr_buf_bytes(t->buf));
    }
    return 0;
}

int ctr_graph_plan(ctr_graph *g, const struct ctr_plan_params *params)
{
    static const struct ctr_plan_params none;
    int rc = 0;
    if (g->status != 0)
        return g->status;
    params = params ? params : &none;
    if (g->planned)
        return ctr_fail(CTR_E_USAGE, "the graph is already planned");
    CTR_TRY(check_bound(g));
    g->guard = params->guard;
    CTR_TRY(ctr_variant_check(g, params->kernels));
    for (size_t i = 0; i < g->n_nodes; i++)
        CTR_TRY(pick_variant(g, g->nodes[i], params));
    if (g->first_backward && params->recompute != CTR_RECOMPUTE_OFF && !g->guard) {
        CTR_TRY(ctr_recompute(g, params->recompute == CTR_RECOMPUTE_ON ? DBL_MAX : CHEAP));
        for (size_t i = 0; i < g->n_nodes; i++)
            if (!g->nodes[i]->variant)
                CTR_TRY(pick_variant(g, g->nodes[i], params));
    }
    g->planned = 1;
    ctr_find_lifetimes(g);
    CTR_TRY(ctr_live_peak(&g->report.live_bytes, g));
    if (g->store)
        CTR_TRY(ctr_store_alloc(g->store));
    CTR_TRY(ctr_place(g));
    if (g->store)
        report_store(g);
out:
    return rc;
}

/* ---- launches ---- */

int ctr_graph_lower(ctr_graph *g)
{
    if (!g->planned || g->n_launches != 0)
        return ctr_fail(CTR_E_USAGE, g->planned ? "the graph is already lowered"
                                                : "the graph is not planned: call ctr_graph_plan");
    for (size_t i = 0; i < g->n_nodes; i++) {
        g->lowering = g->nodes[i];
        g->nodes[i]->launch = g->n_launches;
        int rc = g->nodes[i]->variant->lower(g, g->nodes[i]);
        if (rc != 0)
            return rc;
        g->parts[g->nodes[i]->part].end = g->n_launches;
    }
    return 0;
}

/* The launch just created becomes the next one. */
static void add_launch(ctr_graph *g)
{
    struct ctr_launch_cost cost = ctr_launch_cost(g->launches[g->n_launches++]);
    size_t times = g->parts[g->lowering->part].times;
    g->report.launches += times;
    g->report.flops += (double)times * cost.flops;
    g->report.traffic_bytes += (double)times * cost.bytes;
}

/* The spec's compiler options, and behind them how the node's activations are stored. */
static const char *options_of(ctr_graph *g, const struct ctr_launch_spec *spec)
{
    static const char *const act[] = {[CTR_F16] = "-DACT=1", [CTR_BF16] = "-DACT=2"};
    enum ctr_dtype storage = g->lowering ? ctr_node_storage(g->lowering) : CTR_F32;
    if (storage == CTR_F32 || !spec->options)
        return storage == CTR_F32 ? spec->options : act[storage];
    size_t n = strlen(spec->options) + strlen(act[storage]) + 2;
    char *both = ctr_arena_alloc(&g->mem, n);
    if (both)
        snprintf(both, n, "%s %s", spec->options, act[storage]);
    return both;
}

int ctr_emit(ctr_graph *g, const struct ctr_launch_spec *plain)
{
    struct ctr_launch_spec with_act = *plain, *spec = &with_act;
    spec->options = options_of(g, plain);
    if (plain->options && !spec->options)
        return CTR_E_FAIL;
    if (ctr_grow((void **)&g->launches, &g->cap_launches, g->n_launches + 1, sizeof *g->launches) !=
        0)
        return CTR_E_FAIL;
    int rc = ctr_launch_create(&g->launches[g->n_launches], g->dev, spec);
    if (rc == 0)
        add_launch(g);
    return rc;
}

int ctr_emit_gemm(ctr_graph *g, const struct ctr_gemm *gemm)
{
    if (ctr_grow((void **)&g->launches, &g->cap_launches, g->n_launches + 1, sizeof *g->launches) !=
        0)
        return CTR_E_FAIL;
    int rc = ctr_launch_create_gemm(&g->launches[g->n_launches], g->dev, gemm);
    if (rc == 0)
        add_launch(g);
    return rc;
}

uint32_t ctr_grid_chunks(const ctr_graph *g, struct ctr_launch_spec *spec, size_t n)
{
    const struct ctr_caps *caps = ctr_graph_caps(g);
    if (caps->family == CTR_FAMILY_GPU) {
        size_t group = caps->max_group < 64 ? caps->max_group : 64, items = (n + 3) / 4;
        spec->local[0] = group;
        spec->global[0] = (items + group - 1) / group * group;
        return 4;
    }
    /* 16 groups a thread even out the load; at least 4,096 values each, to outweigh a launch */
    size_t chunk = n / (16 * (size_t)caps->compute_units);
    chunk = chunk < 4096 ? 4096 : chunk > 65536 ? 65536 : (chunk + 15) / 16 * 16;
    spec->local[0] = 1;
    spec->global[0] = (n + chunk - 1) / chunk;
    return (uint32_t)chunk;
}

void ctr_grid_items(const ctr_graph *g, struct ctr_launch_spec *spec, size_t n, size_t group)
{
    const struct ctr_caps *caps = ctr_graph_caps(g);
    if (caps->family == CTR_FAMILY_CPU)
        group = 1;
    if (group > caps->max_group)
        group = caps->max_group;
    spec->local[0] = group;
    spec->global[0] = (n + group - 1) / group * group;
}

int ctr_stream(const ctr_tensor *t)
{
    return t->bytes >= (size_t)8 << 20;
}

int ctr_graph_replay(ctr_graph *g)
{
    int rc = 0;
    size_t begin = 0;
    for (const struct ctr_part *part = g->parts; part < g->parts + g->n_parts; part++) {
        for (uint32_t turn = 0; turn < part->times; turn++) {
            if (part->turn)
                CTR_TRY(ctr_buf_fill(part->turn->buf, 0, sizeof turn, turn));
            for (size_t i = begin; i < part->end; i++)
                CTR_TRY(ctr_launch_run(g->launches[i]));
        }
        begin = part->end > begin ? part->end : begin;
    }
out:
    return rc;
}

ctr_launch *const *ctr_graph_launches(const ctr_graph *g, size_t first, size_t end, size_t *n)
{
    size_t from = first < g->n_nodes ? g->nodes[first]->launch : g->n_launches;
    size_t to = end < g->n_nodes ? g->nodes[end]->launch : g->n_launches;
    *n = to > from ? to - from : 0;
    return g->launches + from;
}

/* ---- looking in ---- */

static int readable(const ctr_tensor *t, size_t bytes)
{
    if (!t->buf)
        return ctr_fail(CTR_E_FAIL, "tensor '%s' has no memory yet", t->name);
    if (bytes != t->bytes)
        return ctr_fail(CTR_E_FAIL, "tensor '%s' has %zu bytes, not %zu", t->name, t->bytes, bytes);
    return 0;
}

int ctr_tensor_write(ctr_tensor *t, const void *src, size_t bytes)
{
    int rc = readable(t, bytes);
    return rc != 0 ? rc : ctr_buf_write(t->buf, 0, src, bytes);
}

int ctr_tensor_read(void *dst, const ctr_tensor *t, size_t bytes)
{
    int rc = readable(t, bytes);
    return rc != 0 ? rc : ctr_buf_read(dst, t->buf, 0, bytes);
}

struct ctr_plan_report ctr_graph_report(const ctr_graph *g)
{
    return g->report;
}
