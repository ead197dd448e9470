/* tuning.c -- which kernels a run works with. In: what is known of the device, and for a resumed
 * run what it has worked with so far, lest its bits change. Out: a list for the plan; the run's
 * kernels.txt:
 *     # NAME of the device, driver VERSION
 *     op@shape=variant:configuration       a line for each shape that leaves a choice */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/outfile.h"
#include "base/str.h"
#include "graph/tune.h"
#include "train/impl.h"

#define MAX_BYTES ((size_t)4 << 20)

int ctr_train_tune_parse(struct ctr_train_params *p, const char *text)
{
    p->tune = strcmp(text, "off") == 0    ? CTR_TUNE_OFF
              : strcmp(text, "auto") == 0 ? CTR_TUNE_AUTO
                                          : CTR_TUNE_FOR;
    if (p->tune != CTR_TUNE_FOR ||
        (ctr_parse_double(text, &p->tune_s) == 0 && p->tune_s > 0 && p->tune_s <= 1e6))
        return 0;
    return ctr_fail(CTR_E_USAGE, "'%s' is not auto, off or a number of seconds", text);
}

static int progress(void *user, const struct ctr_tune_progress *p)
{
    const ctr_trainer *t = user;
    if (t->events.prepare)
        t->events.prepare(t->events.user, "tuning kernels", p->done, p->total);
    return t->events.stop && t->events.stop(t->events.user);
}

static double seconds(const ctr_trainer *t)
{
    const struct ctr_train_params *p = t->params;
    if (!t->run)
        return 0;
    if (p->tune == CTR_TUNE_AUTO && ctr_dev_caps(t->dev)->family == CTR_FAMILY_GPU)
        return CTR_TUNE_AUTO_S;
    return p->tune == CTR_TUNE_FOR ? p->tune_s : 0;
}

/* A run must not fail because it could be faster: only a lost device or a stop ends it. */
static int search(ctr_trainer *t, ctr_tuned *tuned)
{
    struct ctr_tune_report r;
    struct ctr_tune_params params = {.budget_s = seconds(t), .user = t, .progress = progress};
    if (params.budget_s <= 0)
        return 0;
    int rc = ctr_tune(&r, tuned, t->pass.g, &params);
    if (rc == CTR_E_DEVICE)
        return rc;
    if (rc != 0) {
        ctr_log(CTR_LOG_WARN, "kernels are not tuned: %s", ctr_error_text());
        return 0;
    }
    if (r.stopped)
        return ctr_fail(CTR_E_FAIL, "stopped before training began");
    if (r.searched)
        ctr_log(CTR_LOG_INFO, "kernels of %zu of %zu shapes known, %.1f s%s", r.known, r.shapes,
                r.seconds, r.out_of_time ? "; `clcontrast tune` finds the others" : "");
    return 0;
}

static int stored(char **list, ctr_trainer *t)
{
    ctr_tuned *tuned = NULL;
    int rc = ctr_tuned_open(&tuned, t->dev);
    if (rc == 0)
        rc = search(t, tuned);
    if (rc == 0 && !(*list = ctr_strdup(ctr_tuned_list(tuned))))
        rc = CTR_E_FAIL;
    ctr_tuned_close(&tuned);
    return rc;
}

/* ---- the run's own ---- */

static char *file_of(const ctr_trainer *t)
{
    return ctr_path_join(ctr_run_dir(t->run), CTR_RUN_KERNELS);
}

static void head(struct ctr_str *s, const ctr_trainer *t)
{
    const struct ctr_caps *caps = ctr_dev_caps(t->dev);
    ctr_str_addf(s, "# %s, driver %s\n", caps->name, caps->driver);
}

/* What the run has worked with; NULL when that was another device, "" when it did not say. */
static char *recorded(const ctr_trainer *t)
{
    void *text = NULL;
    size_t n;
    struct ctr_str want = {0};
    char *path = file_of(t), *list = NULL;
    if (path && ctr_file_read(&text, &n, path, MAX_BYTES) != 0)
        list = ctr_strdup("");
    head(&want, t);
    if (text && want.s && !want.failed && strncmp(text, want.s, want.n) == 0)
        list = ctr_strdup((char *)text + want.n);
    ctr_str_free(&want);
    free(text);
    free(path);
    return list;
}

int ctr_trainer_choices(char **list, ctr_trainer *t)
{
    if (t->run && t->params->resume && (*list = recorded(t)) != NULL)
        return 0;
    return t->params->tune == CTR_TUNE_OFF ? 0 : stored(list, t);
}

int ctr_trainer_keep_choices(ctr_trainer *t)
{
    struct ctr_str s = {0};
    if (!t->run)
        return 0;
    char *path = file_of(t);
    head(&s, t);
    ctr_str_addf(&s, "%s", ctr_graph_choices(t->pass.g, 0));
    int rc = path && !s.failed ? ctr_file_write(path, s.s, s.n) : CTR_E_FAIL;
    ctr_str_free(&s);
    free(path);
    return rc;
}

void ctr_trainer_log_choices(const ctr_trainer *t)
{
    const char *line = ctr_graph_choices(t->pass.g, 1);
    while (*line) {
        char text[512];
        size_t n = strcspn(line, "\n");
        snprintf(text, sizeof text, "kernel, not the default: %.*s", (int)n, line);
        ctr_run_log(t->run, CTR_LOG_INFO, text);
        line += n + 1;
    }
}
