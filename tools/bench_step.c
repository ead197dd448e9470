/* bench_step.c -- a whole training step: batch, augmentation, forward, loss, backward, update, as
 * `clcontrast train` runs it, on the built-in drawings with the defaults of SimCLR.
 *
 * In: an encoder and a number of pairs. Out: times of steps, each waited for; memory; and, from a
 * second trainer that times each kernel by events, what the kernels took. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "method/method.h"
#include "opt_train.h"
#include "train/train.h"

#define PROFILED_STEPS 3

static void defaults(double *value, const struct ctr_option *options)
{
    for (size_t i = 0; options && options[i].name; i++)
        value[i] = options[i].init;
}

static struct ctr_train_params params_of(const struct bench_row *row, const struct bench_options *o)
{
    struct ctr_train_params p = {.limit = 8 * row->pairs,
                                 .image_size = row->image_size,
                                 .encoder = row->encoder,
                                 .precision = opt_storage(o->precision),
                                 .method = "simclr",
                                 .head_out = 128,
                                 .head_layers = 2,
                                 .head_bn = 1,
                                 .epochs = 1000000,
                                 .batch = row->pairs,
                                 .seed = 1,
                                 .encoder_rate = 1,
                                 .weight_decay = -1,
                                 .log_steps = 1,
                                 .device = o->device,
                                 .kernels = o->kernel,
                                 .quirks = o->quirk,
                                 .tf32 = o->math};
    const struct ctr_encoder *e = ctr_encoder_find(row->encoder);
    const struct ctr_optim *optim = e ? ctr_optim_find(e->optimizer) : NULL;
    defaults(p.method_option, ctr_method_find("simclr")->options);
    if (optim)
        defaults(p.optim_option, optim->options);
    return p;
}

static int step(void *user)
{
    return ctr_trainer_step(user);
}

/* All launches of the step; the trainer's device knows the peaks. */
static void add_costs(struct bench_row *row, const ctr_trainer *t)
{
    size_t n;
    ctr_launch *const *l = ctr_graph_launches(ctr_trainer_graph(t), 0, SIZE_MAX, &n);
    row->launches = n;
    for (size_t i = 0; i < n; i++) {
        struct ctr_launch_cost cost = ctr_launch_cost(l[i]);
        row->flops += cost.flops;
        row->work += cost.work;
        row->bytes += cost.bytes;
        row->floor_s += cost.floor_s;
    }
    struct ctr_plan_report r = ctr_graph_report(ctr_trainer_graph(t));
    row->arena_bytes = r.arena_bytes;
    row->trained_bytes = r.param_bytes + r.grad_bytes + r.moment_bytes + r.shadow_bytes +
                         r.state_bytes;
    row->device_bytes = ctr_dev_stats(ctr_trainer_dev(t)).live_bytes;
}

/* The device's rows, with names that outlive it. */
static int keep_kernels(struct bench_row *row, const ctr_dev *dev)
{
    int rc = ctr_dev_profile(&row->kernels, &row->n_kernels, dev);
    for (unsigned i = 0; rc == 0 && i < row->n_kernels; i++) {
        char *name = ctr_strdup(row->kernels[i].name);
        if (!name) {
            row->n_kernels = i;
            rc = CTR_E_FAIL;
        } else {
            row->kernels[i].name = name;
        }
    }
    return rc;
}

void bench_row_finish(struct bench_row *row)
{
    for (unsigned i = 0; i < row->n_kernels; i++)
        free((char *)row->kernels[i].name);
    free(row->kernels);
}

static int profile(struct bench_row *row, struct ctr_train_params *p, const struct ctr_peaks *peaks)
{
    int rc = 0;
    ctr_trainer *t = NULL;
    p->profile = 1;
    CTR_TRY(ctr_trainer_create(&t, p, NULL));
    if (peaks)
        ctr_dev_set_peaks(ctr_trainer_dev(t), peaks);
    CTR_TRY(ctr_trainer_step(t));
    ctr_dev_profile_reset(ctr_trainer_dev(t));
    for (int i = 0; i < PROFILED_STEPS; i++)
        CTR_TRY(ctr_trainer_step(t));
    CTR_TRY(keep_kernels(row, ctr_trainer_dev(t)));
out:
    ctr_trainer_destroy(&t);
    return rc;
}

int bench_step(struct bench_row *row, const struct bench_options *o, const struct ctr_peaks *peaks)
{
    int rc = 0;
    ctr_trainer *t = NULL;
    struct ctr_train_params p = params_of(row, o);
    CTR_TRY(ctr_trainer_create(&t, &p, NULL));
    if (peaks)
        ctr_dev_set_peaks(ctr_trainer_dev(t), peaks);
    CTR_TRY(bench_sample(row, ctr_trainer_dev(t), o, step, t));
    add_costs(row, t);
    ctr_trainer_destroy(&t);
    CTR_TRY(profile(row, &p, peaks));
out:
    ctr_trainer_destroy(&t);
    return rc;
}
