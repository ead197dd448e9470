/* step.c -- see step.h. */
#include "train/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

/* Defaults, but small queues, and smoothing that does something. */
static void settle_options(struct step *s, const struct ctr_method *method)
{
    for (size_t i = 0; method->options && method->options[i].name; i++) {
        const struct ctr_option *o = &method->options[i];
        s->option[i] = strcmp(o->name, "queue") == 0             ? 64
                       : strcmp(o->name, "label-smoothing") == 0 ? 0.1
                                                                 : o->init;
    }
}

static ctr_tensor *turn_views(void *user, ctr_graph *g, ctr_tensor *turn)
{
    const struct step *s = user;
    return ctr_turn_take(g, s->views, turn, s->io.N / s->micro, s->io.V);
}

static ctr_tensor *turn_local_views(void *user, ctr_graph *g, ctr_tensor *turn)
{
    const struct step *s = user;
    return ctr_turn_take(g, s->local, turn, s->io.N / s->micro, s->io.L);
}

static int record(struct step *s, const char *encoder, double width, size_t N, size_t H)
{
    const struct ctr_method *method = ctr_method_find(s->method ? s->method : "simclr");
    if (!method)
        return ctr_fail(CTR_E_USAGE, "no method '%s'", s->method);
    settle_options(s, method);
    unsigned V = s->V ? s->V : method->views;
    s->views = ctr_graph_input(s->g, "views", CTR_F32, 4, (size_t[]){V * N, H, H, 3});
    if (s->L)
        s->local =
            ctr_graph_input(s->g, "local", CTR_F32, 4, (size_t[]){s->L * N, H / 2, H / 2, 3});
    s->label = ctr_graph_input(s->g, "label", CTR_I32, 1, &N);
    s->number = ctr_graph_input(s->g, "step", CTR_U32, 1, (size_t[]){4});
    s->io = (struct ctr_method_io){
        .g = s->g,
        .views = s->micro ? NULL : s->views,
        .micro = {.images = s->micro,
                  .views = turn_views,
                  .local = turn_local_views,
                  .user = s},
        .local = s->micro ? NULL : s->local,
        .N = N,
        .V = V,
        .L = s->L,
        .label = method->needs_labels && method->needs_labels(s->option) ? s->label : NULL,
        .classes = STEP_CLASSES,
        .step = s->number,
        .steps = STEP_TOTAL,
        .encoder = ctr_encoder_find(encoder),
        .encoder_params = {.stem = CTR_STEM_AUTO, .width = width, .training = 1},
        .head = {.layers = 2, .hidden = 0, .out = 128, .bn = !s->no_norm, .training = 1},
        .option = s->option,
    };
    int rc = method->build(&s->io);
    if (rc == 0)
        ctr_graph_keep(s->io.loss);
    for (size_t i = 0; s->keep_outputs && ctr_graph_node(s->g, i); i++)
        ctr_graph_keep(ctr_graph_node(s->g, i)->out[0]);
    if (rc == 0)
        rc = ctr_method_backward(&s->io, NULL);
    return rc == 0 && method->after_update ? method->after_update(&s->io) : rc;
}

static void turn(float *x, const struct ctr_store_entry *e)
{
    size_t D = e->dim[e->rank - 1];
    for (size_t i = 0; i < e->count; i += D) {
        double square = 0;
        for (size_t k = i; k < i + D; k++)
            square += pow(cos((double)(k + k % 7)), 2);
        for (size_t k = i; k < i + D; k++)
            x[k] = (float)(cos((double)(k + k % 7)) / sqrt(square));
    }
}

/* Shadows that differ from what they follow, and a filled queue. */
static int set_kept(struct step *s)
{
    for (size_t i = 0; i < ctr_store_entries(s->store); i++) {
        const struct ctr_store_entry *e = ctr_store_entry(s->store, i);
        int queue = e->is_state && e->init.kind == CTR_INIT_DIRECTIONS, rc;
        float *x = ctr_alloc(e->count, sizeof *x);
        if (!x || (rc = ctr_store_read(x, s->store, i, CTR_STORE_VALUES)) != 0)
            return CTR_E_FAIL;
        for (size_t k = 0; k < e->count; k++)
            x[k] = (float)((double)x[k] * (1 + 0.2 * cos((double)k)));
        if (queue)
            turn(x, e);
        if (queue)
            rc = ctr_store_write(s->store, i, CTR_STORE_VALUES, x);
        else if (ctr_store_has_shadow(s->store) && !e->is_state)
            rc = ctr_store_write(s->store, i, CTR_STORE_SHADOW, x);
        free(x);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Rows of a view give their place to those that come again. */
static void repeat_images(float *x, const ctr_tensor *views, const struct step *s)
{
    size_t row = views->count / views->dim[0], N = s->io.N;
    for (size_t v = views->dim[0] / N; v-- > 0;)
        for (size_t i = N; i-- > 0;)
            memmove(x + (v * N + i) * row, x + (v * s->distinct + i % s->distinct) * row,
                    row * sizeof *x);
}

/* Pixels of some views. */
static int draw_views(float **x, const ctr_tensor *views, uint32_t stream)
{
    struct ctr_rng rng;
    float level = 0.5f;
    if (!(*x = ctr_alloc(views->count, sizeof **x)))
        return CTR_E_FAIL;
    ctr_rng_init(&rng, 2, CTR_RNG_TEST, stream, 0);
    for (size_t i = 0; i < views->count; i++) {
        level = 0.7f * level + 0.3f * ctr_rng_uniform(&rng);
        (*x)[i] = level;
    }
    return 0;
}

static int write_inputs(struct step *s)
{
    int rc = 0;
    int32_t *label = ctr_alloc(s->label->count, sizeof *label);
    if (!label)
        return CTR_E_FAIL;
    for (size_t i = 0; i < s->label->count; i++)
        label[i] = (int32_t)(i % STEP_CLASSES);
    CTR_TRY(draw_views(&s->x, s->views, 0));
    if (s->distinct)
        repeat_images(s->x, s->views, s);
    CTR_TRY(ctr_tensor_write(s->views, s->x, s->views->bytes));
    if (s->local) {
        CTR_TRY(draw_views(&s->x_local, s->local, 1));
        if (s->distinct)
            repeat_images(s->x_local, s->local, s);
        CTR_TRY(ctr_tensor_write(s->local, s->x_local, s->local->bytes));
    }
    CTR_TRY(ctr_tensor_write(s->label, label, s->label->bytes));
    CTR_TRY(ctr_tensor_write(s->number, (uint32_t[]){0, 0, 0, STEP_NUMBER}, s->number->bytes));
out:
    free(label);
    return rc;
}

int step_run(struct step *s, const char *device, const char *encoder, double width, size_t N,
             size_t H)
{
    int rc = 0;
    CTR_TRY(ctr_dev_open(&s->dev, device, NULL));
    CTR_TRY(ctr_store_create(&s->store, s->dev));
    CTR_TRY(ctr_graph_create(&s->g, s->dev, s->store));
    CTR_TRY(record(s, encoder, width, N, H));
    CTR_TRY(ctr_graph_plan(s->g, &s->plan));
    CTR_TRY(ctr_graph_lower(s->g));
    CTR_TRY(ctr_dev_build(s->dev, 1, NULL, NULL));
    CTR_TRY(ctr_store_init(s->store, 1));
    CTR_TRY(set_kept(s));
    CTR_TRY(write_inputs(s));
    CTR_TRY(ctr_graph_replay(s->g));
    CTR_TRY(ctr_dev_finish(s->dev));
out:
    return rc;
}

void step_finish(struct step *s)
{
    free(s->x);
    free(s->x_local);
    ctr_graph_destroy(&s->g);
    ctr_store_destroy(&s->store);
    ctr_dev_destroy(&s->dev);
}
