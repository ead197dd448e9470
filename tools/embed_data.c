/* embed_data.c -- see embed_data.h. */
#include "embed_data.h"

#include "base/os.h"
#include "interrupt.h"
#include "term.h"

enum { SKIPS_SHOWN = 10 };

static int progress(void *user, size_t done, size_t total)
{
    const double *start = user;
    double seconds = ctr_now() - *start;
    double rate = seconds > 0 ? (double)done / seconds : 0;
    char left[24];
    if (interrupt_caught())
        return ctr_fail(CTR_E_FAIL, "interrupted after %zu of %zu images", done, total);
    term_progress("embedding %zu/%zu  %.0f images/s  %s left", done, total, rate,
                  term_duration(left, rate > 0 ? (double)(total - done) / rate : 0));
    return 0;
}

int embed_data(struct ctr_embedding *out, ctr_model *model, struct ctr_data *data, int unit)
{
    double start = ctr_now();
    int rc = ctr_model_embed(out, model, data, unit, progress, &start);
    term_progress_end();
    return rc;
}

int embed_skipped(struct ctr_data *data)
{
    size_t n = ctr_data_n_skipped(data);
    for (size_t i = 0; i < n && i < SKIPS_SHOWN; i++) {
        struct ctr_data_skip skip = ctr_data_skip(data, i);
        struct ctr_str path = {0};
        term_escape(&path, skip.path); /* a line, whatever the name holds */
        term_warn("skipped '%s': %s", path.s ? path.s : "", skip.reason);
        ctr_str_free(&path);
    }
    if (n > SKIPS_SHOWN)
        term_warn("... and %zu more", n - SKIPS_SHOWN);
    return n ? ctr_fail(CTR_E_PARTIAL, "%zu file%s skipped", n, n == 1 ? " was" : "s were") : 0;
}
