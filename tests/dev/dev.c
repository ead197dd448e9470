/* The front door on the null device and on a real one: launches, programs, messages, counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "rig.h"

static const char axpy[] = "kernel __attribute__((reqd_work_group_size(1, 1, 1)))\n"
                           "void axpy(global float *y, global const float *x, const float a,\n"
                           "          const uint n)\n"
                           "{\n"
                           "    for (uint i = get_global_id(0); i < n; i += get_global_size(0))\n"
                           "        y[i] += a * x[i] * SCALE;\n"
                           "}\n"
                           "kernel void pair(global float *y, const ulong big, local float *part)\n"
                           "{\n"
                           "    const uint l = get_local_id(0);\n"
                           "    part[l] = (float)(big >> 32) + l;\n"
                           "    barrier(CLK_LOCAL_MEM_FENCE);\n"
                           "    y[get_global_id(0)] = part[get_local_size(0) - 1 - l];\n"
                           "}\n";

static struct ctr_launch_spec axpy_spec(ctr_buf *y, ctr_buf *x, float a, unsigned n)
{
    return (struct ctr_launch_spec){.file = "axpy.cl",
                                    .kernel = "axpy",
                                    .options = "-DSCALE=2.0f",
                                    .global = {8},
                                    .local = {1},
                                    .args = {CTR_BUF(y), CTR_BUF(x), CTR_F32(a), CTR_U32(n)},
                                    .n_args = 4,
                                    .flops = 2.0 * n,
                                    .bytes = 12.0 * n};
}

static void count_progress(void *user, unsigned done, unsigned total, const char *what)
{
    unsigned *calls = user;
    assert_int_equal(done, ++*calls);
    assert_true(done <= total);
    assert_non_null(strstr(what, ".cl"));
}

static void test_null_launch(void **state)
{
    ctr_dev *dev;
    ctr_buf *y;
    ctr_launch *launch;
    struct tempdir dir;
    unsigned calls = 0;
    open_null(&dev);
    rig_kernels(&dir, "axpy.cl", axpy);
    assert_ok(ctr_buf_create(&y, dev, 64, "y"));
    struct ctr_launch_spec spec = axpy_spec(y, y, 1.0f, 16);
    assert_ok(ctr_launch_create(&launch, dev, &spec));
    assert_int_equal(ctr_launch_run(launch), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "not built"));
    assert_ok(ctr_dev_build(dev, 1, count_progress, &calls));
    assert_int_equal(calls, 1);
    for (int i = 0; i < 3; i++)
        assert_ok(ctr_launch_run(launch));
    assert_int_equal(ctr_dev_stats(dev).launches, 3);
    assert_int_equal(ctr_dev_stats(dev).builds, 1);
    assert_string_equal(ctr_launch_name(launch), "axpy");
    ctr_launch_destroy(&launch);
    ctr_dev_destroy(&dev);
    rig_kernels_end(&dir);
}

/* Faults in a description, each with its message; no OpenCL needed. */
static void test_bad_launches(void **state)
{
    ctr_dev *dev, *other;
    ctr_buf *y, *foreign;
    ctr_launch *launch = NULL;
    struct tempdir dir;
    open_null(&dev);
    open_null(&other);
    rig_kernels(&dir, "axpy.cl", axpy);
    assert_ok(ctr_buf_create(&y, dev, 64, "y"));
    assert_ok(ctr_buf_create(&foreign, other, 64, "y"));
    const struct ctr_launch_spec good = axpy_spec(y, y, 1.0f, 16);
    struct {
        struct ctr_launch_spec spec;
        const char *says;
    } bad[9];
    for (int i = 0; i < 9; i++)
        bad[i].spec = good;
    bad[0].spec.local[0] = 3, bad[0].says = "does not divide";
    bad[1].spec.local[0] = 1 << 20, bad[1].spec.global[0] = 1 << 20, bad[1].says = "larger than";
    bad[2].spec.global[0] = 0, bad[2].says = "does not divide";
    bad[3].spec.args[1] = CTR_BUF(NULL), bad[3].says = "argument 1";
    bad[4].spec.args[1] = CTR_BUF(foreign), bad[4].says = "argument 1";
    bad[5].spec.args[2] = CTR_LOCAL((size_t)1 << 40), bad[5].says = "local memory";
    bad[6].spec.n_args = CTR_MAX_ARGS + 1, bad[6].says = "at most";
    bad[7].spec.kernel = "no_such_kernel", bad[7].says = "no kernel 'no_such_kernel'";
    bad[8].spec.kernel = NULL, bad[8].says = "file and a kernel";
    for (int i = 0; i < 9; i++) {
        assert_int_equal(ctr_launch_create(&launch, dev, &bad[i].spec), CTR_E_USAGE);
        assert_non_null(strstr(ctr_error_text(), bad[i].says));
        assert_null(launch);
    }
    rig_kernels_end(&dir);
    bad[0].spec = good;
    bad[0].spec.file = "nowhere.cl";
    assert_int_equal(ctr_launch_create(&launch, dev, &bad[0].spec), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "no kernel file cl/nowhere.cl"));
    ctr_dev_destroy(&dev);
    ctr_dev_destroy(&other);
}

static void test_launch(void **state)
{
    enum { N = 100 };
    ctr_dev *dev = rig_open(NULL);
    ctr_buf *x, *y, *root;
    ctr_launch *a, *b, *c;
    struct tempdir dir;
    float data[N], out[N];
    unsigned calls = 0;
    rig_kernels(&dir, "axpy.cl", axpy);
    size_t align = ctr_dev_caps(dev)->align_bytes, room = (sizeof data + align - 1) / align * align;
    assert_ok(ctr_buf_create(&root, dev, 2 * room, "arena"));
    assert_ok(ctr_buf_view(&x, root, 0, sizeof data));
    assert_ok(ctr_buf_view(&y, root, room, sizeof data));
    struct ctr_launch_spec spec = axpy_spec(y, x, 3.0f, N);
    assert_ok(ctr_launch_create(&a, dev, &spec));
    spec.options = "-DSCALE=4.0f";
    assert_ok(ctr_launch_create(&b, dev, &spec));
    spec.kernel = "pair";
    spec.args[1] = CTR_U64((uint64_t)5 << 32 | 7);
    spec.args[2] = CTR_LOCAL(8 * sizeof(float));
    spec.n_args = 3;
    spec.local[0] = 8;
    assert_ok(ctr_launch_create(&c, dev, &spec));
    assert_ok(ctr_dev_build(dev, 1, count_progress, &calls));
    assert_int_equal(calls, 2); /* two programs: (axpy.cl, 2) and (axpy.cl, 4) */
    for (int i = 0; i < N; i++)
        data[i] = (float)i;
    assert_ok(ctr_buf_write(x, 0, data, sizeof data));
    assert_ok(ctr_buf_fill(y, 0, sizeof data, 0));
    assert_ok(ctr_launch_run(a)); /* y = 6 x */
    assert_ok(ctr_launch_run(b)); /* y = 18 x */
    assert_ok(ctr_buf_read(out, y, 0, sizeof out));
    for (int i = 0; i < N; i++)
        assert_true(out[i] == 18.0f * (float)i);
    assert_ok(ctr_launch_run(c));
    assert_ok(ctr_buf_read(out, y, 0, sizeof out));
    for (int i = 0; i < 8; i++)
        assert_true(out[i] == 5.0f + (float)(7 - i));
    assert_true(out[8] == 18.0f * 8.0f);
    assert_ok(ctr_buf_read(out, y, sizeof out - 4, 4)); /* up to the end, and no further */
    assert_int_equal(ctr_buf_read(out, y, sizeof out - 4, 5), CTR_E_USAGE);
    assert_int_equal(ctr_buf_write(y, 4, data, sizeof data), CTR_E_USAGE);
    assert_int_equal(ctr_buf_fill(y, SIZE_MAX, 4, 0), CTR_E_USAGE);
    assert_int_equal(ctr_dev_stats(dev).launches, 3);
    assert_int_equal(ctr_dev_stats(dev).allocations, 1);
    ctr_dev_destroy(&dev);
    rig_kernels_end(&dir);
}

/* Many programs at once, each told from the others by its options alone. */
static void test_parallel_build(void **state)
{
    enum { PROGRAMS = 12, N = 16 };
    ctr_dev *dev = rig_open(NULL);
    ctr_buf *x, *y;
    ctr_launch *launches[PROGRAMS];
    struct tempdir dir;
    unsigned calls = 0;
    float data[N], want = 0.0f;
    rig_kernels(&dir, "axpy.cl", axpy);
    assert_ok(ctr_buf_create(&x, dev, sizeof data, "x"));
    assert_ok(ctr_buf_create(&y, dev, sizeof data, "y"));
    for (int i = 0; i < PROGRAMS; i++) {
        char options[32];
        snprintf(options, sizeof options, "-DSCALE=%d.0f", i + 1);
        struct ctr_launch_spec spec = axpy_spec(y, x, 1.0f, N);
        spec.options = options; /* copied: gone before the build */
        assert_ok(ctr_launch_create(&launches[i], dev, &spec));
    }
    assert_ok(ctr_dev_build(dev, 0, count_progress, &calls));
    assert_int_equal(calls, PROGRAMS);
    assert_int_equal(ctr_dev_stats(dev).builds, PROGRAMS);
    assert_ok(ctr_buf_fill(x, 0, sizeof data, 0x3f800000u));
    assert_ok(ctr_buf_fill(y, 0, sizeof data, 0));
    for (int i = 0; i < PROGRAMS; i++) {
        assert_ok(ctr_launch_run(launches[i]));
        want += (float)(i + 1);
    }
    assert_ok(ctr_buf_read(data, y, 0, sizeof data));
    for (int i = 0; i < N; i++)
        assert_true(data[i] == want);
    ctr_dev_destroy(&dev);
    rig_kernels_end(&dir);
}

/* What only the built kernel knows: argument count and kinds, its own work-group size. */
static void test_bad_binding(void **state)
{
    ctr_dev *dev = rig_open(NULL);
    ctr_buf *y;
    struct tempdir dir;
    rig_kernels(&dir, "axpy.cl", axpy);
    assert_ok(ctr_buf_create(&y, dev, 64, "y"));
    const struct ctr_launch_spec good = axpy_spec(y, y, 1.0f, 16);
    struct {
        struct ctr_launch_spec spec;
        const char *says;
    } bad[3] = {{good, "takes 4 arguments, 3 given"}, {good, "work-group"}, {good, "argument 3"}};
    bad[0].spec.n_args = 3;
    bad[1].spec.local[0] = 2;
    bad[2].spec.args[3] = CTR_U64(16);
    for (int i = 0; i < 3; i++) {
        ctr_launch *launch;
        assert_ok(ctr_launch_create(&launch, dev, &bad[i].spec));
        assert_int_not_equal(ctr_dev_build(dev, 0, NULL, NULL), 0);
        if (!strstr(ctr_error_text(), bad[i].says))
            fail_msg("'%s' does not say '%s'", ctr_error_text(), bad[i].says);
        ctr_launch_destroy(&launch);
    }
    ctr_dev_destroy(&dev);
    rig_kernels_end(&dir);
}

static void test_build_error(void **state)
{
    ctr_dev *dev = rig_open(NULL);
    ctr_buf *y;
    ctr_launch *launch;
    struct tempdir dir;
    rig_kernels(&dir, "bad.cl", "kernel void bad(global float *y)\n{\n    y[0] = nonsense;\n}\n");
    assert_ok(ctr_buf_create(&y, dev, 64, "y"));
    struct ctr_launch_spec spec = {.file = "bad.cl",
                                   .kernel = "bad",
                                   .options = "-DWHAT=1",
                                   .global = {1},
                                   .args = {CTR_BUF(y)},
                                   .n_args = 1};
    assert_ok(ctr_launch_create(&launch, dev, &spec));
    for (int again = 0; again < 2; again++) {
        assert_int_equal(ctr_dev_build(dev, 0, NULL, NULL), CTR_E_DEVICE);
        assert_non_null(strstr(ctr_error_text(), "cl/bad.cl:3"));
        assert_non_null(strstr(ctr_error_text(), "nonsense"));
        assert_non_null(strstr(ctr_error_text(), "-DWHAT=1"));
        assert_non_null(strstr(ctr_error_text(), ctr_dev_caps(dev)->driver));
    }
    assert_int_equal(ctr_launch_run(launch), CTR_E_USAGE);
    ctr_launch_destroy(&launch);
    assert_ok(ctr_dev_build(dev, 0, NULL, NULL)); /* the broken program is forgotten */
    ctr_dev_destroy(&dev);
    rig_kernels_end(&dir);
}

/* What building a kernel that calls a function absent from cl/lib/builtins.clh returns. */
static int build_call(ctr_dev *dev, const char *first_line)
{
    char text[128];
    ctr_buf *y;
    ctr_launch *launch;
    struct tempdir dir;
    snprintf(text, sizeof text, "%s\nkernel void f(global float *y) { y[0] = tgamma(y[0]); }\n",
             first_line);
    rig_kernels(&dir, "f.cl", text);
    assert_ok(ctr_buf_create(&y, dev, 64, "y"));
    struct ctr_launch_spec spec = {
        .file = "f.cl", .kernel = "f", .global = {1}, .args = {CTR_BUF(y)}, .n_args = 1};
    assert_ok(ctr_launch_create(&launch, dev, &spec));
    int rc = ctr_dev_build(dev, 0, NULL, NULL);
    ctr_launch_destroy(&launch);
    ctr_buf_destroy(&y);
    rig_kernels_end(&dir);
    return rc;
}

static void test_builtins(void **state)
{
    ctr_dev *dev = rig_open(NULL);
    assert_ok(build_call(dev, ""));
    ctr_dev_destroy(&dev);
    dev = rig_open(NULL);
    if (ctr_dev_caps(dev)->quirks & CTR_Q_OWN_BUILTINS) {
        assert_int_equal(build_call(dev, "#line 1 \"cl/lib/builtins.clh\""), CTR_E_DEVICE);
        assert_non_null(strstr(ctr_error_text(), "tgamma"));
        assert_non_null(strstr(ctr_error_hint(), "cl/lib/builtins.clh"));
    }
    ctr_dev_destroy(&dev);
}

/* Where the declarations do not fit a compiler, it is left alone. */
static void test_builtins_refused(void **state)
{
    static const char probe[] = "#ifdef CTR_Q_OWN_BUILTINS\n#error they do not fit\n#endif\n"
                                "kernel void probe_arith(global float *y, global const float *x,\n"
                                "                        const float a)\n"
                                "{\n"
                                "    const uint i = get_global_id(0);\n"
                                "    y[i] = x[i] * a + (float)i;\n"
                                "    for (uint k = 0; k < 16; k++)\n"
                                "        y[i] += x[i / 16 * 16 + k];\n"
                                "}\n";
    struct tempdir dir;
    tempdir_make(&dir);
    assert_int_equal(mkdir(tempdir_path(&dir, "probe"), 0755), 0);
    tempdir_put(tempdir_path(&dir, "probe/arith.cl"), probe, sizeof probe - 1);
    setenv("CTR_KERNEL_DIR", dir.dir, 1);
    ctr_dev *dev = rig_open(&(struct ctr_dev_params){.quirks = "+own_builtins"});
    assert_int_equal(ctr_dev_caps(dev)->quirks & CTR_Q_OWN_BUILTINS, 0);
    ctr_dev_destroy(&dev);
    rig_kernels_end(&dir);
}

static void test_profile(void **state)
{
    ctr_dev *dev = rig_open(&(struct ctr_dev_params){.profile = 1});
    ctr_buf *y;
    ctr_launch *launch;
    struct tempdir dir;
    struct ctr_profile_row *rows;
    unsigned n;
    rig_kernels(&dir, "axpy.cl", axpy);
    assert_ok(ctr_buf_create(&y, dev, 64, "y"));
    struct ctr_launch_spec spec = axpy_spec(y, y, 1.0f, 16);
    assert_ok(ctr_launch_create(&launch, dev, &spec));
    assert_ok(ctr_dev_build(dev, 0, NULL, NULL));
    assert_ok(ctr_launch_run(launch));
    assert_ok(ctr_launch_run(launch));
    assert_ok(ctr_dev_profile(&rows, &n, dev));
    assert_int_equal(n, 1);
    assert_string_equal(rows[0].name, "axpy");
    assert_int_equal(rows[0].runs, 2);
    assert_true(rows[0].seconds > 0.0 && rows[0].seconds < 60.0);
    assert_true(rows[0].flops == 64.0 && rows[0].bytes == 384.0);
    free(rows);
    ctr_dev_profile_reset(dev);
    assert_ok(ctr_dev_profile(&rows, &n, dev));
    assert_int_equal(n, 0);
    free(rows);
    ctr_dev_destroy(&dev);
    rig_kernels_end(&dir);
}

/* Run in a child: a forked process must be refused, not hang in the driver. */
static void test_fork(void **state)
{
    ctr_dev *dev = rig_open(NULL);
    ctr_buf *buf;
    int status;
    assert_ok(ctr_buf_create(&buf, dev, 64, "b"));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(20);
        int rc = ctr_buf_fill(buf, 0, 64, 0);
        int said = strstr(ctr_error_text(), "before fork") != NULL;
        ctr_buf_destroy(&buf);
        ctr_dev_destroy(&dev);
        _exit(rc == CTR_E_DEVICE && said ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_ok(ctr_buf_fill(buf, 0, 64, 0));
    ctr_dev_destroy(&dev);
}

static void test_bad_open(void **state)
{
    ctr_dev *dev = NULL;
    assert_int_not_equal(ctr_dev_open(&dev, "99", NULL), 0);
    assert_int_not_equal(ctr_dev_open(&dev, "-1", NULL), 0);
    assert_int_not_equal(ctr_dev_open(&dev, "no such device", NULL), 0);
    assert_null(dev);
    dev = rig_open(NULL);
    ctr_dev_destroy(&dev);
    assert_int_equal(ctr_dev_open(&dev, "99", NULL), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "'99'"));
    assert_non_null(strstr(ctr_error_hint(), "devices: 0 '"));
    struct ctr_dev_params params = {.quirks = "+no_such_quirk"};
    assert_int_equal(ctr_dev_open(&dev, "null", &params), CTR_E_USAGE);
    assert_int_equal(ctr_dev_open(&dev, getenv("CTR_TEST_DEVICE"), &params), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "no_such_quirk"));
    assert_non_null(strstr(ctr_error_hint(), "family_gpu"));
    assert_null(dev);
    params.quirks = "+family_gpu,+no_fp16";
    assert_ok(ctr_dev_open(&dev, getenv("CTR_TEST_DEVICE"), &params));
    assert_int_equal(ctr_dev_caps(dev)->family, CTR_FAMILY_GPU);
    assert_int_equal(ctr_dev_caps(dev)->has_fp16, 0);
    ctr_dev_destroy(&dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_launch),
        cmocka_unit_test(test_bad_launches),
        cmocka_unit_test(test_launch),
        cmocka_unit_test(test_bad_binding),
        cmocka_unit_test(test_parallel_build),
        cmocka_unit_test(test_build_error),
        cmocka_unit_test(test_builtins),
        cmocka_unit_test(test_builtins_refused),
        cmocka_unit_test(test_profile),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_bad_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
