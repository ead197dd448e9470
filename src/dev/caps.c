/* caps.c -- what a device really does, found out by building and running five-line kernels.
 *
 * In: an open device. Out: CTR_E_DEVICE when its arithmetic is wrong; has_fp16 corrected to
 * what worked. Goes through the front door like any other user of the device. */
#include "dev/impl.h"

#include <math.h>
#include <string.h>

#define PROBE_N     64
#define PROBE_GROUP 16

struct probe {
    const char *file, *kernel;
    /* What element i must be. */
    float (*want)(const float *x, float a, int i);
};

static float want_arith(const float *x, float a, int i)
{
    float sum = 0.0f;
    for (int k = 0; k < PROBE_GROUP; k++)
        sum += x[i / PROBE_GROUP * PROBE_GROUP + k];
    return fmaf(x[i], a, (float)i) + sum;
}

static float want_half(const float *x, float a, int i)
{
    return x[i] * a + 1.0f;
}

static const struct probe arith = {"probe/arith.cl", "probe_arith", want_arith};
static const struct probe half = {"probe/half.cl", "probe_half", want_half};

static int compare(const ctr_dev *dev, const struct probe *p, const float *y, const float *x,
                   float a)
{
    for (int i = 0; i < PROBE_N; i++) {
        float want = p->want(x, a, i);
        if (fabsf(y[i] - want) <= 1e-5f * (1.0f + fabsf(want)))
            continue;
        ctr_fail(CTR_E_DEVICE, "'%s' computes wrongly: element %d of cl/%s is %g, not %g",
                 dev->caps.name, i, p->file, (double)y[i], (double)want);
        return ctr_hint(CTR_E_DEVICE, "update its driver (%s), or choose another device",
                        dev->caps.driver);
    }
    return 0;
}

/* Builds, runs, compares. Values are multiples of 1/4 below 5, exact in half too. */
static int run_probe(ctr_dev *dev, const struct probe *p)
{
    int rc = 0;
    ctr_buf *x_buf = NULL, *y_buf = NULL;
    ctr_launch *launch = NULL;
    float x[PROBE_N], y[PROBE_N];
    const float a = 1.5f;
    for (int i = 0; i < PROBE_N; i++)
        x[i] = 0.25f * (float)((i * 37) % 29) - 3.0f;
    CTR_TRY(ctr_buf_create(&x_buf, dev, sizeof x, "probe input"));
    CTR_TRY(ctr_buf_create(&y_buf, dev, sizeof y, "probe output"));
    struct ctr_launch_spec spec = {.file = p->file,
                                   .kernel = p->kernel,
                                   .global = {PROBE_N},
                                   .local = {PROBE_GROUP},
                                   .args = {CTR_BUF(y_buf), CTR_BUF(x_buf), CTR_F32(a)},
                                   .n_args = 3};
    CTR_TRY(ctr_launch_create(&launch, dev, &spec));
    CTR_TRY(ctr_dev_build(dev, 0, NULL, NULL));
    CTR_TRY(ctr_buf_write(x_buf, 0, x, sizeof x));
    CTR_TRY(ctr_launch_run(launch));
    CTR_TRY(ctr_buf_read(y, y_buf, 0, sizeof y));
    rc = compare(dev, p, y, x, a);
out:
    ctr_launch_destroy(&launch);
    ctr_buf_destroy(&y_buf);
    ctr_buf_destroy(&x_buf);
    return rc;
}

/* Half may work on GPUs whose driver does not claim it (NVIDIA). What fails to build is simply not
 * there. Sub-groups stay as claimed: OpenCL C 1.2 has no portable way to call them. */
int ctr_caps_probe(ctr_dev *dev)
{
    struct ctr_caps *caps = &dev->caps;
    int rc = run_probe(dev, &arith);
    if (rc)
        return rc;
    int try_half = caps->has_fp16 || !caps->unified_memory;
    dev->probing = 1;
    caps->has_fp16 = try_half && !(caps->quirks & CTR_Q_NO_FP16) && run_probe(dev, &half) == 0;
    dev->probing = 0;
    if (caps->quirks & CTR_Q_NO_SUBGROUPS)
        caps->has_subgroups = 0;
    return dev->lost ? ctr_fail_in(CTR_E_DEVICE, "probing half") : 0;
}
