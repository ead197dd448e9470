/* schedule.c -- the learning rate of a step. Pure functions of the step number, so that a resumed
 * run goes on as if it had never stopped. */
#include <math.h>

#include "optim/optim.h"

#define PI 3.14159265358979323846

/* Share of the way from the end of warm-up to the last step, 0 to 1. */
static double progress(const struct ctr_schedule *s, uint64_t step)
{
    if (step >= s->total)
        return 1;
    return (double)(step - s->warmup) / (double)(s->total - s->warmup);
}

double ctr_schedule_rate(const struct ctr_schedule *s, uint64_t step)
{
    if (step < s->warmup)
        return s->base * (double)(step + 1) / (double)s->warmup;
    double share = progress(s, step), last = s->final_fraction;
    switch (s->kind) {
    case CTR_SCHEDULE_COSINE:
        return s->base * (last + (1 - last) * 0.5 * (1 + cos(PI * share)));
    case CTR_SCHEDULE_STEP:
        if (5 * (double)step >= 4 * (double)s->total)
            return s->base * 0.01;
        return 5 * (double)step >= 3 * (double)s->total ? s->base * 0.1 : s->base;
    case CTR_SCHEDULE_CONSTANT:
        break;
    }
    return s->base;
}
