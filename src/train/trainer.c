/* trainer.c -- puts a run together: device, data, graph, kernels, first or resumed state.
 * In: parameters. Out: a trainer whose graph is one step: batch, augmentation, encoder and head,
 * loss, gradients, optimiser, ring. */
#include "train/impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "graph/tune.h"

static int unknown(const char *what, const char *name)
{
    return ctr_fail(CTR_E_USAGE, "there is no %s '%s'", what, name);
}

static int resolve(ctr_trainer *t)
{
    const struct ctr_train_params *p = t->params;
    if (!(t->encoder = ctr_encoder_find(p->encoder)))
        return unknown("encoder", p->encoder);
    if (!(t->method = ctr_method_find(p->method)))
        return ctr_hint(unknown("method", p->method), "`clcontrast train --help` lists them");
    const char *optim = p->optimizer ? p->optimizer : t->encoder->optimizer;
    if (!(t->optim = ctr_optim_find(optim)))
        return unknown("optimizer", optim);
    if (p->batch < 2)
        return ctr_fail(CTR_E_USAGE,
                        "a batch of %llu image has no others to compare with; it needs at least 2",
                        (unsigned long long)p->batch);
    if (p->micro_batch && p->batch % p->micro_batch != 0)
        return ctr_hint(ctr_fail(CTR_E_USAGE,
                                 "a batch of %llu images does not consist of micro-batches of %llu",
                                 (unsigned long long)p->batch, (unsigned long long)p->micro_batch),
                        "use a --micro-batch that divides --batch");
    t->learning_rate = p->learning_rate > 0 ? p->learning_rate
                                            : t->encoder->learning_rate * (double)p->batch / 256;
    t->needs_labels = t->method->needs_labels && t->method->needs_labels(p->method_option);
    if ((p->labels.share > 0 || p->labels.per_class > 0) && !t->needs_labels)
        return ctr_hint(ctr_fail(CTR_E_USAGE, "the method %s uses no labels, so they cannot be few",
                                 t->method->name),
                        "--limit takes fewer images");
    t->weight_decay = p->weight_decay >= 0 ? p->weight_decay : t->encoder->weight_decay;
    return 0;
}

/* The failure that has been told, and which methods there are for more, or for local views. */
static int other_methods(int rc, int local)
{
    struct ctr_str names = {0};
    for (const struct ctr_method *const *m = ctr_methods; *m; m++)
        if (local ? (*m)->local : (*m)->or_more)
            ctr_str_addf(&names, "%s%s", names.n ? ", " : "", (*m)->name);
    rc = ctr_hint(rc, "these take %s: %s", local ? "them" : "more", names.s ? names.s : "");
    ctr_str_free(&names);
    return rc;
}

/* How many views of an image: as given, else one for each part of the line, at least what the method
 * needs. */
static int resolve_views(ctr_trainer *t)
{
    const struct ctr_method *m = t->method;
    unsigned parts = t->params->augment.n, least = m->or_one && t->needs_labels ? 1 : m->views;
    t->views = t->params->views ? (unsigned)t->params->views : parts > m->views ? parts : m->views;
    if (t->views < least || (t->views > m->views && !m->or_more)) {
        int rc = ctr_fail(CTR_E_USAGE, "the method %s takes %u %sview%s of an image, not %u", m->name,
                          m->views, m->or_more ? "or more " : "", m->views == 1 ? "" : "s", t->views);
        return m->or_more ? rc : other_methods(rc, 0);
    }
    return 0;
}

/* Features are taken of whole images, in evaluation. */
static int resolve_view_size(ctr_trainer *t)
{
    t->view_size = t->params->view_size ? (size_t)t->params->view_size : t->image_size;
    if (!t->encoder->one_size || t->view_size == t->image_size)
        return 0;
    return ctr_hint(ctr_fail(CTR_E_USAGE,
                             "the encoder %s takes images of one size: views of %zu pixels need images "
                             "of %zu",
                             t->encoder->name, t->view_size, t->view_size),
                    "use --image-size %zu, or a resnet", t->view_size);
}

static int resolve_local(ctr_trainer *t)
{
    const struct ctr_train_params *p = t->params;
    if (!p->local_views)
        return 0;
    t->local_size = p->local_size ? (size_t)p->local_size : (t->view_size + 1) / 2;
    if (!t->method->local)
        return other_methods(
            ctr_fail(CTR_E_USAGE, "the method %s takes no local views", t->method->name), 1);
    if (t->encoder->one_size)
        return ctr_hint(ctr_fail(CTR_E_USAGE,
                                 "the encoder %s takes views of one size, hence no local views",
                                 t->encoder->name),
                        "use a resnet");
    if (t->local_size > t->view_size)
        return ctr_fail(CTR_E_USAGE, "local views of %zu pixels are larger than the others of %zu",
                        t->local_size, t->view_size);
    return 0;
}

static int prepare_progress(void *user, size_t done, size_t total)
{
    const ctr_trainer *t = user;
    if (t->events.prepare)
        t->events.prepare(t->events.user, "decoding", done, total);
    return t->events.stop && t->events.stop(t->events.user)
               ? ctr_fail(CTR_E_FAIL, "stopped before training began")
               : 0;
}

static void build_progress(void *user, unsigned done, unsigned total, const char *what)
{
    const ctr_trainer *t = user;
    if (t->events.prepare)
        t->events.prepare(t->events.user, "building kernels", done, total);
}

static void warn_of_test_images(const struct ctr_data_info *info)
{
    if (info->has_test && (strcmp(info->split, "train") != 0 && strcmp(info->split, "unlabeled") != 0))
        ctr_log(CTR_LOG_WARN,
                "split '%s' has images that evaluation tests on: scores on them will say too much",
                info->split);
}

static int open_data(ctr_trainer *t)
{
    const struct ctr_train_params *p = t->params;
    int rc = ctr_pass_open(&t->pass, t, 0, prepare_progress);
    if (rc != 0)
        return rc;
    t->image_size = t->pass.images.height;
    if ((rc = resolve_view_size(t)) != 0 || (rc = resolve_views(t)) != 0 ||
        (rc = resolve_local(t)) != 0)
        return rc;
    warn_of_test_images(ctr_data_info(t->pass.data));
    t->steps_per_epoch = t->pass.batch.steps;
    if (t->steps_per_epoch == 0)
        return ctr_hint(ctr_fail(CTR_E_USAGE,
                                 "a batch of %llu is more than the %zu images there are",
                                 (unsigned long long)p->batch, ctr_data_info(t->pass.data)->n),
                        "use --batch %zu or less", ctr_data_info(t->pass.data)->n);
    t->total_steps = t->steps_per_epoch * p->epochs;
    if (p->max_steps && p->max_steps < t->total_steps)
        t->total_steps = p->max_steps;
    t->schedule = (struct ctr_schedule){
        .kind = p->schedule,
        .base = t->learning_rate,
        .warmup = (uint64_t)(p->warmup_epochs * (double)t->steps_per_epoch),
        .total = t->total_steps,
    };
    return 0;
}

/* Gradients, the optimiser, what the method does after it. Gradients stored as fp16 would vanish below 6e-8: the loss is scaled. */
static int record_update(ctr_trainer *t, struct ctr_method_io *io)
{
    ctr_graph *g = t->pass.g;
    ctr_tensor *scalars = t->pass.batch.scalars, *scale = NULL, *seed = NULL;
    if (t->params->precision == CTR_F16) {
        scale = ctr_loss_scale(g);
        seed = ctr_loss_scale_seed(g, scale, io->loss);
    }
    int rc = ctr_method_backward(io, seed);
    if (rc == CTR_E_USAGE && io->frozen)
        return ctr_hint(rc, "--encoder-rate 0 holds the encoder, and there is nothing else to learn");
    if (rc == 0 && scale)
        scalars = ctr_loss_scale_settle(g, scale, scalars);
    if (rc == 0)
        rc = t->optim->record(g, scalars,
                              &(struct ctr_optim_params){.weight_decay = (float)t->weight_decay,
                                                         .own_rate = (float)t->params->encoder_rate,
                                                         .option = t->params->optim_option});
    return rc != 0 || !t->method->after_update ? rc : t->method->after_update(io);
}

/* The whole step as a graph. */
static int record(ctr_trainer *t)
{
    int rc = 0;
    struct ctr_method_io io;
    CTR_TRY(ctr_pass_record(&t->pass, &io, 1));
    CTR_TRY(record_update(t, &io));
    CTR_TRY(ctr_pass_figures(&t->pass, &io));
    if (t->method->chance_loss)
        t->chance = t->method->chance_loss(&io);
    t->z = io.z;
    t->health = (struct ctr_health){NAN, NAN, NAN, NAN, NAN};
    ctr_graph_keep(t->z);
out:
    return rc;
}

static int assemble(ctr_trainer *t)
{
    int rc = 0;
    const struct ctr_train_params *p = t->params;
    CTR_TRY(ctr_dev_open(
        &t->dev, p->device,
        &(struct ctr_dev_params){
            .profile = p->profile, .sync = p->sync, .quirks = p->quirks, .tf32 = p->tf32}));
    CTR_TRY(open_data(t));
    CTR_TRY(ctr_store_create(&t->store, t->dev));
    ctr_store_moments(t->store, t->optim->moments);
    CTR_TRY(record(t));
    if (t->params->validation > 0)
        CTR_TRY(ctr_validation_create(&t->validation, t, prepare_progress));
out:
    return rc;
}

/* The batch that the device has room for, roughly: activations grow with it. */
static int does_not_fit(const ctr_trainer *t)
{
    const struct ctr_plan_report r = ctr_graph_report(t->pass.g);
    const char *option = t->params->micro_batch ? "--micro-batch" : "--batch";
    size_t batch = t->params->micro_batch ? t->params->micro_batch : t->params->batch;
    uint64_t live = ctr_dev_stats(t->dev).live_bytes - r.arena_bytes; /* values, images */
    uint64_t all = ctr_dev_caps(t->dev)->global_bytes, room = all > live ? all - live : 0;
    double most = 0.95 * (double)batch * (double)room / (double)r.live_bytes;
    size_t fits = most >= 2 && most < (double)batch ? (size_t)most : 0;
    while (fits && t->params->micro_batch && t->params->batch % fits)
        fits--; /* it divides the batch */
    if (fits >= 2)
        return ctr_hint(CTR_E_DEVMEM,
                        "%s %zu should fit; --micro-batch, --recompute on or --precision fp16 "
                        "need less, too",
                        option, fits);
    return ctr_hint(CTR_E_DEVMEM, "a smaller --batch or encoder, --micro-batch, --recompute on or "
                                  "--precision fp16 need less");
}

static int build(ctr_trainer *t)
{
    int rc = 0;
    char *tuned = NULL;
    struct ctr_store_drawing *drawing = NULL;
    CTR_TRY(ctr_trainer_choices(&tuned, t));
    rc = ctr_graph_plan(t->pass.g, &(struct ctr_plan_params){.kernels = t->params->kernels,
                                                             .tuned = tuned,
                                                             .recompute = t->params->recompute});
    CTR_TRY(rc == CTR_E_DEVMEM ? does_not_fit(t) : rc);
    CTR_TRY(ctr_store_init_begin(&drawing, t->store, t->params->seed));
    CTR_TRY(ctr_trainer_keep_choices(t));
    CTR_TRY(ctr_graph_lower(t->pass.g));
    if (t->validation)
        CTR_TRY(ctr_validation_plan(t->validation, t));
    CTR_TRY(ctr_dev_build(t->dev, 1, build_progress, t));
    CTR_TRY(ctr_store_init_end(&drawing, 1));
out:
    ctr_store_init_end(&drawing, 0);
    free(tuned);
    return rc;
}

/* The first lines of train.log: enough to know what ran where. */
static void log_start(const ctr_trainer *t)
{
    const struct ctr_caps *caps = ctr_dev_caps(t->dev);
    const struct ctr_data_info *d = ctr_data_info(t->pass.data);
    char line[1024], local[64] = "";
    snprintf(line, sizeof line, "clcontrast " CTR_VERSION " on %s (%s, driver %s)", caps->name,
             caps->platform, caps->driver);
    ctr_run_log(t->run, CTR_LOG_INFO, line);
    snprintf(line, sizeof line, "%s: %zu images of %ux%ux%u, %u bits%s, %zu skipped, %s", d->path,
             d->n, d->width, d->height, d->channels, 8 * d->sample_bytes,
             t->held_out ? " (others held out by name)" : "", ctr_data_n_skipped(t->pass.data),
             t->pass.images.buf ? "on the device" : "streamed");
    ctr_run_log(t->run, CTR_LOG_INFO, line);
    if (t->params->local_views)
        snprintf(local, sizeof local, " and %llu of %zu pixels",
                 (unsigned long long)t->params->local_views, t->local_size);
    snprintf(
        line, sizeof line,
        "%s, %s, %s: learning rate %g, of the encoder %g, weight decay %g, %llu steps of %llu images, "
        "%u views of each%s, from step %llu",
        t->method->name, t->encoder->name, t->optim->name, t->learning_rate,
        t->learning_rate * t->params->encoder_rate, t->weight_decay,
        (unsigned long long)t->total_steps, (unsigned long long)t->params->batch, t->views, local,
        (unsigned long long)t->done);
    ctr_run_log(t->run, CTR_LOG_INFO, line);
    if (t->start.s) {
        snprintf(line, sizeof line, "weights %s", t->start.s);
        ctr_run_log(t->run, CTR_LOG_INFO, line);
    }
    ctr_trainer_log_choices(t);
}

static int new_trainer(ctr_trainer **out, const struct ctr_train_params *params,
                       const struct ctr_train_events *events)
{
    ctr_trainer *t = ctr_alloc(1, sizeof *t);
    if (!t)
        return CTR_E_FAIL;
    t->params = params;
    t->validated = (struct ctr_train_figures){NAN, NAN, NAN, NAN};
    if (events)
        t->events = *events;
    *out = t;
    return resolve(t);
}

int ctr_trainer_create(ctr_trainer **out, const struct ctr_train_params *params,
                       const struct ctr_train_events *events)
{
    ctr_trainer *t = NULL;
    int rc = 0;
    CTR_TRY(new_trainer(&t, params, events));
    if (params->out)
        CTR_TRY(params->resume ? ctr_run_open(&t->run, params->out)
                               : ctr_run_create(&t->run, params->out, params->config));
    CTR_TRY(assemble(t));
    if (params->init && !params->resume)
        CTR_TRY(ctr_trainer_start_check(t)); /* before kernels are waited for */
    CTR_TRY(build(t));
    if (params->resume)
        CTR_TRY(ctr_state_load(t));
    if (params->init && t->done == 0)
        CTR_TRY(ctr_trainer_start_from(t));
    if (t->run) {
        CTR_TRY(ctr_run_begin(t->run, t->done));
        log_start(t);
    }
    ctr_dev_profile_reset(t->dev);
    *out = t;
    t = NULL;
out:
    if (t && !params->resume)
        ctr_run_discard(&t->run);
    ctr_trainer_destroy(&t);
    return rc;
}

int ctr_train_tune(struct ctr_tune_report *report, const struct ctr_train_params *params,
                   const struct ctr_train_events *events, const struct ctr_tune_params *tune)
{
    ctr_trainer *t = NULL;
    ctr_tuned *tuned = NULL;
    int rc = 0;
    CTR_TRY(new_trainer(&t, params, events));
    CTR_TRY(assemble(t));
    CTR_TRY(ctr_tuned_open(&tuned, t->dev));
    CTR_TRY(ctr_tune(report, tuned, t->pass.g, tune));
out:
    ctr_tuned_close(&tuned);
    ctr_trainer_destroy(&t);
    return rc;
}

void ctr_trainer_destroy(ctr_trainer **trainer)
{
    ctr_trainer *t = *trainer;
    if (!t)
        return;
    ctr_pass_close(&t->pass);
    ctr_validation_destroy(&t->validation);
    ctr_store_destroy(&t->store);
    ctr_dev_destroy(&t->dev);
    ctr_run_close(&t->run);
    ctr_str_free(&t->start);
    free(t);
    *trainer = NULL;
}

ctr_dev *ctr_trainer_dev(const ctr_trainer *t)
{
    return t->dev;
}

const ctr_graph *ctr_trainer_graph(const ctr_trainer *t)
{
    return t->pass.g;
}

struct ctr_data *ctr_trainer_data(const ctr_trainer *t)
{
    return t->pass.data;
}

const char *ctr_trainer_start(const ctr_trainer *t)
{
    return t->start.s;
}

int ctr_trainer_held_out(const ctr_trainer *t)
{
    return t->held_out;
}

size_t ctr_trainer_n_skipped(const ctr_trainer *t)
{
    return ctr_data_n_skipped(t->pass.data) +
           (t->validation ? ctr_validation_n_skipped(t->validation) : 0);
}

struct ctr_data_skip ctr_trainer_skip(const ctr_trainer *t, size_t i)
{
    size_t n = ctr_data_n_skipped(t->pass.data);
    return i < n ? ctr_data_skip(t->pass.data, i) : ctr_validation_skip(t->validation, i - n);
}

size_t ctr_trainer_n_validation(const ctr_trainer *t)
{
    return t->validation ? ctr_validation_n(t->validation) : 0;
}

uint64_t ctr_trainer_validation_bytes(const ctr_trainer *t)
{
    return t->validation ? ctr_validation_bytes(t->validation) : 0;
}

uint64_t ctr_trainer_done(const ctr_trainer *t)
{
    return t->done;
}

uint64_t ctr_trainer_total(const ctr_trainer *t)
{
    return t->total_steps;
}

struct ctr_train_settled ctr_trainer_settled(const ctr_trainer *t)
{
    return (struct ctr_train_settled){
        .encoder = t->encoder->name,
        .method = t->method->name,
        .optimizer = t->optim->name,
        .learning_rate = t->learning_rate,
        .weight_decay = t->weight_decay,
        .chance = t->chance,
        .views = t->views,
        .view_size = t->view_size,
        .local_size = t->local_size,
        .steps_per_epoch = t->steps_per_epoch,
        .augment = ctr_augment_settled(&t->params->augment, t->view_size, t->pass.images.channels),
    };
}

uint64_t ctr_trainer_resident_bytes(const ctr_trainer *t)
{
    return t->pass.images.buf ? ctr_buf_bytes(t->pass.images.buf) : 0;
}
