/* html.c -- see html.h. In: words, pixels. Out: text added to a string. */
#include "io/html.h"

#include <stdlib.h>
#include <string.h>

#include "io/png.h"

static const char rules[] =
    ":root{color-scheme:light dark;--ground:#fff;--text:#1b1b1f;--soft:#62626b;--line:#d9d9e0;"
    "--accent:#0b62c4}\n"
    "@media (prefers-color-scheme:dark){:root{--ground:#17171a;--text:#e8e8ec;--soft:#a0a0aa;"
    "--line:#3a3a42;--accent:#6cb0ff}}\n"
    "body{margin:0 auto;max-width:80rem;padding:1rem 1.25rem 3rem;background:var(--ground);"
    "color:var(--text);font:16px/1.45 system-ui,sans-serif;overflow-wrap:anywhere}\n"
    "h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.1rem;margin:1.75rem 0 .5rem}\n"
    ".note{color:var(--soft);font-size:.85rem}\n"
    "table.facts{border-collapse:collapse;font-size:.9rem;margin:.5rem 0 1rem}"
    "table.facts th{text-align:left;font-weight:normal;color:var(--soft);padding:.1rem 1rem .1rem 0;white-space:nowrap;"
    "vertical-align:top}table.facts td{padding:.1rem 0}\n"
    ".row{display:flex;flex-wrap:wrap;gap:.75rem;border-top:1px solid var(--line);padding:.75rem 0}\n"
    ".tile{margin:0;width:6.3rem}\n"
    ".tile img,.tile .none{display:block;box-sizing:border-box;width:6.3rem;height:6.3rem;"
    "object-fit:contain;image-rendering:auto;border:1px solid var(--line);border-radius:4px;"
    "background:var(--line)}\n"
    ".mark img,.mark .none{border:3px solid var(--accent)}\n"
    ".plot{overflow-x:auto}.plot svg{display:block;max-width:100%;min-width:40rem;height:auto}\n"
    "@media (prefers-color-scheme:dark){.plot svg{filter:invert(.909) hue-rotate(180deg)}}\n"
    ".plane{position:relative;min-width:40rem;max-width:68rem;border:1px solid var(--line)}"
    ".plane img{position:absolute;box-sizing:border-box;width:var(--side);aspect-ratio:1;"
    "transform:translate(-50%,-50%);border:2px solid var(--line);border-radius:3px}"
    ".plane img:hover{transform:translate(-50%,-50%) scale(2.5);z-index:1}\n"
    ".tile figcaption{font-size:.8rem}.tile .name,.tile .note{display:block;overflow:hidden;"
    "text-overflow:ellipsis;white-space:nowrap}.tile .note{font-size:.75rem}\n";

void ctr_html_begin(struct ctr_str *s, const char *title, const char *style)
{
    ctr_str_addf(s, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                    "img-src data:; style-src 'unsafe-inline'\">\n"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                    "<title>");
    ctr_html_text(s, title);
    ctr_str_addf(s, "</title>\n<style>\n%s%s</style>\n</head>\n<body>\n<h1>", rules,
                 style ? style : "");
    ctr_html_text(s, title);
    ctr_str_addf(s, "</h1>\n");
}

void ctr_html_end(struct ctr_str *s)
{
    ctr_str_addf(s, "</body>\n</html>\n");
}

static const char *entity(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return c < ' ' || c == 0x7f ? "&#xfffd;" : NULL;
    }
}

void ctr_html_text(struct ctr_str *s, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t n = ctr_str_utf8(p);
        const char *as = n == 0 ? "&#xfffd;" : n == 1 ? entity(*p) : NULL;
        if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0) /* C1 controls */
            as = "&#xfffd;";
        if (as)
            ctr_str_add(s, as, strlen(as));
        else
            ctr_str_add(s, (const char *)p, n);
        p += n ? n : 1;
    }
}

void ctr_html_fact(struct ctr_str *s, const char *what, const char *value)
{
    if (!value || !*value)
        return;
    ctr_str_addf(s, "<tr><th>%s</th><td>", what);
    ctr_html_text(s, value);
    ctr_str_addf(s, "</td></tr>\n");
}

static void base64(struct ctr_str *s, const uint8_t *p, size_t n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? (uint32_t)p[i + 2] : 0);
        char four[4] = {digit[v >> 18], digit[v >> 12 & 63], i + 1 < n ? digit[v >> 6 & 63] : '=',
                        i + 2 < n ? digit[v & 63] : '='};
        ctr_str_add(s, four, 4);
    }
}

int ctr_html_png(struct ctr_str *s, const uint8_t *rgb, unsigned width, unsigned height)
{
    void *png = NULL;
    size_t n = 0;
    int rc = ctr_png_encode(&png, &n, rgb, width, height, 3, 0);
    if (rc != 0)
        return rc;
    ctr_str_addf(s, "src=\"data:image/png;base64,");
    base64(s, png, n);
    ctr_str_addf(s, "\"");
    free(png);
    return 0;
}

void ctr_html_row_begin(struct ctr_str *s)
{
    ctr_str_addf(s, "<div class=\"row\">\n");
}

void ctr_html_row_end(struct ctr_str *s)
{
    ctr_str_addf(s, "</div>\n");
}

static void line(struct ctr_str *s, const char *class, const char *text)
{
    ctr_str_addf(s, "<span class=\"%s\">", class);
    ctr_html_text(s, text);
    ctr_str_addf(s, "</span>");
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

int ctr_html_tile(struct ctr_str *s, const struct ctr_html_tile *tile)
{
    int rc = 0;
    const char *title = tile->title ? tile->title : "";
    ctr_str_addf(s, "<figure class=\"tile%s\" title=\"", tile->mark ? " mark" : "");
    ctr_html_text(s, title);
    ctr_str_addf(s, "\">");
    if (tile->rgb) {
        ctr_str_addf(s, "<img alt=\"");
        ctr_html_text(s, title);
        ctr_str_addf(s, "\" ");
        rc = ctr_html_png(s, tile->rgb, tile->width, tile->height);
        ctr_str_addf(s, ">");
    } else {
        ctr_str_addf(s, "<div class=\"none\"></div>");
    }
    if (tile->title || tile->note)
        ctr_str_addf(s, "<figcaption>");
    if (tile->title)
        line(s, "name", last_part(title));
    if (tile->note)
        line(s, "note", tile->note);
    ctr_str_addf(s, "%s</figure>\n", tile->title || tile->note ? "</figcaption>" : "");
    return rc;
}
