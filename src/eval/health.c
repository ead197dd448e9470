/* health.c -- figures of a sample of projections, in double, and the rules of the verdict.
 * Singular values are square roots of the eigenvalues of the smaller Gram matrix, found by cyclic
 * Jacobi rotations (Golub, Van Loan, "Matrix computations", 8.5): 256 x 256 at most. */
#include "eval/health.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/status.h"

/* When is it what? */
#define STUCK_LOSS     0.99 /* of chance's loss ... */
#define STUCK_TOP1     3.0  /* ... and of chance's top1, or this much: */
#define STUCK_TOP1_MIN 0.1
#define COLLAPSE_STD   0.1
#define NARROW_RANK    3.0
#define NARROW_OF      16.0 /* directions there must be for so few to be odd */
#define WORSE_BY       0.02 /* of the best loss */
#define WORSE_EPOCHS   3

static void normalise(double *x, const float *z, size_t rows, size_t D)
{
    for (size_t i = 0; i < rows; i++) {
        double sum = 0;
        for (size_t d = 0; d < D; d++)
            sum += (double)z[i * D + d] * z[i * D + d];
        double by = sum > 0 ? 1 / sqrt(sum) : 0;
        for (size_t d = 0; d < D; d++)
            x[i * D + d] = by * z[i * D + d];
    }
}

static double squared_distance(const double *a, const double *b, size_t D)
{
    double sum = 0;
    for (size_t d = 0; d < D; d++)
        sum += (a[d] - b[d]) * (a[d] - b[d]);
    return sum;
}

static double alignment(const double *x, size_t n, size_t D)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += squared_distance(x + i * D, x + (n + i) * D, D);
    return sum / (double)n;
}

static double uniformity(const double *x, size_t n, size_t D)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            sum += exp(-2 * squared_distance(x + i * D, x + k * D, D));
    return log(sum / (0.5 * (double)n * (double)(n - 1)));
}

static double spread(const double *x, size_t rows, size_t D)
{
    double sum = 0;
    for (size_t d = 0; d < D; d++) {
        double mean = 0, var = 0;
        for (size_t i = 0; i < rows; i++)
            mean += x[i * D + d] / (double)rows;
        for (size_t i = 0; i < rows; i++)
            var += (x[i * D + d] - mean) * (x[i * D + d] - mean) / (double)rows;
        sum += sqrt(var);
    }
    return sum / (double)D * sqrt((double)D);
}

/* a[m][m]: products of columns (by_columns) or of rows of x. */
static void gram(double *a, size_t m, const double *x, size_t rows, size_t D, int by_columns)
{
    size_t inner = by_columns ? rows : D, step = by_columns ? D : 1, next = by_columns ? 1 : D;
    for (size_t i = 0; i < m; i++)
        for (size_t k = i; k < m; k++) {
            double sum = 0;
            for (size_t j = 0; j < inner; j++)
                sum += x[i * next + j * step] * x[k * next + j * step];
            a[i * m + k] = a[k * m + i] = sum;
        }
}

/* One rotation that makes a[p][q] zero; a stays symmetric. */
static void rotate(double *a, size_t m, size_t p, size_t q)
{
    double theta = (a[q * m + q] - a[p * m + p]) / (2 * a[p * m + q]);
    double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
    double c = 1 / sqrt(t * t + 1), s = t * c;
    for (size_t k = 0; k < m; k++) {
        double ap = a[p * m + k], aq = a[q * m + k];
        a[p * m + k] = c * ap - s * aq;
        a[q * m + k] = s * ap + c * aq;
    }
    for (size_t k = 0; k < m; k++) {
        double ap = a[k * m + p], aq = a[k * m + q];
        a[k * m + p] = c * ap - s * aq;
        a[k * m + q] = s * ap + c * aq;
    }
}

/* Leaves the eigenvalues on the diagonal. */
static void diagonalise(double *a, size_t m)
{
    double trace = 0, off = 1;
    for (size_t i = 0; i < m; i++)
        trace += a[i * m + i];
    for (int sweep = 0; sweep < 30 && off > 1e-20 * trace * trace; sweep++) {
        off = 0;
        for (size_t p = 0; p < m; p++)
            for (size_t q = p + 1; q < m; q++) {
                double v = a[p * m + q];
                off += v * v;
                if (v * v > 1e-30 * trace * trace)
                    rotate(a, m, p, q);
            }
    }
}

static double effective_rank(const double *eigen, size_t m)
{
    double sum = 0, entropy = 0;
    for (size_t i = 0; i < m; i++)
        sum += sqrt(eigen[i * m + i] > 0 ? eigen[i * m + i] : 0);
    for (size_t i = 0; i < m && sum > 0; i++) {
        double share = sqrt(eigen[i * m + i] > 0 ? eigen[i * m + i] : 0) / sum;
        entropy -= share > 0 ? share * log(share) : 0;
    }
    return exp(entropy);
}

int ctr_health_measure(struct ctr_health *health, const float *z, size_t rows, size_t n, size_t D)
{
    int rc = 0, by_columns = D <= rows;
    size_t m = by_columns ? D : rows;
    double *x = ctr_alloc(rows * D, sizeof *x), *a = ctr_alloc(m * m, sizeof *a);
    if (!x || !a)
        CTR_TRY(CTR_E_FAIL);
    normalise(x, z, rows, D);
    gram(a, m, x, rows, D, by_columns);
    diagonalise(a, m);
    *health = (struct ctr_health){.alignment = rows == 2 * n ? alignment(x, n, D) : NAN,
                                  .uniformity = n > 1 ? uniformity(x, n, D) : NAN,
                                  .rank = effective_rank(a, m),
                                  .rank_max = (double)m,
                                  .std = spread(x, rows, D)};
out:
    free(a);
    free(x);
    return rc;
}

/* ---- verdict ---- */

static int stuck(double loss, double chance, double top1)
{
    double most = STUCK_TOP1 * exp(-chance);
    return chance > 0 && loss > STUCK_LOSS * chance &&
           !(top1 > (most > STUCK_TOP1_MIN ? most : STUCK_TOP1_MIN));
}

enum ctr_verdict ctr_health_judge(struct ctr_health_watch *watch, const struct ctr_health *health,
                                  double loss, double chance, double top1)
{
    watch->epochs++;
    if (watch->epochs == 1 || loss < watch->best)
        watch->best = loss;
    watch->worse = loss > watch->best + WORSE_BY * fabs(watch->best) ? watch->worse + 1 : 0;
    if (health->std < COLLAPSE_STD)
        return CTR_VERDICT_COLLAPSE;
    if (stuck(loss, chance, top1))
        return watch->epochs > 1 ? CTR_VERDICT_STUCK : CTR_VERDICT_EARLY;
    if (health->rank < NARROW_RANK && health->rank_max >= NARROW_OF)
        return CTR_VERDICT_NARROW;
    if (watch->worse >= WORSE_EPOCHS)
        return CTR_VERDICT_WORSE;
    return CTR_VERDICT_LEARNS;
}

const char *ctr_verdict_text(enum ctr_verdict verdict)
{
    static const char *const text[] = {
        [CTR_VERDICT_STUCK] =
            "stuck at chance: the network does no better than guessing; try another --learning-rate, "
            "and look at the views with `clcontrast augment`",
        [CTR_VERDICT_COLLAPSE] =
            "collapsed: all images get nearly the same projection; use a smaller --learning-rate, "
            "or a method with negatives",
        [CTR_VERDICT_NARROW] =
            "nearly collapsed: projections differ in less than 3 directions; use a smaller "
            "--learning-rate, a larger --batch, or stronger views",
        [CTR_VERDICT_WORSE] =
            "getting worse: the loss has been 2% above its best for 3 epochs; use a smaller "
            "--learning-rate, or a longer --warmup-epochs",
    };
    return (size_t)verdict < sizeof text / sizeof *text ? text[verdict] : NULL;
}
