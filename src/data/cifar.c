/* cifar.c -- CIFAR-10 and CIFAR-100, the binary version (cs.toronto.edu/~kriz/cifar.html).
 * A record: label byte (CIFAR-100: coarse, then fine), 1024 red, 1024 green, 1024 blue, row-major.
 * Files hold whole records, any number; labels outside the range are refused. The Python pickle
 * version is recognised and never read. */
#include "base/os.h"
#include "data/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIDE   32
#define PIXELS ((size_t)SIDE * SIDE)

struct layout {
    const char *what, *url_name;
    const char *const *subs; /* where the files may lie below the directory */
    const char *train[6], *test, *class_file, *pickle[4];
    unsigned label_bytes, n_classes;
    size_t usual; /* images in a training file as published */
};

static const char *const subs10[] = {"", "cifar-10-batches-bin", NULL};
static const char *const subs100[] = {"", "cifar-100-binary", NULL};
static const struct layout cifar10 = {
    .what = "CIFAR-10",
    .url_name = "cifar-10-binary.tar.gz",
    .subs = subs10,
    .train = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
              "data_batch_5.bin"},
    .test = "test_batch.bin",
    .class_file = "batches.meta.txt",
    .pickle = {"data_batch_1", "cifar-10-batches-py/data_batch_1", "cifar-10-python.tar.gz"},
    .label_bytes = 1,
    .n_classes = 10,
    .usual = 10000,
};
static const struct layout cifar100 = {
    .what = "CIFAR-100",
    .url_name = "cifar-100-binary.tar.gz",
    .subs = subs100,
    .train = {"train.bin"},
    .test = "test.bin",
    .class_file = "fine_label_names.txt",
    .pickle = {"cifar-100-python/train", "cifar-100-python.tar.gz"},
    .label_bytes = 2,
    .n_classes = 100,
    .usual = 50000,
};

struct cifar {
    const struct layout *layout;
    struct ctr_records records;
};

static const char *const here[] = {"", NULL};

static int has(const char *dir, const char *const *subs, const char *name)
{
    char *path = ctr_records_find(dir, subs, name);
    free(path);
    return path != NULL;
}

static int has_pickle(const char *dir, const struct layout *l)
{
    for (size_t i = 0; l->pickle[i]; i++)
        if (has(dir, here, l->pickle[i]))
            return 1;
    return 0;
}

static int probe10(const char *path)
{
    return has(path, subs10, cifar10.train[0]) || has(path, subs10, cifar10.test) ||
           has_pickle(path, &cifar10);
}

static int probe100(const char *path)
{
    return (has(path, subs100, cifar100.test) && has(path, subs100, cifar100.train[0])) ||
           has_pickle(path, &cifar100) || (has(path, here, "meta") && has(path, here, "train"));
}

/* One class name a line; the digits stand in when the file is missing or does not have them all. */
static int add_classes(struct ctr_source *s, const struct layout *l)
{
    void *text = NULL;
    size_t n = 0;
    int rc = 0;
    char *path = ctr_records_find(s->path, l->subs, l->class_file), *save = NULL;
    if (path && ctr_file_read(&text, &n, path, 65536) == 0)
        for (char *line = strtok_r(text, "\r\n", &save); line && s->n_classes < l->n_classes;
             line = strtok_r(NULL, "\r\n", &save))
            CTR_TRY(ctr_source_add_class(s, line));
    if (s->n_classes < l->n_classes)
        s->n_classes = 0;
    for (size_t i = s->n_classes; i < l->n_classes; i++) {
        char name[16];
        snprintf(name, sizeof name, "%zu", i);
        CTR_TRY(ctr_source_add_class(s, name));
    }
out:
    free(text);
    free(path);
    return rc;
}

static int wrong_size(const char *path, const struct layout *l, uint64_t bytes, size_t record)
{
    ctr_fail(CTR_E_DATA, "'%s' has %llu bytes, not a positive multiple of %zu", path,
             (unsigned long long)bytes, record);
    return ctr_hint(CTR_E_DATA, "the published file has %zu bytes; get %s again", record * l->usual,
                    l->url_name);
}

/* Reads the labels of an open file and adds its images. */
static int add_images(struct ctr_source *s, const struct layout *l, int fd, size_t n,
                      const char *path, const char *file)
{
    size_t record = l->label_bytes + 3 * PIXELS, chunk = 256;
    int rc = 0;
    char name[64];
    uint8_t *bytes = ctr_alloc(chunk, record);
    if (!bytes)
        return CTR_E_FAIL;
    for (size_t i = 0; i < n; i++) {
        if (i % chunk == 0)
            CTR_TRY(ctr_records_pread(bytes, fd, (uint64_t)i * record,
                                      (n - i < chunk ? n - i : chunk) * record, path));
        unsigned label = bytes[i % chunk * record + l->label_bytes - 1];
        if (label >= l->n_classes)
            CTR_TRY(ctr_fail(CTR_E_DATA, "'%s': label %u of image %zu is not below %u", path, label,
                             i, l->n_classes));
        snprintf(name, sizeof name, "%s#%05zu", file, i);
        CTR_TRY(ctr_source_add(s, name, record, (int32_t)label));
    }
out:
    free(bytes);
    return rc;
}

static int add_file(struct ctr_source *s, struct cifar *c, const char *file)
{
    const struct layout *l = c->layout;
    size_t record = l->label_bytes + 3 * PIXELS;
    uint64_t bytes;
    int fd, rc = 0;
    char *path = ctr_records_find(s->path, l->subs, file);
    if (!path)
        return ctr_fail(CTR_E_DATA, "%s: no file '%s' in '%s'", l->what, file, s->path);
    CTR_TRY(ctr_records_open(&fd, &bytes, path));
    struct ctr_record_file *f = &c->records.file[c->records.n_files++];
    *f = (struct ctr_record_file){.fd = fd, .first = s->n, .n = (size_t)(bytes / record)};
    if (bytes == 0 || bytes % record != 0)
        CTR_TRY(wrong_size(path, l, bytes, record));
    CTR_TRY(add_images(s, l, fd, f->n, path, file));
out:
    free(path);
    return rc;
}

static int open_layout(struct ctr_source *s, const struct layout *l)
{
    struct cifar *c = ctr_arena_alloc(&s->arena, sizeof *c);
    if (!c)
        return CTR_E_FAIL;
    c->layout = l;
    c->records.record_bytes = l->label_bytes + 3 * PIXELS;
    c->records.skip_bytes = l->label_bytes;
    s->state = c;
    s->width = s->height = SIDE;
    s->pixel = (struct ctr_pixel){.channels = 3, .bytes = 1};
    s->has_test = has(s->path, l->subs, l->test);
    if (s->split == CTR_SPLIT_UNLABELED)
        return ctr_source_no_split(s, "train, test, all");
    if (!s->has_test && !has(s->path, l->subs, l->train[0])) {
        ctr_fail(CTR_E_DATA, "no binary %s files ('%s') in '%s'", l->what, l->train[0], s->path);
        return ctr_hint(CTR_E_DATA, "%sget the binary version, %s",
                        has_pickle(s->path, l) || has(s->path, here, "meta")
                            ? "this is the Python (pickle) version: "
                            : "",
                        l->url_name);
    }
    int rc = add_classes(s, l);
    for (size_t i = 0; rc == 0 && s->split != CTR_SPLIT_TEST && l->train[i]; i++)
        rc = add_file(s, c, l->train[i]);
    if (rc == 0 && s->split != CTR_SPLIT_TRAIN)
        rc = add_file(s, c, l->test);
    return rc;
}

static int open10(struct ctr_source *s)
{
    return open_layout(s, &cifar10);
}

static int open100(struct ctr_source *s)
{
    return open_layout(s, &cifar100);
}

static int decode(struct ctr_image *out, const struct ctr_source *s, size_t i, unsigned want)
{
    (void)want;
    const struct cifar *c = s->state;
    uint8_t planes[3 * PIXELS];
    int rc = ctr_records_read(planes, s, &c->records, i);
    if (rc != 0 || (rc = ctr_image_alloc(out, SIDE, SIDE, s->pixel)) != 0)
        return rc;
    for (size_t k = 0; k < PIXELS; k++)
        for (size_t ch = 0; ch < 3; ch++)
            out->pixels[3 * k + ch] = planes[ch * PIXELS + k];
    return 0;
}

static void close_files(struct ctr_source *s)
{
    struct cifar *c = s->state;
    if (c)
        ctr_records_close(&c->records);
}

const struct ctr_data_driver ctr_driver_cifar10 = {
    .name = "cifar10",
    .text = "CIFAR-10, binary version (data_batch_1.bin, ...)",
    .probe = probe10,
    .open = open10,
    .decode = decode,
    .close = close_files,
};

const struct ctr_data_driver ctr_driver_cifar100 = {
    .name = "cifar100",
    .text = "CIFAR-100, binary version (train.bin, test.bin), fine labels",
    .probe = probe100,
    .open = open100,
    .decode = decode,
    .close = close_files,
};
