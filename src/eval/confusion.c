/* confusion.c -- which classes are taken for which, as counts and as a picture. */
#include "eval/eval.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/heatmap.h"

void ctr_confusion(uint64_t *counts, const int32_t *guess, const int32_t *label, size_t n,
                   unsigned classes)
{
    memset(counts, 0, (size_t)classes * classes * sizeof *counts);
    for (size_t i = 0; i < n; i++)
        counts[(size_t)label[i] * classes + (size_t)guess[i]]++;
}

/* A class without images has a row of zeros. */
static void percent(double *out, const uint64_t *counts, size_t classes)
{
    for (size_t row = 0; row < classes; row++) {
        uint64_t sum = 0;
        for (size_t k = 0; k < classes; k++)
            sum += counts[row * classes + k];
        for (size_t k = 0; k < classes; k++)
            out[row * classes + k] =
                sum ? 100.0 * (double)counts[row * classes + k] / (double)sum : 0;
    }
}

int ctr_confusion_draw(struct ctr_canvas *out, const uint64_t *counts, unsigned classes,
                       const char *const *names, const char *caption)
{
    double *value = ctr_alloc((size_t)classes * classes, sizeof *value);
    const struct ctr_heatmap map = {
        .value = value,
        .rows = classes,
        .columns = classes,
        .row_name = names,
        .column_name = names,
        .high = 100,
        .title = "down: true class, across: guess, per cent of the row",
        .caption = caption,
    };
    if (!value)
        return CTR_E_FAIL;
    percent(value, counts, classes);
    int rc = ctr_heatmap_draw(out, &map);
    free(value);
    return rc;
}
