/* A net of every form that ops have, as exported C and, where Python has ONNX Runtime, as ONNX,
 * against the device; what exporters refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/os.h"
#include "base/outfile.h"
#include "export/export.h"
#include "io/npy.h"
#include "tempdir.h"

enum { SIDE = 11, C = 6, D = 10 };

struct rig {
    struct ctr_sketch s; /* on a device that computes */
    struct ctr_st *st;
    struct tempdir tmp;
    float x[SIDE * SIDE * C], h[D];
};

static void check(int rc)
{
    if (rc != 0)
        fail_msg("%s", ctr_error_text());
}

static ctr_tensor *conv(ctr_graph *g, const char *name, ctr_tensor *x, struct ctr_conv_params p)
{
    return ctr_conv_layer(g, name, x, &p);
}

/* Batch-norm alone, with two readers, behind a layer with ReLU, with a residual, on vectors;
 * groups; pools of all kinds; a sum; a dense layer on a map. */
static ctr_tensor *record(ctr_graph *g, ctr_tensor *x)
{
    ctr_tensor *a = ctr_norm_layer(g, "n0", x, NULL, 1, 0);
    a = conv(g, "c1", a,
             (struct ctr_conv_params){.out = 8, .size = 3, .stride = 1, .pad = 1, .bias = 1});
    ctr_tensor *b = ctr_norm_layer(g, "n1", a, NULL, 0, 0); /* folds not: a is read again */
    ctr_tensor *c = ctr_add(g, ctr_relu(g, a), b, 1);
    c = conv(g, "c2", c,
             (struct ctr_conv_params){.out = 8, .size = 3, .stride = 1, .pad = 1, .groups = 4});
    c = ctr_norm_layer(g, "n2", c, b, 1, 0); /* folds, and adds */
    c = ctr_avg_pool(g, c, 3, 2, 1);
    c = conv(g, "c3", c,
             (struct ctr_conv_params){
                 .out = 12, .size = 3, .stride = 1, .pad = 1, .bias = 1, .relu = 1, .pool = 1});
    c = ctr_norm_layer(g, "n3", c, NULL, 0, 0); /* alone, behind a pool */
    ctr_tensor *d = ctr_dense_layer(g, "d1", ctr_max_pool(g, c, 3, 1, 1), D, 1, 0);
    d = ctr_norm_layer(g, "n4", d, NULL, 1, 0);
    ctr_tensor *m = ctr_dense_layer(g, "d2", ctr_global_avg_pool(g, c), D, 0, 1);
    return ctr_l2norm(g, ctr_add(g, d, m, 0));
}

/* Values of all parameters and states, away from where they begin, as a file. */
static void fill(struct rig *r)
{
    size_t n = ctr_store_entries(r->s.store);
    struct ctr_st_tensor *t = ctr_alloc(n, sizeof *t);
    assert_non_null(t);
    check(ctr_store_init(r->s.store, 3));
    for (size_t i = 0; i < n; i++) {
        const struct ctr_store_entry *e = ctr_store_entry(r->s.store, i);
        float *v = ctr_alloc(e->count, sizeof *v);
        assert_non_null(v);
        check(ctr_store_read(v, r->s.store, i, CTR_STORE_VALUES));
        for (size_t k = 0; k < e->count; k++)
            v[k] += e->rank == 1 ? 0.1f * (float)((k * 7 + i) % 5) : 0;
        check(ctr_store_write(r->s.store, i, CTR_STORE_VALUES, v));
        t[i] = (struct ctr_st_tensor){.name = e->name,
                                      .dtype = CTR_ST_F32,
                                      .rank = e->rank,
                                      .data = v,
                                      .bytes = e->count * sizeof *v};
        for (unsigned k = 0; k < e->rank; k++)
            t[i].dims[k] = e->dim[k];
    }
    check(ctr_st_write(tempdir_path(&r->tmp, "w"), t, NULL, CTR_ST_PLAIN, n, 0));
    check(ctr_st_open(&r->st, tempdir_path(&r->tmp, "w"), 0));
    for (size_t i = 0; i < n; i++)
        free((void *)t[i].data);
    free(t);
}

static int set_up(void **state)
{
    struct rig *r = *state = ctr_alloc(1, sizeof *r);
    const size_t dim[] = {1, SIDE, SIDE, C};
    assert_non_null(r);
    tempdir_make(&r->tmp);
    check(ctr_dev_open(&r->s.dev, getenv("CTR_TEST_DEVICE"), NULL));
    check(ctr_store_create(&r->s.store, r->s.dev));
    check(ctr_graph_create(&r->s.g, r->s.dev, r->s.store));
    r->s.x = ctr_graph_input(r->s.g, "image", CTR_F32, 4, dim);
    r->s.h = record(r->s.g, r->s.x);
    ctr_graph_keep(r->s.h);
    check(ctr_graph_plan(r->s.g, NULL));
    check(ctr_graph_lower(r->s.g));
    check(ctr_dev_build(r->s.dev, 1, NULL, NULL));
    fill(r);
    for (size_t i = 0; i < sizeof r->x / sizeof *r->x; i++) /* bytes, which the C program reads */
        r->x[i] = (float)(i * i % 251) / 255.0f;
    check(ctr_tensor_write(r->s.x, r->x, sizeof r->x));
    check(ctr_graph_replay(r->s.g));
    check(ctr_tensor_read(r->h, r->s.h, sizeof r->h));
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    ctr_st_close(&r->st);
    ctr_sketch_destroy(&r->s);
    tempdir_remove(&r->tmp);
    free(r);
    return 0;
}

static size_t count(const struct ctr_net *net, enum ctr_step_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < net->n; i++)
        n += net->step[i].kind == kind;
    return n;
}

/* Batch-norms n2 and n4 are in the weights before them, the other three are steps. */
static void folds(void **state)
{
    struct rig *r = *state;
    struct ctr_net net;
    check(ctr_net_create(&net, &r->s, r->st, 0));
    assert_int_equal(count(&net, CTR_STEP_SCALE), 3);
    assert_int_equal(count(&net, CTR_STEP_CONV), 3);
    assert_int_equal(count(&net, CTR_STEP_ADD), 3);
    assert_int_equal(count(&net, CTR_STEP_MAX_POOL), 2);
    assert_int_equal(count(&net, CTR_STEP_UNIT), 1);
    ctr_net_free(&net);
}

static void assert_features(const struct rig *r, FILE *from)
{
    double v, largest = 0;
    for (size_t i = 0; i < D; i++)
        largest = fmax(largest, fabs((double)r->h[i]));
    assert_true(largest > 0.1);
    for (size_t i = 0; i < D; i++) {
        assert_int_equal(fscanf(from, "%lf", &v), 1);
        assert_true(fabs(v - (double)r->h[i]) < 1e-5 * largest);
    }
}

static void code(void **state)
{
    struct rig *r = *state;
    struct ctr_net net;
    struct ctr_str text = {0};
    char line[256];
    unsigned char bytes[SIDE * SIDE * C];
    check(ctr_net_create(&net, &r->s, r->st, 0));
    check(ctr_code_add(&text, &net, "net", NULL, 0));
    tempdir_put(tempdir_path(&r->tmp, "net.c"), text.s, text.n);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * i % 251);
    tempdir_put(tempdir_path(&r->tmp, "image"), bytes, sizeof bytes);
    snprintf(line, sizeof line,
             "cd %s && cc -std=c11 -Wall -Wextra -pedantic -Werror -DNET_MAIN net.c -o net -lm",
             r->tmp.dir);
    assert_int_equal(system(line), 0);
    snprintf(line, sizeof line, "cd %s && ./net < image", r->tmp.dir);
    FILE *out = popen(line, "r");
    assert_non_null(out);
    assert_features(r, out);
    assert_int_equal(pclose(out), 0);
    ctr_str_free(&text);
    ctr_net_free(&net);
}

static void onnx(void **state)
{
    static const char program[] = "python3 -c 'import sys\n"
                                  "try: import numpy, onnxruntime\n"
                                  "except ImportError: sys.exit(77)\n"
                                  "x = numpy.load(\"x.npy\").transpose(0, 3, 1, 2)\n"
                                  "for v in onnxruntime.InferenceSession(\"net.onnx\").run(None, "
                                  "{\"image\": x})[0][0]: print(v)'";
    struct rig *r = *state;
    struct ctr_net net;
    struct ctr_str text = {0};
    struct ctr_outfile file;
    char line[1024];
    check(ctr_net_create(&net, &r->s, r->st, 0));
    check(ctr_onnx_add(&text, &net, "net", NULL, 0));
    tempdir_put(tempdir_path(&r->tmp, "net.onnx"), text.s, text.n);
    check(ctr_outfile_open(&file, tempdir_path(&r->tmp, "x.npy")));
    check(ctr_npy_write(&file, "<f4", r->x, (uint64_t[]){1, SIDE, SIDE, C}, 4));
    check(ctr_outfile_commit(&file));
    ctr_str_free(&text);
    ctr_net_free(&net);
    snprintf(line, sizeof line, "cd %s && %s > features", r->tmp.dir, program);
    int rc = system(line);
    if (WIFEXITED(rc) && WEXITSTATUS(rc) == 77) {
        print_message("no onnxruntime in this python3: the model was not run\n");
        skip();
    }
    assert_int_equal(rc, 0);
    FILE *out = fopen(tempdir_path(&r->tmp, "features"), "r");
    assert_non_null(out);
    assert_features(r, out);
    fclose(out);
}

/* An op without a form, training's batch-norm, a weight that is not there, too much for a format.
 */
static void refusals(void **state)
{
    struct rig *r = *state;
    struct ctr_net net;
    struct ctr_sketch s = {0};
    struct ctr_str text = {0};
    const size_t dim[] = {1, SIDE, SIDE, C};
    check(ctr_dev_open(&s.dev, "null", NULL));
    check(ctr_store_create(&s.store, s.dev));
    check(ctr_graph_create(&s.g, s.dev, s.store));
    s.x = ctr_graph_input(s.g, "image", CTR_F32, 4, dim);
    s.h = ctr_sigmoid(s.g, ctr_norm_layer(s.g, "n0", s.x, NULL, 0, 0));
    assert_int_equal(ctr_net_create(&net, &s, r->st, 0), CTR_E_FAIL);
    assert_non_null(strstr(ctr_error_text(), "sigmoid"));
    ctr_graph_destroy(&s.g);
    check(ctr_graph_create(&s.g, s.dev, s.store));
    s.x = ctr_graph_input(s.g, "image", CTR_F32, 4, dim);
    s.h = ctr_norm_layer(s.g, "n0", s.x, NULL, 0, 1);
    assert_int_equal(ctr_net_create(&net, &s, r->st, 0), CTR_E_FAIL);
    ctr_graph_destroy(&s.g);
    check(ctr_graph_create(&s.g, s.dev, s.store));
    s.x = ctr_graph_input(s.g, "image", CTR_F32, 4, dim);
    s.h = ctr_norm_layer(s.g, "missing", s.x, NULL, 0, 0);
    assert_int_equal(ctr_net_create(&net, &s, r->st, 0), CTR_E_MODEL);
    assert_non_null(strstr(ctr_error_text(), "missing.weight"));
    ctr_sketch_destroy(&s);
    struct ctr_step step = {.kind = CTR_STEP_DENSE, .n_w = (size_t)1 << 29};
    const struct ctr_net huge = {.step = &step, .n = 1};
    assert_int_equal(ctr_onnx_add(&text, &huge, "net", NULL, 0), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "2 GiB"));
    step.n_w = CTR_CODE_MAX + 1;
    assert_int_equal(ctr_code_add(&text, &huge, "net", NULL, 0), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_hint(), "onnx"));
    assert_null(text.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(folds), cmocka_unit_test(code),
                                       cmocka_unit_test(onnx), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
