/* bench_svg.c -- a roofline (Williams, Waterman and Patterson, CACM 52(4), 2009): what each row
 * reached over its arithmetic intensity, below the measured roofs; both axes logarithmic.
 *
 * In: rows with arithmetic and traffic, measured peaks. Out: a self-contained SVG. Points are
 * numbered and listed at the side, since names would cover each other. */
#include "bench.h"

#include <math.h>

#include "io/svg.h"

enum {
    LEFT = 70,
    TOP = 60,
    WIDTH = 760,
    LEAST_HEIGHT = 520,
    MOST_HEIGHT = 720,
    LIST = 370,
    LINE_H = 15
};

struct axes {
    double x0, x1, y0, y1; /* decades shown: log10 of FLOP/byte and FLOP/s */
    int height;
};

static double intensity(const struct bench_row *row)
{
    return row->work / row->bytes;
}

static int drawn(const struct bench_row *row)
{
    return row->work > 0 && row->bytes > 0 && row->median_s > 0;
}

static double px(const struct axes *a, double lx)
{
    return LEFT + (lx - a->x0) / (a->x1 - a->x0) * WIDTH;
}

static double py(const struct axes *a, double ly)
{
    return TOP + a->height - (ly - a->y0) / (a->y1 - a->y0) * a->height;
}

static double bandwidth(const struct ctr_peaks *p)
{
    return p->read > p->update ? p->read : p->update;
}

static struct axes fit(const struct bench_result *r, int height)
{
    double ridge = log10(r->peaks->flops / bandwidth(r->peaks)), top = log10(r->peaks->flops);
    struct axes a = {ridge - 1, ridge + 1, top - 1, top, height};
    for (size_t i = 0; i < r->n; i++) {
        if (!drawn(&r->rows[i]))
            continue;
        double x = log10(intensity(&r->rows[i]));
        double y = log10(r->rows[i].work / r->rows[i].median_s);
        a.x0 = fmin(a.x0, x);
        a.x1 = fmax(a.x1, x);
        a.y0 = fmin(a.y0, y);
        a.y1 = fmax(a.y1, y);
    }
    return (struct axes){floor(a.x0 - 0.05), ceil(a.x1 + 0.05), floor(a.y0 - 0.05),
                         fmax(a.y1, top) + 0.15, height};
}

/* Lines at 1, 2 and 5 of each decade. */
static void grid_x(struct ctr_str *out, const struct axes *a)
{
    static const double steps[] = {1, 2, 5};
    for (double d = a->x0; d < a->x1 + 0.01; d++)
        for (int i = 0; i < 3; i++) {
            double at = d + log10(steps[i]);
            if (at > a->x1 + 0.01)
                break;
            ctr_str_addf(out, "<path d=\"M%.1f %d v%d\" class=\"%s\"/>\n", px(a, at), TOP,
                         a->height, i ? "minor" : "grid");
            ctr_str_addf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
                         px(a, at), TOP + a->height + 18, steps[i] * pow(10, d));
        }
    ctr_str_addf(
        out,
        "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">arithmetic done per byte that must "
        "be moved, FLOP/byte</text>\n",
        LEFT + WIDTH / 2, TOP + a->height + 40);
}

static void grid_y(struct ctr_str *out, const struct axes *a)
{
    static const double steps[] = {1, 2, 5};
    for (double d = a->y0; d < a->y1; d++)
        for (int i = 0; i < 3; i++) {
            double at = d + log10(steps[i]);
            if (at > a->y1)
                break;
            ctr_str_addf(out, "<path d=\"M%d %.1f h%d\" class=\"%s\"/>\n", LEFT, py(a, at), WIDTH,
                         i ? "minor" : "grid");
            ctr_str_addf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", LEFT - 8,
                         py(a, at) + 4, steps[i] * pow(10, d - 9));
        }
    ctr_str_addf(
        out,
        "<text transform=\"translate(20 %d) rotate(-90)\" text-anchor=\"middle\">arithmetic "
        "done, GFLOP/s</text>\n",
        TOP + a->height / 2);
}

static void roofs(struct ctr_str *out, const struct bench_result *r, const struct axes *a)
{
    double top = log10(r->peaks->flops), slope = log10(bandwidth(r->peaks));
    double ridge = top - slope, from = fmax(a->x0, a->y0 - slope);
    ctr_str_addf(out, "<path d=\"M%.1f %.1f L%.1f %.1f H%d\" class=\"roof\"/>\n", px(a, from),
                 py(a, from + slope), px(a, ridge), py(a, top), LEFT + WIDTH);
    ctr_str_addf(out,
                 "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" class=\"b\">%.0f GFLOP/s</text>\n",
                 LEFT + WIDTH - 6, py(a, top) - 7, r->peaks->flops * 1e-9);
    double at = from + (ridge - from) * 0.72;
    double tilt = -atan2((double)a->height / (a->y1 - a->y0), (double)WIDTH / (a->x1 - a->x0)) *
                  180 / 3.14159265358979;
    ctr_str_addf(out,
                 "<text transform=\"translate(%.1f %.1f) rotate(%.1f)\" text-anchor=\"middle\" "
                 "class=\"b\">%.1f GB/s</text>\n",
                 px(a, at) - 6, py(a, at + slope) - 7, tilt, bandwidth(r->peaks) * 1e-9);
}

/* The colour of a row's family: its number among those drawn so far. */
static const char *colour(const struct bench_result *r, size_t row)
{
    unsigned n = 0;
    for (size_t i = 0; i < row; i++) {
        int seen = r->rows[i].family == r->rows[row].family;
        for (size_t k = 0; k < i && !seen; k++)
            seen = r->rows[k].family == r->rows[i].family;
        if (r->rows[i].family == r->rows[row].family)
            break;
        n += !seen;
    }
    return ctr_svg_colour(n);
}

struct label {
    double x, y;
};

/* A place near (x, y) that no earlier label or point covers; the nearest of rings of candidates. */
static struct label free_place(const struct axes *a, double x, double y, const struct label *taken,
                               size_t n)
{
    for (double ring = 13; ring < 120; ring += 9)
        for (int k = 0; k < 12; k++) {
            double angle = (k * 5 % 12) * 3.14159265358979 / 6 - 0.8;
            struct label at = {x + ring * cos(angle), y + ring * sin(angle)};
            int clear = at.x > LEFT + 8 && at.x < LEFT + WIDTH - 8 && at.y > TOP + 8 &&
                        at.y < TOP + a->height - 8;
            for (size_t i = 0; i < n && clear; i++)
                clear = fabs(at.x - taken[i].x) > 17 || fabs(at.y - taken[i].y) > 12;
            if (clear)
                return at;
        }
    return (struct label){x, y - 13};
}

#define MOST_LABELS 256

static void points(struct ctr_str *out, const struct bench_result *r, const struct axes *a)
{
    struct label taken[2 * MOST_LABELS];
    size_t n = 0, number = 0;
    for (size_t i = 0; i < r->n && n < MOST_LABELS; i++)
        if (drawn(&r->rows[i]))
            taken[n++] = (struct label){
                px(a, log10(intensity(&r->rows[i]))),
                py(a, log10(r->rows[i].work / r->rows[i].median_s)),
            };
    size_t all = n;
    for (size_t i = 0; i < r->n && number < all; i++) {
        if (!drawn(&r->rows[i]))
            continue;
        struct label p = taken[number++], at = free_place(a, p.x, p.y, taken, n);
        taken[n++] = at;
        ctr_str_addf(out, "<path d=\"M%.1f %.1f L%.1f %.1f\" class=\"lead\"/>", p.x, p.y, at.x,
                     at.y);
        ctr_str_addf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>", p.x, p.y,
                     colour(r, i));
        ctr_str_addf(out,
                     "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" class=\"n\" "
                     "fill=\"%s\">%zu</text>\n",
                     at.x, at.y + 4, colour(r, i), number);
    }
}

static void list(struct ctr_str *out, const struct bench_result *r)
{
    size_t number = 0;
    int x = LEFT + WIDTH + 24;
    ctr_str_addf(out,
                 "<text x=\"%d\" y=\"%d\" class=\"b\">row</text><text x=\"%d\" y=\"%d\" "
                 "text-anchor=\"end\" class=\"b\">GFLOP/s</text><text x=\"%d\" y=\"%d\" "
                 "text-anchor=\"end\" class=\"b\">of roof</text>\n",
                 x + 24, TOP - 6, x + 285, TOP - 6, x + 340, TOP - 6);
    for (size_t i = 0; i < r->n; i++) {
        const struct bench_row *row = &r->rows[i];
        if (!drawn(row))
            continue;
        int y = TOP + 10 + LINE_H * (int)number++;
        ctr_str_addf(
            out,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" class=\"b\" fill=\"%s\">%zu</text>"
            "<text x=\"%d\" y=\"%d\">%s</text>"
            "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.1f</text>"
            "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.0f%%</text>\n",
            x + 18, y, colour(r, i), number, x + 24, y, row->name, x + 285, y,
            row->work / row->median_s * 1e-9, x + 340, y, 100 * row->floor_s / row->median_s);
    }
}

void bench_svg(struct ctr_str *out, const struct bench_result *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        n += drawn(&r->rows[i]);
    int listed = LINE_H * (int)n + 30, plot = listed - 60;
    plot = plot < LEAST_HEIGHT ? LEAST_HEIGHT : plot > MOST_HEIGHT ? MOST_HEIGHT : plot;
    struct axes a = fit(r, plot);
    int height = TOP + (listed > plot + 60 ? listed : plot + 60);
    ctr_svg_begin(out, LEFT + WIDTH + LIST + 20, height,
                  ".n{font-size:11px;font-weight:bold}.roof{stroke:#222;stroke-width:2;fill:none}"
                  ".lead{stroke:#bbb}");
    ctr_str_addf(out, "<text x=\"%d\" y=\"26\" font-size=\"16\" class=\"b\">", LEFT);
    ctr_svg_text(out, r->caps->name); /* a driver's text */
    ctr_str_addf(
        out,
        "</text>\n<text x=\"%d\" y=\"44\">clcontrast " CTR_VERSION
        ", measured roofs; medians; what lies above the slope found its data in caches</text>\n",
        LEFT);
    grid_x(out, &a);
    grid_y(out, &a);
    roofs(out, r, &a);
    points(out, r, &a);
    list(out, r);
    ctr_str_addf(out, "</svg>\n");
}
