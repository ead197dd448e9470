/* state.c -- everything a run needs to go on as if it had never stopped: parameters, running
 * statistics, moments; and in the metadata the step, the sum of the epoch's losses, what data and
 * network they belong to. Orders, learning rates and augmentations follow from seed and step. */
#include "train/state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "train/checkpoint.h"
#include "train/classifier.h"
#include "train/impl.h"

static const char *const prefix[] = {
    [CTR_STORE_VALUES] = "",
    [CTR_STORE_MOMENT1] = CTR_STATE_MOMENTS "moment1.",
    [CTR_STORE_MOMENT2] = CTR_STATE_MOMENTS "moment2.",
    [CTR_STORE_SHADOW] = "shadow.",
};

/* Parts of an entry that are kept: its values, and moments and shadow of trained ones. */
static int kept(const ctr_store *store, const struct ctr_store_entry *e, enum ctr_store_part part)
{
    if (part == CTR_STORE_SHADOW)
        return !e->is_state && ctr_store_has_shadow(store);
    return part == CTR_STORE_VALUES ||
           (!e->is_state && part >= CTR_STORE_MOMENT1 && part <= CTR_STORE_MOMENT2 &&
            (unsigned)(part - CTR_STORE_MOMENT1) < ctr_store_n_moments(store));
}

/* One tensor of the checkpoint, read from the device into memory of the arena. */
static int gather(struct ctr_st_tensor *t, struct ctr_arena *mem, const ctr_store *store, size_t i,
                  enum ctr_store_part part)
{
    const struct ctr_store_entry *e = ctr_store_entry(store, i);
    size_t n = strlen(prefix[part]) + strlen(e->name) + 1;
    char *name = ctr_arena_alloc(mem, n);
    float *data = ctr_arena_alloc(mem, e->count * sizeof *data);
    if (!name || !data)
        return CTR_E_FAIL;
    snprintf(name, n, "%s%s", prefix[part], e->name);
    *t = (struct ctr_st_tensor){.name = name,
                                .dtype = CTR_ST_F32,
                                .rank = e->rank,
                                .data = data,
                                .bytes = e->count * sizeof *data};
    for (unsigned k = 0; k < e->rank; k++)
        t->dims[k] = e->dim[k];
    int rc = ctr_store_read(data, store, i, part);
    for (size_t k = 0; rc == 0 && k < e->count; k++)
        if (!isfinite(data[k]))
            rc = ctr_hint(ctr_fail(CTR_E_DIVERGED,
                                   "'%s' is no longer finite, so it is not saved; "
                                   "earlier checkpoints are kept",
                                   name),
                          "use a smaller --learning-rate, or a longer --warmup-epochs");
    return rc;
}

int ctr_state_save(ctr_trainer *t)
{
    int rc = 0;
    struct ctr_arena mem = {0};
    size_t n = 0, entries = ctr_store_entries(t->store);
    char loss[32], hash[24], images[24], size[24], seed[24], channels[24], bits[24];
    struct ctr_str classes = {0}, width = {0}, mean = {0}, std = {0};
    struct ctr_st_tensor *tensors = ctr_alloc(4 * entries, sizeof *tensors);
    if (!tensors)
        return CTR_E_FAIL;
    ctr_classes_json(&classes, ctr_data_info(t->pass.data));
    for (size_t i = 0; i < entries; i++)
        for (enum ctr_store_part part = CTR_STORE_VALUES; part <= CTR_STORE_SHADOW; part++)
            if (kept(t->store, ctr_store_entry(t->store, i), part))
                CTR_TRY(gather(&tensors[n++], &mem, t->store, i, part));
    uint64_t loss_bits;
    memcpy(&loss_bits, &t->epoch_loss, sizeof loss_bits);
    snprintf(loss, sizeof loss, "%016" PRIx64, loss_bits);
    snprintf(hash, sizeof hash, "%016" PRIx64, ctr_data_info(t->pass.data)->hash);
    snprintf(images, sizeof images, "%zu", ctr_data_info(t->pass.data)->n);
    snprintf(size, sizeof size, "%zu", t->image_size);
    snprintf(channels, sizeof channels, "%u", ctr_data_info(t->pass.data)->channels);
    snprintf(bits, sizeof bits, "%u", 8 * ctr_data_info(t->pass.data)->sample_bytes);
    snprintf(seed, sizeof seed, "%" PRIu64, t->params->seed);
    ctr_str_add_double(&width, t->params->width);
    ctr_normalize_text(&mean, &std, &t->params->normalize, ctr_data_info(t->pass.data)->channels);
    const struct ctr_st_meta meta[] = {
        {"format", "pt"},
        {"clcontrast", CTR_VERSION},
        {"encoder", t->encoder->name},
        {"stem", ctr_stem_names[t->params->stem]},
        {"width", width.s ? width.s : ""},
        {"image_size", size},
        {"channels", channels},
        {"bits", bits},
        {"mean", mean.s ? mean.s : ""},
        {"std", std.s ? std.s : ""},
        {"method", t->method->name},
        {"seed", seed},
        {"data", t->params->data ? t->params->data : "shapes"},
        {"data_hash", hash},
        {"images", images},
        {"classes", classes.s ? classes.s : ""},
        {"epoch_loss_bits", loss},
        {"device", ctr_dev_caps(t->dev)->name},
        {"driver", ctr_dev_caps(t->dev)->driver},
    };
    CTR_TRY(ctr_checkpoint_save(ctr_run_checkpoint_dir(t->run), tensors, meta, t->done,
                                (unsigned)t->params->keep, n, sizeof meta / sizeof *meta));
    CTR_TRY(ctr_run_sync(t->run));
out:
    free(tensors);
    ctr_str_free(&classes);
    ctr_str_free(&width);
    ctr_str_free(&mean);
    ctr_str_free(&std);
    ctr_arena_free(&mem);
    return rc;
}

int ctr_state_same(const struct ctr_store_entry *e, const struct ctr_st_tensor *tensor)
{
    int same = tensor->dtype == CTR_ST_F32 && tensor->rank == e->rank;
    for (unsigned k = 0; same && k < e->rank; k++)
        same = tensor->dims[k] == e->dim[k];
    return same;
}

static int restore_one(ctr_store *store, const struct ctr_st *st, size_t i,
                       enum ctr_store_part part)
{
    const struct ctr_store_entry *e = ctr_store_entry(store, i);
    char name[256];
    snprintf(name, sizeof name, "%s%s", prefix[part], e->name);
    const struct ctr_st_tensor *t = ctr_st_find(st, name);
    if (!t)
        return ctr_fail(CTR_E_MODEL, "the checkpoint has no tensor '%s'", name);
    if (t->dtype != CTR_ST_F32)
        return ctr_fail(CTR_E_MODEL, "tensor '%s' of the checkpoint is %s, not F32", name,
                        ctr_st_dtype_name(t->dtype));
    if (!ctr_state_same(e, t))
        return ctr_fail(CTR_E_MODEL, "tensor '%s' of the checkpoint has another shape", name);
    return ctr_store_write(store, i, part, t->data);
}

int ctr_state_restore(ctr_store *store, const struct ctr_st *st, int with_moments)
{
    enum ctr_store_part last = with_moments ? CTR_STORE_SHADOW : CTR_STORE_VALUES;
    for (size_t i = 0; i < ctr_store_entries(store); i++)
        for (enum ctr_store_part part = CTR_STORE_VALUES; part <= last; part++)
            if (kept(store, ctr_store_entry(store, i), part)) {
                int rc = restore_one(store, st, i, part);
                if (rc != 0)
                    return rc;
            }
    return 0;
}

/* The run must go on with the data it began with. Their number is that of those in use: without the
 * bad ones when the images are on the device, with them when they are streamed. */
static int check_data(const ctr_trainer *t, const struct ctr_st *st)
{
    char hash[24], images[24];
    const char *was = ctr_st_meta_value(st, "data_hash"), *n = ctr_st_meta_value(st, "images");
    snprintf(hash, sizeof hash, "%016" PRIx64, ctr_data_info(t->pass.data)->hash);
    snprintf(images, sizeof images, "%zu", ctr_data_info(t->pass.data)->n);
    if (n && strcmp(n, images) != 0)
        return ctr_hint(
            ctr_fail(CTR_E_DATA, "the run began with %s usable images; there are %s", n, images),
            "restore the files, and give --stream only if the run began with it");
    if (was && strcmp(was, hash) == 0)
        return 0;
    return ctr_hint(ctr_fail(CTR_E_DATA, "the images in '%s' are not those this run began with",
                             ctr_data_info(t->pass.data)->path),
                    "restore the files, or start a new run");
}

/* Allowed, but then the bytes are no longer those of an undisturbed run. */
static void compare_device(const ctr_trainer *t, const struct ctr_st *st)
{
    const struct ctr_caps *caps = ctr_dev_caps(t->dev);
    const char *device = ctr_st_meta_value(st, "device"), *driver = ctr_st_meta_value(st, "driver");
    if (device && driver && (strcmp(device, caps->name) != 0 || strcmp(driver, caps->driver) != 0))
        ctr_log(CTR_LOG_WARN,
                "the checkpoint was made on '%s' (driver %s): on '%s' (driver %s) the run will not "
                "end with the same bytes",
                device, driver, caps->name, caps->driver);
}

int ctr_state_load(ctr_trainer *t)
{
    int rc = 0;
    struct ctr_st *st = NULL;
    uint64_t *steps = NULL;
    size_t n = 0;
    CTR_TRY(ctr_checkpoint_list(&steps, &n, ctr_run_checkpoint_dir(t->run)));
    free(steps);
    if (n == 0) {
        ctr_log(CTR_LOG_INFO, "no checkpoint yet: the run begins anew");
        return 0;
    }
    CTR_TRY(ctr_checkpoint_open_newest(&st, &t->done, ctr_run_checkpoint_dir(t->run)));
    CTR_TRY(check_data(t, st));
    compare_device(t, st);
    CTR_TRY(ctr_state_restore(t->store, st, 1));
    const char *loss = ctr_st_meta_value(st, "epoch_loss_bits");
    uint64_t loss_bits = loss ? strtoull(loss, NULL, 16) : 0;
    memcpy(&t->epoch_loss, &loss_bits, sizeof loss_bits);
    if (t->done > t->total_steps)
        CTR_TRY(ctr_fail(CTR_E_MODEL,
                         "the checkpoint is of step %" PRIu64 ", past the run's %" PRIu64, t->done,
                         t->total_steps));
out:
    ctr_st_close(&st);
    return rc;
}
