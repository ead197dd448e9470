/* idx.c -- IDX files of MNIST, Fashion-MNIST and their like (yann.lecun.com/exdb/mnist).
 * Images: big-endian u32 0x00000803, n, height, width, then n * height * width grey bytes.
 * Labels: 0x00000801, n, then n bytes. Grey is replicated to RGB. A missing label file makes the
 * images unlabelled; class names are the label numbers. Compressed files are refused. */
#include "data/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IMAGES_HEADER 16
#define LABELS_HEADER 8

static const char *const subs[] = {"", "raw", "MNIST/raw", "FashionMNIST/raw", NULL};
static const char *const train_images[] = {"train-images-idx3-ubyte", "train-images.idx3-ubyte",
                                           "train-images.idx3", "train-images-idx3", NULL};
static const char *const train_labels[] = {"train-labels-idx1-ubyte", "train-labels.idx1-ubyte",
                                           "train-labels.idx1", "train-labels-idx1", NULL};
static const char *const test_images[] = {"t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte",
                                          "t10k-images.idx3", "t10k-images-idx3", NULL};
static const char *const test_labels[] = {"t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte",
                                          "t10k-labels.idx1", "t10k-labels-idx1", NULL};

struct idx {
    struct ctr_records records;
    unsigned width, height, max_label;
};

/* The first of the names there is, each with `ending` behind it. */
static char *find(const char *dir, const char *const *names, const char *ending)
{
    char name[64], *path = NULL;
    for (; *names && !path; names++) {
        snprintf(name, sizeof name, "%s%s", *names, ending);
        path = ctr_records_find(dir, subs, name);
    }
    return path;
}

static int has(const char *dir, const char *const *names, const char *ending)
{
    char *path = find(dir, names, ending);
    free(path);
    return path != NULL;
}

static int probe(const char *path)
{
    return has(path, train_images, "") || has(path, test_images, "") ||
           has(path, train_images, ".gz") || has(path, test_images, ".gz");
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Checks magic and exact size; dims[0..n_dims). The file is left open in *fd. */
static int open_idx(int *out_fd, uint32_t *dims, const char *path, unsigned n_dims)
{
    uint8_t head[IMAGES_HEADER];
    uint64_t bytes, want = 1;
    int fd, rc = 0;
    size_t head_bytes = 4 + 4 * (size_t)n_dims;
    if ((rc = ctr_records_open(&fd, &bytes, path)) != 0)
        return rc;
    if (bytes < head_bytes)
        CTR_TRY(ctr_fail(CTR_E_DATA, "'%s' is too short for an IDX header", path));
    CTR_TRY(ctr_records_pread(head, fd, 0, head_bytes, path));
    if (be32(head) != 0x800 + n_dims)
        CTR_TRY(ctr_fail(CTR_E_DATA, "'%s': magic number 0x%08x instead of 0x%08x", path,
                         be32(head), 0x800 + n_dims));
    for (unsigned i = 0; i < n_dims; i++) {
        dims[i] = be32(head + 4 + 4 * i);
        if (dims[i] == 0)
            CTR_TRY(ctr_fail(CTR_E_DATA, "'%s': dimension %u is 0", path, i));
        if (__builtin_mul_overflow(want, dims[i], &want))
            CTR_TRY(ctr_fail(CTR_E_DATA, "'%s': its dimensions' product overflows", path));
    }
    if (bytes - head_bytes != want)
        CTR_TRY(ctr_fail(CTR_E_DATA, "'%s' has %llu bytes, its header asks for %llu", path,
                         (unsigned long long)bytes, (unsigned long long)want + head_bytes));
    *out_fd = fd;
    fd = -1;
out:
    if (fd >= 0)
        close(fd);
    return rc;
}

/* n labels, or all zero and *there = 0 without a file. */
static int read_labels(uint8_t *labels, int *there, const struct ctr_source *s,
                       const char *const *names, size_t n)
{
    uint32_t count;
    int fd = -1, rc = 0;
    char *path = find(s->path, names, "");
    *there = path != NULL;
    if (!path)
        return 0;
    CTR_TRY(open_idx(&fd, &count, path, 1));
    if (count != n)
        CTR_TRY(ctr_fail(CTR_E_DATA, "'%s' has %u labels for %zu images", path, count, n));
    CTR_TRY(ctr_records_pread(labels, fd, LABELS_HEADER, n, path));
out:
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}

static int add_images(struct ctr_source *s, const char *const *label_names, const char *part,
                      size_t n)
{
    struct idx *x = s->state;
    int rc = 0, there;
    char name[64];
    uint8_t *labels = ctr_alloc(n, 1);
    if (!labels)
        return CTR_E_FAIL;
    CTR_TRY(read_labels(labels, &there, s, label_names, n));
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s#%06zu", part, i);
        CTR_TRY(ctr_source_add(s, name, (uint64_t)x->width * x->height, there ? labels[i] : -1));
        x->max_label = there && labels[i] > x->max_label ? labels[i] : x->max_label;
    }
out:
    free(labels);
    return rc;
}

static int add_part(struct ctr_source *s, const char *const *image_names,
                    const char *const *label_names, const char *part)
{
    struct idx *x = s->state;
    uint32_t dims[3];
    int fd, rc = 0;
    char *path = find(s->path, image_names, "");
    if (!path) {
        ctr_fail(CTR_E_DATA, "no IDX file '%s' in '%s'", image_names[0], s->path);
        return has(s->path, image_names, ".gz") ? ctr_hint(CTR_E_DATA, "gunzip the .gz files first")
                                                : CTR_E_DATA;
    }
    CTR_TRY(open_idx(&fd, dims, path, 3));
    struct ctr_record_file *f = &x->records.file[x->records.n_files++];
    *f = (struct ctr_record_file){fd, s->n, dims[0], IMAGES_HEADER};
    CTR_TRY(ctr_image_check_size(dims[2], dims[1]));
    if (x->records.n_files > 1 && (dims[1] != x->height || dims[2] != x->width))
        CTR_TRY(ctr_fail(CTR_E_DATA, "'%s': %u x %u pixels, the other file has %u x %u", path,
                         dims[2], dims[1], x->width, x->height));
    s->height = x->height = dims[1];
    s->pixel = (struct ctr_pixel){.channels = 1, .bytes = 1};
    s->width = x->width = dims[2];
    x->records.record_bytes = (size_t)x->width * x->height;
    CTR_TRY(add_images(s, label_names, part, dims[0]));
out:
    free(path);
    return rc;
}

static int add_classes(struct ctr_source *s, const struct idx *x)
{
    int rc = 0, labelled = 0;
    char name[16];
    for (size_t i = 0; i < s->n && !labelled; i++)
        labelled = s->labels[i] >= 0;
    for (unsigned i = 0; labelled && rc == 0 && i <= x->max_label; i++) {
        snprintf(name, sizeof name, "%u", i);
        rc = ctr_source_add_class(s, name);
    }
    return rc;
}

static int idx_open(struct ctr_source *s)
{
    int rc = 0;
    struct idx *x = ctr_arena_alloc(&s->arena, sizeof *x);
    if (!x)
        return CTR_E_FAIL;
    s->state = x;
    s->has_test = has(s->path, test_images, "");
    if (s->split == CTR_SPLIT_UNLABELED)
        return ctr_source_no_split(s, "train, test, all");
    if (s->split != CTR_SPLIT_TEST)
        CTR_TRY(add_part(s, train_images, train_labels, "train"));
    if (s->split != CTR_SPLIT_TRAIN)
        CTR_TRY(add_part(s, test_images, test_labels, "test"));
    CTR_TRY(add_classes(s, x));
out:
    return rc;
}

static int decode(struct ctr_image *out, const struct ctr_source *s, size_t i, unsigned want)
{
    (void)want;
    const struct idx *x = s->state;
    int rc = ctr_image_alloc(out, x->width, x->height, s->pixel);
    return rc ? rc : ctr_records_read(out->pixels, s, &x->records, i);
}

static void close_files(struct ctr_source *s)
{
    struct idx *x = s->state;
    if (x)
        ctr_records_close(&x->records);
}

const struct ctr_data_driver ctr_driver_idx = {
    .name = "idx",
    .text = "IDX files of MNIST and Fashion-MNIST (train-images-idx3-ubyte, ...)",
    .probe = probe,
    .open = idx_open,
    .decode = decode,
    .close = close_files,
};
