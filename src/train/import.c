/* import.c -- see import.h. Each encoder is recorded as the file's first convolution says (width,
 * channels, stem), and its names and shapes are held against the file's: no list of anybody else's
 * architectures. */
#include "train/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/image.h"
#include "train/state.h"

#define FIRST "conv1.weight"

struct import {
    const struct ctr_import_params *p;
    struct ctr_weights w; /* as it is to be written */
    char prefix[128];
    size_t matched; /* of the best encoder so far, */
    size_t entries; /* which has so many */
};

static const struct ctr_st_tensor *find(const struct import *im, const char *name)
{
    char full[384];
    snprintf(full, sizeof full, "%s%s", im->prefix, name);
    return ctr_st_find(im->w.st, full);
}

/* What stands before the shortest name that ends with the first convolution's. Moments of ours have such
 * names, too, and are no weights. */
static int find_prefix(struct import *im)
{
    const struct ctr_st *st = im->w.st;
    size_t best = sizeof im->prefix;
    for (size_t i = 0; i < ctr_st_count(st); i++) {
        const char *name = ctr_st_at(st, i)->name;
        size_t n = strlen(name), m = strlen(FIRST);
        if (n < m || strcmp(name + n - m, FIRST) != 0 || n - m >= best ||
            (n > m && name[n - m - 1] != '.') || strncmp(name, CTR_STATE_MOMENTS, strlen(CTR_STATE_MOMENTS)) == 0)
            continue;
        best = n - m;
        memcpy(im->prefix, name, best);
        im->prefix[best] = '\0';
    }
    if (best < sizeof im->prefix)
        return 0;
    return ctr_hint(
        ctr_fail(CTR_E_MODEL, "'%s' has no '" FIRST "', with which every encoder begins",
                 im->w.path),
        "known are the names of torchvision's ResNets and of our own exports; `clcontrast info "
        "--tensors` lists those of the file");
}

/* How many of the encoder's tensors the file has, in their shapes. */
static size_t count_matches(const struct import *im, const struct ctr_sketch *sketch)
{
    size_t n = 0;
    for (size_t i = 0; i < ctr_store_entries(sketch->store); i++) {
        const struct ctr_store_entry *e = ctr_store_entry(sketch->store, i);
        const struct ctr_st_tensor *t = find(im, e->name);
        n += t && ctr_state_same(e, t);
    }
    return n;
}

/* Filters of the first convolution at width 1. */
static int first_filters(size_t *filters, const struct import *im,
                         const struct ctr_encoder *encoder)
{
    struct ctr_sketch sketch;
    const struct ctr_encoder_params plain = {.stem = im->w.params.stem};
    int rc = ctr_sketch_create(&sketch, encoder, &plain, im->w.image_size, im->w.channels);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < ctr_store_entries(sketch.store); i++)
        if (strcmp(ctr_store_entry(sketch.store, i)->name, FIRST) == 0)
            *filters = ctr_store_entry(sketch.store, i)->dim[0];
    ctr_sketch_destroy(&sketch);
    return 0;
}

/* Takes the encoder when all of it is there and more than of the last one: ResNet-10 is a part of
 * ResNet-18. */
static int try_encoder(struct import *im, const struct ctr_encoder *encoder)
{
    size_t filters = 0;
    struct ctr_sketch sketch;
    struct ctr_encoder_params params = im->w.params;
    int rc = first_filters(&filters, im, encoder);
    params.width = filters ? (double)find(im, FIRST)->dims[0] / (double)filters : 0;
    if (rc != 0 || !(params.width > 0 && params.width <= CTR_WIDTH_MAX))
        return rc;
    if ((rc = ctr_sketch_create(&sketch, encoder, &params, im->w.image_size, im->w.channels)) != 0)
        return rc;
    size_t n = count_matches(im, &sketch), all = ctr_store_entries(sketch.store);
    int better = (n == all) - (im->matched == im->entries && im->entries > 0);
    if (!im->w.encoder || better > 0 || (better == 0 && n > im->matched)) {
        im->matched = n;
        im->entries = all;
        im->w.encoder = encoder;
        im->w.params.width = params.width;
    }
    ctr_sketch_destroy(&sketch);
    return 0;
}

/* Names the first five tensors of the nearest encoder that the file lacks or has otherwise. */
static int does_not_fit(const struct import *im)
{
    struct ctr_str list = {0};
    struct ctr_sketch sketch;
    int rc =
        ctr_sketch_create(&sketch, im->w.encoder, &im->w.params, im->w.image_size, im->w.channels);
    if (rc != 0)
        return rc;
    size_t told = 0;
    for (size_t i = 0; i < ctr_store_entries(sketch.store) && told < 5; i++) {
        const struct ctr_store_entry *e = ctr_store_entry(sketch.store, i);
        const struct ctr_st_tensor *t = find(im, e->name);
        if (t && ctr_state_same(e, t))
            continue;
        ctr_str_addf(&list, "%s%s %s", told++ ? ", " : "", e->name,
                     t ? "has another shape or is not F32" : "is missing");
    }
    rc =
        ctr_fail(CTR_E_MODEL, "'%s' fits no encoder; the nearest, %s, lacks %zu of %zu tensors: %s",
                 im->w.path, im->w.encoder->name, im->entries - im->matched, im->entries,
                 list.s ? list.s : "");
    ctr_hint(rc, "weights are F32 here (in PyTorch: v.float()); --encoder, --stem and --image-size "
                 "say which "
                 "encoder is meant");
    ctr_str_free(&list);
    ctr_sketch_destroy(&sketch);
    return rc;
}

static int is_counter(const char *name)
{
    return strstr(name, "num_batches_tracked") != NULL;
}

/* 1: of the encoder, 2: of a part of it ("layer1") that it has not, 0: of something else. */
static int belongs(const struct ctr_sketch *sketch, const char *name)
{
    int rc = 0;
    size_t part = strcspn(name, ".");
    for (size_t i = 0; i < ctr_store_entries(sketch->store); i++) {
        const char *own = ctr_store_entry(sketch->store, i)->name;
        if (strcmp(own, name) == 0)
            return 1;
        if (strcspn(own, ".") == part && memcmp(own, name, part) == 0)
            rc = 2;
    }
    return rc;
}

/* ResNet-10 is a part of ResNet-18, also of a damaged one: what is left must be heads. */
static int look_at_the_rest(struct ctr_imported *out, const struct import *im)
{
    struct ctr_sketch sketch;
    size_t before = strlen(im->prefix);
    int rc =
        ctr_sketch_create(&sketch, im->w.encoder, &im->w.params, im->w.image_size, im->w.channels);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < ctr_st_count(im->w.st) && rc == 0; i++) {
        const char *name = ctr_st_at(im->w.st, i)->name;
        int ours = strncmp(name, im->prefix, before) == 0 ? belongs(&sketch, name + before) : 0;
        if (is_counter(name))
            continue;
        out->left_out += ours != 1;
        if (ours == 2)
            rc = ctr_hint(ctr_fail(CTR_E_MODEL,
                                   "'%s' has '%s', which the nearest encoder, %s, has not",
                                   im->w.path, name, im->w.encoder->name),
                          "is the file whole? Known are torchvision's ResNets and our own exports");
    }
    ctr_sketch_destroy(&sketch);
    return rc;
}

/* Stem, channels and size as the first convolution, the file and the caller have them. */
static int read_first(struct import *im)
{
    const struct ctr_st_tensor *first = find(im, FIRST);
    unsigned long long said = 0;
    const char *size = ctr_st_meta_value(im->w.st, "image_size"),
               *stem = ctr_st_meta_value(im->w.st, "stem");
    if (first->rank != 4 || first->dims[1] < 1 || first->dims[1] > CTR_CHANNELS_MAX)
        return ctr_fail(CTR_E_MODEL, "'%s' of '%s' is no convolution of 1 to %u channels",
                        first->name, im->w.path, CTR_CHANNELS_MAX);
    im->w.channels = (unsigned)first->dims[1];
    im->w.params.stem = im->p->stem;
    for (unsigned i = 1; im->p->stem == CTR_STEM_AUTO && stem && i < CTR_STEMS; i++)
        if (strcmp(stem, ctr_stem_names[i]) == 0)
            im->w.params.stem = (enum ctr_stem)i;
    if (im->w.params.stem == CTR_STEM_AUTO)
        im->w.params.stem = first->dims[2] == 7 ? CTR_STEM_IMAGENET : CTR_STEM_CIFAR;
    im->w.image_size = im->p->image_size ? im->p->image_size
                       : size && ctr_parse_u64(size, &said) == 0 && said > 0 && said <= 4096
                           ? (size_t)said
                       : im->w.params.stem == CTR_STEM_IMAGENET ? 224
                                                                : 32;
    return 0;
}

static int choose_encoder(struct import *im)
{
    const char *wanted = im->p->encoder ? im->p->encoder : ctr_st_meta_value(im->w.st, "encoder");
    const struct ctr_encoder *only = wanted ? ctr_encoder_find(wanted) : NULL;
    int why = 0; /* the last failure: the images are too small */
    if (im->p->encoder && !only)
        return ctr_fail(CTR_E_USAGE, "there is no encoder '%s'", im->p->encoder);
    for (const struct ctr_encoder *e = ctr_encoders; e->name; e++) {
        int rc = only && e != only ? 0 : try_encoder(im, e);
        if (rc == CTR_E_FAIL)
            return rc;
        why = rc ? rc : why;
    }
    if (!im->w.encoder && why)
        return ctr_fail_in(why, "'%s' fits no encoder with images of %zu pixels", im->w.path,
                           im->w.image_size);
    if (!im->w.encoder)
        return ctr_fail(CTR_E_MODEL, "'%s' fits no encoder", im->w.path);
    return im->matched == im->entries ? 0 : does_not_fit(im);
}

static int choose_normalize(struct ctr_imported *out, struct import *im)
{
    struct ctr_normalize *n = &im->w.params.normalize;
    const char *mean = ctr_st_meta_value(im->w.st, "mean"),
               *std = ctr_st_meta_value(im->w.st, "std");
    int rc = 0;
    if (im->p->normalize)
        rc = ctr_normalize_parse(n, im->p->normalize);
    else if (mean && std)
        rc = ctr_normalize_lists(n, mean, std);
    else {
        out->guessed = 1;
        rc = ctr_normalize_parse(
            n, im->w.params.stem == CTR_STEM_IMAGENET && im->w.channels == 3 ? "imagenet" : "none");
    }
    if (rc == 0 && n->channels && n->channels != im->w.channels)
        rc = ctr_fail(CTR_E_USAGE, "the mean has %u channels, '%s' takes %u", n->channels,
                      im->w.path, im->w.channels);
    return rc;
}

int ctr_import(struct ctr_imported *out, const struct ctr_import_params *params)
{
    int rc = 0;
    struct import im = {.p = params};
    struct ctr_imported done = {0};
    const struct ctr_export_params file = {
        .path = params->path, .format = CTR_EXPORT_SAFETENSORS, .prefix = im.prefix};
    CTR_TRY(ctr_weights_file(&im.w.st, &im.w.path, &im.w.step, params->from));
    CTR_TRY(find_prefix(&im));
    CTR_TRY(read_first(&im));
    CTR_TRY(choose_encoder(&im));
    CTR_TRY(look_at_the_rest(&done, &im));
    CTR_TRY(choose_normalize(&done, &im));
    im.w.bits = 8;
    CTR_TRY(ctr_export(&done.file, &im.w, &file));
    done.encoder = im.w.encoder;
    done.params = im.w.params;
    done.channels = im.w.channels;
    *out = done;
out:
    ctr_weights_close(&im.w);
    return rc;
}
