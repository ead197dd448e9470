/* opt_augment.c -- augmentation options: table, and table to parameters. In: a parsed set. Out:
 * what src/data/augment.h takes. */
#include "opt_augment.h"

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct augment_options, member, __VA_ARGS__)
const struct opt augment_rows[] = {
    ROW(STR, line, .name = "augment", .metavar = "LINE",
        .shown = "small up to 96 pixels, else large",
        .help =
            "what is done to each view, as in 'crop(0.2,1) flip jitter(.4,.4,.4,.1;.8) gray(.1)'; "
            "with `|` between them, views take several such lines in turn; `clcontrast augment "
            "--list` prints the transformations, and the lines that have names"),
    ROW(CHOICE, resize, .name = "resize", .metavar = "FILTER", .choices = "bilinear|bicubic",
        .init = "bilinear", .help = "antialiased filter that brings what is cut out to size"),
    {.name = NULL},
};
#undef ROW

int augment_params(struct ctr_augment_params *out, const struct augment_options *o, size_t size)
{
    const char *usual = size <= CTR_AUGMENT_SMALL_MAX ? "small" : "large";
    int rc = ctr_augment_parse(out, o->line ? o->line : usual);
    if (rc != 0)
        return ctr_fail_in(rc, "--augment");
    out->cubic = o->resize == 1;
    return 0;
}
