/* chart.c -- see chart.h. In: lines. Out: SVG, of fixed size. The ticks are multiples of 1, 2 or 5
 * times a power of ten. */
#include "io/chart.h"

#include <math.h>
#include <string.h>

#include "io/svg.h"

enum { LEFT = 64, TOP = 44, WIDTH = 620, HEIGHT = 190, GAP = 62, BOTTOM = 50, KEY_LINE = 16 };

struct range {
    double low, high;
};
struct frame {
    struct range x, y;
    int top;
};

static void widen(struct range *r, double v)
{
    if (isfinite(v)) {
        r->low = fmin(r->low, v);
        r->high = fmax(r->high, v);
    }
}

/* At least something wide: around a single value, or [0,1] around none. Values that differ by rounding
 * alone, as means of one value do, count as one: doubles have no ticks between them. */
static struct range settle(struct range r)
{
    if (r.low > r.high)
        return (struct range){0, 1};
    if (r.high - r.low <= 1e-12 * fmax(fabs(r.low), fabs(r.high))) {
        double half = r.low == 0 ? 1 : fabs(r.low) / 10;
        return (struct range){r.low - half, r.high + half};
    }
    return r;
}

static double px(const struct frame *f, double x)
{
    return LEFT + (x - f->x.low) / (f->x.high - f->x.low) * WIDTH;
}

static double py(const struct frame *f, double y)
{
    return f->top + HEIGHT - (y - f->y.low) / (f->y.high - f->y.low) * HEIGHT;
}

/* Between ticks: 1, 2 or 5 times a power of ten, for about `wanted` of them. */
static double tick(struct range r, int wanted)
{
    double raw = (r.high - r.low) / wanted, power = pow(10, floor(log10(raw)));
    double of = raw / power;
    return power * (of < 1.5 ? 1 : of < 3.5 ? 2 : of < 7.5 ? 5 : 10);
}

static void grid(struct ctr_str *out, const struct frame *f, int labelled)
{
    double dx = tick(f->x, 8), dy = tick(f->y, 5);
    for (double k = ceil(f->x.low / dx - 1e-9); k * dx <= f->x.high + 1e-9 * dx; k++) {
        ctr_str_addf(out, "<path d=\"M%.1f %d v%d\" class=\"minor\"/>\n", px(f, k * dx), f->top,
                     HEIGHT);
        if (labelled)
            ctr_str_addf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>\n",
                         px(f, k * dx), f->top + HEIGHT + 18, k * dx);
    }
    for (double k = ceil(f->y.low / dy - 1e-9); k * dy <= f->y.high + 1e-9 * dy; k++) {
        ctr_str_addf(out, "<path d=\"M%d %.1f h%d\" class=\"grid\"/>\n", LEFT, py(f, k * dy),
                     WIDTH);
        ctr_str_addf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n", LEFT - 8,
                     py(f, k * dy) + 4, k * dy + 0.0); /* no -0 */
    }
}

/* Points of a line, or means of `each` points in a row, those of its end maybe of fewer. */
static size_t next_point(double *x, double *y, const struct ctr_chart_line *l, size_t at,
                         size_t each)
{
    size_t n = 0;
    *x = *y = 0;
    for (; at < l->n && n < each; at++)
        if (isfinite(l->x[at]) && isfinite(l->y[at])) {
            *x += l->x[at];
            *y += l->y[at];
            n++;
        }
    *x /= (double)n;
    *y /= (double)n;
    return at;
}

static size_t points_each(const struct ctr_chart_line *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        n += isfinite(l->x[i]) && isfinite(l->y[i]);
    return l->marked ? 1 : n / CTR_CHART_POINTS + 1;
}

static void draw_line(struct ctr_str *out, const struct frame *f, const struct ctr_chart_line *l)
{
    size_t each = points_each(l);
    double x, y;
    const char *colour = ctr_svg_colour(l->colour), *go = "M";
    ctr_str_addf(out, "<path class=\"%s\" stroke=\"%s\" d=\"", l->marked ? "bold" : "fine", colour);
    for (size_t at = 0; at < l->n;) {
        at = next_point(&x, &y, l, at, each);
        if (!isfinite(y))
            continue;
        ctr_str_addf(out, "%s%.1f %.1f", go, px(f, x), py(f, y));
        go = " L";
    }
    ctr_str_addf(out, "\"/>\n");
    for (size_t i = 0; l->marked && i < l->n; i++)
        if (isfinite(l->x[i]) && isfinite(l->y[i]))
            ctr_str_addf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>\n",
                         px(f, l->x[i]), py(f, l->y[i]), colour);
}

/* The title; at the right of the panel what each line is. */
static void key(struct ctr_str *out, const struct frame *f, const struct ctr_chart_panel *p)
{
    int y = f->top + 12;
    ctr_str_addf(out, "<text x=\"%d\" y=\"%d\" class=\"b\">", LEFT, f->top - 8);
    ctr_svg_text(out, p->title);
    ctr_str_addf(out, "</text>\n");
    for (size_t i = 0; i < p->n; i++) {
        const struct ctr_chart_line *l = &p->line[i];
        if (!l->name)
            continue;
        ctr_str_addf(out,
                     "<path class=\"%s\" stroke=\"%s\" d=\"M%d %d h18\"/><text x=\"%d\" y=\"%d\">",
                     l->marked ? "bold" : "fine", ctr_svg_colour(l->colour), LEFT + WIDTH + 14,
                     y - 4, LEFT + WIDTH + 38, y);
        ctr_svg_text(out, l->name);
        ctr_str_addf(out, "</text>\n");
        y += KEY_LINE;
    }
}

/* Room for the longest name; letters are taken to be 7 wide. */
static int key_width(const struct ctr_chart *chart)
{
    size_t longest = 0;
    for (size_t k = 0; k < chart->n; k++)
        for (size_t i = 0; i < chart->panel[k].n; i++) {
            const char *name = chart->panel[k].line[i].name;
            longest = name && strlen(name) > longest ? strlen(name) : longest;
        }
    return 48 + 7 * (int)longest;
}

static struct frame fit(const struct ctr_chart *chart, const struct ctr_chart_panel *p, int top)
{
    struct range x = {INFINITY, -INFINITY}, y = x;
    for (size_t k = 0; k < chart->n; k++)
        for (size_t i = 0; i < chart->panel[k].n; i++)
            for (size_t at = 0; at < chart->panel[k].line[i].n; at++)
                widen(&x, chart->panel[k].line[i].x[at]);
    for (size_t i = 0; i < p->n; i++) {
        size_t each = points_each(&p->line[i]);
        for (size_t at = 0; at < p->line[i].n;) {
            double point_x, point_y;
            at = next_point(&point_x, &point_y, &p->line[i], at, each);
            widen(&y, point_y);
        }
    }
    x = settle(x);
    y = settle(y);
    double air = (y.high - y.low) / 25;
    return (struct frame){x, {y.low - air, y.high + air}, top};
}

void ctr_chart_svg(struct ctr_str *out, const struct ctr_chart *chart)
{
    int panels = (int)chart->n;
    int bottom =
        TOP + panels * (HEIGHT + GAP) - GAP + 22; /* of the first panel's title to the axis */
    ctr_svg_begin(out, LEFT + WIDTH + key_width(chart), bottom + BOTTOM,
                  ".fine{fill:none;stroke-width:1.2;stroke-opacity:.75}"
                  ".bold{fill:none;stroke-width:2.2}");
    ctr_str_addf(out, "<text x=\"%d\" y=\"24\" font-size=\"16\" class=\"b\">", LEFT);
    ctr_svg_text(out, chart->title);
    ctr_str_addf(out, "</text>\n");
    for (int i = 0; i < panels; i++) {
        const struct ctr_chart_panel *p = &chart->panel[i];
        struct frame f = fit(chart, p, TOP + 22 + i * (HEIGHT + GAP));
        grid(out, &f, i + 1 == panels);
        key(out, &f, p);
        for (size_t k = 0; k < p->n; k++)
            draw_line(out, &f, &p->line[k]);
    }
    ctr_str_addf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", LEFT + WIDTH / 2,
                 bottom + 40);
    ctr_svg_text(out, chart->x_label);
    ctr_str_addf(out, "</text>\n</svg>\n");
}
