/* caps.c -- what a device really does, found out by building and running five-line kernels.
 *
 * In: an open device. Out: CTR_E_DEVICE when its arithmetic is wrong; has_fp16 and has_subgroups
 * corrected to what worked. Goes through the front door like any other user of the device. */
#include "dev/impl.h"

#include <math.h>
#include <string.h>

#define PROBE_N 64

/* Runs a probe kernel of the form f(global float *y, global const float *x, float a). */
static int run_probe(float y[PROBE_N], ctr_dev *dev, const char *file, const char *kernel,
                     const float x[PROBE_N], float a)
{
    int rc = 0;
    ctr_buf *in = NULL, *out_buf = NULL;
    ctr_launch *launch = NULL;
    size_t bytes = PROBE_N * sizeof(float);
    CTR_TRY(ctr_buf_create(&in, dev, bytes, "probe input"));
    CTR_TRY(ctr_buf_create(&out_buf, dev, bytes, "probe output"));
    struct ctr_launch_spec spec = {.file = file,
                                   .kernel = kernel,
                                   .global = {PROBE_N},
                                   .local = {16},
                                   .args = {CTR_BUF(out_buf), CTR_BUF(in), CTR_F32(a)},
                                   .n_args = 3};
    CTR_TRY(ctr_launch_create(&launch, dev, &spec));
    CTR_TRY(ctr_dev_build(dev, 0, NULL, NULL));
    CTR_TRY(ctr_buf_write(in, 0, x, bytes));
    CTR_TRY(ctr_launch_run(launch));
    CTR_TRY(ctr_buf_read(y, out_buf, 0, bytes));
out:
    ctr_launch_destroy(&launch);
    ctr_buf_destroy(&out_buf);
    ctr_buf_destroy(&in);
    return rc;
}

static int probe_arith(ctr_dev *dev)
{
    float x[PROBE_N], y[PROBE_N];
    const float a = 1.5f;
    for (int i = 0; i < PROBE_N; i++)
        x[i] = 0.25f * (float)((i * 37) % 29) - 3.0f;
    int rc = run_probe(y, dev, "probe/arith.cl", "probe_arith", x, a);
    if (rc)
        return rc;
    for (int i = 0; i < PROBE_N; i++) {
        float sum = 0.0f;
        for (int k = 0; k < 16; k++)
            sum += x[i / 16 * 16 + k];
        float want = fmaf(x[i], a, (float)i) + sum;
        if (!(fabsf(y[i] - want) <= 1e-5f * (1.0f + fabsf(want)))) {
            ctr_fail(CTR_E_DEVICE,
                     "'%s' computes wrongly: element %d of cl/probe/arith.cl is %g, not %g",
                     dev->caps.name, i, (double)y[i], (double)want);
            return ctr_hint(CTR_E_DEVICE, "update its driver (%s), or choose another device",
                            dev->caps.driver);
        }
    }
    return 0;
}

int ctr_caps_probe(ctr_dev *dev)
{
    int rc = probe_arith(dev);
    if (rc)
        return rc;
    if (dev->caps.quirks & CTR_Q_NO_FP16)
        dev->caps.has_fp16 = 0;
    if (dev->caps.quirks & CTR_Q_NO_SUBGROUPS)
        dev->caps.has_subgroups = 0;
    return 0;
}
