/* augment_rig.h -- one augmentation node on the device under test, with guard bands and poison.
 * Part of the programs that test src/data/augment.c. */
#ifndef CTR_TESTS_AUGMENT_RIG_H
#define CTR_TESTS_AUGMENT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "ref/augment.h"

static ctr_dev *dev;

#define POISON 0x7fc0beefu /* a NaN */

/* One graph around one output. */
struct rig {
    ctr_store *store;
    ctr_graph *g;
    struct ctr_augment_source source;
    ctr_tensor *draws, *step, *out;
};

/* n images of SH x SW x C, N rows. */
static void rig_open_kind(struct rig *r, size_t n, size_t N, size_t SH, size_t SW, size_t C,
                          enum ctr_dtype dtype, int stream)
{
    *r = (struct rig){.source.stream = stream};
    assert_int_equal(ctr_store_create(&r->store, dev), 0);
    assert_int_equal(ctr_graph_create(&r->g, dev, r->store), 0);
    r->source.images = ctr_graph_input(r->g, "images", dtype, 4, (size_t[]){n, SH, SW, C});
    r->source.index = ctr_graph_input(r->g, "index", CTR_U32, 1, &N);
}

/* Of RGB. */
static void rig_open(struct rig *r, size_t n, size_t N, size_t SH, size_t SW, int stream)
{
    rig_open_kind(r, n, N, SH, SW, 3, CTR_U8, stream);
}

static void rig_build(struct rig *r, const char *kernels)
{
    ctr_graph_keep(r->out);
    assert_non_null(r->out);
    assert_int_equal(
        ctr_graph_plan(r->g, &(struct ctr_plan_params){.kernels = kernels, .guard = 1}), 0);
    assert_int_equal(ctr_graph_lower(r->g), 0);
    int rc = ctr_dev_build(dev, 0, NULL, NULL);
    if (rc)
        fail_msg("build: %s", ctr_error_text());
}

static void rig_run(struct rig *r, void *out)
{
    assert_int_equal(ctr_graph_poison(r->g, POISON), 0);
    assert_int_equal(ctr_graph_replay(r->g), 0);
    assert_int_equal(ctr_tensor_read(out, r->out, r->out->bytes), 0);
    assert_int_equal(ctr_graph_check_guards(r->g, POISON), 0);
}

static void rig_close(struct rig *r)
{
    ctr_graph_destroy(&r->g);
    ctr_store_destroy(&r->store);
}

/* A line that is known to be right. */
static struct ctr_augment_params parsed(const char *line)
{
    struct ctr_augment_params params;
    if (ctr_augment_parse(&params, line) != 0)
        fail_msg("%s", ctr_error_text());
    return params;
}

static void put(ctr_tensor *t, const void *data)
{
    assert_int_equal(ctr_tensor_write(t, data, t->bytes), 0);
}

static void *room(size_t n, size_t size)
{
    void *p = calloc(n, size);
    assert_non_null(p);
    return p;
}

/* Under an interpreter of kernels (Oclgrind) large cases take hours. */
static inline int tiny(void)
{
    const char *text = getenv("CTR_TEST_TINY");
    return text && *text == '1';
}

/* Opens the device that CTR_TEST_DEVICE selects, or ends the program: 77 (skip) where there is
 * none, unless CTR_REQUIRE_DEVICE=1. */
static void need_device(void)
{
    const char *must = getenv("CTR_REQUIRE_DEVICE");
    if (ctr_dev_open(&dev, getenv("CTR_TEST_DEVICE"), NULL) == 0)
        return;
    fprintf(stderr, "no device: %s\n", ctr_error_text());
    exit(must && *must == '1' ? 1 : 77);
}

/* Random bytes. */
static inline unsigned char *pictures(size_t bytes, uint64_t seed)
{
    unsigned char *p = room(bytes, 1);
    struct ctr_rng rng;
    ctr_rng_init(&rng, seed, CTR_RNG_TEST, 0, 0);
    for (size_t i = 0; i < bytes; i++)
        p[i] = (unsigned char)(ctr_rng_u32(&rng) >> 24);
    return p;
}

#endif
