/* peak.c -- what a device can do at most, by measurement: the roofs of its roofline (Williams,
 * Waterman and Patterson, CACM 52(4), 2009).
 *
 * In: an open device. Out: operations a second from registers, bytes a second from and to buffers far
 * larger than caches. Each figure is the best of several timings after a warm-up, since a peak is
 * what can be reached, and whatever else uses cores or memory only takes from it. What is timed
 * grows until it takes long enough, so that slow devices (interpreters) do little. */
#include "dev/impl.h"

#include "base/os.h"

#define SAMPLES       15
#define SAMPLE_S      0.01 /* what a timing takes at least */
#define STREAM_BYTES  ((size_t)128 << 20)
#define SMALLEST      ((size_t)1 << 20) /* of a stream */
#define MOST_LOOPS    (1 << 24)
#define CPU_ITEMS     8 /* a compute unit; evens out what else runs there */
#define GPU_ITEMS     4096
#define GPU_GROUP     128
#define PER           4096 /* vectors of a work-item in streams, on CPUs: 256 KB */

/* One kind of timing. `size` is loops, or bytes of a stream. */
struct probe {
    const char *kernel, *options;
    unsigned width, chains; /* of fma */
    unsigned streams;       /* read and written; 0 for fma */
};

static size_t groups_of(const ctr_dev *dev)
{
    return dev->caps.max_group < GPU_GROUP ? dev->caps.max_group : GPU_GROUP;
}

static int is_cpu(const ctr_dev *dev)
{
    return dev->caps.family == CTR_FAMILY_CPU;
}

/* The launch for `size`, and what it does: operations or bytes. */
static struct ctr_launch_spec describe(double *amount, const ctr_dev *dev, const struct probe *p,
                                       ctr_buf *const buf[2], size_t size)
{
    struct ctr_launch_spec spec = {.file = "probe/peak.cl", .kernel = p->kernel};
    size_t units = (size_t)dev->caps.compute_units, vector = is_cpu(dev) ? 64 : 16;
    spec.local[0] = is_cpu(dev) ? 1 : groups_of(dev);
    spec.options = p->options;
    if (!p->streams) {
        size_t items = is_cpu(dev) ? units * CPU_ITEMS
                                   : units * GPU_ITEMS / spec.local[0] * spec.local[0];
        spec.global[0] = items;
        spec.args[spec.n_args++] = CTR_BUF(buf[0]);
        spec.args[spec.n_args++] = CTR_F32(0.999f);
        spec.args[spec.n_args++] = CTR_F32(0.001f);
        spec.args[spec.n_args++] = CTR_I32(size);
        *amount = 2.0 * p->width * p->chains * (double)size * (double)items;
        return spec;
    }
    size_t per = is_cpu(dev) ? PER : 16;
    spec.global[0] = size / vector / per / spec.local[0] * spec.local[0];
    spec.args[spec.n_args++] = CTR_BUF(buf[0]);
    spec.args[spec.n_args++] = CTR_BUF(buf[1]);
    if (p->streams > 1)
        spec.args[spec.n_args++] = CTR_F32(1e-6f);
    spec.args[spec.n_args++] = CTR_U32(per);
    *amount = (double)p->streams * (double)(spec.global[0] * per * vector);
    return spec;
}

static int time_runs(double *seconds, ctr_dev *dev, ctr_launch *launch, unsigned runs)
{
    int rc = 0;
    double start = ctr_now();
    for (unsigned i = 0; i < runs; i++)
        CTR_TRY(ctr_launch_run(launch));
    CTR_TRY(dev->backend->finish(dev));
    *seconds = ctr_now() - start;
out:
    return rc;
}

/* The best of SAMPLES of amount / time, or (per_s NULL) only how long one run takes. */
static int time_launch(double *per_s, double *once, ctr_dev *dev,
                       const struct ctr_launch_spec *spec, double amount)
{
    int rc = 0;
    ctr_launch *launch = NULL;
    double best = 1e9;
    CTR_TRY(ctr_launch_create(&launch, dev, spec));
    CTR_TRY(ctr_dev_build(dev, 1, NULL, NULL));
    CTR_TRY(time_runs(once, dev, launch, 1));
    if (!per_s)
        goto out;
    unsigned runs = *once > SAMPLE_S ? 1 : *once > 1e-6 ? (unsigned)(SAMPLE_S / *once) + 1 : 100;
    for (unsigned i = 0; i < SAMPLES; i++) {
        double t;
        CTR_TRY(time_runs(&t, dev, launch, runs));
        best = t < best ? t : best;
    }
    *per_s = amount * runs / (best > 1e-9 ? best : 1e-9);
out:
    ctr_launch_destroy(&launch);
    return rc;
}

/* Grows the size from `size` until a run takes SAMPLE_S or `most` is reached; then measures. */
static int measure(double *per_s, ctr_dev *dev, const struct probe *p, ctr_buf *const buf[2],
                   size_t size, size_t most)
{
    int rc = 0;
    double amount, once;
    for (;;) {
        struct ctr_launch_spec spec = describe(&amount, dev, p, buf, size);
        CTR_TRY(time_launch(NULL, &once, dev, &spec, amount));
        if (once >= SAMPLE_S || size >= most)
            break;
        size = once < SAMPLE_S / 8 ? size * 8 : size * 2;
        size = size > most ? most : size;
    }
    struct ctr_launch_spec spec = describe(&amount, dev, p, buf, size);
    CTR_TRY(time_launch(per_s, &once, dev, &spec, amount));
out:
    return rc;
}

/* The best of a few shapes: how many registers there are, and how wide, is nowhere told. */
static int measure_fma(double *per_s, ctr_dev *dev, ctr_buf *const buf[2])
{
    static const struct probe cpu[] = {
        {"peak_fma", "-DWIDTH=16 -DCHAINS=12", 16, 12, 0},
        {"peak_fma", "-DWIDTH=8 -DCHAINS=12", 8, 12, 0},
        {"peak_fma", "-DWIDTH=4 -DCHAINS=12", 4, 12, 0},
    };
    static const struct probe gpu[] = {
        {"peak_fma", "-DWIDTH=1 -DCHAINS=8", 1, 8, 0},
        {"peak_fma", "-DWIDTH=4 -DCHAINS=4", 4, 4, 0},
        {"peak_fma", "-DWIDTH=1 -DCHAINS=16", 1, 16, 0},
    };
    const struct probe *p = is_cpu(dev) ? cpu : gpu;
    *per_s = 0;
    for (int i = 0; i < 3; i++) {
        double got;
        int rc = measure(&got, dev, &p[i], buf, 16, MOST_LOOPS);
        if (rc != 0)
            return rc;
        *per_s = got > *per_s ? got : *per_s;
    }
    return 0;
}

/* Bytes of each of two buffers: what is free leaves room for others. */
static size_t stream_bytes(const ctr_dev *dev)
{
    uint64_t left = dev->caps.global_bytes > dev->stats.live_bytes
                        ? dev->caps.global_bytes - dev->stats.live_bytes
                        : 0;
    uint64_t bytes = STREAM_BYTES;
    bytes = bytes > left / 8 ? left / 8 : bytes;
    bytes = bytes > dev->caps.max_alloc_bytes ? dev->caps.max_alloc_bytes : bytes;
    return (size_t)bytes / SMALLEST * SMALLEST;
}

int ctr_dev_measure(struct ctr_peaks *out, ctr_dev *dev)
{
    static const struct probe read = {.kernel = "peak_read", .streams = 1};
    static const struct probe update = {.kernel = "peak_update", .streams = 3};
    ctr_buf *buf[2] = {NULL, NULL};
    struct ctr_peaks p = {0};
    int rc = ctr_dev_usable(dev);
    if (rc != 0)
        return rc;
    size_t bytes = stream_bytes(dev);
    if (bytes < SMALLEST)
        return ctr_fail(CTR_E_DEVMEM, "no memory left on '%s' to measure its speed",
                        dev->caps.name);
    for (int i = 0; i < 2; i++) {
        CTR_TRY(ctr_buf_create(&buf[i], dev, bytes, "stream"));
        CTR_TRY(ctr_buf_fill(buf[i], 0, bytes, 0x3f800000u)); /* 1.0f: pages that exist, no denormals */
    }
    CTR_TRY(measure_fma(&p.flops, dev, buf));
    CTR_TRY(measure(&p.read, dev, &read, buf, SMALLEST, bytes));
    CTR_TRY(measure(&p.update, dev, &update, buf, SMALLEST, bytes));
    *out = p;
    ctr_dev_profile_reset(dev);
out:
    for (int i = 0; i < 2; i++)
        ctr_buf_destroy(&buf[i]);
    return rc;
}

void ctr_dev_set_peaks(ctr_dev *dev, const struct ctr_peaks *peaks)
{
    dev->peaks = *peaks;
}

double ctr_floor(const struct ctr_peaks *p, double work, double bytes)
{
    double bandwidth = p->read > p->update ? p->read : p->update;
    double compute = p->flops > 0 ? work / p->flops : 0;
    double memory = bandwidth > 0 ? bytes / bandwidth : 0;
    return compute > memory ? compute : memory;
}
