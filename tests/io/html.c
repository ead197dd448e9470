/* Pages: what stands in them is escaped, closed, and the picture is a PNG. */
#include "io/html.h"
#include "io/png.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void check_text(const char *text, const char *want)
{
    struct ctr_str s = {0};
    ctr_html_text(&s, text);
    assert_string_equal(s.n ? s.s : "", want);
    ctr_str_free(&s);
}

static void text(void **state)
{
    (void)state;
    check_text("", "");
    check_text("a b/c.jpg", "a b/c.jpg");
    check_text("<script>\"x\" & 'y'</script>",
               "&lt;script&gt;&quot;x&quot; &amp; &#39;y&#39;&lt;/script&gt;");
    check_text("d\xc3\xb6g \xf0\x9f\x90\xb6", "d\xc3\xb6g \xf0\x9f\x90\xb6");
    check_text("a\nb\x1b[1m\x7f", "a&#xfffd;b&#xfffd;[1m&#xfffd;");
    check_text("\xff\xc3(\xc2\x85", "&#xfffd;&#xfffd;(&#xfffd;");
}

static int digit(char c)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    return (int)(strchr(digits, c) - digits);
}

/* The bytes of a text of base64, in place. */
static size_t decode(char *text)
{
    size_t n = 0, len = strcspn(text, "\"");
    assert_int_equal(len % 4, 0);
    for (size_t i = 0; i < len; i += 4) {
        int pads = text[i + 3] == '=' ? text[i + 2] == '=' ? 2 : 1 : 0;
        uint32_t v = 0;
        for (size_t k = 0; k < 4; k++)
            v = v << 6 | (text[i + k] == '=' ? 0u : (uint32_t)digit(text[i + k]));
        for (int k = 0; k < 3 - pads; k++)
            text[n++] = (char)(v >> (16 - 8 * k));
    }
    return n;
}

/* Widths that end base64 in each of its three ways among them. */
static void picture(void **state)
{
    (void)state;
    for (unsigned width = 1; width < 9; width++) {
        uint8_t rgb[9 * 2 * 3];
        struct ctr_str s = {0};
        void *png = NULL;
        size_t n = 0;
        for (size_t i = 0; i < sizeof rgb; i++)
            rgb[i] = (uint8_t)(i * 37);
        assert_int_equal(ctr_html_png(&s, rgb, width, 2), 0);
        assert_int_equal(ctr_png_encode(&png, &n, rgb, width, 2, 3, 0), 0);
        static const char before[] = "src=\"data:image/png;base64,";
        assert_memory_equal(s.s, before, sizeof before - 1);
        char *data = s.s + sizeof before - 1;
        assert_int_equal(decode(data), n);
        assert_memory_equal(data, png, n);
        free(png);
        ctr_str_free(&s);
    }
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

static void page(void **state)
{
    (void)state;
    const uint8_t rgb[3] = {1, 2, 3};
    struct ctr_str s = {0};
    ctr_html_begin(&s, "<i>title", ".mine{color:red}\n");
    ctr_html_row_begin(&s);
    assert_int_equal(ctr_html_tile(&s, &(struct ctr_html_tile){.rgb = rgb, .width = 1, .height = 1,
                                                              .title = "a\"><script>", .note = "<b>", .mark = 1}), 0);
    assert_int_equal(ctr_html_tile(&s, &(struct ctr_html_tile){0}), 0);
    ctr_html_row_end(&s);
    ctr_html_end(&s);
    assert_false(s.failed);
    assert_memory_equal(s.s, "<!DOCTYPE html>", 15);
    assert_non_null(strstr(s.s, "default-src 'none'; img-src data:; style-src 'unsafe-inline'"));
    assert_non_null(strstr(s.s, "prefers-color-scheme:dark"));
    assert_non_null(strstr(s.s, ".mine{color:red}"));
    assert_non_null(strstr(s.s, "title=\"a&quot;&gt;&lt;script&gt;\""));
    assert_null(strstr(s.s, "<script"));
    assert_null(strstr(s.s, "<b>"));
    assert_null(strstr(s.s, "http:"));
    assert_int_equal(count(s.s, "<figure"), 2);
    assert_int_equal(count(s.s, "</figure>"), 2);
    assert_int_equal(count(s.s, "<div"), count(s.s, "</div>"));
    assert_int_equal(count(s.s, "<figcaption>"), count(s.s, "</figcaption>"));
    ctr_str_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text),
        cmocka_unit_test(picture),
        cmocka_unit_test(page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
