/* start.c -- a run that starts from weights of another: the encoder's, by name, and of heads those that
 * fit. In: a run's directory (its newest checkpoint) or a safetensors file. Out: the store's values and
 * shadows; a line that says what was taken. Moments, queues and running statistics of heads begin anew. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "train/impl.h"
#include "train/state.h"
#include "train/weights.h"

struct start {
    ctr_trainer *t;
    struct ctr_st *st;
    struct ctr_sketch encoder; /* its names and shapes */
    char *path;         /* of the file */
    size_t n_taken;
};

static int list_encoder(struct start *s)
{
    const ctr_trainer *t = s->t;
    const struct ctr_encoder_params params = {
        .stem = ctr_stem_for(t->params->stem, t->image_size), .width = t->params->width,
        .normalize = t->params->normalize};
    return ctr_sketch_create(&s->encoder, t->encoder, &params, t->view_size, t->pass.images.channels);
}

static int is_of_encoder(const struct start *s, const struct ctr_store_entry *e)
{
    for (size_t i = 0; i < ctr_store_entries(s->encoder.store); i++)
        if (strcmp(ctr_store_entry(s->encoder.store, i)->name, e->name) == 0)
            return 1;
    return 0;
}

/* Length of "projection_head" in "projection_head.0.weight". */
static size_t head_length(const char *name)
{
    return strcspn(name, ".");
}

static int same_head(const char *a, const char *b)
{
    size_t n = head_length(a);
    return n == head_length(b) && memcmp(a, b, n) == 0;
}

/* Whether the file has all parameters of the head that `name` belongs to, in their shapes. */
static int head_fits(const struct start *s, const char *name)
{
    const ctr_store *store = s->t->store;
    for (size_t i = 0; i < ctr_store_entries(store); i++) {
        const struct ctr_store_entry *e = ctr_store_entry(store, i);
        const struct ctr_st_tensor *tensor = ctr_st_find(s->st, e->name);
        if (same_head(e->name, name) && !e->is_state && (!tensor || !ctr_state_same(e, tensor)))
            return 0;
    }
    return 1;
}

static int does_not_fit(const struct start *s, const struct ctr_store_entry *e)
{
    const struct ctr_st_tensor *tensor = ctr_st_find(s->st, e->name);
    const char *holds = ctr_st_meta_value(s->st, "encoder");
    struct ctr_str is = {0}, want = {0};
    int rc;
    if (holds && strcmp(holds, s->t->encoder->name) != 0)
        rc = ctr_fail(CTR_E_MODEL, "'%s' holds the encoder %s, not %s", s->path, holds,
                      s->t->encoder->name);
    else if (!tensor)
        rc = ctr_fail(CTR_E_MODEL, "'%s' has no '%s', which the encoder %s has", s->path, e->name,
                      s->t->encoder->name);
    else {
        for (unsigned k = 0; k < tensor->rank; k++)
            ctr_str_addf(&is, "%s%llu", k ? " x " : "", (unsigned long long)tensor->dims[k]);
        for (unsigned k = 0; k < e->rank; k++)
            ctr_str_addf(&want, "%s%zu", k ? " x " : "", e->dim[k]);
        rc = ctr_fail(CTR_E_MODEL, "'%s' of '%s' is %s of %s; the encoder's is F32 of %s", e->name,
                      s->path, ctr_st_dtype_name(tensor->dtype), is.s ? is.s : "", want.s ? want.s : "");
    }
    ctr_str_free(&is);
    ctr_str_free(&want);
    return ctr_hint(rc, "--encoder, --width, --stem, --image-size and --channels must be those of the model");
}

static int check_finite(const struct start *s, const struct ctr_store_entry *e)
{
    const float *x = ctr_st_find(s->st, e->name)->data;
    for (size_t i = 0; i < e->count; i++)
        if (!isfinite(x[i]))
            return ctr_fail(CTR_E_MODEL, "'%s' of '%s' is not finite", e->name, s->path);
    return 0;
}

static int take(struct start *s, size_t i)
{
    ctr_store *store = s->t->store;
    const struct ctr_store_entry *e = ctr_store_entry(store, i);
    const void *data = ctr_st_find(s->st, e->name)->data;
    s->n_taken++;
    int rc = check_finite(s, e);
    if (rc == 0)
        rc = ctr_store_write(store, i, CTR_STORE_VALUES, data);
    if (rc == 0 && ctr_store_has_shadow(store) && !e->is_state)
        rc = ctr_store_write(store, i, CTR_STORE_SHADOW, data);
    return rc;
}

/* Whether the whole encoder is there in its shapes; with `taking` it goes into the store. */
static int go_through_encoder(struct start *s, int taking)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ctr_store_entries(s->t->store); i++) {
        const struct ctr_store_entry *e = ctr_store_entry(s->t->store, i);
        const struct ctr_st_tensor *tensor = ctr_st_find(s->st, e->name);
        if (!is_of_encoder(s, e))
            continue;
        if (!tensor || !ctr_state_same(e, tensor))
            rc = does_not_fit(s, e);
        else
            rc = taking ? take(s, i) : check_finite(s, e);
    }
    return rc;
}

/* `name` stands for its head, which is listed once: parameters of one stand side by side. */
static void list_head(struct ctr_str *list, const char **last, const char *name)
{
    if (!same_head(*last, name))
        ctr_str_addf(list, "%s%.*s", list->n ? ", " : "", (int)head_length(name), name);
    *last = name;
}

static int take_heads(struct ctr_str *taken, struct ctr_str *anew, struct start *s)
{
    int rc = 0;
    const char *last_taken = "", *last_anew = "";
    for (size_t i = 0; rc == 0 && i < ctr_store_entries(s->t->store); i++) {
        const struct ctr_store_entry *e = ctr_store_entry(s->t->store, i);
        if (e->is_state || is_of_encoder(s, e))
            continue;
        int fits = head_fits(s, e->name);
        if (fits)
            rc = take(s, i);
        list_head(fits ? taken : anew, fits ? &last_taken : &last_anew, e->name);
    }
    return rc;
}

/* Heads of the file that the run has not; what a run keeps beside its network is none. */
static void list_unused(struct ctr_str *unused, const struct start *s)
{
    const char *last = "";
    for (size_t i = 0; i < ctr_st_count(s->st); i++) {
        const char *name = ctr_st_at(s->st, i)->name;
        size_t k = 0, n = ctr_store_entries(s->t->store);
        while (k < n && !same_head(ctr_store_entry(s->t->store, k)->name, name))
            k++;
        if (k == n && !same_head(name, "optimizer") && !same_head(name, "shadow"))
            list_head(unused, &last, name);
    }
}

static void finish(struct start *s)
{
    ctr_sketch_destroy(&s->encoder);
    ctr_st_close(&s->st);
    free(s->path);
}

int ctr_trainer_start_check(ctr_trainer *t)
{
    int rc = 0;
    struct start s = {.t = t};
    CTR_TRY(ctr_weights_file(&s.st, &s.path, NULL, t->params->init));
    CTR_TRY(list_encoder(&s));
    CTR_TRY(go_through_encoder(&s, 0));
out:
    finish(&s);
    return rc;
}

int ctr_trainer_start_from(ctr_trainer *t)
{
    int rc = 0;
    struct start s = {.t = t};
    struct ctr_str taken = {0}, anew = {0}, unused = {0};
    CTR_TRY(ctr_weights_file(&s.st, &s.path, NULL, t->params->init));
    CTR_TRY(list_encoder(&s));
    CTR_TRY(go_through_encoder(&s, 1));
    CTR_TRY(take_heads(&taken, &anew, &s));
    list_unused(&unused, &s);
    ctr_str_addf(&t->start, "from '%s': taken the encoder%s%s, %zu tensors", s.path,
                 taken.n ? ", " : "", taken.n ? taken.s : "", s.n_taken);
    if (anew.n)
        ctr_str_addf(&t->start, "; anew: %s", anew.s);
    if (unused.n)
        ctr_str_addf(&t->start, "; not used: %s", unused.s);
out:
    ctr_str_free(&taken);
    ctr_str_free(&anew);
    ctr_str_free(&unused);
    finish(&s);
    return rc;
}
