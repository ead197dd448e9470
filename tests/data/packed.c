/* A packed set is the set it was made of; an interrupted packing goes on to the same bytes;
 * whatever else is in such a file ends in a message. */
#include "data/pack.h"
#include "base/rng.h"
#include "data/packed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../filefaults.h"
#include "tmp.h"

static struct tempdir tmp;

/* Two classes, splits, a file above the classes, one that is cut short. */
static int setup(void **state)
{
    (void)state;
    tempdir_make(&tmp);
    tmp_ppm(&tmp, "set/train/cat/1.ppm", 10);
    tmp_ppm(&tmp, "set/train/cat/2.ppm", 20);
    tmp_ppm(&tmp, "set/train/dog/1.ppm", 30);
    tmp_write(&tmp, "set/train/dog/2.ppm", "P6 2 2 255\n12", 13);
    tmp_ppm(&tmp, "set/train/dog/3.ppm", 40);
    tmp_ppm(&tmp, "set/train/odd.ppm", 50);
    tmp_ppm(&tmp, "set/test/dog/1.ppm", 60);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tempdir_remove(&tmp);
    return 0;
}

static char *path(const char *name)
{
    static char at[4][512];
    static unsigned next;
    char *p = at[next++ % 4];
    snprintf(p, sizeof at[0], "%s/%s", tmp.dir, name);
    return p;
}

static int pack_as(const char *out, unsigned size, unsigned channels, unsigned bits, int overwrite,
                   size_t *done)
{
    struct ctr_pack *pack = NULL;
    int rc = ctr_pack_open(&pack, &(struct ctr_pack_params){.data = path("set"),
                                                            .out = out,
                                                            .image_size = size,
                                                            .channels = channels,
                                                            .bits = bits,
                                                            .overwrite = overwrite});
    if (rc == 0 && done)
        *done = ctr_pack_done(pack);
    if (rc == 0)
        rc = ctr_pack_run(pack, NULL, NULL);
    if (rc == 0)
        assert_int_equal(ctr_pack_n_skipped(pack), 1);
    ctr_pack_close(&pack);
    return rc;
}

static void must_pack(const char *out)
{
    if (pack_as(out, 0, 0, 0, 0, NULL) != 0)
        fail_msg("%s", ctr_error_text());
}

/* Everything there is to know of a set agrees, and all pixels do. */
static void assert_same(struct ctr_data_params params)
{
    struct ctr_data *data[2];
    uint8_t *pixels[2];
    for (int k = 0; k < 2; k++) {
        params.path = k ? path("set.ctrd") : path("set");
        params.max_bad = 0.5;
        if (ctr_data_open(&data[k], &params) != 0)
            fail_msg("%s: %s", params.path, ctr_error_text());
        pixels[k] = malloc(ctr_data_bytes(data[k]));
    }
    const struct ctr_data_info *a = ctr_data_info(data[0]), *b = ctr_data_info(data[1]);
    assert_true(a->hash == b->hash && a->n == b->n && a->has_test == b->has_test);
    for (int k = 0; k < 2; k++)
        assert_int_equal(ctr_data_read_all(data[k], pixels[k], NULL, NULL), 0);
    assert_true(a->n == b->n && a->height == b->height && a->channels == b->channels);
    assert_true(a->sample_bytes == b->sample_bytes && a->n_classes == b->n_classes);
    for (unsigned c = 0; c < a->n_classes; c++)
        assert_string_equal(a->class_names[c], b->class_names[c]);
    for (size_t i = 0; i < a->n; i++) {
        assert_string_equal(a->names[i], b->names[i]);
        assert_int_equal(a->labels[i], b->labels[i]);
    }
    assert_memory_equal(pixels[0], pixels[1], ctr_data_bytes(data[0]));
    assert_int_equal(ctr_data_n_skipped(data[0]), ctr_data_n_skipped(data[1]));
    for (size_t i = 0; i < ctr_data_n_skipped(data[0]); i++)
        assert_string_equal(ctr_data_skip(data[0], i).path, ctr_data_skip(data[1], i).path);
    for (int k = 0; k < 2; k++) {
        ctr_data_close(&data[k]);
        free(pixels[k]);
    }
}

static void the_same_set(void **state)
{
    (void)state;
    must_pack(path("set.ctrd"));
    assert_same((struct ctr_data_params){.split = "train"});
    assert_same((struct ctr_data_params){.split = "test"});
    assert_same((struct ctr_data_params){.split = "all"});
    assert_same((struct ctr_data_params){.split = "all", .limit = 4});
    assert_same((struct ctr_data_params){.validation_share = 0.4});
    assert_same((struct ctr_data_params){.image_size = 5, .channels = 1});
    struct ctr_data *data = NULL;
    assert_int_equal(ctr_data_open(&data, &(struct ctr_data_params){.path = path("set.ctrd"),
                                                                    .split = "unlabeled"}),
                     CTR_E_DATA);
    assert_non_null(strstr(ctr_error_text(), "no split 'unlabeled'"));
}

static void settings_become_defaults(void **state)
{
    (void)state;
    struct ctr_data *data = NULL;
    assert_int_equal(pack_as(path("set.ctrd"), 300, 1, 16, 0, NULL), 0);
    assert_int_equal(ctr_data_open(&data, &(struct ctr_data_params){.path = path("set.ctrd")}), 0);
    const struct ctr_data_info *info = ctr_data_info(data);
    assert_string_equal(info->driver, "packed");
    assert_true(info->height == 300 && info->channels == 1 && info->sample_bytes == 2);
    ctr_data_close(&data);
    assert_same((struct ctr_data_params){.image_size = 300, .channels = 1, .bits = 16});
}

/* Of a packed set a second one is the same file. */
static void packed_again(void **state)
{
    size_t n = 0, m = 0;
    (void)state;
    must_pack(path("set.ctrd"));
    struct ctr_pack *pack = NULL;
    struct ctr_pack_params params = {.data = path("set.ctrd"), .out = path("two.ctrd")};
    assert_int_equal(ctr_pack_open(&pack, &params), 0);
    assert_int_equal(ctr_pack_run(pack, NULL, NULL), 0);
    assert_int_equal(ctr_pack_n_skipped(pack), 1);
    assert_string_equal(ctr_pack_skip(pack, 0).path, "train/dog/2.ppm");
    assert_string_equal(ctr_pack_skip(pack, 0).reason,
                        "truncated PN"); /* as much as 2 x 2 pixels hold */
    ctr_pack_close(&pack);
    char *one = tempdir_get(path("set.ctrd"), &n), *two = tempdir_get(path("two.ctrd"), &m);
    assert_int_equal(n, m);
    assert_memory_equal(one, two, n);
    free(one);
    free(two);
}

/* What is left of an earlier call, however it ended, is used as far as it is whole. */
static void goes_on(void **state)
{
    size_t n = 0, m = 0, done = 0;
    (void)state;
    must_pack(path("set.ctrd"));
    char *whole = tempdir_get(path("set.ctrd"), &n), *part = malloc(n + 9);
    struct ctr_packed_header h;
    memcpy(&h, whole, sizeof h);
    const size_t head = sizeof h + (size_t)h.index_bytes,
                 record = (size_t)ctr_packed_record_bytes(&h);
    for (size_t cut = 0; cut <= n + 9; cut += 41)
        for (int hurt = 0; hurt < 2; hurt++) {
            size_t kept = cut < n ? cut : n,
                   bad = hurt && cut > head + record ? head + record / 2 : cut;
            memset(part, 1, n + 9);
            memcpy(part, whole, kept);
            if (bad < cut)
                part[bad] ^= 4; /* in the first record */
            tempdir_put(path("set.ctrd.part"), part, cut);
            assert_int_equal(pack_as(path("set.ctrd"), 0, 0, 0, 1, &done), 0);
            assert_int_equal(done, bad < cut || kept < head ? 0 : (kept - head) / record);
            char *again = tempdir_get(path("set.ctrd"), &m);
            assert_int_equal(m, n);
            assert_memory_equal(again, whole, n);
            assert_int_equal(access(path("set.ctrd.part"), F_OK), -1);
            free(again);
        }
    tempdir_put(path("set.ctrd.part"), whole, n); /* of other settings: begun anew */
    assert_int_equal(pack_as(path("set.ctrd"), 3, 0, 0, 1, &done), 0);
    assert_int_equal(done, 0);
    free(whole);
    free(part);
}

/* Threads write their own records, so that a lost machine may leave later ones without an earlier one: what counts
 * ends at the hole. */
static void goes_on_from_a_hole(void **state)
{
    size_t n = 0, m = 0, done = 0;
    struct ctr_packed_header h;
    (void)state;
    must_pack(path("set.ctrd"));
    char *whole = tempdir_get(path("set.ctrd"), &n);
    memcpy(&h, whole, sizeof h);
    const size_t record = (size_t)ctr_packed_record_bytes(&h);
    for (size_t i = 0; i + 1 < h.n; i++) {
        const size_t at = sizeof h + (size_t)h.index_bytes + i * record;
        FILE *part = fopen(path("set.ctrd.part"), "wb");
        assert_non_null(part);
        assert_int_equal(fwrite(whole, 1, at, part), at);
        assert_int_equal(fseek(part, (long)record, SEEK_CUR), 0);
        assert_int_equal(fwrite(whole + at + record, 1, n - at - record, part), n - at - record);
        assert_int_equal(fclose(part), 0);
        assert_int_equal(pack_as(path("set.ctrd"), 0, 0, 0, 1, &done), 0);
        assert_int_equal(done, i);
        char *again = tempdir_get(path("set.ctrd"), &m);
        assert_int_equal(m, n);
        assert_memory_equal(again, whole, n);
        free(again);
    }
    free(whole);
}

/* Each call on the file fails, alone or with all after it: an earlier set stays, and the next call goes on
 * to the same bytes. */
static void failing_calls(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    char out[512], under[512];
    size_t n = 0, m = 0;
    long failures = 0;
    (void)state;
    must_pack(path("set.ctrd"));
    char *whole = tempdir_get(path("set.ctrd"), &n);
    snprintf(out, sizeof out, "%s", path("old.ctrd"));
    snprintf(under, sizeof under, "%s", path("old."));
    for (int mode = 0; mode < 4; mode++)
        for (long at = 1, done = 0; !done; at++) {
            tempdir_put(out, "old", 3);
            filefaults.under = under;
            filefaults_arm(at, errors[mode % 2], mode / 2);
            int rc = pack_as(out, 0, 0, 0, 1, NULL);
            done = !filefaults_disarm();
            if (rc != 0) {
                assert_int_equal(rc, CTR_E_IO);
                assert_non_null(strstr(ctr_error_text(), out));
                char *data = tempdir_get(out, &m);
                assert_string_equal(data, "old");
                free(data);
                failures++;
                assert_int_equal(pack_as(out, 0, 0, 0, 1, NULL), 0);
            }
            char *again = tempdir_get(out, &m);
            assert_int_equal(m, n);
            assert_memory_equal(again, whole, n);
            free(again);
            assert_int_equal(access(path("old.ctrd.part"), F_OK), -1);
        }
    filefaults.under = NULL;
    assert_true(failures >= 4 * 5); /* open, pwrite, write, fsync, rename; what is synced no failing close can lose */
    free(whole);
}

static int stop_at_once(void *user, size_t done, size_t total)
{
    (void)user, (void)done, (void)total;
    return 77;
}

static void stopped_and_refused(void **state)
{
    (void)state;
    struct ctr_pack *pack = NULL, *other = NULL;
    struct ctr_pack_params params = {.data = path("set"), .out = path("set.ctrd")};
    assert_int_equal(ctr_pack_open(&pack, &params), 0);
    assert_int_equal(ctr_pack_open(&other, &params), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "written by another process"));
    assert_int_equal(ctr_pack_run(pack, stop_at_once, NULL), 77);
    ctr_pack_close(&pack);
    assert_int_equal(access(path("set.ctrd"), F_OK), -1);
    assert_int_equal(access(path("set.ctrd.part"), F_OK), 0);
    must_pack(path("set.ctrd"));
    assert_int_equal(pack_as(path("set.ctrd"), 0, 0, 0, 0, NULL), CTR_E_USAGE);
    assert_int_equal(pack_as(path("set.pack"), 0, 0, 0, 0, NULL), CTR_E_USAGE);
    assert_int_equal(pack_as(path("nowhere/set.ctrd"), 0, 0, 0, 0, NULL), CTR_E_IO);
    assert_int_equal(ctr_mkdirs(path("dir.ctrd")), 0);
    assert_int_equal(pack_as(path("dir.ctrd"), 0, 0, 0, 1, NULL), CTR_E_USAGE);
}

/* ---- damage ---- */

/* Opens "bad.ctrd" and reads all of it. */
static int read_bad(void)
{
    struct ctr_data *data = NULL;
    int rc = ctr_data_open(
        &data, &(struct ctr_data_params){.path = path("bad.ctrd"), .split = "all", .max_bad = 1});
    if (rc == 0 && ctr_data_bytes(data) < 1 << 20) {
        uint8_t *pixels = malloc(ctr_data_bytes(data));
        rc = ctr_data_read_all(data, pixels, NULL, NULL);
        free(pixels);
    }
    ctr_data_close(&data);
    return rc;
}

static void expect_bad(const void *bytes, size_t n, const char *reason)
{
    tempdir_put(path("bad.ctrd"), bytes, n);
    assert_int_equal(read_bad(), CTR_E_DATA);
    if (!strstr(ctr_error_text(), reason) || !strstr(ctr_error_text(), "bad.ctrd"))
        fail_msg("'%s' lacks '%s'", ctr_error_text(), reason);
}

static void bits_and_lengths(void **state)
{
    size_t n = 0;
    (void)state;
    must_pack(path("set.ctrd"));
    char *file = tempdir_get(path("set.ctrd"), &n);
    for (size_t bit = 0; bit < 8 * n; bit += bit / 8 < sizeof(struct ctr_packed_header) ? 1 : 5) {
        file[bit / 8] ^= (char)(1 << bit % 8);
        expect_bad(file, n, "");
        file[bit / 8] ^= (char)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < n; cut += 3)
        expect_bad(file, cut, "");
    tempdir_put(path("bad.ctrd"), file, n);
    assert_int_equal(read_bad(), 0);
    free(file);
}

static void seal(char *file)
{
    struct ctr_packed_header h;
    memcpy(&h, file, sizeof h);
    h.sum = ctr_packed_header_sum(&h);
    memcpy(file, &h, sizeof h);
}

/* Lies with the right checksum. */
static void what_is_said(void **state)
{
    size_t n = 0;
    (void)state;
    must_pack(path("set.ctrd"));
    char *file = tempdir_get(path("set.ctrd"), &n), *bad = malloc(n + 1);
    expect_bad(file, 40, "too few for a header");
    expect_bad(file, n - 1, "is incomplete: 6 of 7 images");
    expect_bad(file, sizeof(struct ctr_packed_header) + 5, "do not fit the file");
    expect_bad("<html>this is no packed set, nor was it ever meant to be one of them</html>", 75,
               "no packed set");
    static const struct {
        size_t at, bytes;
        uint64_t value;
        const char *reason;
    } lies[] = {
        {8, 4, 2, "version 2; this program reads version 1"},
        {12, 4, 0, "sizes cannot be"},
        {12, 4, 4097, "sizes cannot be"},
        {16, 4, 17, "sizes cannot be"},
        {20, 4, 3, "sizes cannot be"},
        {24, 8, 0, "sizes cannot be"},
        {24, 8, UINT64_MAX / 36, "sizes cannot be"},
        {24, 8, UINT32_MAX - 1, "do not fit"},
        {24, 8, 8, "is incomplete: 7 of 8"},
        {24, 8, 6, "bytes behind its end"},
        {32, 4, UINT32_MAX, "do not fit"},
        {40, 8, UINT64_MAX - 7, "do not fit"},
        {40, 8, 0, "do not fit"},
        {12, 4, 4096, "is incomplete: 0 of 7"},
        {36, 4, 1, "sizes cannot be"},
        {32, 4, 90, "cannot be"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        memcpy(bad, file, n);
        memcpy(bad + lies[i].at, &lies[i].value, lies[i].bytes);
        seal(bad);
        expect_bad(bad, n, lies[i].reason);
    }
    memcpy(bad, file, n);
    bad[n] = 0;
    expect_bad(bad, n + 1, "bytes behind its end");
    bad[n - 30] ^= 1;
    expect_bad(bad, n, "the checksum of 'test/dog/1.ppm' is wrong");
    free(file);
    free(bad);
}

/* Random bytes in header and index, their sums made right: nothing but messages, or another good
 * set. */
static void mutated(void **state)
{
    size_t n = 0;
    (void)state;
    must_pack(path("set.ctrd"));
    char *file = tempdir_get(path("set.ctrd"), &n), *bad = malloc(n);
    struct ctr_packed_header h;
    struct ctr_rng rng;
    memcpy(&h, file, sizeof h);
    const size_t index = (size_t)h.index_bytes;
    ctr_rng_init(&rng, 3, CTR_RNG_TEST, 0, 0);
    for (int round = 0; round < 1000; round++) {
        memcpy(bad, file, n);
        for (uint32_t k = ctr_rng_below(&rng, 4) + 1; k > 0; k--) {
            size_t at = round % 2 ? 8 + ctr_rng_below(&rng, 40)
                                  : sizeof h + ctr_rng_below(&rng, (uint32_t)index);
            bad[at] = (char)(ctr_rng_below(&rng, 3) ? ctr_rng_u32(&rng) : ctr_rng_below(&rng, 3));
        }
        memcpy(&h, bad, sizeof h);
        h.index_sum = XXH3_64bits(bad + sizeof h, index);
        memcpy(bad, &h, sizeof h);
        seal(bad);
        tempdir_put(path("bad.ctrd"), bad, n);
        int rc = read_bad();
        assert_true(rc == 0 || rc == CTR_E_DATA);
    }
    free(file);
    free(bad);
}

static void becomes_shorter(void **state)
{
    (void)state;
    struct ctr_data *data = NULL;
    uint8_t pixels[6 * 12];
    must_pack(path("set.ctrd"));
    assert_int_equal(ctr_data_open(&data, &(struct ctr_data_params){.path = path("set.ctrd")}), 0);
    assert_int_equal(truncate(path("set.ctrd"), 100), 0);
    assert_int_equal(ctr_data_read_all(data, pixels, NULL, NULL), CTR_E_DATA);
    assert_non_null(strstr(ctr_error_text(), "become shorter"));
    ctr_data_close(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_set, setup, teardown),
        cmocka_unit_test_setup_teardown(settings_become_defaults, setup, teardown),
        cmocka_unit_test_setup_teardown(packed_again, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(goes_on_from_a_hole, setup, teardown),
        cmocka_unit_test_setup_teardown(failing_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(stopped_and_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bits_and_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(mutated, setup, teardown),
        cmocka_unit_test_setup_teardown(becomes_shorter, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
