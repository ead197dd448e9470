/* classifier.c -- see classifier.h. */
#include "train/classifier.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "eval/linear.h"

void ctr_classes_json(struct ctr_str *out, const struct ctr_data_info *info)
{
    ctr_str_addf(out, "[");
    for (unsigned k = 0; k < info->n_classes; k++) {
        ctr_str_addf(out, "%s", k ? "," : "");
        ctr_str_json(out, info->class_names[k]);
    }
    ctr_str_addf(out, "]");
}

static int same_classes(const struct ctr_st *st, const struct ctr_data_info *info)
{
    const char *of = ctr_st_meta_value(st, "classes");
    struct ctr_str names = {0};
    ctr_classes_json(&names, info);
    int same = of && names.s && !names.failed && strcmp(of, names.s) == 0;
    ctr_str_free(&names);
    return same;
}

/* The tensor's values, count of them, or NULL. */
static const void *values(const struct ctr_st *st, const char *name, size_t count)
{
    const struct ctr_st_tensor *t = ctr_st_find(st, name);
    return t && t->dtype == CTR_ST_F32 && t->bytes == count * sizeof(float) ? t->data : NULL;
}

/* Of features as they are: nothing is standardised. */
static int fill(struct ctr_linear *l, const void *w, const void *b, const struct ctr_features *f)
{
    int rc = ctr_linear_init(l, f, l->classes);
    if (rc != 0)
        return rc;
    for (size_t d = 0; d < f->D; d++) {
        l->mean[d] = 0;
        l->scale[d] = 1;
    }
    memcpy(l->w, w, l->classes * f->D * sizeof *l->w);
    memcpy(l->b, b, l->classes * sizeof *l->b);
    return 0;
}

int ctr_classifier_score(double *accuracy, const struct ctr_st *st, const struct ctr_features *f,
                         const struct ctr_data_info *info)
{
    struct ctr_linear l = {.classes = info->n_classes};
    const void *w = values(st, "fc.weight", l.classes * f->D), *b = values(st, "fc.bias", l.classes);
    *accuracy = NAN;
    if (!ctr_st_find(st, "fc.weight"))
        return 0;
    if (!w || !b || !same_classes(st, info)) {
        ctr_log(CTR_LOG_WARN, "the run's own classifier tells other classes apart than '%s' has: it is "
                "left out", info->path);
        return 0;
    }
    int32_t *guess = ctr_alloc(f->n, sizeof *guess);
    int rc = guess ? fill(&l, w, b, f) : CTR_E_FAIL;
    if (rc == 0) {
        ctr_linear_guess(guess, &l, f, NULL, f->n);
        *accuracy = ctr_accuracy(guess, f->label, f->n);
    }
    ctr_linear_finish(&l);
    free(guess);
    return rc;
}
