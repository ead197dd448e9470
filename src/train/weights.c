/* weights.c -- see weights.h. In: a run's directory or a file. Out: its tensors, and the network they
 * belong to, by the metadata that state.c writes and by the shapes of the projection head. */
#include "train/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/str.h"
#include "data/image.h"
#include "train/checkpoint.h"

int ctr_weights_file(struct ctr_st **st, char **path, uint64_t *step, const char *run_or_file)
{
    struct stat is;
    char *file = NULL, *dir = NULL;
    uint64_t at = 0;
    int rc = 0;
    *st = NULL;
    if (stat(run_or_file, &is) != 0 || !S_ISDIR(is.st_mode)) {
        if (!(file = ctr_strdup(run_or_file)))
            CTR_TRY(CTR_E_FAIL);
        CTR_TRY(ctr_st_open(st, run_or_file, 0));
        const char *said = ctr_st_meta_value(*st, "step");
        at = said ? strtoull(said, NULL, 10) : 0;
    } else {
        if (!(dir = ctr_path_join(run_or_file, "checkpoints")))
            CTR_TRY(CTR_E_FAIL);
        CTR_TRY(ctr_checkpoint_open_newest(st, &at, dir));
        if (!(file = ctr_checkpoint_path(dir, at)))
            CTR_TRY(CTR_E_FAIL);
    }
    if (step)
        *step = at;
    if (path) {
        *path = file;
        file = NULL;
    }
out:
    if (rc != 0)
        ctr_st_close(st);
    free(dir);
    free(file);
    return rc;
}

/* ---- what the metadata say ---- */

static const char *meta(const struct ctr_weights *w, const char *key)
{
    const char *value = ctr_st_meta_value(w->st, key);
    return value ? value : "";
}

/* A whole number in [least, most]; *out stays when the key is absent. */
static int number(unsigned long long *out, const struct ctr_weights *w, const char *key,
                  unsigned long long least, unsigned long long most)
{
    const char *text = meta(w, key);
    if (!*text)
        return *out >= least;
    return ctr_parse_u64(text, out) == 0 && *out >= least && *out <= most;
}

static int read_meta(struct ctr_weights *w)
{
    unsigned long long size = 0, seed = 0, channels = 3, bits = 8; /* 0.1.0 tells no channels, bits */
    w->encoder = ctr_encoder_find(meta(w, "encoder"));
    w->params.width = 1;
    for (unsigned i = 0; i < CTR_STEMS; i++)
        if (strcmp(meta(w, "stem"), ctr_stem_names[i]) == 0)
            w->params.stem = (enum ctr_stem)i;
    const char *mean = meta(w, "mean"), *std = meta(w, "std");
    int known = w->encoder && *meta(w, "seed") && number(&size, w, "image_size", 1, 4096) &&
                number(&seed, w, "seed", 0, UINT64_MAX) &&
                number(&channels, w, "channels", 1, CTR_CHANNELS_MAX) &&
                number(&bits, w, "bits", 8, 16) && (bits == 8 || bits == 16) &&
                (!*meta(w, "width") || ctr_parse_double(meta(w, "width"), &w->params.width) == 0) &&
                w->params.width > 0 && w->params.width <= CTR_WIDTH_MAX &&
                (!*mean || ctr_normalize_lists(&w->params.normalize, mean, std) == 0);
    if (!known)
        return ctr_hint(ctr_fail(CTR_E_MODEL, "'%s' does not say what encoder it holds", w->path),
                        "give a run's directory, or a checkpoint of one; `clcontrast import` makes "
                        "a model of weights trained elsewhere");
    w->image_size = (size_t)size;
    w->channels = (unsigned)channels;
    w->bits = (unsigned)bits;
    w->seed = seed;
    w->data = meta(w, "data");
    return 0;
}

/* ---- what the head's tensors say: dense layers at 0, 3, 6, ..., batch-norm behind them ---- */

static const struct ctr_st_tensor *head_tensor(const struct ctr_weights *w, unsigned at,
                                               const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "projection_head.%u.%s", at, what);
    return ctr_st_find(w->st, name);
}

static void read_head(struct ctr_weights *w)
{
    struct ctr_head_params *head = &w->head;
    const struct ctr_st_tensor *t;
    for (unsigned at = 0; (t = head_tensor(w, at, "weight")) && t->rank == 2; at += 3) {
        if (at == 0)
            head->hidden = (size_t)t->dims[0];
        head->out = (size_t)t->dims[0];
        head->layers++;
    }
    if (head->layers == 0)
        return;
    head->bn = head->layers > 1 && head_tensor(w, 1, "weight") != NULL;
    head->bn_last = head_tensor(w, 3 * head->layers - 2, "running_mean") != NULL;
    w->has_head = 1;
}

int ctr_weights_open(struct ctr_weights *out, const char *run_or_file)
{
    *out = (struct ctr_weights){0};
    int rc = ctr_weights_file(&out->st, &out->path, &out->step, run_or_file);
    if (rc == 0)
        rc = read_meta(out);
    if (rc == 0)
        read_head(out);
    else
        ctr_weights_close(out);
    return rc;
}

/* None where it does not say, or not rightly: CTR_E_MODEL then. */
static int read_normalize(struct ctr_normalize *normalize, const struct ctr_st *st)
{
    struct ctr_normalize said = {0};
    const char *mean = ctr_st_meta_value(st, "mean"), *std = ctr_st_meta_value(st, "std");
    int rc = mean && std ? ctr_normalize_lists(&said, mean, std) : 0;
    *normalize = rc == 0 ? said : (struct ctr_normalize){0};
    return rc == 0 ? 0 : CTR_E_MODEL;
}

int ctr_weights_saved(struct ctr_normalize *normalize, const char *run)
{
    struct ctr_st *st = NULL;
    char *dir = ctr_path_join(run, "checkpoints");
    int rc = dir ? ctr_checkpoint_peek(&st, dir) : CTR_E_FAIL;
    if (rc == 0)
        rc = read_normalize(normalize, st);
    ctr_st_close(&st);
    free(dir);
    return rc;
}

int ctr_weights_start(char **file, struct ctr_normalize *normalize, const char *run_or_file)
{
    struct ctr_st *st = NULL;
    int rc = ctr_weights_file(&st, file, NULL, run_or_file);
    if (rc != 0)
        return rc;
    rc = read_normalize(normalize, st);
    ctr_st_close(&st);
    if (rc == 0)
        return 0;
    rc = ctr_fail_in(CTR_E_MODEL, "'%s'", *file);
    free(*file);
    *file = NULL;
    return rc;
}

void ctr_weights_close(struct ctr_weights *weights)
{
    ctr_st_close(&weights->st);
    free(weights->path);
    *weights = (struct ctr_weights){0};
}
