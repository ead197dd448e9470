/* train.c -- the loop: next batch, replay, look at the loss, save.
 * In: a trainer. Out: its run directory filled, its store trained. The update, and for methods that
 * need one the work after it, are nodes of the replayed graph. */
#include "train/impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/outfile.h"
#include "base/str.h"

#define WORSE_STEPS 20 /* of an epoch; a mean over fewer losses rises and falls by chance */
#define LOOK_LOGS 10 /* lines of metrics from one look at the projections to the next */

static int begin_epoch(ctr_trainer *t)
{
    uint64_t epoch = t->done / t->steps_per_epoch, at = t->done % t->steps_per_epoch;
    for (uint64_t i = 0; i < t->steps_per_epoch; i++)
        t->pass.rates[i] = (float)ctr_schedule_rate(&t->schedule, epoch * t->steps_per_epoch + i);
    if (at == 0)
        t->epoch_loss = 0;
    return ctr_pass_begin(&t->pass, (uint32_t)epoch, at, t->done);
}

static void progress_now(const ctr_trainer *t, struct ctr_train_progress *p)
{
    double left = (double)(t->total_steps - t->done);
    uint64_t last = t->done ? t->done - 1 : 0;
    *p = (struct ctr_train_progress){
        .epoch = last / t->steps_per_epoch + 1,
        .epochs = (t->total_steps + t->steps_per_epoch - 1) / t->steps_per_epoch,
        .step = t->done,
        .steps = t->total_steps,
        .loss = t->last.loss,
        .chance = t->chance,
        .learning_rate = ctr_schedule_rate(&t->schedule, last),
        .positive_top1 = t->last.positive_top1,
        .pairs_right = t->last.pairs_right,
        .images_per_s = t->rate * (double)t->params->batch,
        .health = t->health,
        .validation = t->validated,
        .eta_s = t->rate > 0 ? left / t->rate : 0,
    };
}

/* A line that cannot be written is no reason to stop learning: the first is said, all are counted. */
static int write_metrics(ctr_trainer *t, const struct ctr_json_field *fields, uint64_t step,
                         size_t n)
{
    int rc = ctr_run_metrics(t->run, fields, step, n);
    if (rc != CTR_E_IO)
        return rc;
    if (!t->unwritten++)
        ctr_log(CTR_LOG_WARN, "%s; training goes on", ctr_error_text());
    return 0;
}

static int log_row(ctr_trainer *t, uint64_t step)
{
    if (!t->run || (step % t->params->log_steps != 0 && step != t->total_steps))
        return 0;
    struct ctr_train_progress p;
    progress_now(t, &p);
    const struct ctr_json_field fields[] = {
        ctr_json_int("epoch", (long long)((step - 1) / t->steps_per_epoch + 1)),
        ctr_json_num("loss", t->last.loss),
        ctr_json_num("loss_of_chance", t->chance > 0 ? t->last.loss / t->chance : NAN),
        ctr_json_num("positive_top1", t->last.positive_top1),
        ctr_json_num("positive_similarity", t->last.positive_similarity),
        ctr_json_num("pairs_right", t->last.pairs_right),
        ctr_json_num("alignment", t->health_at == step ? t->health.alignment : NAN),
        ctr_json_num("uniformity", t->health_at == step ? t->health.uniformity : NAN),
        ctr_json_num("effective_rank", t->health_at == step ? t->health.rank : NAN),
        ctr_json_num("feature_std", t->health_at == step ? t->health.std : NAN),
        ctr_json_num("learning_rate", ctr_schedule_rate(&t->schedule, step - 1)),
        ctr_json_num("images_per_s", p.images_per_s),
    };
    return write_metrics(t, fields, step, sizeof fields / sizeof *fields);
}

/* Looks at projections of the last step; waits for the device. */
static int look(ctr_trainer *t)
{
    int rc = 0;
    if (!t->z)
        return 0;
    size_t D = t->z->dim[1], N = t->params->batch, views = t->z->dim[0] >= 2 * N ? 2 : 1;
    size_t n = N < CTR_HEALTH_IMAGES ? N : CTR_HEALTH_IMAGES;
    float *z = ctr_alloc(views * n * D, sizeof *z);
    if (!z)
        return CTR_E_FAIL;
    for (size_t v = 0; v < views; v++)
        CTR_TRY(ctr_buf_read(z + v * n * D, t->z->buf, v * N * D * sizeof *z, n * D * sizeof *z));
    CTR_TRY(ctr_health_measure(&t->health, z, views * n, n, D));
    t->health_at = t->done;
out:
    free(z);
    return rc;
}

/* Takes the rows that steps have left in the ring; waits for the device. */
static int fetch(ctr_trainer *t)
{
    float row[CTR_RING_ROWS][CTR_RING_COLS];
    int rc = ctr_tensor_read(row, t->pass.ring, sizeof row);
    if (rc != 0)
        return rc;
    double now = ctr_now();
    if (now > t->started)
        t->rate = (double)(t->done - t->started_at) / (now - t->started);
    for (; rc == 0 && t->fetched < t->done; t->fetched++) {
        t->last = ctr_pass_row(&t->pass, row[t->fetched % CTR_RING_ROWS]);
        t->epoch_loss += t->last.loss;
        if (!isfinite(t->last.loss))
            return ctr_hint(ctr_fail(CTR_E_DIVERGED,
                                     "the loss is not finite at step %llu (learning "
                                     "rate %g); checkpoints before it are kept",
                                     (unsigned long long)t->fetched + 1,
                                     ctr_schedule_rate(&t->schedule, t->fetched)),
                            "use a smaller --learning-rate, or a longer --warmup-epochs");
        rc = log_row(t, t->fetched + 1);
    }
    return rc;
}

/* The time it takes is none of training's. */
static int validate(ctr_trainer *t)
{
    struct ctr_train_figures *v = &t->validated;
    double began = ctr_now();
    if (!t->validation)
        return 0;
    int rc = ctr_validation_run(v, t->validation);
    t->started += ctr_now() - began;
    if (rc != 0 || !t->run)
        return rc;
    const struct ctr_json_field fields[] = {
        ctr_json_int("epoch", (long long)((t->done - 1) / t->steps_per_epoch + 1)),
        ctr_json_num("validation_loss", v->loss),
        ctr_json_num("validation_positive_top1", v->positive_top1),
        ctr_json_num("validation_positive_similarity", v->positive_similarity),
        ctr_json_num("validation_pairs_right", v->pairs_right),
    };
    return write_metrics(t, fields, t->done, sizeof fields / sizeof *fields);
}

/* How many steps may be under way before the host looks: about 0.2 s of work. */
static uint64_t window(const ctr_trainer *t)
{
    double steps = 0.2 * t->rate;
    return steps < 1 ? 1 : steps > CTR_RING_ROWS / 2 ? CTR_RING_ROWS / 2 : (uint64_t)steps;
}

/* A failed save is no reason to stop learning: it is said, and tried again at the next occasion. */
static int save(ctr_trainer *t, int last)
{
    int rc = t->run ? ctr_state_save(t) : 0;
    if (rc == CTR_E_IO && !last) {
        ctr_log(CTR_LOG_WARN, "%s; training goes on", ctr_error_text());
        return 0;
    }
    if (rc == 0)
        t->saved = t->done;
    return rc;
}

static void end_epoch(ctr_trainer *t)
{
    struct ctr_train_progress p;
    char line[200], validation[100] = "";
    progress_now(t, &p);
    p.loss = t->epoch_loss / (double)t->steps_per_epoch;
    p.verdict = ctr_health_judge(&t->watch, &t->health, p.loss, t->chance, t->last.positive_top1);
    if (p.verdict == CTR_VERDICT_WORSE && t->steps_per_epoch < WORSE_STEPS)
        p.verdict = CTR_VERDICT_LEARNS;
    if (t->events.epoch)
        t->events.epoch(t->events.user, &p);
    if (t->validation)
        snprintf(validation, sizeof validation, ", validation loss %.6f", p.validation.loss);
    snprintf(line, sizeof line, "epoch %llu of %llu: mean loss %.6f%s, %.0f images/s",
             (unsigned long long)p.epoch, (unsigned long long)p.epochs, p.loss, validation,
             p.images_per_s);
    if (t->run)
        ctr_run_log(t->run, CTR_LOG_INFO, line);
    if (t->run && ctr_verdict_text(p.verdict))
        ctr_run_log(t->run, CTR_LOG_WARN, ctr_verdict_text(p.verdict));
}

/* RUN/skipped.tsv: path and reason of every image that could not be used. */
static int list_skipped(const ctr_trainer *t)
{
    size_t n = ctr_trainer_n_skipped(t);
    struct ctr_str text = {0};
    if (!t->run || n == 0)
        return 0;
    char *path = ctr_path_join(ctr_run_dir(t->run), "skipped.tsv");
    for (size_t i = 0; i < n; i++) {
        struct ctr_data_skip skip = ctr_trainer_skip(t, i);
        ctr_str_json(&text, skip.path); /* quoted: a path may hold tabs and newlines */
        ctr_str_addf(&text, "\t%s\n", skip.reason);
    }
    int rc = path && !text.failed ? ctr_file_write(path, text.s, text.n) : CTR_E_FAIL;
    free(path);
    ctr_str_free(&text);
    return rc;
}

int ctr_trainer_step(ctr_trainer *t)
{
    int rc = 0;
    if (t->done == t->started_at || t->done % t->steps_per_epoch == 0)
        CTR_TRY(begin_epoch(t));
    CTR_TRY(ctr_pass_step(&t->pass));
    t->done++;
out:
    return rc;
}

int ctr_trainer_run(ctr_trainer *t)
{
    const struct ctr_train_params *p = t->params;
    struct ctr_train_progress now;
    int rc = 0;
    CTR_TRY(list_skipped(t));
    t->started = ctr_now();
    t->started_at = t->fetched = t->saved = t->done;
    while (t->done < t->total_steps && !t->stopped) {
        CTR_TRY(ctr_trainer_step(t));
        t->stopped = t->events.stop && t->events.stop(t->events.user);
        int epoch_ends = t->done % t->steps_per_epoch == 0;
        int look_due = epoch_ends || (t->run && t->done % (LOOK_LOGS * p->log_steps) == 0);
        int save_due = epoch_ends || t->done == t->total_steps || t->stopped ||
                       (p->checkpoint_steps && t->done % p->checkpoint_steps == 0);
        if (!save_due && !look_due && t->done - t->fetched < window(t))
            continue;
        if (look_due)
            CTR_TRY(look(t));
        CTR_TRY(fetch(t));
        if (epoch_ends || t->done == t->total_steps)
            CTR_TRY(validate(t));
        progress_now(t, &now);
        if (t->events.progress)
            t->events.progress(t->events.user, &now);
        if (save_due)
            CTR_TRY(save(t, t->done == t->total_steps || t->stopped));
        if (epoch_ends)
            end_epoch(t);
    }
    CTR_TRY(list_skipped(t)); /* streaming finds bad images on its way */
    if (t->unwritten)
        rc = ctr_fail(CTR_E_IO, "%llu line%s of metrics in '%s' could not be written; its checkpoint is whole",
                      (unsigned long long)t->unwritten, t->unwritten == 1 ? "" : "s", ctr_run_dir(t->run));
out:
    if (t->run)
        ctr_run_log(t->run, rc ? CTR_LOG_ERROR : CTR_LOG_INFO,
                    rc           ? ctr_error_text()
                    : t->stopped ? "stopped by a signal"
                                 : "done");
    if (rc && t->run && t->saved && t->saved < t->total_steps && !*ctr_error_hint())
        ctr_hint(rc, "step %llu is saved; `clcontrast train --resume %s` goes on from there",
                 (unsigned long long)t->saved, ctr_run_dir(t->run));
    return rc;
}
