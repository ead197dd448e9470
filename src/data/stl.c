/* stl.c -- STL-10, binary version (cs.stanford.edu/~acoates/stl10).
 * A record: 3 planes (red, green, blue) of 96 x 96, column-major: byte x * 96 + y. Labels 1..10 in
 * a file of their own. "train" and "test" are labelled, "unlabeled" is not; "all" is the three of
 * them as far as they are there. A missing label file makes its images unlabelled. */
#include "data/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIDE      96
#define PIXELS    ((size_t)SIDE * SIDE)
#define N_CLASSES 10

static const char *const subs[] = {"", "stl10_binary", NULL};
static const char *const class_names[N_CLASSES] = {"airplane", "bird",  "car",    "cat",  "deer",
                                                   "dog",      "horse", "monkey", "ship", "truck"};

static int has(const char *dir, const char *name)
{
    char *path = ctr_records_find(dir, subs, name);
    free(path);
    return path != NULL;
}

static int probe(const char *path)
{
    return has(path, "train_X.bin") || has(path, "unlabeled_X.bin") || has(path, "test_X.bin");
}

/* Labels of n images, 1..10, into labels; untouched (-1) when there is no such file. */
static int read_labels(uint8_t *labels, int *there, const struct ctr_source *s, const char *file,
                       size_t n)
{
    uint64_t bytes;
    int fd = -1, rc = 0;
    char *path = ctr_records_find(s->path, subs, file);
    *there = path != NULL;
    if (!path)
        return 0;
    CTR_TRY(ctr_records_open(&fd, &bytes, path));
    if (bytes != n)
        CTR_TRY(ctr_fail(CTR_E_DATA, "'%s' has %llu labels for %zu images", path,
                         (unsigned long long)bytes, n));
    CTR_TRY(ctr_records_pread(labels, fd, 0, n, path));
    for (size_t i = 0; i < n; i++)
        if (labels[i] < 1 || labels[i] > N_CLASSES)
            CTR_TRY(ctr_fail(CTR_E_DATA, "'%s': label %u of image %zu is not in 1..%d", path,
                             labels[i], i, N_CLASSES));
out:
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}

static int add_images(struct ctr_source *s, const char *part, size_t n)
{
    int rc = 0, there = 0;
    char name[64];
    uint8_t *labels = ctr_alloc(n, 1);
    if (!labels)
        return CTR_E_FAIL;
    snprintf(name, sizeof name, "%s_y.bin", part);
    if (strcmp(part, "unlabeled") != 0)
        CTR_TRY(read_labels(labels, &there, s, name, n));
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s_X.bin#%06zu", part, i);
        CTR_TRY(ctr_source_add(s, name, 3 * PIXELS, there ? labels[i] - 1 : -1));
    }
out:
    free(labels);
    return rc;
}

static int add_part(struct ctr_source *s, const char *part, int required)
{
    struct ctr_records *r = s->state;
    char file[32];
    uint64_t bytes;
    int fd, rc = 0;
    snprintf(file, sizeof file, "%s_X.bin", part);
    char *path = ctr_records_find(s->path, subs, file);
    if (!path && !required)
        return 0;
    if (!path) {
        rc = ctr_fail(CTR_E_DATA, "STL-10: no file '%s' in '%s'", file, s->path);
        return has(s->path, "unlabeled_X.bin")
                   ? ctr_hint(rc, "--split unlabeled takes those of unlabeled_X.bin")
                   : rc;
    }
    CTR_TRY(ctr_records_open(&fd, &bytes, path));
    size_t n = (size_t)(bytes / (3 * PIXELS));
    r->file[r->n_files++] = (struct ctr_record_file){.fd = fd, .first = s->n, .n = n};
    if (n == 0 || bytes % (3 * PIXELS) != 0) {
        ctr_fail(CTR_E_DATA, "'%s' has %llu bytes, not a positive multiple of %zu", path,
                 (unsigned long long)bytes, 3 * PIXELS);
        CTR_TRY(ctr_hint(CTR_E_DATA, "the published files hold 5000 (train), 8000 (test) and "
                                     "100000 (unlabeled) images"));
    }
    CTR_TRY(add_images(s, part, n));
out:
    free(path);
    return rc;
}

static int stl_open(struct ctr_source *s)
{
    int rc = 0, all = s->split == CTR_SPLIT_ALL;
    struct ctr_records *r = ctr_arena_alloc(&s->arena, sizeof *r);
    if (!r)
        return CTR_E_FAIL;
    r->record_bytes = 3 * PIXELS;
    s->state = r;
    s->width = s->height = SIDE;
    s->pixel = (struct ctr_pixel){.channels = 3, .bytes = 1};
    s->has_test = has(s->path, "test_X.bin");
    for (size_t i = 0; i < N_CLASSES; i++)
        CTR_TRY(ctr_source_add_class(s, class_names[i]));
    if (all || s->split == CTR_SPLIT_UNLABELED)
        CTR_TRY(add_part(s, "unlabeled", !all));
    if (all || s->split == CTR_SPLIT_TRAIN)
        CTR_TRY(add_part(s, "train", !all));
    if (all || s->split == CTR_SPLIT_TEST)
        CTR_TRY(add_part(s, "test", !all));
out:
    return rc;
}

static int decode(struct ctr_image *out, const struct ctr_source *s, size_t i, unsigned want)
{
    (void)want;
    uint8_t planes[3 * PIXELS];
    int rc = ctr_records_read(planes, s, s->state, i);
    if (rc != 0 || (rc = ctr_image_alloc(out, SIDE, SIDE, s->pixel)) != 0)
        return rc;
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++)
            for (size_t c = 0; c < 3; c++)
                out->pixels[3 * (y * SIDE + x) + c] = planes[c * PIXELS + x * SIDE + y];
    return 0;
}

static void close_files(struct ctr_source *s)
{
    if (s->state)
        ctr_records_close(s->state);
}

const struct ctr_data_driver ctr_driver_stl10 = {
    .name = "stl10",
    .text = "STL-10, binary version (train_X.bin, unlabeled_X.bin, ...)",
    .probe = probe,
    .open = stl_open,
    .decode = decode,
    .close = close_files,
};
