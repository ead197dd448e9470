/* html.h -- pages that need nothing else: no script, no network (a content security policy says so to
 * the browser), pictures inside as data, colours that follow the reader's light or dark.
 *
 *     struct ctr_str s = {0};
 *     ctr_html_begin(&s, "Near-duplicates", NULL);
 *     ctr_str_addf(&s, "<h2>"); ctr_html_text(&s, path); ctr_str_addf(&s, "</h2>\n");
 *     ctr_html_row_begin(&s);
 *     ctr_html_tile(&s, &(struct ctr_html_tile){.rgb = rgb, .width = 64, .height = 64, ...});
 *     ctr_html_row_end(&s);
 *     ctr_html_end(&s);
 *     if (!s.failed) ctr_file_write(path, s.s, s.n); */
#ifndef CTR_IO_HTML_H
#define CTR_IO_HTML_H

#include <stdint.h>

#include "base/str.h"

/* Up to the heading; `style`: further rules of CSS, or NULL. Classes that every page has: .row, .tile,
 * .note (small, grey), .mark (a tile with a coloured frame), table.facts, .plot (around a drawing for white ground,
 * which is turned dark with the page), .plane (pictures around points, in per cent of its sides; --side: theirs); colours as CSS variables
 * --ground, --text, --soft, --line, --accent. */
void ctr_html_begin(struct ctr_str *s, const char *title, const char *style);
void ctr_html_end(struct ctr_str *s);

/* Text of unknown origin, also inside a quoted attribute: &, <, >, ", ' escaped, control characters
 * and invalid UTF-8 shown as U+FFFD. */
void ctr_html_text(struct ctr_str *s, const char *text);
/* A row of a table.facts: `what`, which is HTML, and a value; nothing where that is NULL or empty. */
void ctr_html_fact(struct ctr_str *s, const char *what, const char *value);
/* src="data:image/png;base64,..." of 8-bit RGB pixels [height][width][3]. CTR_E_FAIL: no memory. */
int ctr_html_png(struct ctr_str *s, const uint8_t *rgb, unsigned width, unsigned height);

/* A gallery: rows of pictures with words below. */
struct ctr_html_tile {
    const uint8_t *rgb; /* [height][width][3]; NULL: an empty frame */
    unsigned width, height;
    const char *title; /* below the picture what follows its last '/', whole when pointed at; or NULL */
    const char *note;  /* below that, small; or NULL */
    int mark;          /* with a frame that stands out */
};
void ctr_html_row_begin(struct ctr_str *s);
int ctr_html_tile(struct ctr_str *s, const struct ctr_html_tile *tile);
void ctr_html_row_end(struct ctr_str *s);

#endif
