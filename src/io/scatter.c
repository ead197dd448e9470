/* scatter.c -- see scatter.h. In: points. Out: SVG. Classes take the colours in turn, and a next
 * shape each time the colours begin again. */
#include "io/scatter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "io/svg.h"

enum {
    LEFT = 40,
    TOP = 44,
    SIDE = 720,
    BOTTOM = 60,
    KEY_LINE = 18,
    COLOURS = 9,
    SHAPES = 5,
    LETTERS = 28
};

struct ctr_scatter_frame ctr_scatter_fit(const float *xy, size_t n)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < 2 * n; i++) {
        low[i % 2] = fmin(low[i % 2], xy[i]);
        high[i % 2] = fmax(high[i % 2], xy[i]);
    }
    double wide = fmax(high[0] - low[0], high[1] - low[1]), height = (high[1] - low[1]) / wide;
    if (!(wide > 0))
        return (struct ctr_scatter_frame){n ? low[0] - 0.5 : 0, n ? low[1] + 0.5 : 1, 1, 1};
    wide *= 1.06;
    height = height < 0.5 ? 0.5 : height;
    return (struct ctr_scatter_frame){(low[0] + high[0] - wide) / 2,
                                      (low[1] + high[1] + height * wide) / 2, 1 / wide, height};
}

static double radius(const struct ctr_scatter *s)
{
    return s->n <= 300 ? 4.5 : s->n <= 3000 ? 3 : 2.2;
}

/* A shape around (x, y) as the data of a path. */
static void shape(struct ctr_str *out, size_t which, double x, double y, double r)
{
    double half = 0.88 * r, long_half = 1.2 * r;
    switch (which % SHAPES) {
    case 0:
        ctr_str_addf(out, "M%.1f %.1fa%.1f %.1f 0 1 0 %.1f 0a%.1f %.1f 0 1 0 %.1f 0z", x - r, y, r,
                     r, 2 * r, r, r, -2 * r);
        break;
    case 1:
        ctr_str_addf(out, "M%.1f %.1fh%.1fv%.1fh%.1fz", x - half, y - half, 2 * half, 2 * half,
                     -2 * half);
        break;
    case 2:
        ctr_str_addf(out, "M%.1f %.1fl%.1f %.1fh%.1fz", x, y - long_half, long_half, 1.9 * r,
                     -2 * long_half);
        break;
    case 3:
        ctr_str_addf(out, "M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz", x, y - long_half, long_half,
                     long_half, -long_half, long_half, -long_half, -long_half);
        break;
    default:
        ctr_str_addf(out, "M%.1f %.1fl%.1f %.1fh%.1fz", x, y + long_half, long_half, -1.9 * r,
                     -2 * long_half);
    }
}

static const char *colour(int32_t class)
{
    return class < 0 ? "#8a8a8a" : ctr_svg_colour((size_t) class);
}

static void point(struct ctr_str *out, const struct ctr_scatter *s,
                  const struct ctr_scatter_frame *f, size_t i)
{
    int32_t class = s->class ? s->class[i] : -1;
    double at[2];
    ctr_scatter_place(at, f, s->xy + 2 * i);
    ctr_str_addf(out, "<path fill=\"%s\" d=\"", colour(class));
    shape(out, class < 0 ? 0 : (size_t) class / COLOURS, LEFT + SIDE * at[0], TOP + SIDE * at[1],
          radius(s));
    ctr_str_addf(out, s->name ? "\"><title>" : "\"/>\n");
    if (s->name) {
        ctr_svg_text(out, s->name[i]);
        ctr_str_addf(out, "</title></path>\n");
    }
}

static size_t common_divisor(size_t a, size_t b)
{
    return b ? common_divisor(b, a % b) : a;
}

/* In leaps over the rows, which mostly stand class by class: no class covers those before it. */
static void points(struct ctr_str *out, const struct ctr_scatter *s,
                   const struct ctr_scatter_frame *f)
{
    size_t leap = (size_t)(0.618 * (double)s->n) + 1;
    while (common_divisor(leap, s->n) > 1)
        leap++;
    ctr_str_addf(out, "<g class=\"dot\">\n");
    for (size_t k = 0, i = 0; k < s->n; k++, i = (i + leap) % s->n)
        point(out, s, f, i);
    ctr_str_addf(out, "</g>\n");
}

/* Whole letters of a name, at most so many. */
static void cut(struct ctr_str *out, const char *name)
{
    struct ctr_str some = {0};
    size_t letters = 0;
    for (const unsigned char *p = (const unsigned char *)name; *p && letters < LETTERS; letters++) {
        size_t n = ctr_str_utf8(p);
        ctr_str_add(&some, (const char *)p, n ? n : 1);
        p += n ? n : 1;
    }
    if (some.s)
        ctr_svg_text(out, some.s);
    if (some.n < strlen(name))
        ctr_str_addf(out, "...");
    out->failed |= some.failed;
    ctr_str_free(&some);
}

static int has(const struct ctr_scatter *s, int32_t class)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->class[i] == class)
            return 1;
    return 0;
}

/* Classes that have a point, as far as there is room. */
static void key(struct ctr_str *out, const struct ctr_scatter *s, int bottom)
{
    int y = TOP + 12, last = bottom - KEY_LINE;
    unsigned more = 0;
    for (int32_t class = -1; class < (int32_t)s->n_classes; class ++) {
        if (!has(s, class))
            continue;
        if (y > last) {
            more++;
            continue;
        }
        ctr_str_addf(out, "<path fill=\"%s\" d=\"", colour(class));
        shape(out, class < 0 ? 0 : (size_t) class / COLOURS, LEFT + SIDE + 22, y - 4, 5);
        ctr_str_addf(out, "\"/><text x=\"%d\" y=\"%d\">", LEFT + SIDE + 34, y);
        cut(out, class < 0 ? "without a class" : s->class_name[class]);
        ctr_str_addf(out, "</text>\n");
        y += KEY_LINE;
    }
    if (more)
        ctr_str_addf(out, "<text x=\"%d\" y=\"%d\">and %u more</text>\n", LEFT + SIDE + 16, y,
                     more);
}

static int key_width(const struct ctr_scatter *s)
{
    size_t longest = 16;
    for (unsigned k = 0; k < s->n_classes; k++)
        longest = strlen(s->class_name[k]) > longest ? strlen(s->class_name[k]) : longest;
    return 44 + 7 * (int)(longest > LETTERS + 2 ? LETTERS + 2 : longest);
}

static void words(struct ctr_str *out, const char *text, double x, double y, const char *more)
{
    ctr_str_addf(out, "<text x=\"%.0f\" y=\"%.0f\"%s>", x, y, more);
    ctr_svg_text(out, text);
    ctr_str_addf(out, "</text>\n");
}

void ctr_scatter_svg(struct ctr_str *out, const struct ctr_scatter *s)
{
    char turned[96];
    struct ctr_scatter_frame f = ctr_scatter_fit(s->xy, s->n);
    int height = (int)(SIDE * f.height), bottom = TOP + height;
    double middle = TOP + height / 2.0;
    ctr_svg_begin(out, LEFT + SIDE + (s->class ? key_width(s) : LEFT), bottom + BOTTOM,
                  ".dot{fill-opacity:.75}");
    words(out, s->title, LEFT, 26, " font-size=\"16\" class=\"b\"");
    ctr_str_addf(
        out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" class=\"grid\"/>\n",
        LEFT, TOP, SIDE, height);
    points(out, s, &f);
    if (s->class)
        key(out, s, bottom);
    if (s->x_label)
        words(out, s->x_label, LEFT + SIDE / 2.0, bottom + 20, " text-anchor=\"middle\"");
    snprintf(turned, sizeof turned, " text-anchor=\"middle\" transform=\"rotate(-90 %d %.0f)\"",
             LEFT - 14, middle);
    if (s->y_label)
        words(out, s->y_label, LEFT - 14, middle, turned);
    words(out, s->caption, LEFT, bottom + (s->x_label ? 44 : 24), "");
    ctr_str_addf(out, "</svg>\n");
}
