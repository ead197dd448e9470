/* set.h -- a directory `tmp` for each test, and data sets opened in it. Include cmocka.h before. */
#ifndef TESTS_DATA_SET_H
#define TESTS_DATA_SET_H

#include "data/data.h"

#include "tmp.h"

static struct tempdir tmp;

static inline int setup(void **state)
{
    (void)state;
    tempdir_make(&tmp);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    tempdir_remove(&tmp);
    return 0;
}

static inline struct ctr_data *must_open(const struct ctr_data_params *params)
{
    struct ctr_data *data = NULL;
    if (ctr_data_open(&data, params) != 0)
        fail_msg("%s", ctr_error_text());
    return data;
}

static inline struct ctr_data *open_split(const char *split)
{
    return must_open(&(struct ctr_data_params){.path = tmp.dir, .split = split, .image_size = 2});
}

static inline void assert_fails(const struct ctr_data_params *params, int code, const char *text,
                                const char *hint)
{
    struct ctr_data *data = NULL;
    assert_int_equal(ctr_data_open(&data, params), code);
    assert_null(data);
    if (!strstr(ctr_error_text(), text))
        fail_msg("'%s' lacks '%s'", ctr_error_text(), text);
    if (!strstr(ctr_error_hint(), hint))
        fail_msg("hint '%s' lacks '%s'", ctr_error_hint(), hint);
}

#endif
