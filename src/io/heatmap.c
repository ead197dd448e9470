/* heatmap.c -- see heatmap.h. Laid out in pixels of the font, then each of them enlarged as a
 * whole. */
#include "io/heatmap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"
#include "io/png.h"

#define NAME_LETTERS 16
#define MARGIN       12
#define GAP          6 /* between names, cells, what stands apart, and the scale */
#define SCALE_WIDTH  10

struct sheet {
    const struct ctr_heatmap *map;
    struct ctr_canvas canvas;
    long cell, left, top, right, bottom; /* of the cells */
    int names, numbers, upright;
    unsigned zoom;
};

static const uint8_t black[3] = {32, 32, 32}, white[3] = {255, 255, 255}, grey[3] = {224, 224, 224};

static long max_of(long a, long b)
{
    return a > b ? a : b;
}

static long letters(const char *text)
{
    return (long)strlen(text) * CTR_TEXT_WIDTH;
}

static void cut(char text[NAME_LETTERS + 1], const char *name)
{
    snprintf(text, NAME_LETTERS + 1, "%s", name ? name : "");
}

static long longest(const char *const *name, size_t n)
{
    char text[NAME_LETTERS + 1];
    long width = 0;
    for (size_t i = 0; i < n; i++) {
        cut(text, name[i]);
        width = max_of(width, letters(text));
    }
    return width;
}

/* Width of the numbers beside the scale. */
static long scale_letters(const struct ctr_heatmap *map)
{
    char text[64];
    snprintf(text, sizeof text, "%.*f", map->digits, map->low < 0 ? map->low : map->high);
    return letters(text);
}

/* Cells small enough that a thousand classes make a picture; numbers and names where they fit. */
static void lay_out(struct sheet *s)
{
    const struct ctr_heatmap *map = s->map;
    size_t most = map->rows > map->columns ? map->rows : map->columns;
    s->cell = most <= 12 ? 46 : most <= 20 ? 36 : most <= 100 ? 10 : most <= 500 ? 4 : 1;
    s->numbers = s->cell >= 36;
    s->names = s->cell >= 10;
    s->zoom = s->numbers ? 2 : 1;
    long above = s->names ? longest(map->column_name, map->columns) : 0;
    s->upright = above >= s->cell;
    s->left = MARGIN + (s->names ? longest(map->row_name, map->rows) + GAP : 0);
    s->top = MARGIN + CTR_TEXT_HEIGHT + 2 * GAP + (s->upright ? above : CTR_TEXT_HEIGHT) + GAP;
    s->right = s->left + s->cell * (long)map->columns + (map->apart ? GAP : 0);
    s->bottom = s->top + s->cell * (long)map->rows;
    long words = max_of(letters(map->title), letters(map->caption));
    s->canvas.width = (unsigned)(max_of(s->right + 2 * GAP + SCALE_WIDTH + GAP + scale_letters(map),
                                        MARGIN + words) +
                                 MARGIN);
    s->canvas.height = (unsigned)(s->bottom + 2 * GAP + CTR_TEXT_HEIGHT + MARGIN);
}

static void names(struct sheet *s)
{
    const struct ctr_heatmap *map = s->map;
    char text[NAME_LETTERS + 1];
    long middle = (s->cell - CTR_TEXT_HEIGHT) / 2;
    for (size_t i = 0; i < map->rows; i++) {
        cut(text, map->row_name[i]);
        ctr_canvas_text(&s->canvas, s->left - GAP - letters(text),
                        s->top + (long)i * s->cell + middle, text, 0, black);
    }
    for (size_t i = 0; i < map->columns; i++) {
        long x = s->left + (long)i * s->cell + (map->apart && i >= map->apart ? GAP : 0);
        cut(text, map->column_name[i]);
        if (s->upright)
            ctr_canvas_text(&s->canvas, x + middle, s->top - GAP, text, 1, black);
        else
            ctr_canvas_text(&s->canvas, x + (s->cell - letters(text) + 1) / 2,
                            s->top - GAP - CTR_TEXT_HEIGHT, text, 0, black);
    }
}

/* From -1, the darkest red, to 1, the darkest blue. */
static double shade(const struct ctr_heatmap *map, double value)
{
    double reach = fmax(map->high - map->middle, map->middle - map->low);
    double x = reach > 0 ? (value - map->middle) / reach : 0;
    return x < -1 ? -1 : x > 1 ? 1 : x;
}

static void colour(uint8_t rgb[3], double x)
{
    static const uint8_t blue[3] = {25, 75, 165}, red[3] = {180, 60, 25};
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)(255.5 - fabs(x) * (255 - (x < 0 ? red : blue)[c]));
}

static void cell(struct sheet *s, size_t row, size_t column)
{
    const struct ctr_heatmap *map = s->map;
    double value = map->value[row * map->columns + column], x = shade(map, value);
    long left = s->left + (long)column * s->cell + (map->apart && column >= map->apart ? GAP : 0);
    long top = s->top + (long)row * s->cell;
    char text[64];
    uint8_t rgb[3];
    memcpy(rgb, grey, sizeof rgb);
    if (isfinite(value))
        colour(rgb, x);
    ctr_canvas_fill(&s->canvas, left, top, s->cell, s->cell, rgb);
    if (!s->numbers || !isfinite(value))
        return;
    snprintf(text, sizeof text, "%.*f", map->digits, value);
    ctr_canvas_text(&s->canvas, left + (s->cell - letters(text) + 1) / 2,
                    top + (s->cell - CTR_TEXT_HEIGHT) / 2, text, 0,
                    x > 0.5 || x < -0.75 ? white : black);
}

static void scale(struct sheet *s)
{
    const struct ctr_heatmap *map = s->map;
    long x = s->right + 2 * GAP, height = s->bottom - s->top, last = s->top - 2 * CTR_TEXT_HEIGHT;
    const double mark[3] = {map->high, map->middle, map->low};
    uint8_t rgb[3];
    char text[64];
    for (long y = 0; y < height; y++) {
        colour(rgb, shade(map, map->high + (map->low - map->high) * (double)y / (double)height));
        ctr_canvas_fill(&s->canvas, x, s->top + y, SCALE_WIDTH, 1, rgb);
    }
    for (int i = 0; i < 3 && map->high > map->low; i++) {
        double part = (map->high - mark[i]) / (map->high - map->low);
        long y = s->top + (long)(part * (double)(height - CTR_TEXT_HEIGHT));
        if (y < last + CTR_TEXT_HEIGHT + 2)
            continue; /* it would stand on the one above */
        snprintf(text, sizeof text, "%.*f", map->digits, mark[i]);
        ctr_canvas_text(&s->canvas, x + SCALE_WIDTH + GAP, y, text, 0, black);
        last = y;
    }
}

static void draw(struct sheet *s)
{
    memset(s->canvas.pixels, 255, (size_t)s->canvas.width * s->canvas.height * 3);
    for (size_t row = 0; row < s->map->rows; row++)
        for (size_t column = 0; column < s->map->columns; column++)
            cell(s, row, column);
    if (s->names)
        names(s);
    scale(s);
    ctr_canvas_text(&s->canvas, MARGIN, MARGIN, s->map->title, 0, black);
    ctr_canvas_text(&s->canvas, MARGIN, s->bottom + 2 * GAP, s->map->caption, 0, black);
}

/* Each pixel becomes a square of `zoom` x `zoom`. */
static int enlarge(struct ctr_canvas *c, unsigned zoom)
{
    struct ctr_canvas to = {NULL, c->width * zoom, c->height * zoom};
    to.pixels = ctr_alloc((size_t)to.width * to.height, 3);
    if (!to.pixels)
        return CTR_E_FAIL;
    for (size_t y = 0; y < to.height; y++)
        for (size_t x = 0; x < to.width; x++)
            memcpy(to.pixels + (y * to.width + x) * 3,
                   c->pixels + (y / zoom * c->width + x / zoom) * 3, 3);
    free(c->pixels);
    *c = to;
    return 0;
}

int ctr_heatmap_draw(struct ctr_canvas *out, const struct ctr_heatmap *map)
{
    struct sheet s = {.map = map};
    int rc = 0;
    lay_out(&s);
    s.canvas.pixels = ctr_alloc((size_t)s.canvas.width * s.canvas.height, 3);
    if (!s.canvas.pixels)
        return CTR_E_FAIL;
    draw(&s);
    if (s.zoom > 1)
        rc = enlarge(&s.canvas, s.zoom);
    if (rc == 0)
        *out = s.canvas;
    else
        free(s.canvas.pixels);
    return rc;
}

int ctr_heatmap_png(const char *path, const struct ctr_heatmap *map)
{
    struct ctr_canvas c = {0};
    int rc = ctr_heatmap_draw(&c, map);
    if (rc == 0)
        rc = ctr_png_write(path, c.pixels, c.width, c.height, 3, 0);
    free(c.pixels);
    return rc;
}
