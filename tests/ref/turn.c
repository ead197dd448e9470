/* turn.c -- of V blocks, each of `times` times n values, the n of one turn. */
#include "ref/ref.h"

void ref_turn_take(double *part, const double *all, size_t turn, size_t times, size_t V, size_t n)
{
    for (size_t v = 0; v < V; v++)
        for (size_t i = 0; i < n; i++)
            part[v * n + i] = all[(v * times + turn) * n + i];
}
