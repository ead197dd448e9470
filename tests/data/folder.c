/* Folders: classes, splits, odd names, links, what is no image; and the policy for bad images. */
#include "data/data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "set.h"

static void classes_are_sorted_directories(void **state)
{
    (void)state;
    tmp_ppm(&tmp, "b/2.PPM", 1);
    tmp_ppm(&tmp, "b/1.ppm", 2);
    tmp_ppm(&tmp, "B/deep/er/x.ppm", 3);
    tmp_ppm(&tmp, "a/z.ppm", 4);
    tmp_ppm(&tmp, "top.ppm", 5);
    tmp_ppm(&tmp, ".hidden/x.ppm", 6);
    tmp_ppm(&tmp, "a/._z.ppm", 7);
    tmp_write(&tmp, "a/notes.txt", "x", 1);
    tmp_write(&tmp, "empty/readme.md", "x", 1);
    struct ctr_data *data = open_split(NULL);
    const struct ctr_data_info *info = ctr_data_info(data);
    static const char *const names[] = {"top.ppm", "B/deep/er/x.ppm", "a/z.ppm", "b/1.ppm",
                                        "b/2.PPM"};
    static const int labels[] = {-1, 0, 1, 2, 2}, reds[] = {5, 3, 4, 2, 1};
    uint8_t images[5][12];
    assert_string_equal(info->driver, "folder");
    assert_int_equal(info->n, 5);
    assert_int_equal(info->n_classes, 3);
    assert_false(info->has_test);
    assert_int_equal(ctr_data_read_all(data, images[0], NULL, NULL), 0);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(info->names[i], names[i]);
        assert_int_equal(info->labels[i], labels[i]);
        assert_int_equal(images[i][0], reds[i]);
    }
    ctr_data_close(&data);
    assert_fails(&(struct ctr_data_params){.path = tmp.dir, .split = "test"}, CTR_E_DATA,
                 "no split 'test'", "train, all");
}

static void flat_folder_has_no_classes(void **state)
{
    (void)state;
    tmp_ppm(&tmp, "1.ppm", 1);
    tmp_ppm(&tmp, "2.ppm", 2);
    struct ctr_data *data = open_split("all");
    assert_int_equal(ctr_data_info(data)->n, 2);
    assert_int_equal(ctr_data_info(data)->n_classes, 0);
    assert_int_equal(ctr_data_info(data)->labels[1], -1);
    ctr_data_close(&data);
}

/* Both splits number the classes alike, also when one of them lacks a class. */
static void splits_share_classes(void **state)
{
    (void)state;
    tmp_ppm(&tmp, "train/a/1.ppm", 1);
    tmp_ppm(&tmp, "train/c/1.ppm", 2);
    tmp_ppm(&tmp, "val/b/1.ppm", 3);
    tmp_ppm(&tmp, "val/c/1.ppm", 4);
    struct ctr_data *train = open_split("train"), *test = open_split("val"),
                    *all = open_split("all");
    assert_true(ctr_data_info(train)->n == 2 && ctr_data_info(test)->n == 2 &&
                ctr_data_info(all)->n == 4);
    assert_true(ctr_data_info(train)->has_test);
    assert_int_equal(ctr_data_info(test)->n_classes, 3);
    assert_int_equal(ctr_data_info(train)->labels[1], 2);
    assert_int_equal(ctr_data_info(test)->labels[0], 1);
    assert_int_equal(ctr_data_info(test)->labels[1], 2);
    assert_string_equal(ctr_data_info(test)->names[0], "val/b/1.ppm");
    ctr_data_close(&train);
    ctr_data_close(&test);
    ctr_data_close(&all);
}

static void links_fifos_and_dark_files(void **state)
{
    (void)state;
    char target[128];
    tmp_ppm(&tmp, "a/1.ppm", 1);
    assert_int_equal(symlink("..", tmp_path(&tmp, "a/up")), 0);
    assert_int_equal(symlink("a", tmp_path(&tmp, "again")), 0);
    assert_int_equal(symlink("nowhere", tmp_path(&tmp, "a/dangling.jpg")), 0);
    assert_int_equal(symlink("self.png", tmp_path(&tmp, "a/self.png")), 0);
    assert_int_equal(symlink("/dev/zero", tmp_path(&tmp, "a/device.png")), 0);
    assert_int_equal(mkfifo(tmp_path(&tmp, "a/fifo.jpg"), 0600), 0);
    tmp_ppm(&tmp, "outside/2.ppm", 2);
    snprintf(target, sizeof target, "%s/outside", tmp.dir);
    assert_int_equal(symlink(target, tmp_path(&tmp, "b")), 0);
    struct ctr_data *data = open_split(NULL);
    assert_int_equal(ctr_data_info(data)->n, 2);
    assert_int_equal(ctr_data_n_skipped(data), 7);
    ctr_data_close(&data);
}

static void any_name_works(void **state)
{
    (void)state;
    static const char *const names[] = {"a b/with space.ppm",  "a b/new\nline.ppm",
                                        "a b/\x1b[31mred.ppm", "a b/\xff\xfe.ppm",
                                        "a b/<script>.ppm",    "\xc3\xa9/%s%n.ppm"};
    char longest[300] = "l/";
    memset(longest + 2, 'x', 251);
    strcpy(longest + 253, ".ppm");
    for (size_t i = 0; i < 6; i++)
        tmp_ppm(&tmp, names[i], (unsigned char)i);
    tmp_ppm(&tmp, longest, 9);
    struct ctr_data *data = open_split(NULL);
    uint8_t images[7][12];
    assert_int_equal(ctr_data_info(data)->n, 7);
    assert_int_equal(ctr_data_read_all(data, images[0], NULL, NULL), 0);
    assert_int_equal(ctr_data_n_skipped(data), 0);
    ctr_data_close(&data);
}

/* Deeper than PATH_MAX: built and removed in steps, as the walk goes. */
static void deep_paths(void **state)
{
    (void)state;
    enum { DEPTH = 60 };
    char name[120];
    memset(name, 'd', 119);
    name[119] = '\0';
    int fd = open(tmp.dir, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < DEPTH; i++) {
        assert_int_equal(mkdirat(fd, name, 0700), 0);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = next;
    }
    int file = openat(fd, "x.pgm", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(file, "P5 1 1 255\n\x07", 12), 12);
    close(file);
    struct ctr_data *data = open_split(NULL);
    uint8_t image[12];
    assert_int_equal(ctr_data_info(data)->n, 1);
    assert_int_equal(strlen(ctr_data_info(data)->names[0]), DEPTH * 120 + 5);
    assert_int_equal(ctr_data_read_all(data, image, NULL, NULL), 0);
    assert_int_equal(image[11], 7);
    ctr_data_close(&data);
    unlinkat(fd, "x.pgm", 0);
    for (int i = 0; i < DEPTH; i++) {
        int up = openat(fd, "..", O_RDONLY | O_DIRECTORY);
        close(fd);
        unlinkat(up, name, AT_REMOVEDIR);
        fd = up;
    }
    close(fd);
}

static void nothing_there(void **state)
{
    (void)state;
    struct ctr_data_params params = {.path = tmp.dir};
    assert_fails(&params, CTR_E_DATA, "no images found", "directory");
    tmp_write(&tmp, "x/a.gif", "", 0);
    tmp_write(&tmp, "x/b.GIF", "", 0);
    tmp_write(&tmp, "x/README", "", 0);
    assert_fails(&params, CTR_E_DATA, "looked for .jpg", "2 .");
    params.path = "/nonexistent/place";
    assert_fails(&params, CTR_E_DATA, "No such file", "");
    params.path = "floder:/tmp";
    assert_fails(&params, CTR_E_USAGE, "no data driver 'floder'", "folder, shapes, cifar10");
    params.path = "shapes:/tmp";
    assert_fails(&params, CTR_E_USAGE, "no directory", "");
    tmp_write(&tmp, "cifar.tar.gz", "", 0);
    params.path = tmp_path(&tmp, "cifar.tar.gz");
    assert_fails(&params, CTR_E_DATA, "not a directory", "unpack");
    params.path = NULL;
    params.image_size = 1u << 20;
    assert_fails(&params, CTR_E_USAGE, "image size", "");
}

static void bad_images_leave(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%c/%02d.ppm", i < 20 ? 'a' : 'b', i);
        tmp_ppm(&tmp, name, (unsigned char)i);
    }
    tmp_write(&tmp, "a/05.ppm", "", 0);
    tmp_write(&tmp, "b/30.ppm", "<html>", 6);
    struct ctr_data *data = open_split(NULL);
    uint8_t images[40][12];
    unlink(tmp_path(&tmp, "b/39.ppm"));
    /* 3 of 40 are more than 5 % */
    assert_int_equal(ctr_data_read_all(data, images[0], NULL, NULL), CTR_E_DATA);
    assert_non_null(strstr(ctr_error_text(), "too many bad images"));
    assert_non_null(strstr(ctr_error_hint(), "ppm: "));
    ctr_data_close(&data);
    tmp_ppm(&tmp, "b/39.ppm", 39);
    data = open_split(NULL);
    const struct ctr_data_info *info = ctr_data_info(data);
    assert_int_equal(ctr_data_read_all(data, images[0], NULL, NULL), 0);
    assert_int_equal(info->n, 38);
    assert_int_equal(ctr_data_n_skipped(data), 2);
    for (size_t i = 0; i < info->n; i++) {
        int number = atoi(info->names[i] + 2);
        assert_int_equal(images[i][0], number);
        assert_int_equal(info->labels[i], number >= 20);
    }
    ctr_data_close(&data);
}

static void bad_images_are_replaced(void **state)
{
    (void)state;
    char name[32];
    const uint32_t index[5] = {4, 5, 9, 0, 5};
    uint32_t used[5];
    uint8_t images[5][12];
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "%02d.ppm", i);
        tmp_ppm(&tmp, name, (unsigned char)i);
    }
    struct ctr_data *data =
        must_open(&(struct ctr_data_params){.path = tmp.dir, .image_size = 2, .max_bad = 0.35});
    tmp_write(&tmp, "05.ppm", "P6 2 2 255\n", 11);
    tmp_write(&tmp, "06.ppm", "GIF89a", 6);
    unlink(tmp_path(&tmp, "09.ppm"));
    assert_int_equal(ctr_data_read(data, images[0], used, index, 5), 0);
    static const uint32_t want[5] = {4, 7, 0, 0, 7};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(used[i], want[i]);
        assert_int_equal(images[i][0], want[i]);
    }
    assert_int_equal(ctr_data_info(data)->n, 10);
    assert_int_equal(ctr_data_n_skipped(data), 3);
    unlink(tmp_path(&tmp, "04.ppm"));
    assert_int_equal(ctr_data_read(data, images[0], used, index, 5), CTR_E_DATA);
    const uint32_t outside = 10;
    assert_int_equal(ctr_data_read(data, images[0], used, &outside, 1), CTR_E_USAGE);
    ctr_data_close(&data);
}

/* Running out of file descriptors is no property of the images: fatal, and nothing is marked bad.
 */
static void no_descriptor_left(void **state)
{
    (void)state;
    tmp_ppm(&tmp, "1.ppm", 1);
    struct ctr_data *data = open_split(NULL), *none = NULL;
    struct ctr_data_params params = {.path = tmp.dir};
    struct rlimit old, few;
    const uint32_t index = 0;
    uint8_t image[12];
    int next = dup(0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = (struct rlimit){(rlim_t)next, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int read_rc = ctr_data_read(data, image, NULL, &index, 1);
    few.rlim_cur++;
    setrlimit(RLIMIT_NOFILE, &few);
    int open_rc = ctr_data_open(&none, &params);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_int_equal(read_rc, CTR_E_FAIL);
    assert_int_equal(open_rc, CTR_E_FAIL);
    assert_int_equal(ctr_data_n_skipped(data), 0);
    assert_int_equal(ctr_data_read(data, image, NULL, &index, 1), 0);
    assert_int_equal(image[0], 1);
    ctr_data_close(&data);
}

static void hash_notices_changes(void **state)
{
    (void)state;
    tmp_ppm(&tmp, "a/1.ppm", 1);
    tmp_ppm(&tmp, "a/2.ppm", 1);
    uint64_t hash[4];
    for (int i = 0; i < 4; i++) {
        if (i == 2)
            tmp_write(&tmp, "a/2.ppm", "P6 1 1 255\nabc", 14);
        if (i == 3) {
            tmp_ppm(&tmp, "a/0.ppm", 1);
            unlink(tmp_path(&tmp, "a/1.ppm"));
        }
        struct ctr_data *data = open_split(NULL);
        hash[i] = ctr_data_info(data)->hash;
        ctr_data_close(&data);
    }
    assert_true(hash[0] == hash[1] && hash[1] != hash[2] && hash[2] != hash[3]);
}

static void default_sizes(void **state)
{
    (void)state;
    char file[128];
    static uint8_t grey[32 + 300 * 300];
    static const struct {
        unsigned w, h, size;
    } cases[] = {{20, 20, 20}, {40, 30, 32}, {100, 99, 96}, {256, 256, 256}, {300, 300, 224}};
    for (size_t i = 0; i < 5; i++) {
        int n = snprintf((char *)grey, 32, "P5 %u %u 255\n", cases[i].w, cases[i].h);
        snprintf(file, sizeof file, "%zu/x.pgm", i);
        tmp_write(&tmp, file, grey, (size_t)n + cases[i].w * cases[i].h);
        snprintf(file, sizeof file, "%s/%zu", tmp.dir, i);
        struct ctr_data *data = must_open(&(struct ctr_data_params){.path = file});
        assert_int_equal(ctr_data_info(data)->height, cases[i].size);
        ctr_data_close(&data);
    }
    /* Of different sizes, by the shorter side of the middle one. */
    static const unsigned sizes[][2] = {{250, 300}, {20, 290}, {150, 60}};
    for (size_t i = 0; i < 3; i++) {
        int n = snprintf((char *)grey, 32, "P5 %u %u 255\n", sizes[i][0], sizes[i][1]);
        snprintf(file, sizeof file, "mixed/%zu.pgm", i);
        tmp_write(&tmp, file, grey, (size_t)n + sizes[i][0] * sizes[i][1]);
    }
    snprintf(file, sizeof file, "%s/mixed", tmp.dir);
    struct ctr_data *data = must_open(&(struct ctr_data_params){.path = file});
    assert_int_equal(ctr_data_info(data)->height, 96);
    ctr_data_close(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(classes_are_sorted_directories, setup, teardown),
        cmocka_unit_test_setup_teardown(flat_folder_has_no_classes, setup, teardown),
        cmocka_unit_test_setup_teardown(splits_share_classes, setup, teardown),
        cmocka_unit_test_setup_teardown(links_fifos_and_dark_files, setup, teardown),
        cmocka_unit_test_setup_teardown(any_name_works, setup, teardown),
        cmocka_unit_test_setup_teardown(deep_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_there, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_images_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_images_are_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(no_descriptor_left, setup, teardown),
        cmocka_unit_test_setup_teardown(hash_notices_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(default_sizes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
