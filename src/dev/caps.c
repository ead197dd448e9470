/* caps.c -- what a device really does, found out by building and running five-line kernels.
 *
 * In: an open device. Out: CTR_E_DEVICE when its arithmetic is wrong; has_fp16 and the quirk
 * own_builtins corrected to what worked. Goes through the front door like any other user of the
 * device. */
#include "dev/impl.h"
#include "base/log.h"

#include <math.h>
#include <string.h>

#define PROBE_N     64
#define PROBE_GROUP 16
#define MMA_ROWS    16
#define MMA_COLUMNS 8
#define MMA_GROUP   32
#define PROBE_MAX_Y (MMA_ROWS * MMA_COLUMNS)

struct probe {
    const char *file, *kernel, *options;
    int n, items, group; /* results; work-items of all and of a group */
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

/* As cl/probe/mma.cl places them: A[m][k] and B[k][n] of x. */
static float want_mma(const float *x, float a, int i, int deep)
{
    int m = i / MMA_COLUMNS, n = i % MMA_COLUMNS;
    float sum = a;
    for (int k = 0; k < deep; k++)
        sum += 2.0f * x[(m * 7 + k * 5) % PROBE_N] * x[(n * 11 + k * 3) % PROBE_N];
    return sum;
}

static float want_mma_tf32(const float *x, float a, int i)
{
    return want_mma(x, a, i, 8);
}

static float want_mma_half(const float *x, float a, int i)
{
    return want_mma(x, a, i, 16);
}

static const struct probe arith = {"probe/arith.cl", "probe_arith", NULL,      PROBE_N,
                                   PROBE_N,          PROBE_GROUP,   want_arith};
static const struct probe half = {"probe/half.cl", "probe_half", NULL,     PROBE_N,
                                  PROBE_N,         PROBE_GROUP,  want_half};
#define MMA_PROBE(act, want)                                                                       \
    {                                                                                              \
        "probe/mma.cl", "probe_mma", "-DACT=" #act, PROBE_MAX_Y, MMA_GROUP, MMA_GROUP, want        \
    }
/* In the order of the bits of enum ctr_mma. */
static const struct probe mma[] = {MMA_PROBE(0, want_mma_tf32), MMA_PROBE(1, want_mma_half),
                                   MMA_PROBE(2, want_mma_half)};

static int compare(const ctr_dev *dev, const struct probe *p, const float *y, const float *x,
                   float a)
{
    for (int i = 0; i < p->n; i++) {
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
    float x[PROBE_N], y[PROBE_MAX_Y];
    const float a = 1.5f;
    for (int i = 0; i < PROBE_N; i++)
        x[i] = 0.25f * (float)((i * 37) % 29) - 3.0f;
    CTR_TRY(ctr_buf_create(&x_buf, dev, sizeof x, "probe input"));
    CTR_TRY(ctr_buf_create(&y_buf, dev, (size_t)p->n * sizeof *y, "probe output"));
    struct ctr_launch_spec spec = {.file = p->file,
                                   .kernel = p->kernel,
                                   .options = p->options,
                                   .global = {(size_t)p->items},
                                   .local = {(size_t)p->group},
                                   .args = {CTR_BUF(y_buf), CTR_BUF(x_buf), CTR_F32(a)},
                                   .n_args = 3};
    CTR_TRY(ctr_launch_create(&launch, dev, &spec));
    CTR_TRY(ctr_dev_build(dev, 0, NULL, NULL));
    CTR_TRY(ctr_buf_write(x_buf, 0, x, sizeof x));
    CTR_TRY(ctr_launch_run(launch));
    CTR_TRY(ctr_buf_read(y, y_buf, 0, (size_t)p->n * sizeof *y));
    rc = compare(dev, p, y, x, a);
out:
    ctr_launch_destroy(&launch);
    ctr_buf_destroy(&y_buf);
    ctr_buf_destroy(&x_buf);
    return rc;
}

/* Matrix units: only GPUs have them. tf32 needs permission, and without it is not looked for. A
 * kind that does not build ends the search, since devices have all three or none. */
static unsigned probe_mma(ctr_dev *dev)
{
    unsigned found = 0;
    if (dev->caps.family != CTR_FAMILY_GPU || dev->caps.max_group < MMA_GROUP)
        return 0;
    for (unsigned i = dev->tf32 ? 0 : 1; i < sizeof mma / sizeof *mma; i++) {
        if (run_probe(dev, &mma[i]) != 0)
            break;
        found |= 1u << i;
    }
    return found;
}

static void tell_tf32(const ctr_dev *dev)
{
    if (dev->tf32 && !(dev->caps.mma & CTR_MMA_TF32))
        ctr_log(CTR_LOG_WARN, "'%s' has no matrix units for tf32: products stay fp32",
                dev->caps.name);
}

/* Does it compute at all? Where our declarations of built-in functions do not fit its compiler, it
 * keeps its own. */
static int probe_arith(ctr_dev *dev)
{
    if (dev->caps.quirks & CTR_Q_OWN_BUILTINS) {
        dev->probing = 1;
        int rc = run_probe(dev, &arith);
        dev->probing = 0;
        if (rc == 0 || dev->lost)
            return rc;
        ctr_log(CTR_LOG_DEBUG, "own_builtins does not fit '%s'", dev->caps.name);
        dev->caps.quirks &= ~(uint32_t)CTR_Q_OWN_BUILTINS;
        ctr_prog_destroy_all(dev);
        if ((rc = ctr_dev_base_options(dev)) != 0)
            return rc;
    }
    return run_probe(dev, &arith);
}

/* Half may work on GPUs whose driver does not claim it (NVIDIA). What fails to build is simply not
 * there. Sub-groups stay as claimed: OpenCL C 1.2 has no portable way to call them. */
int ctr_caps_probe(ctr_dev *dev)
{
    struct ctr_caps *caps = &dev->caps;
    int rc = probe_arith(dev);
    if (rc)
        return rc;
    int try_half = caps->has_fp16 || !caps->unified_memory;
    dev->probing = 1;
    caps->has_fp16 = try_half && !(caps->quirks & CTR_Q_NO_FP16) && run_probe(dev, &half) == 0;
    caps->mma = probe_mma(dev);
    dev->probing = 0;
    tell_tf32(dev);
    if (caps->quirks & CTR_Q_NO_SUBGROUPS)
        caps->has_subgroups = 0;
    return dev->lost ? ctr_fail_in(CTR_E_DEVICE, "probing its abilities") : 0;
}
