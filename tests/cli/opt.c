/* Options out of tables: every way of writing a value, every way of getting it wrong. */
#include "../../tools/opt.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct options {
    int json, probe, encoder;
    const char *out;
    uint64_t batch;
    double lr;
    struct opt_list set;
};

static const struct opt rows[] = {
    OPT_ROW(FLAG, struct options, json, .name = "json", .help = "print JSON"),
    OPT_ROW(FLAG, struct options, probe, .name = "probe", .init = "1",
            .help = "do not try devices"),
    OPT_ROW(CHOICE, struct options, encoder, .name = "encoder", .letter = 'e', .metavar = "NAME",
            .choices = "cnn|resnet18|resnet34", .init = "cnn", .help = "what is trained"),
    OPT_ROW(STR, struct options, out, .name = "out", .letter = 'o', .metavar = "DIR",
            .help = "where the run goes"),
    OPT_ROW(U64, struct options, batch, .name = "batch", .metavar = "N", .init = "256", .min = 2,
            .max = 65536, .help = "images a step"),
    OPT_ROW(DOUBLE, struct options, lr, .name = "lr", .metavar = "X", .init = "0.3",
            .max = INFINITY, .help = "learning rate"),
    OPT_ROW(LIST, struct options, set, .name = "set", .metavar = "K=V", .help = "any key"),
    {.name = NULL},
};

static int parse(struct opt_set *set, struct options *o, const char *line)
{
    static char text[512], *argv[32];
    int argc = 0;
    *set = (struct opt_set){0};
    assert_int_equal(opt_add(set, "Options", rows, o), 0);
    assert_true(strlen(line) < sizeof text);
    strcpy(text, line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = strcmp(word, "EMPTY") == 0 ? word + 5 : word;
    return opt_parse(set, argc, argv);
}

static void defaults_come_from_the_table(void **state)
{
    (void)state;
    struct opt_set set;
    struct options o;
    assert_int_equal(parse(&set, &o, ""), 0);
    assert_true(!o.json && o.probe && o.encoder == 0 && !o.out && o.batch == 256 && o.lr == 0.3);
    assert_int_equal(o.set.n, 0);
    assert_int_equal(opt_source(&set, "batch"), OPT_DEFAULT);
    opt_finish(&set);
}

static void every_spelling(void **state)
{
    (void)state;
    struct opt_set set;
    struct options o;
    assert_int_equal(parse(&set, &o,
                           "a --json --no-probe --batch=64 --lr 1e-3 -oruns/x -e resnet18 b "
                           "--set a=1 --set=b=2 -- --json -"),
                     0);
    assert_true(o.json && !o.probe && o.batch == 64 && o.lr == 1e-3 && o.encoder == 1);
    assert_string_equal(o.out, "runs/x");
    assert_int_equal(o.set.n, 2);
    assert_string_equal(o.set.items[1], "b=2");
    assert_int_equal(set.n_args, 4);
    assert_string_equal(set.args[1], "b");
    assert_string_equal(set.args[2], "--json");
    assert_string_equal(set.args[3], "-");
    assert_int_equal(opt_source(&set, "batch"), OPT_COMMAND_LINE);
    opt_finish(&set);
    assert_null(o.set.items);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *line, *text, *hint;
    } cases[] = {
        {"--bacth 3", "unknown option '--bacth'", "did you mean '--batch'?"},
        {"--ste 3", "unknown option '--ste'", "did you mean '--set'?"},
        {"--enc cnn", "unknown option '--enc'", "did you mean '--encoder'?"},
        {"--colour-me 3", "unknown option '--colour-me'", ""},
        {"--no-batch", "unknown option '--no-batch'", ""},
        {"-z", "unknown option '-z' in '-z'", ""},
        {"--batch 1", "--batch must be from 2 to 65536, not 1", ""},
        {"--batch 1e3", "--batch needs a whole number, not '1e3'", ""},
        {"--batch -1", "--batch needs a whole number, not '-1'", ""},
        {"--batch 0x10", "--batch needs a whole number, not '0x10'", ""},
        {"--batch=", "--batch needs a whole number, not ''", ""},
        {"--batch 99999999999999999999", "--batch needs a whole number, not '99999999999999999999'",
         ""},
        {"--lr nan", "--lr needs a number, not 'nan'", ""},
        {"--lr 0,1", "--lr needs a number, not '0,1'", ""},
        {"--lr -0.1", "--lr must be at least 0, not -0.1", ""},
        {"--encoder resnet81", "--encoder: 'resnet81' is not one of cnn, resnet18, resnet34",
         "did you mean 'resnet18'?"},
        {"--out", "--out needs a value (DIR)", ""},
        {"--out --json", "--out needs a value (DIR)", "if '--json' is meant, write --out=--json"},
        {"--out EMPTY", "--out needs a value that is not empty", ""},
        {"--json=maybe", "--json is on or off: true or false, not 'maybe'", ""},
        {"--batch 4 --batch 4", "--batch is given twice", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct opt_set set;
        struct options o;
        assert_int_equal(parse(&set, &o, cases[i].line), CTR_E_USAGE);
        assert_string_equal(ctr_error_text(), cases[i].text);
        assert_string_equal(ctr_error_hint(), cases[i].hint);
        assert_true(o.batch == 256 || strstr(cases[i].line, "--batch 4"));
        assert_true(o.lr == 0.3);
        opt_finish(&set);
    }
}

static void command_line_wins_over_configuration(void **state)
{
    (void)state;
    struct opt_set set;
    struct options o;
    assert_int_equal(parse(&set, &o, "--batch 64"), 0);
    assert_int_equal(opt_assign(&set, "batch", "32", OPT_CONFIG), 0);
    assert_int_equal(opt_assign(&set, "lr", "0.5", OPT_CONFIG), 0);
    assert_int_equal(opt_assign(&set, "probe", "false", OPT_CONFIG), 0);
    assert_true(o.batch == 64 && o.lr == 0.5 && !o.probe);
    assert_int_equal(opt_source(&set, "lr"), OPT_CONFIG);
    assert_int_equal(opt_assign(&set, "lr", "0.7", OPT_RECIPE), 0); /* a recipe loses to both */
    assert_int_equal(opt_assign(&set, "encoder", "resnet18", OPT_RECIPE), 0);
    assert_true(o.lr == 0.5 && o.encoder == 1);
    assert_int_equal(opt_assign(&set, "encoder", "resnet34", OPT_CONFIG), 0);
    assert_int_equal(o.encoder, 2);
    assert_int_equal(opt_assign(&set, "lr", "0.6", OPT_CONFIG), CTR_E_USAGE);
    assert_int_equal(opt_assign(&set, "epohcs", "1", OPT_CONFIG), CTR_E_USAGE);
    assert_string_equal(ctr_error_text(), "unknown option 'epohcs'");
    opt_finish(&set);
}

static int went_away(struct ctr_str *hint, const char *name)
{
    if (strcmp(name, "bacth") == 0)
        ctr_str_addf(hint, "it went away");
    return hint->n > 0;
}

static int even(const char *text)
{
    return strlen(text) % 2 ? ctr_fail(CTR_E_USAGE, "'%s' is odd", text) : 0;
}

/* What a table cannot say by itself: where a name has gone, which text is a good one. */
static void tables_may_know_more(void **state)
{
    (void)state;
    static const struct opt more[] = {
        OPT_ROW(STR, struct options, out, .name = "word", .metavar = "W", .check = even),
        {.name = NULL},
    };
    struct opt_set set;
    struct options o;
    char bad[] = "--bacth", near[] = "--lrr", odd[] = "--word=abc", good[] = "--word=ab";
    char *argv[] = {bad, near, odd, good};
    assert_int_equal(parse(&set, &o, ""), 0);
    set.elsewhere = went_away;
    assert_int_equal(opt_parse(&set, 1, argv), CTR_E_USAGE);
    assert_string_equal(ctr_error_hint(), "it went away");
    assert_int_equal(opt_parse(&set, 1, argv + 1), CTR_E_USAGE);
    assert_string_equal(ctr_error_hint(), "did you mean '--lr'?");
    assert_int_equal(opt_add(&set, "More", more, &o), 0);
    assert_int_equal(opt_parse(&set, 1, argv + 2), CTR_E_USAGE);
    assert_string_equal(ctr_error_text(), "'abc' is odd");
    assert_null(o.out);
    assert_int_equal(opt_parse(&set, 1, argv + 3), 0);
    assert_string_equal(o.out, "ab");
    opt_finish(&set);
}

static void a_value_can_be_seen_before_parsing(void **state)
{
    (void)state;
    char a[] = "--encoder=x", b[] = "--out", c[] = "d", d[] = "--", e[] = "--lr", f[] = "1";
    char *argv[] = {a, b, c, d, e, f};
    assert_string_equal(opt_peek(6, argv, "encoder"), "x");
    assert_string_equal(opt_peek(6, argv, "out"), "d");
    assert_null(opt_peek(6, argv, "lr"));
    assert_null(opt_peek(2, argv, "out"));
}

static void help_shows_defaults_and_keeps_the_width(void **state)
{
    (void)state;
    struct opt_set set;
    struct options o;
    assert_int_equal(parse(&set, &o, ""), 0);
    for (int width = 20; width <= 100; width += 20) {
        struct ctr_str help = {0};
        opt_help(&help, &set, width);
        assert_false(help.failed);
        assert_non_null(strstr(help.s, "--no-probe"));
        assert_non_null(strstr(help.s, "-o, --out DIR"));
        if (width == 100)
            assert_non_null(strstr(help.s, "images a step (from 2 to 65536; default: 256)\n"));
        for (char *line = strtok(help.s, "\n"); line; line = strtok(NULL, "\n"))
            assert_true((int)strlen(line) <= (width < 40 ? 26 : width));
        ctr_str_free(&help);
    }
    opt_finish(&set);
}

static void tables_that_clash_are_refused(void **state)
{
    (void)state;
    struct opt_set set;
    struct options o;
    assert_int_equal(parse(&set, &o, ""), 0);
    assert_int_equal(opt_add(&set, "Again", rows, &o), CTR_E_FAIL);
    opt_finish(&set);
}

static void near_words_are_offered(void **state)
{
    static const struct {
        const char *typed, *word;
        int near;
    } cases[] = {{"conv2d", "conv2d", 1}, {"ocnv2d", "conv2d", 1}, {"conv", "conv2d", 1},
                 {"conv2d/x", "conv2d", 1}, {"conv2d/64", "conv2d", 0}, {"", "x", 1}, {"ab", "xy", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct opt_near near = {0};
        char *word = strdup(cases[i].word); /* of its exact size, for the sanitizer */
        opt_near_offer(&near, cases[i].typed, word);
        assert_int_equal(near.best != NULL, cases[i].near);
        free(word);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_come_from_the_table),
        cmocka_unit_test(every_spelling),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(command_line_wins_over_configuration),
        cmocka_unit_test(tables_may_know_more),
        cmocka_unit_test(a_value_can_be_seen_before_parsing),
        cmocka_unit_test(help_shows_defaults_and_keeps_the_width),
        cmocka_unit_test(tables_that_clash_are_refused),
        cmocka_unit_test(near_words_are_offered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
