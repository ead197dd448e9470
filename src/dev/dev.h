/* dev.h -- the one door to a device: memory, programs, launches.
 *
 * In: a selector ("0", "cpu", "gpu", part of a name, "null"). Out: an open device with one in-order
 * queue. Everything is validated here; backends (impl.h) never check again. No OpenCL type passes
 * this door, and no vendor's name. Every function returns 0 or a CTR_E_* with its text recorded.
 *
 * Life of a launch: describe it (ctr_launch_create), build all described programs at once
 * (ctr_dev_build), run it as often as wanted (ctr_launch_run). Arguments are bound once; what
 * changes from step to step travels in buffers. Launches run in the order they are given; the host
 * waits only in ctr_buf_read and ctr_dev_finish. A device is used by one thread at a time. */
#ifndef CTR_DEV_DEV_H
#define CTR_DEV_DEV_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "clcontrast/device.h"

typedef struct ctr_buf ctr_buf;
typedef struct ctr_launch ctr_launch;

/* Which kernel family suits a device: by its kind, or by hand (quirks family_cpu, family_gpu). */
enum ctr_family { CTR_FAMILY_CPU, CTR_FAMILY_GPU };

/* Oddities of devices that kernels or the host work around (quirks.c has who, why and since when).
 * Kernels see CTR_Q_<NAME>=1 for each active one. */
enum ctr_quirk {
    CTR_Q_NO_BINARY_CACHE = 1 << 0, /* own program cache is useless or harmful */
    CTR_Q_SERIAL_BUILD = 1 << 1,    /* the compiler is not safe to run from several threads */
    CTR_Q_FAMILY_CPU = 1 << 2,      /* kernel family by hand, for tests */
    CTR_Q_FAMILY_GPU = 1 << 3,
    CTR_Q_NO_FP16 = 1 << 4,       /* half arithmetic is off though the driver claims it */
    CTR_Q_NO_SUBGROUPS = 1 << 5,  /* likewise sub-groups */
    CTR_Q_MMA_EMULATED = 1 << 6,  /* matrix units played by plain OpenCL C, for tests */
    CTR_Q_OWN_BUILTINS = 1 << 7,  /* built-in functions are declared by cl/lib/builtins.clh */
    CTR_Q_NO_FMA = 1 << 8,        /* kernels round between product and sum where they say fma */
    CTR_Q_LOOP_BARRIERS = 1 << 9, /* loops are not to look alike for all work-items (prelude.clh) */
    CTR_Q_ALWAYS_INLINE = 1 << 10, /* kernels ask for their functions to be inlined */
    CTR_Q_SHORT_VECTORS = 1 << 11  /* register tiles of a CPU are smaller (prelude.clh) */
};

/* What matrix units take in (cl/lib/mma.clh): bit ACT of a program's options. Sums are fp32. */
enum ctr_mma { CTR_MMA_TF32 = 1 << 0, CTR_MMA_F16 = 1 << 1, CTR_MMA_BF16 = 1 << 2 };

struct ctr_caps {
    char name[128], vendor[128], driver[128], platform[128];
    enum ctr_family family;
    unsigned compute_units;
    size_t max_group;         /* work-items in a work-group */
    size_t local_bytes;       /* local memory of a work-group */
    size_t align_bytes;       /* alignment of a view inside its parent, a power of two, >= 256 */
    uint64_t global_bytes;    /* device memory */
    uint64_t max_alloc_bytes; /* largest single allocation */
    int has_fp16, has_fp64, has_subgroups, unified_memory;
    unsigned mma;    /* CTR_MMA_*: what its matrix units were seen to multiply, tf32 if permitted */
    uint32_t quirks; /* active CTR_Q_* bits (quirks.c) */
};

/* Opening and closing stand in clcontrast/device.h. Buffers and launches still alive die with their
 * device: their pointers are invalid afterwards. */
const struct ctr_caps *ctr_dev_caps(const ctr_dev *dev);
int ctr_dev_finish(ctr_dev *dev);

/* ---- memory ---- */

/* Contents are undefined. `what` names the buffer in messages. CTR_E_DEVMEM says what was asked and
 * what is there. */
int ctr_buf_create(ctr_buf **out, ctr_dev *dev, size_t bytes, const char *what);
/* Bytes [at, at + bytes) of parent; `at` a multiple of caps->align_bytes. Not an allocation. The
 * memory stays until the last view of it is destroyed. */
int ctr_buf_view(ctr_buf **out, ctr_buf *parent, size_t at, size_t bytes);
void ctr_buf_destroy(ctr_buf **buf);
size_t ctr_buf_bytes(const ctr_buf *buf);
/* src may be reused on return. */
int ctr_buf_write(ctr_buf *dst, size_t at, const void *src, size_t bytes);
/* Waits for everything enqueued before it. */
int ctr_buf_read(void *dst, ctr_buf *src, size_t at, size_t bytes);
/* Repeats a 32-bit pattern; at and bytes are multiples of 4. Enqueued, not waited for. */
int ctr_buf_fill(ctr_buf *dst, size_t at, size_t bytes, uint32_t pattern);

/* ---- launches ---- */

enum ctr_arg_kind {
    CTR_ARG_BUF,
    CTR_ARG_I32,
    CTR_ARG_U32,
    CTR_ARG_U64,
    CTR_ARG_F32,
    CTR_ARG_LOCAL
};
struct ctr_arg {
    enum ctr_arg_kind kind;
    union {
        ctr_buf *buf;
        int32_t i32;
        uint32_t u32;
        uint64_t u64;
        float f32;
        size_t local_bytes;
    } v;
};
#define CTR_BUF(b)   ((struct ctr_arg){.kind = CTR_ARG_BUF, .v.buf = (b)})
#define CTR_I32(x)   ((struct ctr_arg){.kind = CTR_ARG_I32, .v.i32 = (int32_t)(x)})
#define CTR_U32(x)   ((struct ctr_arg){.kind = CTR_ARG_U32, .v.u32 = (uint32_t)(x)})
#define CTR_U64(x)   ((struct ctr_arg){.kind = CTR_ARG_U64, .v.u64 = (uint64_t)(x)})
#define CTR_F32(x)   ((struct ctr_arg){.kind = CTR_ARG_F32, .v.f32 = (float)(x)})
#define CTR_LOCAL(n) ((struct ctr_arg){.kind = CTR_ARG_LOCAL, .v.local_bytes = (n)})

#define CTR_MAX_ARGS 32

/* One kernel launch. Copied by ctr_launch_create with its strings; buffers must outlive the launch. */
struct ctr_launch_spec {
    const char *file;    /* below cl/, e.g. "op/relu.cl" */
    const char *kernel;  /* function in that file */
    const char *options; /* "-DX=1 -DY=2", or NULL; part of the program's identity */
    size_t global[3];    /* work-items; unused dimensions 0 or 1 */
    size_t local[3];     /* work-group; must divide global. Fixed, since drivers compile per size */
    struct ctr_arg args[CTR_MAX_ARGS];
    unsigned n_args;
    /* Of one run: arithmetic of the op as its formula has it, the least traffic with memory (each
     * operand once; what is read again from caches does not count), and the arithmetic that the
     * algorithm chosen needs where that differs (Winograd; 0: flops). For --profile and bench. */
    double flops, bytes, work;
};

/* Row-major C[M,N] = alpha * op(A)[M,K] * op(B)[K,N] + beta * C, fp32, leading dimensions in
 * elements. op is a transpose when the flag is set (A is then stored [K,M], B [N,K]). */
struct ctr_gemm {
    ctr_buf *C, *A, *B;
    int transpose_a, transpose_b;
    size_t M, N, K, lda, ldb, ldc;
    float alpha, beta;
    ctr_buf *temp; /* scratch of ctr_gemm_temp_bytes(), NULL when that is 0 */
};

int ctr_launch_create(ctr_launch **out, ctr_dev *dev, const struct ctr_launch_spec *spec);
/* By the vendor-neutral BLAS (CLBlast) with parameters for this device. */
int ctr_launch_create_gemm(ctr_launch **out, ctr_dev *dev, const struct ctr_gemm *gemm);
/* Scratch that the product needs; buffers in *gemm may be NULL here. */
int ctr_gemm_temp_bytes(size_t *bytes, ctr_dev *dev, const struct ctr_gemm *gemm);
void ctr_launch_destroy(ctr_launch **launch);

/* Called while building, from the calling thread; `what` names the program just finished. */
typedef void ctr_build_fn(void *user, unsigned done, unsigned total, const char *what);
/* Builds every described and unbuilt program in parallel and binds all arguments. With `warm`, runs
 * each distinct (kernel, local size) once, since some drivers compile at the first enqueue: on what
 * its buffers hold, so that what it writes is undefined afterwards. A build error is CTR_E_DEVICE
 * with the compiler's line and cl/FILE:LINE; the whole log goes to the log. progress may be NULL. */
int ctr_dev_build(ctr_dev *dev, int warm, ctr_build_fn *progress, void *user);
/* Enqueues; never waits (but see ctr_dev_params). */
int ctr_launch_run(ctr_launch *launch);
const char *ctr_launch_name(const ctr_launch *launch);

/* ---- what it did ---- */

struct ctr_dev_stats {
    uint64_t allocations; /* buffers created so far; views do not count */
    uint64_t live_bytes, peak_bytes;
    uint64_t launches;
    uint64_t builds; /* programs built or loaded from the cache */
};
struct ctr_dev_stats ctr_dev_stats(const ctr_dev *dev);

struct ctr_profile_row {
    const char *name; /* kernel, borrowed */
    uint64_t runs;
    double seconds, flops, bytes, floor_s; /* summed over the runs; floor_s 0 without peaks */
};
/* Rows by falling time; *rows is freed with free(). Empty unless opened with profile. */
int ctr_dev_profile(struct ctr_profile_row **rows, unsigned *n, const ctr_dev *dev);
void ctr_dev_profile_reset(ctr_dev *dev);

/* ---- what it could do ---- */

/* Measured: fp32 operations a second (a multiply-add is two), bytes a second of a read-only stream and
 * of y += s x, on buffers far larger than caches. */
struct ctr_peaks {
    double flops, read, update;
};
/* Takes about half a second and two buffers of 128 MiB at most. */
int ctr_dev_measure(struct ctr_peaks *out, ctr_dev *dev);
/* From now on launches know their floors. */
void ctr_dev_set_peaks(ctr_dev *dev, const struct ctr_peaks *peaks);
/* Seconds below which `work` operations and `bytes` of traffic cannot be: the larger of the two
 * shares, by the better bandwidth. What stays in caches from an earlier run may be below. */
double ctr_floor(const struct ctr_peaks *peaks, double work, double bytes);
/* What a launch states and its floor, 0 without peaks. */
struct ctr_launch_cost {
    double flops, work, bytes, floor_s;
};
struct ctr_launch_cost ctr_launch_cost(const ctr_launch *launch);

#endif
