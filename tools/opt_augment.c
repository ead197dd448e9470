/* opt_augment.c -- augmentation options: table, and table to parameters. In: a parsed set. Out:
 * what src/data/augment.h takes. */
#include "opt_augment.h"

#include <string.h>

#include "names.h"

static int check_line(const char *text)
{
    struct ctr_augment_params params;
    int rc = ctr_augment_parse(&params, text);
    return rc ? ctr_fail_in(rc, "--augment") : 0;
}

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct augment_options, member, __VA_ARGS__)
const struct opt augment_rows[] = {
    ROW(STR, line, .name = "augment", .metavar = "LINE", .names = &names_lines, .check = check_line,
        .shown = "small up to 96 pixels, else large; -any unless RGB",
        .help =
            "what is done to each view, as in 'crop(0.2,1) flip jitter(.4,.4,.4,.1;.8) gray(.1)'; "
            "with `|` between them, views take several such lines in turn; `clcontrast augment "
            "--list` prints the transformations, and the lines that have names"),
    ROW(CHOICE, resize, .name = "resize", .metavar = "FILTER", .choices = "bilinear|bicubic",
        .init = "bilinear", .help = "antialiased filter that brings what is cut out to size"),
    {.name = NULL},
};
#undef ROW

int augment_local_check(const char *line)
{
    struct ctr_augment_params params;
    int rc = ctr_augment_parse(&params, line);
    return rc ? ctr_fail_in(rc, "--local-augment") : 0;
}

int augment_elsewhere(struct ctr_str *hint, const char *name)
{
    static const struct {
        const char *name, *now;
    } gone[] = {
        {"crop-min", "crop(A,1)"},
        {"crop-max", "crop(0.08,A)"},
        {"crop-aspect", "crop(0.08,1,1/R,R)"},
        {"flip-p", "flip(P)"},
        {"jitter", "jitter(0.8 S,0.8 S,0.8 S,0.2 S), worked out,"},
        {"jitter-p", "jitter(0.4,0.4,0.4,0.1;P)"},
        {"gray-p", "gray(P)"},
        {"blur-p", "blur(0.1,2;P)"},
        {"blur-min", "blur(PX,2)"},
        {"blur-max", "blur(0.1,PX)"},
    };
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        if (strcmp(name, gone[i].name) == 0) {
            ctr_str_addf(hint,
                         "%s in the line of --augment says it now, as in "
                         "--augment 'crop(0.2,1) flip jitter gray': docs/AUGMENTATION.md",
                         gone[i].now);
            return 1;
        }
    return 0;
}

int augment_params(struct ctr_augment_params *out, const struct augment_options *o)
{
    *out = (struct ctr_augment_params){0};
    if (o->line && ctr_augment_parse(out, o->line) != 0)
        return ctr_fail_in(CTR_E_USAGE, "--augment");
    out->cubic = o->resize == 1;
    return 0;
}
