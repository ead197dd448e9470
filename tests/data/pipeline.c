/* The line of augmentations: what it means, and what is said of a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "data/augment.h"

static void expect_text(const char *line, const char *want)
{
    struct ctr_augment_params params;
    struct ctr_str text = {0};
    if (ctr_augment_parse(&params, line) != 0)
        fail_msg("'%s': %s", line, ctr_error_text());
    ctr_augment_text(&text, &params);
    assert_string_equal(text.s ? text.s : "", want);
    ctr_str_free(&text);
}

static void lines_mean(void **state)
{
    (void)state;
    static const struct {
        const char *line, *text;
    } cases[] = {
        {"", ""},
        {" \t ", ""},
        {"none", ""},
        {"crop(0.2,1) flip jitter(.4,.4,.4,.1;.8) gray(.1)",
         "crop(0.2,1,0.75,1.3333334;1) flip(0.5) jitter(0.4,0.4,0.4,0.1;0.8) gray(0.1)"},
        {"small", "crop(0.08,1,0.75,1.3333334;1) flip(0.5) jitter(0.4,0.4,0.4,0.1;0.8) gray(0.2)"},
        {"small blur(;1)|none",
         "crop(0.08,1,0.75,1.3333334;1) flip(0.5) jitter(0.4,0.4,0.4,0.1;0.8) gray(0.2) "
         "blur(0.1,2;1) | "},
        {"crop(1/2,1,3/4,4/3)", "crop(0.5,1,0.75,1.3333334;1)"},
        {"jitter ( hue = .2 ; p = .5 )", "jitter(0.4,0.4,0.4,0.2;0.5)"},
        {"jitter(.1,hue=.2)", "jitter(0.1,0.4,0.4,0.2;0.8)"},
        {"jitter(hue=.2,p=1)", "jitter(0.4,0.4,0.4,0.2;1)"},
        {"jitter(hue=.2;1)", "jitter(0.4,0.4,0.4,0.2;1)"},
        {"flip() flip(;0.25) flip(p=0.125) sobel(1)", "flip(0.5) flip(0.25) flip(0.125) sobel(1)"},
        {"patch(2,1e-1)", "patch(2,0.1;1)"},
        {"sobel|equalize|gray", "sobel(0.5) | equalize(0.5) | gray(0.2)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_text(cases[i].line, cases[i].text);
        expect_text(cases[i].text, cases[i].text);
    }
}

static void occurrences_are_counted(void **state)
{
    (void)state;
    struct ctr_augment_params p;
    assert_int_equal(ctr_augment_parse(&p, "blur gray blur blur | blur"), 0);
    assert_int_equal(p.n, 2);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(p.pipeline[0].stage[i].occurrence, i < 2 ? 0 : i - 1);
    assert_int_equal(p.pipeline[1].stage[0].occurrence, 0);
}

/* Cuts go first, each of its kind is counted, and too many are refused. */
static void lines_are_joined(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *text;
    } cases[] = {
        {"flip", "gray", "flip(0.5) gray(0.2)"},
        {"gray", "flip gray(1)", "gray(0.2) flip(0.5) gray(1)"},
        {"none", "gray", "gray(0.2)"},
        {"gray", "none", "gray(0.2)"},
        {"none", "none", ""},
        {"flip", "patch(2) gray", "patch(2,0;1) flip(0.5) gray(0.2)"},
        {"patch(2) gray", "crop(.5) flip", "patch(2,0;1) crop(0.5,1,0.75,1.3333334;1) gray(0.2) flip(0.5)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ctr_augment_params a, b, again;
        struct ctr_str text = {0};
        assert_int_equal(ctr_augment_parse(&a, cases[i].a), 0);
        assert_int_equal(ctr_augment_parse(&b, cases[i].b), 0);
        assert_int_equal(ctr_pipeline_join(&a.pipeline[0], &a.pipeline[0], &b.pipeline[0]), 0);
        ctr_augment_text(&text, &a);
        assert_string_equal(text.s ? text.s : "", cases[i].text);
        /* numbers of occurrence, too, are those of the line */
        assert_int_equal(ctr_augment_parse(&again, cases[i].text), 0);
        for (unsigned k = 0; k < again.pipeline[0].n; k++)
            assert_int_equal(a.pipeline[0].stage[k].occurrence, again.pipeline[0].stage[k].occurrence);
        ctr_str_free(&text);
    }
    struct ctr_augment_params nine;
    assert_int_equal(ctr_augment_parse(&nine, "flip flip flip flip flip flip flip flip flip"), 0);
    assert_int_equal(ctr_pipeline_join(&nine.pipeline[0], &nine.pipeline[0], &nine.pipeline[0]), CTR_E_USAGE);
    assert_int_equal(nine.pipeline[0].n, 9);
}

/* Text, where (the character), what is marked, hint. */
static void wrong_lines_are_shown(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        unsigned at, n;
        const char *text, *hint;
    } cases[] = {
        {"crop(0.2,1) flop jitter", 13, 4, "there is no transformation 'flop'", "'flip'"},
        {"grayscale", 1, 9, "no transformation 'grayscale'", "'gray'"},
        {"randomresizedcrop", 1, 17, "no transformation", "'crop'"},
        {"smal", 1, 4, "no transformation", "'small'"},
        {"xyzzy", 1, 5, "no transformation", "--list"},
        {"flip,gray", 5, 1, "name of a transformation is expected", ""},
        {"flip )", 6, 1, "name of a transformation", ""},
        {"jitter(.4,.4", 13, 1, "`,`, `;` or `)` is missing", ""},
        {"jitter(", 8, 1, "a number is missing", ""},
        {"jitter(;", 9, 1, "a number is missing", ""},
        {"jitter(;)", 9, 1, "a number is missing", ""},
        {"jitter(.4,;1)", 11, 1, "a number is missing", ""},
        {"jitter(.4,)", 11, 1, "a number is missing", ""},
        {"jitter(.4 .4)", 11, 1, "`,`, `;` or `)` is missing", ""},
        {"jitter(.4;1,2)", 12, 1, "`)` is missing", ""},
        {"jitter(.4;1;1)", 12, 1, "`)` is missing", ""},
        {"jitter(.4,.4,.4,.1,.8)", 20, 2, "has 4 values and a probability", ""},
        {"flip(.5,.5)", 9, 2, "flip has 0 values and a probability", ""},
        {"jitter(x)", 8, 1, "this is no number", ""},
        {"jitter(0x1p3)", 8, 5, "this is no number", ""},
        {"jitter(1/0)", 8, 3, "this is no number", ""},
        {"jitter(nan)", 8, 3, "this is no number", ""},
        {"jitter(.4,.4,.4,.6)", 17, 2, "hue of jitter is 0.6, not between 0 and 0.5", ""},
        {"jitter(;1.5)", 9, 3, "the probability of jitter is 1.5, not between 0 and 1", ""},
        {"gray(-1)", 6, 2, "the probability of gray is -1", ""},
        {"jitter(hu=.1)", 8, 2, "jitter has no value 'hu'",
         "brightness, contrast, saturation, hue, p"},
        {"jitter(hue=.1,.4)", 15, 1, "values with names come last", ""},
        {"jitter(hue=.1,hue=.2)", 19, 2, "hue of jitter is given twice", ""},
        {"jitter(p=1;1)", 12, 1, "the probability of jitter is given twice", ""},
        {"crop(.5,.2)", 9, 2, "area_min 0.5 is above area_max 0.2", ""},
        {"blur(3)", 6, 1, "sigma_min 3 is above sigma_max 2", ""},
        {"patch(2.5)", 7, 3, "n of patch is a whole number", ""},
        {"flip crop", 6, 4, "crop comes before all others", ""},
        {"flip | gray patch", 13, 5, "patch comes before all others", ""},
        {"flip flip flip flip flip flip flip flip flip flip flip flip flip flip flip flip gray", 81,
         4, "at most 16", ""},
        {"||||||||", 8, 1, "at most 8 pipelines", ""},
        {"flip\ngray", 5, 1, "name of a transformation", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ctr_augment_params params, before;
        char at[32];
        memset(&params, 0x5a, sizeof params);
        before = params;
        snprintf(at, sizeof at, "character %u: ", cases[i].at);
        if (ctr_augment_parse(&params, cases[i].line) != CTR_E_USAGE)
            fail_msg("'%s' is accepted", cases[i].line);
        const char *text = ctr_error_text(), *marks = strrchr(text, '\n') + 1;
        size_t blank = cases[i].at - 1 > 40 ? 40 : cases[i].at - 1;
        if (strncmp(text, at, strlen(at)) != 0 || !strstr(text, cases[i].text) ||
            !strstr(ctr_error_hint(), cases[i].hint) || strspn(marks, " ") != blank ||
            strlen(marks + blank) != cases[i].n || marks[blank] != '^')
            fail_msg("'%s': %s (%s)", cases[i].line, text, ctr_error_hint());
        assert_memory_equal(&params, &before, sizeof params);
    }
}

/* A long line is shown in part, its marks below what they mean. */
static void long_lines_are_cut(void **state)
{
    (void)state;
    struct ctr_augment_params params;
    char line[1024];
    memset(line, ' ', sizeof line);
    memcpy(line + 900, "wrong", 5);
    line[1000] = '\0';
    assert_int_equal(ctr_augment_parse(&params, line), CTR_E_USAGE);
    const char *marks = strrchr(ctr_error_text(), '\n') + 1;
    const char *shown = strchr(ctr_error_text(), '\n') + 1;
    assert_true(strlen(marks) < 80 && strcspn(shown, "\n") < 80);
    assert_memory_equal(shown + strspn(marks, " "), "wrong", 5);
}

/* The table's own rows: defaults in range, presets right, names that the parser reads. */
static void the_table_is_sound(void **state)
{
    (void)state;
    struct ctr_augment_params params;
    for (int kind = 0; kind < CTR_TRANSFORMS; kind++) {
        const struct ctr_transform *t = &ctr_transforms[kind];
        assert_int_equal(ctr_augment_parse(&params, t->name), 0);
        assert_int_equal(params.pipeline[0].stage[0].kind, kind);
        assert_true(t->p > 0 && t->p <= 1);
        for (int i = 0; i < CTR_STAGE_VALUES && t->value[i].name; i++) {
            const struct ctr_value *v = &t->value[i];
            assert_true(v->init >= v->min && v->init <= v->max);
            assert_true(!(v->flags & CTR_VALUE_LOG) || v->min > 0);
            assert_true(!(v->flags & CTR_VALUE_UPPER) || i > 0);
            assert_true(params.pipeline[0].stage[0].value[i] == (float)v->init);
        }
    }
    for (const struct ctr_augment_preset *p = ctr_augment_presets; p->name; p++)
        assert_int_equal(ctr_augment_parse(&params, p->name), 0);
    struct ctr_augment_params small = ctr_augment_usual(96, 3), large = ctr_augment_usual(97, 4);
    assert_true(small.n == 1 && small.pipeline[0].n == 4);
    assert_true(large.n == 1 && large.pipeline[0].n == 4 && large.pipeline[0].stage[3].kind == CTR_T_BLUR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_mean),
        cmocka_unit_test(occurrences_are_counted),
        cmocka_unit_test(lines_are_joined),
        cmocka_unit_test(wrong_lines_are_shown),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(the_table_is_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
