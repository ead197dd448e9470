/* train_json.c -- a run as lines of JSON. In: what the trainer tells. Out: standard output, a line
 * at a time, so that a reader is never behind. Numbers that are not known are null. */
#include "train_json.h"

#include <math.h>
#include <stdio.h>

#include "interrupt.h"
#include "io/json.h"
#include "term.h"

static void print(const struct ctr_json_field *fields, size_t n)
{
    struct ctr_str s = {0};
    ctr_json_object(&s, fields, n);
    ctr_str_add(&s, "\n", 1);
    (void)term_print(&s); /* a line less: training goes on */
    fflush(stdout);
}

#define PRINT(fields) print(fields, sizeof(fields) / sizeof *(fields))

void train_json_epoch(const struct ctr_train_progress *p)
{
    const char *verdict = ctr_verdict_text(p->verdict);
    const struct ctr_json_field fields[] = {
        ctr_json_str("type", "epoch"),
        ctr_json_int("schema", 1),
        ctr_json_int("epoch", (long long)p->epoch),
        ctr_json_int("epochs", (long long)p->epochs),
        ctr_json_int("step", (long long)p->step),
        ctr_json_int("steps", (long long)p->steps),
        ctr_json_num("loss", p->loss),
        ctr_json_num("chance", p->chance > 0 ? p->chance : NAN),
        ctr_json_num("learning_rate", p->learning_rate),
        ctr_json_num("positive_top1", p->positive_top1),
        ctr_json_num("pairs_right", p->pairs_right),
        ctr_json_num("alignment", p->health.alignment),
        ctr_json_num("uniformity", p->health.uniformity),
        ctr_json_num("effective_rank", p->health.rank),
        ctr_json_num("std", p->health.std),
        ctr_json_num("validation_loss", p->validation.loss),
        ctr_json_num("validation_positive_top1", p->validation.positive_top1),
        ctr_json_num("validation_pairs_right", p->validation.pairs_right),
        ctr_json_num("images_per_second", p->images_per_s),
        ctr_json_num("eta_seconds", p->eta_s),
        ctr_json_str("warning", verdict ? verdict : ""),
    };
    PRINT(fields);
}

void train_json_end(ctr_trainer *t, const struct train_command *c, const char *verdict,
                    double seconds)
{
    const struct ctr_json_field fields[] = {
        ctr_json_str("type", "end"),
        ctr_json_int("schema", 1),
        ctr_json_str("run", c->o.s.out),
        ctr_json_int("step", (long long)ctr_trainer_done(t)),
        ctr_json_int("steps", (long long)ctr_trainer_total(t)),
        ctr_json_bool("stopped", interrupt_caught()),
        ctr_json_int("skipped", (long long)ctr_trainer_n_skipped(t)),
        ctr_json_num("seconds", seconds),
        ctr_json_str("warning", verdict ? verdict : ""),
    };
    PRINT(fields);
}

void train_json_plan(ctr_trainer *t, const struct train_command *c)
{
    const struct ctr_caps *caps = ctr_dev_caps(ctr_trainer_dev(t));
    const struct ctr_data_info *d = ctr_data_info(ctr_trainer_data(t));
    const struct ctr_train_settled s = ctr_trainer_settled(t);
    const struct ctr_plan_report r = ctr_graph_report(ctr_trainer_graph(t));
    const struct ctr_json_field fields[] = {
        ctr_json_str("type", "plan"),
        ctr_json_int("schema", 1),
        ctr_json_str("device", caps->name),
        ctr_json_str("driver", caps->driver),
        ctr_json_str("data", d->path),
        ctr_json_int("images", (long long)d->n),
        ctr_json_int("width", d->width),
        ctr_json_int("height", d->height),
        ctr_json_int("channels", d->channels),
        ctr_json_int("classes", d->n_classes),
        ctr_json_int("validation_images", (long long)ctr_trainer_n_validation(t)),
        ctr_json_int("skipped", (long long)ctr_trainer_n_skipped(t)),
        ctr_json_bool("on_device", ctr_trainer_resident_bytes(t) > 0),
        ctr_json_int("views", s.views),
        ctr_json_int("view_size", (long long)s.view_size),
        ctr_json_str("method", s.method),
        ctr_json_str("encoder", s.encoder),
        ctr_json_str("optimizer", s.optimizer),
        ctr_json_num("learning_rate", s.learning_rate),
        ctr_json_num("encoder_rate", c->o.s.encoder_rate),
        ctr_json_num("weight_decay", s.weight_decay),
        ctr_json_int("steps", (long long)ctr_trainer_total(t)),
        ctr_json_int("steps_per_epoch", (long long)s.steps_per_epoch),
        ctr_json_int("batch", (long long)c->o.s.batch),
        ctr_json_int("parameters", (long long)r.param_count),
        ctr_json_int("parameter_bytes", (long long)r.param_bytes),
        ctr_json_int("gradient_bytes", (long long)r.grad_bytes),
        ctr_json_int("optimizer_bytes", (long long)r.moment_bytes),
        ctr_json_int("following_bytes", (long long)r.shadow_bytes),
        ctr_json_int("statistics_bytes", (long long)r.state_bytes),
        ctr_json_int("activation_bytes", (long long)r.arena_bytes),
        ctr_json_int("image_bytes", (long long)ctr_trainer_resident_bytes(t)),
        ctr_json_int("input_bytes", (long long)r.input_bytes),
        ctr_json_int("validation_bytes", (long long)ctr_trainer_validation_bytes(t)),
        ctr_json_int("launches", (long long)r.launches),
        ctr_json_num("flops", r.flops),
        ctr_json_num("traffic_bytes", r.traffic_bytes),
        ctr_json_str("out", c->o.s.out),
    };
    PRINT(fields);
}
