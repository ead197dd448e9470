/* confusion.c -- which classes are taken for which, as counts and as a picture. */
#include "eval/eval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/png.h"
#include "io/text.h"

#define NAME_MAX_LETTERS 16
#define MARGIN           12

void ctr_confusion(uint64_t *counts, const int32_t *guess, const int32_t *label, size_t n,
                   unsigned classes)
{
    memset(counts, 0, (size_t)classes * classes * sizeof *counts);
    for (size_t i = 0; i < n; i++)
        counts[(size_t)label[i] * classes + (size_t)guess[i]]++;
}

struct sheet {
    struct ctr_canvas canvas;
    long cell, left, top;
    int names, numbers;
};

static const uint8_t black[3] = {32, 32, 32}, white[3] = {255, 255, 255};

/* Cells small enough that a thousand classes make a picture; numbers and names where they fit. */
static int lay_out(struct sheet *s, unsigned classes, const char *caption)
{
    s->cell = classes <= 20 ? 36 : classes <= 100 ? 10 : classes <= 500 ? 4 : 1;
    s->numbers = s->cell >= 36;
    s->names = s->cell >= 10;
    s->left = MARGIN + (s->names ? NAME_MAX_LETTERS * CTR_TEXT_WIDTH + 6 : 0);
    s->top = s->left + CTR_TEXT_HEIGHT + 6;
    size_t side = (size_t)s->cell * classes, words = strlen(caption) * CTR_TEXT_WIDTH;
    size_t width = (size_t)s->left + side > words ? (size_t)s->left + side : words;
    s->canvas.width = (unsigned)(width + 2 * MARGIN);
    s->canvas.height = (unsigned)((size_t)s->top + side + 2 * MARGIN + CTR_TEXT_HEIGHT);
    size_t bytes = (size_t)s->canvas.width * s->canvas.height * 3;
    s->canvas.pixels = ctr_alloc(bytes, 1);
    if (!s->canvas.pixels)
        return CTR_E_FAIL;
    memset(s->canvas.pixels, 255, bytes);
    return 0;
}

static void draw_name(struct sheet *s, unsigned k, const char *name)
{
    char text[NAME_MAX_LETTERS + 1];
    snprintf(text, sizeof text, "%s", name);
    long middle = (long)k * s->cell + (s->cell - CTR_TEXT_HEIGHT) / 2;
    long length = (long)strlen(text) * CTR_TEXT_WIDTH;
    ctr_canvas_text(&s->canvas, s->left - 6 - length, s->top + middle, text, 0, black);
    ctr_canvas_text(&s->canvas, s->left + middle, s->top - 6, text, 1, black);
}

/* White to blue by the share of the row. */
static void draw_cell(struct sheet *s, unsigned row, unsigned column, double share)
{
    const uint8_t rgb[3] = {(uint8_t)(255 - 230 * share), (uint8_t)(255 - 180 * share),
                            (uint8_t)(255 - 90 * share)};
    long x = s->left + (long)column * s->cell, y = s->top + (long)row * s->cell;
    char text[8];
    ctr_canvas_fill(&s->canvas, x, y, s->cell, s->cell, rgb);
    if (!s->numbers)
        return;
    snprintf(text, sizeof text, "%.0f", 100 * share);
    long length = (long)strlen(text) * CTR_TEXT_WIDTH - 1;
    ctr_canvas_text(&s->canvas, x + (s->cell - length) / 2, y + (s->cell - CTR_TEXT_HEIGHT) / 2, text,
                    0, share > 0.5 ? white : black);
}

int ctr_confusion_png(const char *path, const uint64_t *counts, unsigned classes,
                      const char *const *names, const char *caption)
{
    static const char axes[] = "down: true class, across: guess, per cent of the row";
    struct sheet s = {.cell = 0};
    int rc = lay_out(&s, classes, strlen(caption) > strlen(axes) ? caption : axes);
    for (unsigned row = 0; rc == 0 && row < classes; row++) {
        uint64_t sum = 0;
        for (unsigned k = 0; k < classes; k++)
            sum += counts[(size_t)row * classes + k];
        for (unsigned k = 0; k < classes; k++)
            draw_cell(&s, row, k,
                      sum ? (double)counts[(size_t)row * classes + k] / (double)sum : 0);
        if (s.names)
            draw_name(&s, row, names[row]);
    }
    if (rc == 0) {
        ctr_canvas_text(&s.canvas, MARGIN, MARGIN, axes, 0, black);
        ctr_canvas_text(&s.canvas, MARGIN, (long)s.canvas.height - MARGIN - CTR_TEXT_HEIGHT, caption,
                        0, black);
        rc = ctr_png_write(path, s.canvas.pixels, s.canvas.width, s.canvas.height, 3, 0);
    }
    free(s.canvas.pixels);
    return rc;
}
