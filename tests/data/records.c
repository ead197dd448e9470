/* The binary formats on generated files: exact pixels, wrong sizes, labels out of range, other
 * versions of the same set. */
#include "data/data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "set.h"

#define CIFAR10  (1 + 3072)
#define CIFAR100 (2 + 3072)
#define STL      (3 * 96 * 96)

/* Byte k of record i: different everywhere it could be mixed up. */
static uint8_t byte_at(size_t i, size_t k)
{
    return (uint8_t)(i * 131 + k * 7 + k / 251);
}

static void write_records(const char *name, size_t n, size_t record, size_t labels,
                          size_t n_classes, long extra)
{
    uint8_t *bytes = malloc(n * record + 16);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < record; k++)
            bytes[i * record + k] =
                k < labels ? (uint8_t)((i + labels - 1 - k) % n_classes) : byte_at(i, k - labels);
    tmp_write(&tmp, name, bytes, (size_t)((long)(n * record) + extra));
    free(bytes);
}

static void write_cifar10(void)
{
    char name[32];
    for (int i = 1; i <= 5; i++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        write_records(name, (size_t)(3 + i), CIFAR10, 1, 10, 0);
    }
    write_records("test_batch.bin", 2, CIFAR10, 1, 10, 0);
}

static int try_open(struct ctr_data **data, const char *path, const char *split)
{
    return ctr_data_open(data, &(struct ctr_data_params){.path = path, .split = split});
}

static void refused(const char *path, const char *split, int code, const char *text,
                    const char *hint)
{
    assert_fails(&(struct ctr_data_params){.path = path, .split = split}, code, text, hint);
}

static void cifar10_pixels_and_labels(void **state)
{
    (void)state;
    write_cifar10();
    tmp_write(&tmp, "batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n", 21);
    struct ctr_data *data = NULL;
    assert_int_equal(try_open(&data, tmp.dir, "train"), 0);
    const struct ctr_data_info *info = ctr_data_info(data);
    assert_string_equal(info->driver, "cifar10");
    assert_int_equal(info->n, 4 + 5 + 6 + 7 + 8);
    assert_true(info->height == 32 && info->width == 32 && info->channels == 3 && info->has_test);
    assert_int_equal(info->n_classes, 10);
    assert_string_equal(info->class_names[9], "j");
    assert_string_equal(info->names[4], "data_batch_2.bin#00000");
    static uint8_t images[30][32][32][3];
    assert_int_equal(ctr_data_read_all(data, &images[0][0][0][0], NULL, NULL), 0);
    for (size_t file = 0, i = 0; file < 5; file++)
        for (size_t k = 0; k < 4 + file; k++, i++) {
            assert_int_equal(info->labels[i], k % 10);
            for (size_t p = 0; p < 1024; p += 37)
                for (size_t c = 0; c < 3; c++)
                    assert_int_equal(images[i][p / 32][p % 32][c], byte_at(k, c * 1024 + p));
        }
    uint64_t hash = info->hash;
    ctr_data_close(&data);
    assert_int_equal(try_open(&data, tmp.dir, "all"), 0);
    assert_int_equal(ctr_data_info(data)->n, 32);
    assert_true(ctr_data_info(data)->hash != hash);
    ctr_data_close(&data);
}

static void cifar10_refused(void **state)
{
    (void)state;
    write_cifar10();
    write_records("data_batch_3.bin", 4, CIFAR10, 1, 10, -1);
    refused(tmp.dir, "train", CTR_E_DATA, "data_batch_3.bin' has 12291 bytes", "30730000");
    write_records("data_batch_3.bin", 4, CIFAR10, 1, 10, 1);
    refused(tmp.dir, "train", CTR_E_DATA, "multiple of 3073", "cifar-10-binary");
    write_records("data_batch_3.bin", 0, CIFAR10, 1, 10, 0);
    refused(tmp.dir, "train", CTR_E_DATA, "has 0 bytes", "");
    write_records("data_batch_3.bin", 12, CIFAR10, 1, 11, 0);
    refused(tmp.dir, "train", CTR_E_DATA, "label 10 of image 10", "");
    unlink(tmp_path(&tmp, "data_batch_3.bin"));
    refused(tmp.dir, "train", CTR_E_DATA, "no file 'data_batch_3.bin'", "");
    refused(tmp.dir, "unlabeled", CTR_E_DATA, "no split 'unlabeled'", "train, test");
    refused(tmp.dir, "tset", CTR_E_USAGE, "unknown split 'tset'", "train");
}

static void cifar_pickle_is_named(void **state)
{
    (void)state;
    tmp_write(&tmp, "ten/data_batch_1", "\x80\x02", 2);
    tmp_write(&tmp, "hundred/cifar-100-python/train", "\x80\x02", 2);
    tmp_write(&tmp, "hundred/cifar-100-python/meta", "\x80\x02", 2);
    refused(tmp_path(&tmp, "ten"), NULL, CTR_E_DATA, "no binary CIFAR-10", "pickle");
    refused(tmp_path(&tmp, "hundred"), NULL, CTR_E_DATA, "no binary CIFAR-100", "pickle");
    refused(tmp_path(&tmp, "hundred/cifar-100-python"), NULL, CTR_E_DATA, "CIFAR-100", "pickle");
}

static void cifar100_fine_labels(void **state)
{
    (void)state;
    write_records("cifar-100-binary/train.bin", 101, CIFAR100, 2, 100, 0);
    write_records("cifar-100-binary/test.bin", 3, CIFAR100, 2, 100, 0);
    struct ctr_data *data = NULL;
    assert_int_equal(try_open(&data, tmp.dir, NULL), 0);
    const struct ctr_data_info *info = ctr_data_info(data);
    assert_string_equal(info->driver, "cifar100");
    assert_int_equal(info->n_classes, 100);
    assert_int_equal(info->labels[7], 7);
    assert_int_equal(info->labels[100], 0);
    uint32_t index = 5;
    uint8_t image[32][32][3];
    assert_int_equal(ctr_data_read(data, &image[0][0][0], NULL, &index, 1), 0);
    assert_int_equal(image[3][4][2], byte_at(5, 2 * 1024 + 3 * 32 + 4));
    ctr_data_close(&data);
}

static void stl_is_column_major(void **state)
{
    (void)state;
    uint8_t labels[4] = {1, 10, 3, 1};
    write_records("train_X.bin", 4, STL, 0, 1, 0);
    write_records("unlabeled_X.bin", 2, STL, 0, 1, 0);
    tmp_write(&tmp, "train_y.bin", labels, 4);
    struct ctr_data *data = NULL;
    assert_int_equal(try_open(&data, tmp.dir, "train"), 0);
    const struct ctr_data_info *info = ctr_data_info(data);
    assert_string_equal(info->driver, "stl10");
    assert_true(info->height == 96 && info->n == 4 && !info->has_test);
    assert_int_equal(info->labels[1], 9);
    static uint8_t image[96][96][3];
    uint32_t index = 2;
    assert_int_equal(ctr_data_read(data, &image[0][0][0], NULL, &index, 1), 0);
    for (size_t y = 0; y < 96; y += 5)
        for (size_t x = 0; x < 96; x += 7)
            for (size_t c = 0; c < 3; c++)
                assert_int_equal(image[y][x][c], byte_at(2, c * 9216 + x * 96 + y));
    ctr_data_close(&data);
    assert_int_equal(try_open(&data, tmp.dir, "all"), 0);
    assert_int_equal(ctr_data_info(data)->n, 6);
    assert_int_equal(ctr_data_info(data)->labels[0], -1);
    ctr_data_close(&data);
    labels[2] = 11;
    tmp_write(&tmp, "train_y.bin", labels, 4);
    refused(tmp.dir, "train", CTR_E_DATA, "label 11 of image 2", "");
    labels[2] = 0;
    tmp_write(&tmp, "train_y.bin", labels, 4);
    refused(tmp.dir, "train", CTR_E_DATA, "label 0 of image 2", "");
    tmp_write(&tmp, "train_y.bin", labels, 3);
    refused(tmp.dir, "train", CTR_E_DATA, "3 labels for 4 images", "");
    unlink(tmp_path(&tmp, "train_y.bin"));
    assert_int_equal(try_open(&data, tmp.dir, "train"), 0);
    assert_int_equal(ctr_data_info(data)->labels[0], -1);
    ctr_data_close(&data);
    write_records("train_X.bin", 4, STL, 0, 1, 3);
    refused(tmp.dir, "train", CTR_E_DATA, "multiple of 27648", "5000");
    refused(tmp.dir, "test", CTR_E_DATA, "no file 'test_X.bin'", "");
    unlink(tmp_path(&tmp, "train_X.bin"));
    refused(tmp.dir, "train", CTR_E_DATA, "no file 'train_X.bin'", "--split unlabeled");
    assert_int_equal(try_open(&data, tmp.dir, "unlabeled"), 0);
    ctr_data_close(&data);
}

static void write_idx(const char *name, uint32_t magic, const uint32_t *dims, size_t n_dims,
                      size_t bytes)
{
    uint8_t *file = calloc(bytes + 32, 1);
    size_t at = 0;
    for (size_t i = 0; i <= n_dims; i++) {
        uint32_t v = i ? dims[i - 1] : magic;
        for (int shift = 24; shift >= 0; shift -= 8)
            file[at++] = (uint8_t)(v >> shift);
    }
    for (size_t i = 0; i < bytes; i++)
        file[at + i] = (uint8_t)(i % 251 % (n_dims == 1 ? 10 : 251));
    tmp_write(&tmp, name, file, at + bytes);
    free(file);
}

static void idx_grey_to_rgb(void **state)
{
    (void)state;
    const uint32_t dims[3] = {12, 28, 28};
    write_idx("MNIST/raw/train-images.idx3-ubyte", 0x803, dims, 3, 12 * 784);
    write_idx("MNIST/raw/train-labels-idx1-ubyte", 0x801, dims, 1, 12);
    struct ctr_data *data = NULL;
    assert_int_equal(try_open(&data, tmp.dir, NULL), 0);
    const struct ctr_data_info *info = ctr_data_info(data);
    assert_string_equal(info->driver, "idx");
    assert_true(info->n == 12 && info->height == 28 && info->n_classes == 10);
    assert_int_equal(info->labels[11], 1);
    assert_string_equal(info->class_names[3], "3");
    static uint8_t images[12][784][3];
    assert_int_equal(ctr_data_read_all(data, &images[0][0][0], NULL, NULL), 0);
    for (size_t i = 0; i < 12 * 784; i++)
        for (size_t c = 0; c < 3; c++)
            assert_int_equal(images[i / 784][i % 784][c], i % 251);
    ctr_data_close(&data);
}

static void idx_refused(void **state)
{
    (void)state;
    const uint32_t dims[3] = {2, 4, 4}, huge[3] = {0xffffffff, 0xffffffff, 0xffffffff}, three = 3,
                   zero[3] = {2, 0, 4};
    const char *images = "train-images-idx3-ubyte";
    tmp_write(&tmp, "train-images-idx3-ubyte.gz", "\x1f\x8b", 2);
    refused(tmp.dir, NULL, CTR_E_DATA, "no IDX file", "gunzip");
    write_idx(images, 0x802, dims, 3, 32);
    refused(tmp.dir, NULL, CTR_E_DATA, "magic number 0x00000802", "");
    write_idx(images, 0x803, dims, 3, 31);
    refused(tmp.dir, NULL, CTR_E_DATA, "has 47 bytes", "");
    write_idx(images, 0x803, dims, 3, 33);
    refused(tmp.dir, NULL, CTR_E_DATA, "has 49 bytes", "");
    write_idx(images, 0x803, huge, 3, 32);
    refused(tmp.dir, NULL, CTR_E_DATA, "dimension", "");
    write_idx(images, 0x803, zero, 3, 32);
    refused(tmp.dir, NULL, CTR_E_DATA, "dimension 1 is 0", "");
    tmp_write(&tmp, images, "\0\0\x08", 3);
    refused(tmp.dir, NULL, CTR_E_DATA, "too short", "");
    write_idx(images, 0x803, dims, 3, 32);
    write_idx("train-labels-idx1-ubyte", 0x801, &three, 1, 3);
    refused(tmp.dir, NULL, CTR_E_DATA, "3 labels for 2 images", "");
}

/* A file cut while it is in use: its images are bad, nothing else happens. */
static void shrinking_file(void **state)
{
    (void)state;
    write_cifar10();
    struct ctr_data *data = NULL;
    struct ctr_data_params params = {.path = tmp.dir, .max_bad = 0.5};
    static uint8_t images[30][3072];
    assert_int_equal(ctr_data_open(&data, &params), 0);
    write_records("data_batch_5.bin", 1, CIFAR10, 1, 10, 0);
    assert_int_equal(ctr_data_read_all(data, images[0], NULL, NULL), 0);
    assert_int_equal(ctr_data_info(data)->n, 23);
    assert_int_equal(ctr_data_n_skipped(data), 7);
    assert_non_null(strstr(ctr_data_skip(data, 0).reason, "shorter"));
    ctr_data_close(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cifar10_pixels_and_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(cifar10_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(cifar_pickle_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(cifar100_fine_labels, setup, teardown),
        cmocka_unit_test_setup_teardown(stl_is_column_major, setup, teardown),
        cmocka_unit_test_setup_teardown(idx_grey_to_rgb, setup, teardown),
        cmocka_unit_test_setup_teardown(idx_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(shrinking_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
