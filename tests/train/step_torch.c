/* One SimCLR step of each encoder, and one step of each other method with the small one, against the same
 * step in PyTorch (tests/torch/step.py and methods.py made the fixtures): the loss, and of every gradient its norm and its projection on cos(1 + 0.7 i), which
 * any misplaced value changes; of methods also what they leave behind ("after.NAME"). Values within rounding of zero fall on either side of a ReLU and
 * take their gradient along, so the deep network is held to less than the shallow one; with the
 * sides fixed step.py finds 5e-5 for ResNet-18 and 2e-4 for the narrow ResNet-50 (PyTorch in fp32:
 * 1.3e-4). */
#include "base/mem.h"
#include "train/step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct expected {
    const char *name;
    double norm, projection;
};

static const struct expected cnn[] = {
#include "fixtures/cnn.inc"
    {NULL, 0, 0}};
static const struct expected resnet18[] = {
#include "fixtures/resnet18.inc"
    {NULL, 0, 0}};

static const struct expected resnet50[] = {
#include "fixtures/resnet50.inc"
    {NULL, 0, 0}};

static const struct expected resnext50_32x4d[] = {
#include "fixtures/resnext50_32x4d.inc"
    {NULL, 0, 0}};

/* The methods' own: by methods.py. */
static const struct expected margin[] = {
#include "fixtures/margin.inc"
    {NULL, 0, 0}};
static const struct expected siamese[] = {
#include "fixtures/siamese.inc"
    {NULL, 0, 0}};
static const struct expected triplet[] = {
#include "fixtures/triplet.inc"
    {NULL, 0, 0}};
static const struct expected npair[] = {
#include "fixtures/npair.inc"
    {NULL, 0, 0}};
static const struct expected supcon[] = {
#include "fixtures/supcon.inc"
    {NULL, 0, 0}};
static const struct expected dcl[] = {
#include "fixtures/dcl.inc"
    {NULL, 0, 0}};
static const struct expected dclw[] = {
#include "fixtures/dclw.inc"
    {NULL, 0, 0}};
static const struct expected debiased[] = {
#include "fixtures/debiased.inc"
    {NULL, 0, 0}};
static const struct expected moco[] = {
#include "fixtures/moco.inc"
    {NULL, 0, 0}};
static const struct expected byol[] = {
#include "fixtures/byol.inc"
    {NULL, 0, 0}};
static const struct expected simsiam[] = {
#include "fixtures/simsiam.inc"
    {NULL, 0, 0}};
static const struct expected nnclr[] = {
#include "fixtures/nnclr.inc"
    {NULL, 0, 0}};
static const struct expected barlow[] = {
#include "fixtures/barlow.inc"
    {NULL, 0, 0}};
static const struct expected vicreg[] = {
#include "fixtures/vicreg.inc"
    {NULL, 0, 0}};
static const struct expected swav[] = {
#include "fixtures/swav.inc"
    {NULL, 0, 0}};
static const struct expected supervised[] = {
#include "fixtures/supervised.inc"
    {NULL, 0, 0}};

/* With four views of an image: those that take more than two. */
static const struct expected simclr4[] = {
#include "fixtures/simclr4.inc"
    {NULL, 0, 0}};
static const struct expected margin4[] = {
#include "fixtures/margin4.inc"
    {NULL, 0, 0}};
static const struct expected siamese4[] = {
#include "fixtures/siamese4.inc"
    {NULL, 0, 0}};
static const struct expected triplet4[] = {
#include "fixtures/triplet4.inc"
    {NULL, 0, 0}};
static const struct expected supcon4[] = {
#include "fixtures/supcon4.inc"
    {NULL, 0, 0}};
static const struct expected dcl4[] = {
#include "fixtures/dcl4.inc"
    {NULL, 0, 0}};
static const struct expected debiased4[] = {
#include "fixtures/debiased4.inc"
    {NULL, 0, 0}};
static const struct expected byol4[] = {
#include "fixtures/byol4.inc"
    {NULL, 0, 0}};
static const struct expected simsiam4[] = {
#include "fixtures/simsiam4.inc"
    {NULL, 0, 0}};
static const struct expected swav4[] = {
#include "fixtures/swav4.inc"
    {NULL, 0, 0}};
/* With two views and three local ones. */
static const struct expected simclr_local[] = {
#include "fixtures/simclr_local.inc"
    {NULL, 0, 0}};
static const struct expected swav_local[] = {
#include "fixtures/swav_local.inc"
    {NULL, 0, 0}};

static const struct {
    const char *method;
    const struct expected *want, *four, *local;
} methods[] = {
    {"simclr", cnn, simclr4, simclr_local},
    {"margin", margin, margin4, NULL},
    {"siamese", siamese, siamese4, NULL},
    {"triplet", triplet, triplet4, NULL},
    {"npair", npair, NULL, NULL},
    {"supcon", supcon, supcon4, NULL},
    {"dcl", dcl, dcl4, NULL},
    {"dclw", dclw, NULL, NULL},
    {"debiased", debiased, debiased4, NULL},
    {"moco", moco, NULL, NULL},
    {"byol", byol, byol4, NULL},
    {"simsiam", simsiam, simsiam4, NULL},
    {"nnclr", nnclr, NULL, NULL},
    {"barlow", barlow, NULL, NULL},
    {"vicreg", vicreg, NULL, NULL},
    {"swav", swav, swav4, swav_local},
    {"supervised", supervised, NULL, NULL},
};

static size_t find(const struct step *s, const char *name)
{
    for (size_t i = 0; i < ctr_store_entries(s->store); i++)
        if (strcmp(ctr_store_entry(s->store, i)->name, name) == 0)
            return i;
    fail_msg("no parameter '%s'", name);
    return 0;
}

static void compare(const struct step *s, const struct expected *e, double largest, double tol)
{
    int shadow = strncmp(e->name, "after.shadow.", 13) == 0,
        left = strncmp(e->name, "after.", 6) == 0;
    size_t i = find(s, e->name + (shadow ? 13 : left ? 6 : 0));
    size_t n = ctr_store_entry(s->store, i)->count;
    enum ctr_store_part part = shadow ? CTR_STORE_SHADOW
                               : left ? CTR_STORE_VALUES
                                      : CTR_STORE_GRADS;
    float *grad = malloc(n * sizeof *grad);
    double square = 0, projection = 0, scale = fmax(e->norm, 3e-2 * largest);
    assert_int_equal(ctr_store_read(grad, s->store, i, part), 0);
    for (size_t k = 0; k < n; k++) {
        square += (double)grad[k] * grad[k];
        projection += grad[k] * cos(1.0 + 0.7 * (double)k);
    }
    free(grad);
    if (fabs(sqrt(square) - e->norm) > tol * scale ||
        fabs(projection - e->projection) > 3 * tol * scale)
        fail_msg("%s: norm %.6e for %.6e, projection %.6e for %.6e", e->name, sqrt(square), e->norm,
                 projection, e->projection);
}

/* s: method and numbers of views. */
static void check(struct step s, const char *encoder, double width, const struct expected *want,
                  size_t size, size_t N, double tol)
{
    s.keep_outputs = 1;
    float loss;
    double largest = 0;
    if (step_run(&s, getenv("CTR_TEST_DEVICE"), encoder, width, N, size) != 0)
        fail_msg("%s", ctr_error_text());
    assert_int_equal(ctr_tensor_read(&loss, s.io.loss, sizeof loss), 0);
    assert_float_equal(loss, want[0].norm, 1e-5 * fmax(0.1, fabs(want[0].norm)));
    for (const struct expected *e = want + 1; e->name; e++)
        if (strncmp(e->name, "after.", 6) != 0)
            largest = fmax(largest, e->norm);
    size_t n = 0;
    for (const struct expected *e = want + 1; e->name; e++) {
        compare(&s, e, largest, tol);
        n += strncmp(e->name, "after.", 6) != 0;
    }
    for (size_t i = 0; i < ctr_store_entries(s.store); i++)
        n -= !ctr_store_entry(s.store, i)->is_state;
    assert_int_equal(n, 0); /* none left out */
    step_finish(&s);
}

static void test_methods(void **state)
{
    (void)state;
    for (const struct ctr_method *const *m = ctr_methods; *m; m++) {
        size_t i = 0, n = sizeof methods / sizeof *methods;
        while (i < n && strcmp(methods[i].method, (*m)->name) != 0)
            i++;
        if (i == n || !(*m)->or_more != !methods[i].four || !(*m)->local != !methods[i].local)
            fail_msg("the method '%s' lacks a fixture", (*m)->name);
        struct step s = {.method = (*m)->name};
        check(s, "cnn", 1, methods[i].want, 16, 16, strcmp(s.method, "simclr") == 0 ? 1e-4 : 2e-4);
        s.V = 4;
        if (methods[i].four)
            check(s, "cnn", 1, methods[i].four, 16, 16, 2e-4);
        s.V = 2;
        s.L = 3;
        if (methods[i].local)
            check(s, "resnet10", 0.125, methods[i].local, 16, 8, 3e-2);
    }
}

static void test_resnet18(void **state)
{
    (void)state;
    check((struct step){0}, "resnet18", 1, resnet18, 16, 8, 3e-2);
}

static void test_narrow_resnet50(void **state)
{
    (void)state;
    check((struct step){0}, "resnet50", 0.25, resnet50, 16, 8, 3e-2);
}

/* Its groups have 1, 2, 4 and 8 channels. */
static void test_narrow_resnext50(void **state)
{
    (void)state;
    check((struct step){0}, "resnext50_32x4d", 0.25, resnext50_32x4d, 16, 8, 3e-2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods), cmocka_unit_test(test_resnet18),
        cmocka_unit_test(test_narrow_resnet50), cmocka_unit_test(test_narrow_resnext50)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
