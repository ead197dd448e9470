/* lbfgs.c -- see lbfgs.h. Sums run in order, so equal problems give equal bits. */
#include "eval/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

#define PAIRS      10   /* of steps and gradient changes that stand for the Hessian */
#define DECREASE   1e-4 /* the Wolfe conditions' usual constants */
#define CURVATURE  0.9
#define LINE_TRIES 30

struct search {
    const struct ctr_lbfgs *p;
    double *x, *gradient, *direction; /* [n] each */
    double *next, *next_gradient;
    double *step[PAIRS], *change[PAIRS], over[PAIRS]; /* over: 1 / (step . change) */
    double f;
    size_t n_pairs, newest;
};

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add_scaled(double *y, double scale, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += scale * x[i];
}

static double largest(const double *x, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}

/* direction = -H gradient by the two-loop recursion. */
static void aim(struct search *s)
{
    size_t n = s->p->n;
    double *d = s->direction, alpha[PAIRS];
    for (size_t i = 0; i < n; i++)
        d[i] = -s->gradient[i];
    for (size_t i = 0; i < s->n_pairs; i++) {
        size_t k = (s->newest + PAIRS - i) % PAIRS;
        alpha[k] = s->over[k] * dot(s->step[k], d, n);
        add_scaled(d, -alpha[k], s->change[k], n);
    }
    if (s->n_pairs > 0) {
        const double *y = s->change[s->newest];
        double scale = 1 / (s->over[s->newest] * dot(y, y, n));
        for (size_t i = 0; i < n; i++)
            d[i] *= scale;
    }
    for (size_t i = s->n_pairs; i-- > 0;) {
        size_t k = (s->newest + PAIRS - i) % PAIRS;
        add_scaled(d, alpha[k] - s->over[k] * dot(s->change[k], d, n), s->step[k], n);
    }
}

/* next, next_gradient: a point down the direction; *found is 0 when there is none. */
static int descend(int *found, double *f, struct search *s)
{
    size_t n = s->p->n;
    double low = 0, high = INFINITY, slope = dot(s->gradient, s->direction, n);
    double length = s->n_pairs > 0 ? 1 : fmin(1, 1 / sqrt(-slope));
    *found = 0;
    for (int i = 0; i < LINE_TRIES && slope < 0; i++) {
        memcpy(s->next, s->x, n * sizeof *s->next);
        add_scaled(s->next, length, s->direction, n);
        int rc = s->p->value(f, s->next_gradient, s->next, s->p->user);
        if (rc != 0)
            return rc;
        if (!(*f <= s->f + DECREASE * length * slope + s->p->noise * fabs(s->f)))
            high = length;
        else if (dot(s->next_gradient, s->direction, n) < CURVATURE * slope)
            low = length;
        else {
            *found = 1;
            break;
        }
        length = isinf(high) ? 2 * length : 0.5 * (low + high);
    }
    return 0;
}

static void swap(double **a, double **b)
{
    double *t = *a;
    *a = *b;
    *b = t;
}

/* Goes to `next` and keeps what the way there told of the curvature. */
static void accept(struct search *s, double f)
{
    size_t n = s->p->n, k = (s->newest + 1) % PAIRS;
    memcpy(s->step[k], s->next, n * sizeof *s->next);
    add_scaled(s->step[k], -1, s->x, n);
    memcpy(s->change[k], s->next_gradient, n * sizeof *s->next_gradient);
    add_scaled(s->change[k], -1, s->gradient, n);
    double curvature = dot(s->step[k], s->change[k], n);
    if (curvature > 0) {
        s->over[k] = 1 / curvature;
        s->newest = k;
        s->n_pairs += s->n_pairs < PAIRS;
    }
    memcpy(s->x, s->next, n * sizeof *s->x);
    swap(&s->gradient, &s->next_gradient);
    s->f = f;
}

static int minimise(unsigned *steps, struct search *s)
{
    int found = 1, rc = s->p->value(&s->f, s->gradient, s->x, s->p->user);
    while (rc == 0 && *steps < s->p->max_steps && largest(s->gradient, s->p->n) > s->p->tolerance) {
        double f;
        aim(s);
        rc = descend(&found, &f, s);
        if (rc != 0 || !found)
            break;
        accept(s, f);
        ++*steps;
    }
    return rc;
}

int ctr_lbfgs(double *x, unsigned *steps, const struct ctr_lbfgs *problem)
{
    unsigned taken = 0;
    size_t n = problem->n;
    struct search s = {.p = problem, .x = x};
    double *room = ctr_alloc((4 + 2 * PAIRS) * n, sizeof *room);
    if (!room)
        return CTR_E_FAIL;
    s.gradient = room;
    s.direction = room + n;
    s.next = room + 2 * n;
    s.next_gradient = room + 3 * n;
    for (size_t k = 0; k < PAIRS; k++) {
        s.step[k] = room + (4 + 2 * k) * n;
        s.change[k] = room + (5 + 2 * k) * n;
    }
    int rc = minimise(&taken, &s);
    if (rc == 0 && steps)
        *steps = taken;
    free(room);
    return rc;
}
