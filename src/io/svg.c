/* svg.c -- see svg.h. */
#include "io/svg.h"

#include <string.h>

void ctr_svg_begin(struct ctr_str *out, int width, int height, const char *style)
{
    ctr_str_addf(out,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                 "height=\"%d\" fill=\"#222\" font-family=\"sans-serif\" font-size=\"12\">\n"
                 "<style>.b{font-weight:bold}.grid{stroke:#ccc}.minor{stroke:#eee}%s</style>\n"
                 "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
                 width, height, width, height, style);
}

void ctr_svg_text(struct ctr_str *out, const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    while (*c) {
        size_t n = ctr_str_utf8(c);
        if (n == 0 || *c < 32 || *c == 127)
            ctr_str_add(out, "?", 1);
        else if (strchr("<>&\"", *c))
            ctr_str_addf(out, "&#%d;", *c);
        else
            ctr_str_add(out, (const char *)c, n);
        c += n ? n : 1;
    }
}

const char *ctr_svg_colour(size_t i)
{
    static const char *const colours[] = {"#1f5fb4", "#c4500f", "#2a7f3f", "#7b3fa0", "#b3202c",
                                          "#6b5a1e", "#0f7f86", "#a0336f", "#444444"};
    return colours[i % (sizeof colours / sizeof *colours)];
}
