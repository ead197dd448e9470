/* The program cache: what was stored comes back, anything else is as good as absent; and a device
 * whose programs come from it computes the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <xxhash.h>

#include "dev/impl.h"

#include "rig.h"

static const struct ctr_cache_key key = {.text = "kernel void f() {}",
                                         .options = "-DX=1",
                                         .device = "device",
                                         .driver = "1.0",
                                         .platform = "platform"};
static const unsigned char binary[] = "not really \0 a binary";

static void start(struct tempdir *dir)
{
    tempdir_make(dir);
    setenv("CTR_CACHE", dir->dir, 1);
}

static void end(struct tempdir *dir)
{
    unsetenv("CTR_CACHE");
    tempdir_remove(dir);
}

/* Path of the only file in the directory; the number of files. */
static int only_file(char path[512], const struct tempdir *dir)
{
    int n = 0;
    DIR *d = opendir(dir->dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') {
            snprintf(path, 512, "%s/%.255s", dir->dir, e->d_name);
            n++;
        }
    closedir(d);
    return n;
}

static void test_round_trip(void **state)
{
    struct tempdir dir;
    size_t bytes = 0;
    char path[512];
    start(&dir);
    assert_null(ctr_cache_load(&bytes, &key));
    ctr_cache_store(&key, binary, sizeof binary);
    unsigned char *got = ctr_cache_load(&bytes, &key);
    assert_non_null(got);
    assert_int_equal(bytes, sizeof binary);
    assert_memory_equal(got, binary, sizeof binary);
    free(got);
    assert_int_equal(only_file(path, &dir), 1);
    ctr_cache_drop(&key);
    assert_null(ctr_cache_load(&bytes, &key));
    assert_int_equal(only_file(path, &dir), 0);
    end(&dir);
}

/* Every part of the key counts, and so do the borders between parts. */
static void test_other_keys(void **state)
{
    struct tempdir dir;
    size_t bytes;
    start(&dir);
    ctr_cache_store(&key, binary, sizeof binary);
    struct ctr_cache_key other[7] = {key, key, key, key, key, key, key};
    other[0].text = "kernel void g() {}";
    other[1].options = "-DX=2";
    other[2].device = "device2";
    other[3].driver = "1.1";
    other[4].platform = "platform 2";
    other[5].device = "device1", other[5].driver = ".0";
    other[6].device = "1.0", other[6].driver = "device";
    for (int i = 0; i < 7; i++)
        assert_null(ctr_cache_load(&bytes, &other[i]));
    end(&dir);
}

/* Cut anywhere, or any byte changed: absent, and the next store repairs it. */
static void test_damage(void **state)
{
    struct tempdir dir;
    size_t bytes, whole;
    char path[512];
    start(&dir);
    ctr_cache_store(&key, binary, sizeof binary);
    assert_int_equal(only_file(path, &dir), 1);
    char *file = tempdir_get(path, &whole);
    for (size_t cut = 0; cut < whole; cut++) {
        tempdir_put(path, file, cut);
        assert_null(ctr_cache_load(&bytes, &key));
    }
    for (size_t i = 0; i < whole; i++) {
        file[i] ^= 0x40;
        tempdir_put(path, file, whole);
        assert_null(ctr_cache_load(&bytes, &key));
        file[i] ^= 0x40;
    }
    ctr_cache_store(&key, binary, sizeof binary);
    void *got = ctr_cache_load(&bytes, &key);
    assert_non_null(got);
    free(got);
    free(file);
    end(&dir);
}

static void test_unusable_places(void **state)
{
    struct tempdir dir;
    size_t bytes;
    start(&dir);
    setenv("CTR_CACHE", "off", 1);
    ctr_cache_store(&key, binary, sizeof binary);
    assert_null(ctr_cache_load(&bytes, &key));
    tempdir_put(tempdir_path(&dir, "file"), "x", 1);
    setenv("CTR_CACHE", tempdir_path(&dir, "file"), 1); /* a file where a directory should be */
    ctr_cache_store(&key, binary, sizeof binary);
    assert_null(ctr_cache_load(&bytes, &key));
    end(&dir);
}

static const char source[] =
    "kernel void twice(global float *y) { y[get_global_id(0)] *= 2.0f; }\n";

/* Opens with the cache on whatever the quirks say, builds, runs, closes. 0 for a driver that ends
 * the process when it meets a binary it does not know. */
static int run_once(void)
{
    float data[16], out[16];
    ctr_buf *y;
    ctr_launch *launch;
    struct tempdir kernels;
    ctr_dev *dev = rig_open(&(struct ctr_dev_params){.quirks = "-no_binary_cache"});
    for (int i = 0; i < 16; i++)
        data[i] = (float)i;
    rig_kernels(&kernels, "twice.cl", source);
    assert_ok(ctr_buf_create(&y, dev, sizeof data, "y"));
    struct ctr_launch_spec spec = {
        .file = "twice.cl", .kernel = "twice", .global = {16}, .args = {CTR_BUF(y)}, .n_args = 1};
    assert_ok(ctr_launch_create(&launch, dev, &spec));
    assert_ok(ctr_dev_build(dev, 0, NULL, NULL));
    assert_ok(ctr_buf_write(y, 0, data, sizeof data));
    assert_ok(ctr_launch_run(launch));
    assert_ok(ctr_buf_read(out, y, 0, sizeof out));
    for (int i = 0; i < 16; i++)
        assert_true(out[i] == 2.0f * data[i]);
    const struct ctr_caps *caps = ctr_dev_caps(dev);
    int survives_nonsense =
        strcmp(caps->platform, "rusticl") != 0 || strncmp(caps->driver, "22.", 3) != 0;
    ctr_dev_destroy(&dev);
    rig_kernels_end(&kernels);
    return survives_nonsense;
}

/* A file that the cache believes and the driver cannot: right header, nonsense after it. */
static void forge(const char *path)
{
    static const char nonsense[] = "no driver ever wrote this";
    unsigned char file[40 + sizeof nonsense];
    size_t whole;
    char *old = tempdir_get(path, &whole);
    assert_true(whole > 40);
    memcpy(file, old, 24);
    free(old);
    uint64_t words[2] = {sizeof nonsense, XXH3_64bits(nonsense, sizeof nonsense)};
    for (int i = 0; i < 16; i++)
        file[24 + i] = (unsigned char)(words[i / 8] >> (8 * (i % 8)));
    memcpy(file + 40, nonsense, sizeof nonsense);
    tempdir_put(path, file, sizeof file);
}

static void test_device(void **state)
{
    struct tempdir dir;
    char path[512], again[512];
    start(&dir);
    int survives_nonsense = run_once();
    int stored = only_file(path, &dir);
    print_message("%d programs stored\n", stored);
    run_once(); /* from the cache, where the driver gives binaries at all */
    assert_int_equal(only_file(again, &dir), stored);
    if (stored && survives_nonsense) {
        forge(path);
        run_once();
        assert_int_equal(only_file(again, &dir), stored); /* replaced by a good one */
        size_t whole;
        free(tempdir_get(path, &whole));
        assert_int_not_equal(whole, 40 + sizeof "no driver ever wrote this");
    }
    end(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_other_keys),
        cmocka_unit_test(test_damage),          cmocka_unit_test(test_device),
        cmocka_unit_test(test_unusable_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
