/* Text made safe for a terminal; sizes and durations as people read them. */
#include "../../tools/term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void names_cannot_drive_the_terminal(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"plain name.jpg", "plain name.jpg"},
        {"caf\xc3\xa9 \xe6\x97\xa5", "caf\xc3\xa9 \xe6\x97\xa5"},
        {"a\nb\tc", "a\\nb\\tc"},
        {"\x1b]0;owned\x07", "\\x1b]0;owned\\x07"},
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xc2\x9b"
         "2J",
         "\\u009b2J"},
        {"gpj\xe2\x80\xae"
         "exe",
         "gpj\\u202eexe"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ctr_str out = {0};
        term_escape(&out, cases[i][0]);
        assert_false(out.failed);
        assert_string_equal(out.s, cases[i][1]);
        ctr_str_free(&out);
    }
}

static void bytes(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"},
                 {1023, "1023 B"},
                 {1024, "1.0 KiB"},
                 {1536, "1.5 KiB"},
                 {1048575, "1.0 MiB"},
                 {200ull << 20, "200 MiB"},
                 {24ull << 30, "24.0 GiB"},
                 {UINT64_MAX, "16.0 EiB"}};
    char buf[24];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(term_bytes(buf, cases[i].bytes), cases[i].text);
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{-1, "0ms"},       {0.0853, "85ms"}, {0.9999, "1.0s"}, {59.94, "59.9s"},
                 {59.96, "1m00s"},  {125, "2m05s"},   {3600, "1h00m"},  {7199.6, "2h00m"},
                 {172800, "2d00h"}, {1e30, "forever"}};
    char buf[24];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(term_duration(buf, cases[i].seconds), cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_cannot_drive_the_terminal),
        cmocka_unit_test(bytes),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
