/* What is written comes back; every malformed or damaged file is refused by name. */
#include "io/safetensors.h"
#include "base/os.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "../tempdir.h"

static const float f32[6] = {1, -2, 0.5f, 3e38f, 0, -0.0f};
static const int64_t i64[1] = {-5};
static const uint8_t u8[3] = {1, 2, 255};

static const struct ctr_st_tensor some[] = {
    {"b.bytes", CTR_ST_U8, 1, {3}, u8, 3},
    {"z.weight", CTR_ST_F32, 2, {2, 3}, f32, 24},
    {"a.\"odd\"\n\xc3\xa9\x01/", CTR_ST_F32, 1, {1}, f32, 4},
    {"count", CTR_ST_I64, 0, {0}, i64, 8},
    {"empty", CTR_ST_BF16, 2, {0, 7}, NULL, 0},
};
static const struct ctr_st_meta meta[] = {{"format", "pt"}, {"arch", "resnet18 \"x\""}};

static void check_tensors(const struct ctr_st *st)
{
    for (size_t i = 0; i < 5; i++) {
        const struct ctr_st_tensor *x = ctr_st_find(st, some[i].name);
        assert_non_null(x);
        assert_int_equal(x->dtype, some[i].dtype);
        assert_int_equal(x->rank, some[i].rank);
        assert_memory_equal(x->dims, some[i].dims, sizeof x->dims);
        assert_int_equal(x->bytes, some[i].bytes);
        assert_int_equal((uintptr_t)x->data % ctr_st_dtype_bytes(x->dtype), 0);
        if (x->bytes)
            assert_memory_equal(x->data, some[i].data, x->bytes);
    }
}

static void round_trip(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_st *st = NULL;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "m.safetensors");
    assert_int_equal(ctr_st_write(path, some, meta, CTR_ST_SEALED, 5, 2), 0);
    assert_int_equal(ctr_st_open(&st, path, CTR_ST_SEALED), 0);
    assert_int_equal(ctr_st_count(st), 5);
    assert_string_equal(ctr_st_at(st, 0)->name, "count"); /* I64 before F32 before BF16 before U8 */
    assert_string_equal(ctr_st_at(st, 1)->name, some[2].name);
    assert_string_equal(ctr_st_at(st, 2)->name, "z.weight");
    assert_string_equal(ctr_st_at(st, 4)->name, "b.bytes");
    check_tensors(st);
    assert_null(ctr_st_find(st, "absent"));
    assert_int_equal(ctr_st_meta_count(st), 4);
    assert_string_equal(ctr_st_meta_at(st, 0)->key, "arch");
    assert_string_equal(ctr_st_meta_value(st, "arch"), "resnet18 \"x\"");
    assert_null(ctr_st_meta_value(st, "Arch"));
    ctr_st_close(&st);
    assert_null(st);
    assert_int_equal(ctr_st_open(&st, path, CTR_ST_VERIFY), 0);
    assert_null(ctr_st_find(st, "z.weight")->data);
    ctr_st_close(&st);
    assert_int_equal(ctr_st_open(&st, path, CTR_ST_HEADER), 0);
    assert_int_equal(ctr_st_find(st, "z.weight")->dims[1], 3);
    ctr_st_close(&st);
    tempdir_remove(&t);
}

/* The bytes of safetensors 0.8.0 `save({"w": f32 [[1, 2]], "n": i64 scalar 7, "b": u8 [9]},
 * {"format": "pt"})`. */
static void reference_bytes(void **state)
{
    (void)state;
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\"n\":{\"dtype\":\"I64\",\"shape\":[],"
        "\"data_offsets\":[0,8]},\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,16]},"
        "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[16,17]}}";
    const float w[2] = {1, 2};
    const int64_t n = 7;
    const uint8_t b = 9;
    const struct ctr_st_tensor tensors[] = {{"w", CTR_ST_F32, 2, {1, 2}, w, 8},
                                            {"b", CTR_ST_U8, 1, {1}, &b, 1},
                                            {"n", CTR_ST_I64, 0, {0}, &n, 8}};
    struct tempdir t;
    size_t bytes, len = sizeof header - 1, padded = (len + 7) / 8 * 8;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "m.safetensors");
    assert_int_equal(ctr_st_write(path, tensors, meta, CTR_ST_PLAIN, 3, 1), 0);
    char *got = tempdir_get(path, &bytes);
    assert_int_equal(bytes, 8 + padded + 17);
    assert_int_equal((unsigned char)got[0], padded & 255);
    assert_memory_equal(got + 8, header, len);
    for (size_t i = len; i < padded; i++)
        assert_int_equal(got[8 + i], ' ');
    assert_memory_equal(got + 8 + padded, &n, 8);
    assert_memory_equal(got + 16 + padded, w, 8);
    assert_int_equal(got[24 + padded], 9);
    free(got);
    tempdir_remove(&t);
}

/* A header and `data` zero bytes after it; n != 0 overrides the length field. */
static int try_file(const char *header, size_t len, size_t data, uint64_t n)
{
    struct tempdir t;
    struct ctr_st *st = NULL;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "x");
    char *all = calloc(1, 8 + len + data);
    uint64_t length = n ? n : len;
    memcpy(all, &length, 8);
    memcpy(all + 8, header, len);
    tempdir_put(path, all, 8 + len + data);
    int rc = ctr_st_open(&st, path, 0);
    if (rc != 0) {
        assert_null(st);
        assert_non_null(strstr(ctr_error_text(), path)); /* names the object */
    }
    ctr_st_close(&st);
    free(all);
    tempdir_remove(&t);
    return rc;
}

struct header_case {
    const char *header;
    size_t data;
};

static void try_all(const struct header_case *cases, size_t n, int want)
{
    for (size_t i = 0; i < n; i++) {
        int rc = try_file(cases[i].header, strlen(cases[i].header), cases[i].data, 0);
        if (rc != want)
            fail_msg("%s: %d", cases[i].header, rc);
    }
}

#define T(dtype, shape, begin, end)                                                                \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"
#define COUNT(a) (sizeof(a) / sizeof *(a))

static void odd_but_valid(void **state)
{
    (void)state;
    static const struct header_case cases[] = {
        {"{}", 0},
        {"{}      ", 0},
        {"{ \"a\" : " T("F32", "[ 2 , 1 ]", 0, 8) "\n}", 8},
        {"{\"b\":" T("U8", "[1]", 4, 5) ",\"a\":" T("F32", "[]", 0, 4) "}", 5}, /* any order */
        {"{\"a\":{\"data_offsets\":[0,1],\"shape\":[1],\"dtype\":\"I8\"}}", 1},
        {"{\"\\u00e9\\ud83d\\ude00\":" T("U8", "[]", 0, 1) "}", 1},
        {"{\"e\":" T("U8", "[0]", 0, 0) ",\"f\":" T("U8", "[5,0]", 0, 0) "}", 0},
        {"{\"a\":" T("U8", "[1]", 0, 1) ",\"b\":" T("F32", "[1]", 1, 5) "}", 5}, /* not aligned */
    };
    try_all(cases, COUNT(cases), 0);
}

/* The name that escapes spell, one of them beyond 16 bits, is the one that is found. */
static void escapes(void **state)
{
    (void)state;
    static const char header[] = "{\"\\u00e9\\ud83d\\ude00\\n\":" T("U8", "[]", 0, 1) "}";
    const uint64_t length = sizeof header - 1;
    char all[8 + sizeof header];
    struct tempdir t;
    struct ctr_st *st = NULL;
    memcpy(all, &length, 8);
    memcpy(all + 8, header, sizeof header); /* its NUL is the tensor */
    tempdir_make(&t);
    tempdir_put(tempdir_path(&t, "x"), all, sizeof all);
    assert_int_equal(ctr_st_open(&st, tempdir_path(&t, "x"), 0), 0);
    assert_non_null(ctr_st_find(st, "\xc3\xa9\xf0\x9f\x98\x80\n"));
    ctr_st_close(&st);
    tempdir_remove(&t);
}

static void bad_layout(void **state)
{
    (void)state;
    static const struct header_case cases[] = {
        {"{\"a\":" T("F32", "[1]", 1, 5) "}", 5}, /* does not begin at 0 */
        {"{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F32", "[1]", 8, 12) "}", 12}, /* hole */
        {"{\"a\":" T("F32", "[2]", 0, 8) ",\"b\":" T("F32", "[1]", 4, 8) "}", 8},   /* overlap */
        {"{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("F32", "[1]", 0, 4) "}", 4},   /* shared */
        {"{\"a\":" T("F32", "[1]", 4, 0) "}", 4}, /* end < begin */
        {"{\"a\":" T("F32", "[1]", 0, 4) ",\"b\":" T("U8", "[0]", 4, 0) "}", 4},
        {"{\"a\":" T("F32", "[1]", 0, 4) "}", 5}, /* trailing bytes */
        {"{\"a\":" T("F32", "[1]", 0, 4) "}", 3}, /* truncated data */
        {"{\"a\":" T("F64", "[1]", 0, 4) "}", 4}, /* wrong dtype size */
        {"{\"a\":" T("F32", "[3]", 0, 4) "}", 4},
        {"{\"a\":" T("F32", "[4294967296,4294967296]", 0, 0) "}", 0}, /* overflows to 0 */
        {"{\"a\":" T("F32", "[4294967296,4294967296,0]", 0, 0) "}", 0},
        {"{\"a\":" T("F32", "[4611686018427387904]", 0, 0) "}", 0},
        {"{\"a\":" T("U8", "[18446744073709551615]", 0, 18446744073709551615) "}", 9},
        {"{\"a\":" T("U8", "[18446744073709551616]", 0, 0) "}", 0},
    };
    try_all(cases, COUNT(cases), CTR_E_MODEL);
}

static void bad_fields(void **state)
{
    (void)state;
    static const struct header_case cases[] = {
        {"{\"a\":" T("F32", "[-1]", 0, 4) "}", 4},
        {"{\"a\":" T("F32", "[1.0]", 0, 4) "}", 4},
        {"{\"a\":" T("F32", "[1e0]", 0, 4) "}", 4},
        {"{\"a\":" T("F32", "[01]", 0, 4) "}", 4},
        {"{\"a\":" T("F32", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4}, /* rank 9 */
        {"{\"a\":" T("F32", "[true]", 0, 4) "}", 4},
        {"{\"a\":" T("F32", "[1,]", 0, 4) "}", 4},
        {"{\"a\":" T("F31", "[1]", 0, 4) "}", 4},
        {"{\"a\":" T("f32", "[1]", 0, 4) "}", 4},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 0},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4},
        {"{\"a\":{}}", 0},
        {"{\"a\":null}", 0},
        {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1},
        {"{\"a\":{\"dtype\":\"U8\",\"x\":1,\"shape\":[],\"data_offsets\":[0,1]}}", 1},
        {"{\"a\":" T("U8", "[0]", 0, 0) ",\"a\":" T("U8", "[0]", 0, 0) "}", 0}, /* duplicate */
        {"{\"a\":" T("U8", "[0]", 0, 0) ",\"\\u0061\":" T("U8", "[0]", 0, 0) "}", 0},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0},
        {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0},
        {"{\"__metadata__\":{\"a\":1}}", 0},
        {"{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", 0}, /* nested */
        {"{\"__metadata__\":\"x\"}", 0},
    };
    try_all(cases, COUNT(cases), CTR_E_MODEL);
}

static void bad_text(void **state)
{
    (void)state;
    static const struct header_case cases[] = {
        {"{}\n", 0}, /* only spaces may pad */
        {"{} {}", 0},
        {" {}", 0},
        {"[]", 0},
        {"{", 0},
        {"{\"a\"", 0},
        {"{\"a\":" T("F32", "[1]", 0, 4), 4}, /* unclosed */
        {"{\"a\":" T("F32", "[1]", 0, 4) ",}", 4},
        {"{\"__metadata__\":{\"a\":\"\\u0000\"}}", 0},
        {"{\"__metadata__\":{\"a\":\"\\ud800\"}}", 0},
        {"{\"__metadata__\":{\"a\":\"\\udc00\"}}", 0},
        {"{\"__metadata__\":{\"a\":\"\\ud800\\u0041\"}}", 0},
        {"{\"__metadata__\":{\"a\":\"\\x41\"}}", 0},
        {"{\"__metadata__\":{\"a\":\"\\u12", 0},
        {"{\"__metadata__\":{\"a\":\"\\", 0},
        {"{\"__metadata__\":{\"a\":\"b\tc\"}}", 0},
        {"{\"__metadata__\":{\"a\":\"\xff\"}}", 0}, /* bad UTF-8 */
        {"{\"__metadata__\":{\"a\":\"\xc0\xaf\"}}", 0},
        {"{\"__metadata__\":{\"a\":\"\xed\xa0\x80\"}}", 0},
        {"{\"__metadata__\":{\"a\":\"\xf0\x9f\x98", 0},
        {"{\"\xe9\":" T("U8", "[0]", 0, 0) "}", 0},
    };
    try_all(cases, COUNT(cases), CTR_E_MODEL);
    assert_int_equal(try_file("{}\0{}", 5, 0, 0), CTR_E_MODEL); /* NUL after the object */
    assert_int_equal(try_file("{\"a\0b\":1}", 9, 0, 0), CTR_E_MODEL);
}

static void lengths(void **state)
{
    (void)state;
    static const uint64_t wrong[] = {1, 3, 11, 100000001, 1ull << 32, 1ull << 63, UINT64_MAX};
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(try_file("{}", 2, 0, wrong[i]), CTR_E_MODEL);
    assert_int_equal(try_file("", 0, 0, 0), CTR_E_MODEL); /* N = 0 */
    assert_int_equal(try_file("", 0, 8, 0), CTR_E_MODEL);
    struct tempdir t;
    struct ctr_st *st = NULL;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "x");
    for (size_t n = 0; n < 10; n++) {
        tempdir_put(path, "\2\0\0\0\0\0\0\0{}", n);
        assert_int_equal(ctr_st_open(&st, path, 0), CTR_E_MODEL);
    }
    assert_int_equal(ctr_st_open(&st, t.dir, 0), CTR_E_MODEL); /* a directory */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ctr_st_open(&st, path, 0), CTR_E_MODEL); /* nothing */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(ctr_st_open(&st, path, 0), CTR_E_MODEL); /* never blocks */
    assert_null(st);
    tempdir_remove(&t);
}

/* 8000 levels of nesting, a header of 100 MB + 1, a file of 1 TB without data behind it. */
static void hostile_sizes(void **state)
{
    (void)state;
    char deep[8000];
    memset(deep, '[', sizeof deep);
    memcpy(deep, "{\"a\":", 5);
    assert_int_equal(try_file(deep, sizeof deep, 0, 0), CTR_E_MODEL);
    struct tempdir t;
    struct ctr_st *st = NULL;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "x");
    uint64_t n = 100000001;
    tempdir_put(path, &n, 8);
    assert_int_equal(truncate(path, 200000000), 0);
    assert_int_equal(ctr_st_open(&st, path, 0), CTR_E_MODEL);
    assert_non_null(strstr(ctr_error_text(), "100 MB"));
    tempdir_put(path, "\2\0\0\0\0\0\0\0{}", 10);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    assert_int_equal(ctr_st_open(&st, path, 0), CTR_E_MODEL); /* before any allocation */
    assert_non_null(strstr(ctr_error_text(), "its header needs 0"));
    tempdir_remove(&t);
}

static void torch_files(void **state)
{
    (void)state;
    static const char zip[] = "PK\3\4\0\0\0\0\0\0archive/data.pkl";
    static const char pickle[] = "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.";
    struct tempdir t;
    struct ctr_st *st = NULL;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "model.pt");
    tempdir_put(path, zip, sizeof zip);
    assert_int_equal(ctr_st_open(&st, path, 0), CTR_E_MODEL);
    assert_non_null(strstr(ctr_error_text(), "PyTorch"));
    assert_non_null(strstr(ctr_error_hint(), "save_file"));
    tempdir_put(path, pickle, sizeof pickle);
    assert_int_equal(ctr_st_open(&st, path, 0), CTR_E_MODEL);
    assert_non_null(strstr(ctr_error_text(), "pickle"));
    assert_non_null(strstr(ctr_error_hint(), "torch.load"));
    tempdir_put(path, "GIF89a, not a model", 19);
    assert_int_equal(ctr_st_open(&st, path, 0), CTR_E_MODEL);
    assert_string_equal(ctr_error_hint(), "`clcontrast info` tells what it is");
    tempdir_remove(&t);
}

/* Flips bit `bit` of the byte at `at`. */
static void flip(int fd, size_t at, unsigned bit)
{
    char c;
    assert_int_equal(pread(fd, &c, 1, (off_t)at), 1);
    c ^= (char)(1 << bit);
    assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
}

/* Every byte of a sealed file matters, and every length but the right one. */
static void damage(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_st *st = NULL;
    struct stat info;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "m");
    assert_int_equal(ctr_st_write(path, some, meta, CTR_ST_SEALED, 5, 2), 0);
    assert_int_equal(stat(path, &info), 0);
    size_t n = (size_t)info.st_size;
    int fd = open(path, O_RDWR);
    for (size_t i = 0; i < n; i++) {
        flip(fd, i, i % 8);
        if (ctr_st_open(&st, path, CTR_ST_SEALED | CTR_ST_VERIFY) != CTR_E_MODEL)
            fail_msg("bit %zu of byte %zu flipped is not noticed", i % 8, i);
        flip(fd, i, i % 8);
    }
    assert_int_equal(ctr_st_open(&st, path, CTR_ST_SEALED), 0);
    ctr_st_close(&st);
    assert_int_equal(ftruncate(fd, (off_t)n + 1), 0);
    for (size_t i = n + 1; i-- > 0;) {
        assert_int_equal(ctr_st_open(&st, path, CTR_ST_SEALED), CTR_E_MODEL);
        assert_int_equal(ftruncate(fd, (off_t)(i == n ? n - 1 : i)), 0);
    }
    close(fd);
    tempdir_remove(&t);
}

static void checksum_flags(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_st *st = NULL;
    size_t n;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "m");
    assert_int_equal(ctr_st_write(path, some, meta, CTR_ST_PLAIN, 5, 2), 0);
    assert_int_equal(ctr_st_open(&st, path, CTR_ST_SUMMED), CTR_E_MODEL);
    assert_int_equal(ctr_st_open(&st, path, 0), 0);
    assert_int_equal(ctr_st_meta_count(st), 2);
    ctr_st_close(&st);
    assert_int_equal(ctr_st_write(path, some, meta, 0, 5, 2), 0);
    assert_int_equal(ctr_st_open(&st, path, CTR_ST_SEALED), CTR_E_MODEL);
    assert_int_equal(ctr_st_open(&st, path, CTR_ST_SUMMED), 0);
    ctr_st_close(&st);
    char *data = tempdir_get(path, &n);
    data[n - 1] ^= 1;
    tempdir_put(path, data, n);
    assert_int_equal(ctr_st_open(&st, path, 0), CTR_E_MODEL); /* verified when present */
    assert_non_null(strstr(ctr_error_text(), "damaged"));
    free(data);
    tempdir_remove(&t);
}

/* A data set may lie under a path that is no UTF-8. */
static void odd_metadata(void **state)
{
    (void)state;
    const struct ctr_st_meta odd[] = {{"path", "/d\xff/\xc3\xa9\xc3"}, {"empty", ""}};
    struct tempdir t;
    struct ctr_st *st = NULL;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "m");
    assert_int_equal(ctr_st_write(path, some, odd, CTR_ST_SEALED, 5, 2), 0);
    assert_int_equal(ctr_st_open(&st, path, CTR_ST_SEALED), 0);
    assert_string_equal(ctr_st_meta_value(st, "path"), "/d\xef\xbf\xbd/\xc3\xa9\xef\xbf\xbd");
    assert_string_equal(ctr_st_meta_value(st, "empty"), "");
    ctr_st_close(&st);
    tempdir_remove(&t);
}

static void refused_writes(void **state)
{
    (void)state;
    struct tempdir t;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "m");
    struct ctr_st_tensor x[2] = {{"a", CTR_ST_F32, 1, {6}, f32, 24},
                                 {"a", CTR_ST_U8, 1, {3}, u8, 3}};
    assert_int_equal(ctr_st_write(path, x, NULL, 0, 2, 0), CTR_E_USAGE); /* same name */
    x[0].bytes = 20;
    assert_int_equal(ctr_st_write(path, x, NULL, 0, 1, 0), CTR_E_USAGE);
    x[0].bytes = 24;
    x[0].data = NULL;
    assert_int_equal(ctr_st_write(path, x, NULL, 0, 1, 0), CTR_E_USAGE);
    x[0].data = f32;
    x[0].name = "__metadata__";
    assert_int_equal(ctr_st_write(path, x, NULL, 0, 1, 0), CTR_E_USAGE);
    x[0].name = "\xff";
    assert_int_equal(ctr_st_write(path, x, NULL, 0, 1, 0), CTR_E_USAGE);
    x[0].name = "a";
    const struct ctr_st_meta twice[] = {{"k", "1"}, {"k", "2"}}, bad[] = {{"\xff", ""}},
                             reserved[] = {{"xxh64", "0"}};
    assert_int_equal(ctr_st_write(path, x, twice, 0, 1, 2), CTR_E_USAGE);
    assert_int_equal(ctr_st_write(path, x, bad, 0, 1, 1), CTR_E_USAGE);
    assert_int_equal(ctr_st_write(path, x, reserved, 0, 1, 1), CTR_E_USAGE);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(ctr_st_write(path, NULL, NULL, 0, 0, 0), 0); /* nothing is fine */
    assert_int_equal(ctr_st_write("/proc/nowhere/m", x, NULL, 0, 1, 0), CTR_E_IO);
    tempdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),     cmocka_unit_test(reference_bytes),
        cmocka_unit_test(odd_but_valid), cmocka_unit_test(escapes),  cmocka_unit_test(bad_layout),
        cmocka_unit_test(bad_fields),     cmocka_unit_test(bad_text),
        cmocka_unit_test(lengths),        cmocka_unit_test(hostile_sizes),
        cmocka_unit_test(torch_files),    cmocka_unit_test(damage),
        cmocka_unit_test(checksum_flags), cmocka_unit_test(odd_metadata),
        cmocka_unit_test(refused_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
