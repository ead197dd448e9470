/* cl_blas.c -- matrix products by CLBlast; the only file that includes it.
 *
 * CLBlast keeps its programs and parameters in tables of the whole process, and 1.5.3 loses entries
 * when two threads fill them at once; hence the one lock here. Products with scratch
 * (WithTempBuffer) allocate nothing while they run. */
#include "dev/cl_impl.h"
#include "base/os.h"

#include <clblast_c.h>
#include <pthread.h>

static pthread_mutex_t blas_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned blas_users; /* devices with blas_used set; under the lock */

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
