/* Configuration files: what is accepted, what is refused and where, and that writing reads back. */
#include "../../tools/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct options {
    int quiet, encoder;
    const char *data, *config;
    uint64_t batch;
    double lr, decay;
    uint64_t seed;
    struct opt_list tags;
};

static const struct opt rows[] = {
    OPT_ROW(FLAG, struct options, quiet, .name = "quiet", .help = "-"),
    OPT_ROW(CHOICE, struct options, encoder, .name = "encoder", .metavar = "E",
            .choices = "cnn|resnet18", .init = "cnn", .help = "-"),
    OPT_ROW(STR, struct options, data, .name = "data", .metavar = "D", .help = "-"),
    OPT_ROW(STR, struct options, config, .name = "config", .metavar = "F", .flag_only = 1,
            .help = "-"),
    OPT_ROW(U64, struct options, batch, .name = "batch", .metavar = "N", .init = "256", .min = 2,
            .max = 65536, .help = "-"),
    OPT_ROW(DOUBLE, struct options, lr, .name = "lr", .metavar = "X", .init = "0.3", .help = "-"),
    OPT_ROW(DOUBLE, struct options, decay, .name = "decay", .metavar = "X", .min = 0.1, .max = 1,
            .help = "-"),
    OPT_ROW(U64, struct options, seed, .name = "seed", .metavar = "N", .help = "-"),
    OPT_ROW(LIST, struct options, tags, .name = "tags", .metavar = "T", .help = "-"),
    {.name = NULL},
};

struct fixture {
    struct opt_set set;
    struct options o;
    struct ctr_arena arena;
};

static int parse(struct fixture *f, const char *text)
{
    *f = (struct fixture){0};
    assert_int_equal(opt_add(&f->set, "Options", rows, &f->o), 0);
    return config_parse(&f->set, &f->arena, "f.toml", text, strlen(text));
}

static void finish(struct fixture *f)
{
    opt_finish(&f->set);
    ctr_arena_free(&f->arena);
}

static void everything_accepted(void **state)
{
    (void)state;
    struct fixture f;
    assert_int_equal(parse(&f, "\xef\xbb\xbf# a comment\r\n\r\n  quiet = true # why\r\n"
                               "encoder = \"resnet18\"\ndata=\"a \\\"b\\\" # \\u00e9\\n\"\n"
                               "batch\t=\t64\nlr = 1e-3\ntags = [ \"x\", \"y\" , ]\n\t\n"
                               "# the last line has no end"),
                     0);
    assert_true(f.o.quiet && f.o.encoder == 1 && f.o.batch == 64 && f.o.lr == 1e-3);
    assert_string_equal(f.o.data, "a \"b\" # \xc3\xa9\n");
    assert_int_equal(f.o.tags.n, 2);
    assert_string_equal(f.o.tags.items[1], "y");
    finish(&f);
    assert_int_equal(parse(&f, ""), 0);
    finish(&f);
}

static void everything_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error, *hint;
    } cases[] = {
        {"bacth = 3\n", "f.toml:1:1: unknown key 'bacth'", "did you mean 'batch'?"},
        {"config = \"x\"\n", "f.toml:1:1: unknown key 'config'", ""},
        {"\n  batch = 1\n", "f.toml:2:11: --batch must be from 2 to 65536, not 1", ""},
        {"batch = 64 x\n", "f.toml:1:12: one `key = value` a line: this does not belong here",
         ""},
        {"batch = 99999999999999999999999\n",
         "f.toml:1:9: --batch needs a whole number, not '99999999999999999999999'", ""},
        {"lr = nan\n", "f.toml:1:6: this is no number, true or false", "text is put in double quotes"},
        {"data = photos\n", "f.toml:1:8: this is no number, true or false",
         "text is put in double quotes"},
        {"batch = 4\nbatch = 4\n", "f.toml:2:9: --batch is given twice", ""},
        {"quiet = 2\n", "f.toml:1:9: --quiet is on or off: true or false, not '2'", ""},
        {"encoder = \"resnet81\"", "f.toml:1:11: --encoder: 'resnet81' is not one of cnn, resnet18",
         "did you mean 'resnet18'?"},
        {"data = \"ab\n\"", "f.toml:1:8: this string does not end", ""},
        {"data = \"ab", "f.toml:1:8: this string does not end", ""},
        {"data = \"\\", "f.toml:1:10: unknown escape in a string", ""},
        {"data = \"\\u00g0\"", "f.toml:1:10: \\u needs four hexadecimal digits", ""},
        {"data = \"\\u0000\"", "f.toml:1:14: this is no character", ""},
        {"data = \"\"", "f.toml:1:8: --data needs a value that is not empty", ""},
        {"batch\n", "f.toml:1:6: `=` is missing", ""},
        {"batch =\n", "f.toml:1:8: a value is missing", ""},
        {"batch = \"64\"\n", "f.toml:1:9: 'batch' is a number", "leave out the quotes"},
        {"quiet = \"true\"\n", "f.toml:1:9: 'quiet' is true or false", "leave out the quotes"},
        {"data = 1\n", "f.toml:1:8: 'data' is text", "text is put in double quotes"},
        {"encoder = true\n", "f.toml:1:11: 'encoder' is text", "text is put in double quotes"},
        {"[train]\n", "f.toml:1:1: keys are flat: no [tables]", ""},
        {"= 3\n", "f.toml:1:1: `key = value` is expected", ""},
        {"tags = [1]\n", "f.toml:1:9: a list holds strings in quotes", ""},
        {"tags = [\"a\" \"b\"]\n", "f.toml:1:13: `,` or `]` is missing", ""},
        {"tags = [\"a\"\n", "f.toml:1:12: `,` or `]` is missing", ""},
        {"tags = \"a\"\n", "f.toml:1:1: this key takes a list: [...]", ""},
        {"batch = [\"4\"]\n", "f.toml:1:1: this key takes no list", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        assert_int_equal(parse(&f, cases[i].text), CTR_E_USAGE);
        assert_string_equal(ctr_error_text(), cases[i].error);
        assert_string_equal(ctr_error_hint(), cases[i].hint);
        finish(&f);
    }
    struct fixture f;
    assert_int_equal(parse(&f, ""), 0);
    assert_int_equal(config_parse(&f.set, &f.arena, "f.toml", "batch\0= 3", 9), CTR_E_USAGE);
    finish(&f);
}

static void any_bytes_are_survived(void **state)
{
    (void)state;
    static const char seed[] =
        "quiet = true\ndata = \"a\\u00e9\\n\" # x\ntags = [\"x\", \"y\"]\nlr = 1e-3\n";
    for (size_t n = 0; n < sizeof seed - 1; n++)
        for (int with = 0; with < 256; with++) {
            struct fixture f;
            char text[sizeof seed];
            memcpy(text, seed, sizeof seed);
            text[n] = (char)with;
            int rc = parse(&f, text);
            assert_true(rc == 0 || rc == CTR_E_USAGE);
            finish(&f);
        }
}

static void written_reads_back(void **state)
{
    (void)state;
    struct fixture f, g;
    struct ctr_str out = {0};
    assert_int_equal(parse(&f, "quiet = true\ndata = \"a\\\\ \\\"b\\\"\\n\\u001b\\u00e9\"\n"
                               "lr = 0.1\nbatch = 7\ntags = [\"x\", \"y\"]"),
                     0);
    config_write(&out, &f.set);
    assert_false(out.failed);
    assert_string_equal(out.s, "quiet = true\nencoder = \"cnn\"\n"
                               "data = \"a\\\\ \\\"b\\\"\\u000a\\u001b\xc3\xa9\"\nbatch = 7\n"
                               "lr = 0.1\ntags = [\"x\", \"y\"]\n");
    assert_int_equal(parse(&g, out.s), 0);
    assert_string_equal(g.o.data, f.o.data);
    assert_true(g.o.lr == f.o.lr && g.o.batch == 7 && g.o.quiet && g.o.tags.n == 2);
    g.o.lr = 1.0 / 3;
    ctr_str_free(&out);
    config_write(&out, &g.set);
    finish(&f);
    assert_int_equal(parse(&f, out.s), 0);
    assert_true(f.o.lr == 1.0 / 3);
    ctr_str_free(&out);
    finish(&f);
    finish(&g);
}

/* What nobody set stays unset, and does not come back as a 0 that is out of bounds. */
static void unset_numbers_are_left_out(void **state)
{
    (void)state;
    struct fixture a, b;
    struct ctr_str text = {0};
    assert_int_equal(parse(&a, "seed = 0"), 0);
    config_write(&text, &a.set);
    assert_null(strstr(text.s, "decay"));
    assert_non_null(strstr(text.s, "seed = 0\n"));
    assert_int_equal(parse(&b, text.s), 0);
    assert_int_equal(opt_source(&b.set, "decay"), OPT_DEFAULT);
    assert_int_equal(opt_source(&b.set, "seed"), OPT_CONFIG);
    ctr_str_free(&text);
    finish(&a);
    finish(&b);
}

/* Keys of other tables may stand in a file, and are nothing to this one. */
static void others(const char *path)
{
    static const struct opt more[] = {
        {.name = "epochs"}, {.name = "resume", .flag_only = 1}, {.name = NULL}};
    static const struct {
        const char *text;
        int read, glance; /* what comes of it */
    } cases[] = {{"epochs = 3\nbatch = 5\nseed = 4", 0, 0},
                 {"epochs = [\"a\", \"b\"] # \nbatch = 5", 0, 0},
                 {"epohcs = 3\nbatch = 5", CTR_E_USAGE, 0},
                 {"resume = \"a\"\nbatch = 5", CTR_E_USAGE, 0},
                 {"epochs = 3 3\nbatch = 5", CTR_E_USAGE, CTR_E_USAGE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int glance = 0; glance < 2; glance++) {
            struct fixture f;
            FILE *file = fopen(path, "w");
            assert_non_null(file);
            assert_true(fputs(cases[i].text, file) >= 0 && fclose(file) == 0);
            assert_int_equal(parse(&f, ""), 0);
            int rc = glance ? config_glance(&f.set, &f.arena, path)
                            : config_read(&f.set, &f.arena, path, more);
            assert_int_equal(rc, glance ? cases[i].glance : cases[i].read);
            assert_int_equal(f.o.batch, rc ? 256 : 5);
            finish(&f);
        }
}

/* Values as config_write has them, each with who gave it; what is not there is a comment. */
static void shown_with_their_sources(void **state)
{
    (void)state;
    static const char *const from[OPT_SOURCES] = {NULL, "recipe", "f.toml", "command line"};
    struct fixture f, g;
    struct ctr_str shown = {0}, a = {0}, b = {0};
    assert_int_equal(parse(&f, "batch = 9\ntags = [\"x\"]"), 0);
    assert_int_equal(opt_assign(&f.set, "batch", "8", OPT_RECIPE), 0);
    assert_int_equal(opt_assign(&f.set, "lr", "0.5", OPT_RECIPE), 0);
    assert_int_equal(opt_assign(&f.set, "seed", "5", OPT_COMMAND_LINE), 0);
    config_show(&shown, &f.set, from);
    assert_false(shown.failed);
    assert_string_equal(shown.s, "\n# Options\n"
                                 "quiet = false                   # default\n"
                                 "encoder = \"cnn\"                 # default\n"
                                 "# data is not given\n"
                                 "batch = 9                       # f.toml\n"
                                 "lr = 0.5                        # recipe\n"
                                 "# decay is not given\n"
                                 "seed = 5                        # command line\n"
                                 "tags = [\"x\"]                    # f.toml\n");
    assert_int_equal(parse(&g, shown.s), 0);
    config_write(&a, &f.set);
    config_write(&b, &g.set);
    assert_string_equal(a.s, b.s);
    ctr_str_free(&shown);
    ctr_str_free(&a);
    ctr_str_free(&b);
    finish(&f);
    finish(&g);
}

static void files(void **state)
{
    (void)state;
    char path[] = "/tmp/ctr-config-XXXXXX";
    struct fixture f;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "batch = 9\n", 10), 10);
    assert_int_equal(parse(&f, ""), 0);
    assert_int_equal(config_read(&f.set, &f.arena, path, NULL), 0);
    assert_int_equal(f.o.batch, 9);
    finish(&f);
    others(path);
    assert_int_equal(parse(&f, ""), 0);
    assert_int_equal(ftruncate(fd, 1 << 30), 0);
    assert_int_equal(config_read(&f.set, &f.arena, path, NULL), CTR_E_IO);
    close(fd);
    unlink(path);
    assert_int_equal(config_read(&f.set, &f.arena, path, NULL), CTR_E_IO);
    assert_non_null(strstr(ctr_error_text(), path));
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_accepted),        cmocka_unit_test(everything_refused),
        cmocka_unit_test(any_bytes_are_survived),     cmocka_unit_test(written_reads_back),
        cmocka_unit_test(unset_numbers_are_left_out), cmocka_unit_test(shown_with_their_sources),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
