/* profile.c -- see profile.h. In: rows as ctr_dev_profile gives them. Out: text on standard output. */
#include "profile.h"

#include <stdio.h>

static double total(const struct ctr_profile_row *rows, unsigned n)
{
    double sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += rows[i].seconds;
    return sum > 0 ? sum : 1e-9; /* a coarse clock may say 0 */
}

/* A number, or blanks where there is none to speak of. */
static void cell(int width, int digits, double value, const char *unit)
{
    if (value > 0)
        printf(" %*.*f%s", width, digits, value, unit);
    else
        printf(" %*s", width + (*unit != '\0'), "");
}

static void print_row(const struct ctr_profile_row *row, double sum)
{
    double s = row->seconds > 0 ? row->seconds : 1e-9;
    printf("%-36s %8llu %10.4f %6.1f%%", row->name, (unsigned long long)row->runs, row->seconds,
           100 * s / sum);
    cell(9, 1, row->flops / s * 1e-9, "");
    cell(8, 1, row->bytes / s * 1e-9, "");
    cell(8, 0, 100 * row->floor_s / s, "%");
    putchar('\n');
}

/* The three rows that lie furthest above their floors. */
static void print_worst(const struct ctr_profile_row *rows, unsigned n)
{
    unsigned said[3], n_said = 0;
    while (n_said < 3) {
        unsigned worst = n;
        for (unsigned i = 0; i < n; i++) {
            int used = 0;
            for (unsigned k = 0; k < n_said; k++)
                used |= said[k] == i;
            double beyond = rows[i].seconds - rows[i].floor_s;
            if (!used && beyond > 0 &&
                (worst == n || beyond > rows[worst].seconds - rows[worst].floor_s))
                worst = i;
        }
        if (worst == n)
            break;
        printf("%s %s (%.4f s)", n_said ? "," : "furthest above the floor:", rows[worst].name,
               rows[worst].seconds - rows[worst].floor_s);
        said[n_said++] = worst;
    }
    if (n_said)
        putchar('\n');
}

void profile_print(const struct ctr_profile_row *rows, unsigned n, double least)
{
    double sum = total(rows, n), floor_s = 0;
    for (unsigned i = 0; i < n; i++)
        floor_s += rows[i].floor_s;
    printf("%-36s %8s %10s %7s %9s %8s %9s\n", "kernel", "runs", "seconds", "share", "GFLOP/s",
           "GB/s", floor_s > 0 ? "of floor" : "");
    for (unsigned i = 0; i < n; i++)
        if (rows[i].seconds >= least * sum)
            print_row(&rows[i], sum);
    if (floor_s > 0)
        print_worst(rows, n);
}
