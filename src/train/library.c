/* library.c -- training in one call: see clcontrast/train.h. In: settings, events. Out: a run's
 * directory, and how it ended, which is read off the trainer's events. */
#include <math.h>

#include "train/settings.h"

/* Stands between the trainer and the caller's events. */
struct watch {
    struct ctr_train_events to;
    struct ctr_train_result result;
};

static void prepare(void *user, const char *what, size_t done, size_t total)
{
    const struct watch *w = user;
    if (w->to.prepare)
        w->to.prepare(w->to.user, what, done, total);
}

static void progress(void *user, const struct ctr_train_progress *p)
{
    struct watch *w = user;
    w->result.loss = p->loss;
    if (w->to.progress)
        w->to.progress(w->to.user, p);
}

static void epoch(void *user, const struct ctr_train_progress *p)
{
    struct watch *w = user;
    w->result.verdict = p->verdict;
    if (w->to.epoch)
        w->to.epoch(w->to.user, p);
}

static int stop(void *user)
{
    struct watch *w = user;
    w->result.stopped = w->to.stop && w->to.stop(w->to.user);
    return w->result.stopped;
}

int ctr_train(struct ctr_train_result *result, const struct ctr_train_settings *settings,
              const struct ctr_train_events *events)
{
    CTR_NEED(settings);
    int rc = 0;
    struct ctr_train_job job = {0};
    struct watch w = {.result.loss = NAN};
    ctr_trainer *t = NULL;
    if (events)
        w.to = *events;
    CTR_TRY(ctr_train_job_init(&job, settings));
    CTR_TRY(ctr_trainer_create(&t, &job.params,
                               &(struct ctr_train_events){&w, prepare, progress, epoch, stop}));
    CTR_TRY(ctr_trainer_run(t));
    w.result.step = ctr_trainer_done(t);
    w.result.steps = ctr_trainer_total(t);
    w.result.n_skipped = ctr_trainer_n_skipped(t);
    if (result)
        *result = w.result;
out:
    ctr_trainer_destroy(&t);
    ctr_train_job_finish(&job);
    return rc;
}
