/* step.c -- see step.h. */
#include "train/step.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

static int record(struct step *s, const char *encoder, double width, size_t N, size_t H)
{
    static const double temperature = 0.5;
    const struct ctr_method *method = ctr_method_find("simclr");
    s->views = ctr_graph_input(s->g, "views", CTR_F32, 4, (size_t[]){2 * N, H, H, 3});
    s->io = (struct ctr_method_io){
        .g = s->g,
        .views = s->views,
        .N = N,
        .V = 2,
        .encoder = ctr_encoder_find(encoder),
        .encoder_params = {.stem = CTR_STEM_AUTO, .width = width, .training = 1},
        .head = {.hidden = 0, .out = 128, .bn = 1, .training = 1},
        .option = &temperature,
    };
    int rc = method->build(&s->io);
    if (rc == 0)
        ctr_graph_keep(s->io.loss);
    for (size_t i = 0; s->keep_outputs && ctr_graph_node(s->g, i); i++)
        ctr_graph_keep(ctr_graph_node(s->g, i)->out[0]);
    return rc != 0 ? rc : ctr_graph_backward(s->g, s->io.loss, NULL);
}

int step_run(struct step *s, const char *device, const char *encoder, double width, size_t N,
             size_t H)
{
    int rc = 0;
    struct ctr_rng rng;
    CTR_TRY(ctr_dev_open(&s->dev, device, NULL));
    CTR_TRY(ctr_store_create(&s->store, s->dev));
    CTR_TRY(ctr_graph_create(&s->g, s->dev, s->store));
    CTR_TRY(record(s, encoder, width, N, H));
    CTR_TRY(ctr_graph_plan(s->g, &s->plan));
    CTR_TRY(ctr_graph_lower(s->g));
    CTR_TRY(ctr_dev_build(s->dev, 1, NULL, NULL));
    CTR_TRY(ctr_store_init(s->store, 1));
    s->x = ctr_alloc(s->views->count, sizeof *s->x);
    if (!s->x)
        CTR_TRY(CTR_E_FAIL);
    ctr_rng_init(&rng, 2, CTR_RNG_TEST, 0, 0);
    float level = 0.5f;
    for (size_t i = 0; i < s->views->count; i++) {
        level = 0.7f * level + 0.3f * ctr_rng_uniform(&rng);
        s->x[i] = level;
    }
    CTR_TRY(ctr_tensor_write(s->views, s->x, s->views->bytes));
    CTR_TRY(ctr_graph_replay(s->g));
    CTR_TRY(ctr_dev_finish(s->dev));
out:
    return rc;
}

void step_finish(struct step *s)
{
    free(s->x);
    ctr_graph_destroy(&s->g);
    ctr_store_destroy(&s->store);
    ctr_dev_destroy(&s->dev);
}
