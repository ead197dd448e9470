/* cl_blas.c -- matrix products by CLBlast; the only file that includes it.
 *
 * CLBlast keeps its programs and parameters in tables of the whole process, and 1.5.3 loses entries
 * when two threads fill them at once; hence the one lock here. Products with scratch
 * (WithTempBuffer) allocate nothing while they run. */
#include "dev/cl_impl.h"
#include "base/log.h"
#include "base/os.h"

#include <clblast_c.h>
#include <pthread.h>

static pthread_mutex_t blas_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned blas_users; /* devices with blas_used set; under the lock */

/* Parameters set by hand per kernel family. CLBlast's table has no entry for most CPU drivers and
 * falls back to one made for GPUs. With these, SGEMM of 512 took an eighth of the time (PoCL 3.1, 2
 * AVX-512 cores shared with other work, alternating: 24 against 2.8 GFLOP/s; once 106):
 * groups of 2x4 work-items with 16x16 tiles in registers, no local memory and so no barrier (SA =
 * SB = 0). Never GEMMK = 1 with MWG != NWG: wrong results up to 1.6.2 (CLBlast issues 533, 542).
 * Every name of a kernel must be given. */
struct tuned {
    const char *kernel;
    size_t n;
    const char *names[16];
    size_t values[16];
};
static const struct tuned cpu_tuned[] = {
    {"Xgemm",
     16,
     {"GEMMK", "KREG", "KWG", "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB", "NDIMC", "NWG", "SA", "SB",
      "STRM", "STRN", "VWM", "VWN"},
     {0, 1, 32, 1, 2, 2, 32, 4, 4, 64, 0, 0, 0, 0, 8, 4}},
    /* The direct kernel needs barriers, which cost more on a CPU than copies do. */
    {"GemmRoutine", 1, {"XGEMM_MIN_INDIRECT_SIZE"}, {64}},
};

static int blas_fail(ctr_dev *dev, int status, const struct ctr_gemm *g)
{
    char where[128];
    snprintf(where, sizeof where, "in gemm of %zux%zux%zu", g->M, g->N, g->K);
    return ctr_cl_fail(dev, status, "CLBlastSgemm", where);
}

/* Once per open device, under the lock: CLBlast compiles for a context. */
static void prepare(ctr_dev *dev)
{
    struct cl_state *cl = cl_of(dev);
    if (cl->blas_used)
        return;
    for (size_t i = 0;
         i < sizeof cpu_tuned / sizeof *cpu_tuned && dev->caps.family == CTR_FAMILY_CPU; i++) {
        struct tuned t = cpu_tuned[i];
        int status = CLBlastOverrideParameters(cl->id, t.kernel, CLBlastPrecisionSingle, t.n,
                                               t.names, t.values);
        if (status != CLBlastSuccess)
            ctr_log(CTR_LOG_WARN, "CLBlast keeps its own parameters of %s (status %d)", t.kernel,
                    status);
    }
    cl->blas_used = 1;
    blas_users++;
}

void ctr_cl_blas_close(ctr_dev *dev)
{
    if (!cl_of(dev)->blas_used)
        return;
    pthread_mutex_lock(&blas_lock);
    if (--blas_users == 0)
        (void)CLBlastClearCache();
    pthread_mutex_unlock(&blas_lock);
}

static CLBlastTranspose transposed(int flag)
{
    return flag ? CLBlastTransposeYes : CLBlastTransposeNo;
}

int ctr_cl_gemm_temp_bytes(size_t *bytes, ctr_dev *dev, const struct ctr_gemm *g)
{
    size_t n = 0;
    struct cl_state *cl = cl_of(dev);
    pthread_mutex_lock(&blas_lock);
    prepare(dev);
    CLBlastStatusCode status = CLBlastSGemmTempBufferSize(
        CLBlastLayoutRowMajor, transposed(g->transpose_a), transposed(g->transpose_b), g->M, g->N,
        g->K, 0, g->lda, 0, g->ldb, 0, g->ldc, &cl->queue, &n);
    pthread_mutex_unlock(&blas_lock);
    if (status != CLBlastSuccess)
        return blas_fail(dev, (int)status, g);
    *bytes = n;
    return 0;
}

static int enqueue(ctr_launch *l)
{
    const struct ctr_gemm *g = &l->gemm;
    struct cl_state *cl = cl_of(l->dev);
    pthread_mutex_lock(&blas_lock);
    CLBlastStatusCode status = CLBlastSgemmWithTempBuffer(
        CLBlastLayoutRowMajor, transposed(g->transpose_a), transposed(g->transpose_b), g->M, g->N,
        g->K, g->alpha, g->A->impl, 0, g->lda, g->B->impl, 0, g->ldb, g->beta, g->C->impl, 0,
        g->ldc, &cl->queue, NULL, g->temp ? g->temp->impl : NULL);
    pthread_mutex_unlock(&blas_lock);
    return status == CLBlastSuccess ? 0 : blas_fail(l->dev, (int)status, g);
}

int ctr_cl_gemm_bind(ctr_launch *l)
{
    (void)l;
    return 0;
}

/* A product is several kernels, of which an event would show the last; hence host time. */
int ctr_cl_gemm_run(ctr_launch *l, double *seconds)
{
    int rc = 0;
    double start = 0.0;
    if (seconds) {
        CTR_TRY(ctr_cl_finish(l->dev));
        start = ctr_now();
    }
    CTR_TRY(enqueue(l));
    if (seconds) {
        CTR_TRY(ctr_cl_finish(l->dev));
        *seconds = ctr_now() - start;
    }
out:
    return rc;
}
