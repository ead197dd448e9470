/* dry_run.c -- the summary of a run that is not begun. In: a trainer, whose device, images, graph and
 * kernels are there. Out: lines of text. The run's directory is looked at, never touched. */
#include "dry_run.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/os.h"
#include "data/data.h"
#include "term.h"
#include "train/checkpoint.h"
#include "train/run.h"

static void mib(const char *name, uint64_t bytes)
{
    printf("  %-22s %10.1f MiB\n", name, (double)bytes / 1048576);
}

static uint64_t checkpoint_bytes(const struct ctr_plan_report *r)
{
    return r->param_bytes + r->moment_bytes + r->shadow_bytes + r->state_bytes;
}

static void print_memory(const struct ctr_plan_report *r, uint64_t images, uint64_t validation)
{
    printf("parameters               %zu\nmemory on the device\n", r->param_count);
    mib("parameters", r->param_bytes);
    mib("gradients", r->grad_bytes);
    mib("optimizer", r->moment_bytes);
    if (r->shadow_bytes)
        mib("following network", r->shadow_bytes);
    mib("running statistics", r->state_bytes);
    mib("activations, scratch", r->arena_bytes);
    mib("  (without sharing)", r->unshared_bytes);
    mib("  (live at one time)", r->live_bytes);
    if (r->recomputed)
        mib("  (all outputs kept)", r->kept_bytes);
    mib("images", images);
    mib("other inputs", r->input_bytes);
    if (validation)
        mib("validation", validation);
    mib("sum", checkpoint_bytes(r) + r->grad_bytes + r->arena_bytes + images + r->input_bytes +
                   validation);
    printf("one step\n  launches               %10zu\n  arithmetic             %10.3f GFLOP\n"
           "  memory traffic         %10.1f MiB\n",
           r->launches, r->flops * 1e-9, r->traffic_bytes / 1048576);
}

static void print_escaped(const char *text)
{
    struct ctr_str s = {0};
    term_escape(&s, text);
    fputs(s.s && !s.failed ? s.s : "", stdout);
    ctr_str_free(&s);
}

/* ", 10 classes of 480 to 520 images" */
static int print_classes(const struct ctr_data_info *d)
{
    size_t *count = d->n_classes ? ctr_alloc(d->n_classes, sizeof *count) : NULL;
    size_t least = d->n, most = 0;
    if (d->n_classes == 0) {
        printf(", without classes");
        return 0;
    }
    if (!count)
        return CTR_E_FAIL;
    for (size_t i = 0; i < d->n; i++)
        if (d->labels[i] >= 0)
            count[d->labels[i]]++;
    for (unsigned k = 0; k < d->n_classes; k++) {
        least = count[k] < least ? count[k] : least;
        most = count[k] > most ? count[k] : most;
    }
    free(count);
    printf(", %u class%s of %zu", d->n_classes, d->n_classes == 1 ? "" : "es", least);
    if (most > least)
        printf(" to %zu", most);
    return 0;
}

static int print_images(ctr_trainer *t)
{
    const struct ctr_data_info *d = ctr_data_info(ctr_trainer_data(t));
    size_t bad = ctr_trainer_n_skipped(t), held_out = ctr_trainer_n_validation(t);
    printf("images                   ");
    print_escaped(d->path);
    char kind[48];
    printf(": %zu of %ux%u%s", d->n, d->width, d->height, train_pixels(kind, d));
    int rc = print_classes(d);
    printf(", %s\n", ctr_trainer_resident_bytes(t) ? "on the device" : "streamed");
    if (held_out > 0)
        printf("  for validation         %zu more\n", held_out);
    if (bad > 0)
        printf("  skipped                %zu\n", bad);
    return rc;
}

static void print_settings(ctr_trainer *t, const struct train_command *c)
{
    static const char *const course[] = {"as a cosine", "constant", "in steps"};
    struct ctr_train_settled s = ctr_trainer_settled(t);
    struct ctr_str line = {0};
    ctr_augment_text(&line, &s.augment);
    printf("views                    %u of %zux%zu: %s\n", s.views, s.view_size, s.view_size,
           line.s && !line.failed && *line.s ? line.s : "none");
    ctr_str_free(&line);
    if (c->o.s.local_views)
        printf("  local                  %llu of %zux%zu: %s\n", (unsigned long long)c->o.s.local_views,
               s.local_size, s.local_size, c->o.s.local_augment);
    printf("learning                 %s with %s, by %s: learning rate %g %s, weight decay %g\n",
           s.method, s.encoder, s.optimizer, s.learning_rate, course[CTR_SETTING_PLACE(&c->o.s, schedule)],
           s.weight_decay);
    if (c->o.s.encoder_rate > 0 && c->o.s.encoder_rate != 1)
        printf("  of the encoder         learning rate %g\n", s.learning_rate * c->o.s.encoder_rate);
    else if (c->o.s.encoder_rate == 0)
        printf("  of the encoder         nothing: it is held\n");
    if (ctr_trainer_start(t)) {
        printf("  weights                ");
        print_escaped(ctr_trainer_start(t));
        printf("\n");
    }
    if (s.chance > 0)
        printf("  loss of guessing       %.4f\n", s.chance);
    printf("steps                    %llu: %llu epochs, %llu steps of %llu images each\n",
           (unsigned long long)ctr_trainer_total(t), (unsigned long long)c->o.s.epochs,
           (unsigned long long)s.steps_per_epoch, (unsigned long long)c->o.s.batch);
}

static void print_output(const struct train_command *c, const struct ctr_plan_report *r)
{
    uint64_t room = ctr_disk_room(c->o.s.out), each = checkpoint_bytes(r);
    uint64_t n = c->o.s.keep ? c->o.s.keep : 1;
    char one[24], there[24];
    printf("output                   ");
    print_escaped(c->o.s.out);
    printf("%s\n  checkpoints            %s each, ", c->o.resume ? ", resumed" : "",
           term_bytes(one, each));
    if (c->o.s.keep)
        printf("the newest %llu kept", (unsigned long long)c->o.s.keep);
    else
        printf("all kept");
    if (room != UINT64_MAX) /* known */
        printf("; %s free", term_bytes(there, room));
    putchar('\n');
    if (room / (n + 1) < each) /* one is written before the oldest goes */
        term_warn("the disk has no room for %llu checkpoints", (unsigned long long)n + 1);
}

int dry_run_check(struct ctr_train_params *params, const struct train_command *c)
{
    struct ctr_st *checkpoint = NULL;
    uint64_t step = 0, *steps = NULL;
    size_t n = 0;
    char *dir = NULL;
    int rc = 0;
    if (!c->o.resume)
        return ctr_run_check(c->o.s.out);
    if (!(dir = ctr_path_join(c->o.s.out, "checkpoints")))
        return CTR_E_FAIL;
    CTR_TRY(ctr_checkpoint_list(&steps, &n, dir));
    if (n > 0) { /* else it begins anew */
        CTR_TRY(ctr_checkpoint_open_newest(&checkpoint, &step, dir));
        params->init = NULL;
    }
out:
    ctr_st_close(&checkpoint);
    free(steps);
    free(dir);
    return rc;
}

int dry_run_print(ctr_trainer *t, const struct train_command *c)
{
    const struct ctr_caps *caps = ctr_dev_caps(ctr_trainer_dev(t));
    struct ctr_plan_report r = ctr_graph_report(ctr_trainer_graph(t));
    printf("device                   %s (%s, driver %s)\n", caps->name, caps->platform,
           caps->driver);
    int rc = print_images(t);
    if (rc != 0)
        return rc;
    print_settings(t, c);
    print_memory(&r, ctr_trainer_resident_bytes(t), ctr_trainer_validation_bytes(t));
    print_output(c, &r);
    return 0;
}
