/* folder.c -- a directory of image files, as torchvision's ImageFolder sees it, and flat ones too.
 *
 * In: root/[split/]class/.../file. Out: names below root, sorted by directory; labels by the sorted
 * names (bytes, which for UTF-8 is code points) of the first level of sub-directories; files above
 * them are unlabelled. With train/ and test/ (or val/, valid/, validation/) below root these are
 * the splits and share one list of classes; without, the whole is "train". Hidden names (".x") are
 * left out; so is what is no regular file. Symbolic links are followed; each directory is visited
 * once, known by device and inode, so that loops end. Invariants: one directory is open at a time,
 * no recursion, paths of any length (openat in steps). */
#include "data/source.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_ODD         8 /* kinds of other files told apart in "no images found" */
#define IMAGE_ENDINGS ".jpg .jpeg .png .tif .tiff .ppm .pgm .bmp"

struct folder {
    int root_fd;
};

struct entry {
    char *name;
    uint64_t bytes;
    dev_t dev;
    ino_t ino;
    int is_dir;
};

struct pending {
    char *rel;
    int32_t label;
    dev_t dev;
    ino_t ino;
};

struct seen {
    dev_t dev;
    ino_t ino;
    int used;
};

struct walk {
    struct ctr_source *source;
    int root_fd;
    struct ctr_arena arena;
    struct pending *stack;
    size_t n_stack, stack_cap;
    struct entry *entries; /* of the directory being read */
    size_t n_entries, entries_cap;
    struct seen *seen; /* open addressing, at most half full, size a power of two */
    size_t n_seen, seen_size;
    struct {
        char ending[12];
        size_t n;
    } odd[N_ODD];
};

static int is_image_name(const char *name)
{
    const char *dot = strrchr(name, '.'), *ending = IMAGE_ENDINGS;
    while (dot && *ending) {
        size_t n = strcspn(ending, " ");
        if (strlen(dot) == n && strncasecmp(dot, ending, n) == 0)
            return 1;
        ending += n + strspn(ending + n, " ");
    }
    return 0;
}

/* ---- the walk ---- */

static void count_odd(struct walk *w, const char *name)
{
    const char *dot = strrchr(name, '.');
    if (!dot || strlen(dot) >= sizeof w->odd[0].ending)
        dot = "(other)";
    for (size_t i = 0; i < N_ODD; i++) {
        if (w->odd[i].n == 0)
            snprintf(w->odd[i].ending, sizeof w->odd[i].ending, "%s", dot);
        if (strcasecmp(w->odd[i].ending, dot) == 0) {
            w->odd[i].n++;
            return;
        }
    }
}

static int no_images(const struct walk *w)
{
    struct ctr_str odd = {0};
    for (size_t i = 0; i < N_ODD && w->odd[i].n; i++)
        ctr_str_addf(&odd, "%s%zu %s", i ? ", " : "; there are: ", w->odd[i].n, w->odd[i].ending);
    ctr_fail(CTR_E_DATA, "no images found in '%s' (looked for %s)", w->source->path, IMAGE_ENDINGS);
    ctr_hint(CTR_E_DATA, "give a directory with image files or one sub-directory per class%s",
             odd.s ? odd.s : "");
    ctr_str_free(&odd);
    return CTR_E_DATA;
}

static int seen_slot(const struct walk *w, size_t *slot, dev_t dev, ino_t ino)
{
    size_t i = (size_t)((uint64_t)ino * 0x9E3779B97F4A7C15u ^ (uint64_t)dev) & (w->seen_size - 1);
    for (; w->seen[i].used; i = (i + 1) & (w->seen_size - 1))
        if (w->seen[i].dev == dev && w->seen[i].ino == ino)
            return 1;
    *slot = i;
    return 0;
}

static int grow_seen(struct walk *w)
{
    struct seen *old = w->seen;
    size_t old_size = w->seen_size, slot = 0, size = old_size ? old_size * 2 : 64;
    struct seen *fresh = ctr_alloc(size, sizeof *fresh);
    if (!fresh)
        return CTR_E_FAIL;
    w->seen = fresh;
    w->seen_size = size;
    for (size_t i = 0; i < old_size; i++)
        if (old[i].used && !seen_slot(w, &slot, old[i].dev, old[i].ino))
            w->seen[slot] = old[i];
    free(old);
    return 0;
}

/* *fresh = 1 when the directory was not visited before. */
static int visit(int *fresh, struct walk *w, dev_t dev, ino_t ino)
{
    size_t slot = 0;
    if (w->n_seen * 2 >= w->seen_size && grow_seen(w) != 0)
        return CTR_E_FAIL;
    *fresh = !seen_slot(w, &slot, dev, ino);
    if (*fresh) {
        w->seen[slot] = (struct seen){dev, ino, 1};
        w->n_seen++;
    }
    return 0;
}

/* A directory walked on its own, so that links to it lead nowhere. */
static int visit_top(struct walk *w, const char *rel)
{
    struct stat st;
    int fresh;
    if (!rel || fstatat(w->root_fd, *rel ? rel : ".", &st, 0) != 0)
        return 0;
    return visit(&fresh, w, st.st_dev, st.st_ino);
}

static char *join(struct walk *w, const char *rel, const char *name)
{
    size_t n = strlen(rel), m = strlen(name);
    char *path = ctr_arena_alloc(&w->arena, n + m + 2);
    if (path) {
        memcpy(path, rel, n);
        if (n)
            path[n++] = '/';
        memcpy(path + n, name, m + 1);
    }
    return path;
}

static int skip(struct walk *w, const char *rel, const char *name, const char *reason)
{
    char *path = join(w, rel, name);
    return path ? ctr_source_skip(w->source, path, reason) : CTR_E_FAIL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int keep_entry(struct walk *w, const char *rel, int dir_fd, const struct dirent *item)
{
    const char *name = item->d_name;
    int image = is_image_name(name);
    struct stat st;
    if (name[0] == '.')
        return 0;
    if (item->d_type == DT_REG && !image) {
        count_odd(w, name);
        return 0;
    }
    if (fstatat(dir_fd, name, &st, 0) != 0)
        return skip(w, rel, name,
                    errno == ENOENT || errno == ELOOP ? "dangling symbolic link" : strerror(errno));
    int is_dir = S_ISDIR(st.st_mode) != 0;
    if (!is_dir && !image) {
        count_odd(w, name);
        return 0;
    }
    if (!is_dir && !S_ISREG(st.st_mode))
        return skip(w, rel, name, "not a regular file");
    struct entry e = {ctr_arena_strdup(&w->arena, name), (uint64_t)st.st_size, st.st_dev, st.st_ino,
                      is_dir};
    if (!e.name || ctr_grow((void **)&w->entries, &w->entries_cap, w->n_entries + 1, sizeof e) != 0)
        return CTR_E_FAIL;
    w->entries[w->n_entries++] = e;
    return 0;
}

/* Fills w->entries, sorted. A directory that cannot be read is skipped. */
static int list(struct walk *w, const char *rel)
{
    int rc = 0, fd = ctr_open_below(w->root_fd, rel, O_RDONLY | O_DIRECTORY);
    struct dirent *item;
    w->n_entries = 0;
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        rc = ctr_fail(CTR_E_FAIL, "cannot open directory '%s': %s", rel, strerror(errno));
    else if (!dir)
        rc = ctr_source_skip(w->source, *rel ? rel : ".", strerror(errno));
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return rc;
    }
    while (rc == 0 && (errno = 0, item = readdir(dir)) != NULL)
        rc = keep_entry(w, rel, fd, item);
    if (rc == 0 && errno != 0)
        rc = ctr_source_skip(w->source, *rel ? rel : ".", strerror(errno));
    closedir(dir);
    if (w->n_entries)
        qsort(w->entries, w->n_entries, sizeof *w->entries, by_name);
    return rc;
}

static int push(struct walk *w, char *rel, const struct entry *e, int32_t label)
{
    if (!rel || ctr_grow((void **)&w->stack, &w->stack_cap, w->n_stack + 1, sizeof *w->stack) != 0)
        return CTR_E_FAIL;
    w->stack[w->n_stack++] = (struct pending){rel, label, e->dev, e->ino};
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int32_t class_of(const struct ctr_source *s, const char *name)
{
    const char **found =
        s->n_classes ? bsearch(&name, s->classes, s->n_classes, sizeof name, by_text) : NULL;
    return found ? (int32_t)(found - s->classes) : -1;
}

/* Adds the images of the listed directory and puts its sub-directories on the stack, first on top.
 * At the top of a split each sub-directory is a class. */
static int take_entries(struct walk *w, const char *rel, int32_t label, int top)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->n_entries; i++) {
        const struct entry *e = &w->entries[i];
        char *path = e->is_dir ? NULL : join(w, rel, e->name);
        if (!e->is_dir)
            rc = path ? ctr_source_add(w->source, path, e->bytes, label) : CTR_E_FAIL;
    }
    for (size_t i = w->n_entries; rc == 0 && i-- > 0;) {
        const struct entry *e = &w->entries[i];
        if (e->is_dir)
            rc = push(w, join(w, rel, e->name), e, top ? class_of(w->source, e->name) : label);
    }
    return rc;
}

static int walk_from(struct walk *w, const char *top)
{
    memset(w->odd, 0, sizeof w->odd); /* the top was listed before, to find its splits */
    int rc = list(w, top), fresh;
    if (rc == 0)
        rc = take_entries(w, top, -1, 1);
    while (rc == 0 && w->n_stack > 0) {
        struct pending next = w->stack[--w->n_stack];
        rc = visit(&fresh, w, next.dev, next.ino);
        if (rc == 0 && !fresh)
            rc = ctr_source_skip(w->source, next.rel, "directory already visited (symbolic link)");
        else if (rc == 0 && (rc = list(w, next.rel)) == 0)
            rc = take_entries(w, next.rel, next.label, 0);
    }
    return rc;
}

/* ---- splits and classes ---- */

struct splits {
    const char *train, *test; /* sub-directory or NULL */
};

/* From w->entries of root. A lone train/ is a split as well; beside other names it is a class. */
static void find_splits(struct splits *out, const struct walk *w)
{
    static const char *const tests[] = {"test", "val", "valid", "validation"};
    size_t n_dirs = 0;
    *out = (struct splits){0};
    for (size_t i = 0; i < w->n_entries; i++) {
        if (!w->entries[i].is_dir)
            continue;
        n_dirs++;
        if (strcmp(w->entries[i].name, "train") == 0)
            out->train = "train";
    }
    for (size_t k = 0; k < sizeof tests / sizeof *tests && !out->test; k++)
        for (size_t i = 0; i < w->n_entries; i++)
            if (w->entries[i].is_dir && strcmp(w->entries[i].name, tests[k]) == 0)
                out->test = tests[k];
    if (!out->train || (!out->test && n_dirs > 1))
        *out = (struct splits){0};
}

static int add_classes(struct walk *w)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->n_entries; i++)
        if (w->entries[i].is_dir)
            rc = ctr_source_add_class(w->source, w->entries[i].name);
    return rc;
}

static void sort_classes(struct ctr_source *s)
{
    size_t m = 0;
    if (s->n_classes)
        qsort(s->classes, s->n_classes, sizeof *s->classes, by_text);
    for (size_t i = 0; i < s->n_classes; i++)
        if (m == 0 || strcmp(s->classes[m - 1], s->classes[i]) != 0)
            s->classes[m++] = s->classes[i];
    s->n_classes = m;
}

/* Without splits, sub-directories that turned out to hold no image are no classes. */
static int drop_empty_classes(struct ctr_source *s)
{
    size_t m = 0;
    int32_t *to = ctr_alloc(s->n_classes, sizeof *to);
    if (!to)
        return CTR_E_FAIL;
    for (size_t i = 0; i < s->n; i++)
        if (s->labels[i] >= 0)
            to[s->labels[i]] = 1;
    for (size_t c = 0; c < s->n_classes; c++)
        if (to[c]) {
            to[c] = (int32_t)m;
            s->classes[m++] = s->classes[c];
        }
    s->n_classes = m;
    for (size_t i = 0; i < s->n; i++)
        if (s->labels[i] >= 0)
            s->labels[i] = to[s->labels[i]];
    free(to);
    return 0;
}

static int walk_splits(struct walk *w, const struct splits *splits)
{
    struct ctr_source *s = w->source;
    int rc = 0;
    s->has_test = splits->test != NULL;
    if (s->split == CTR_SPLIT_UNLABELED || (s->split == CTR_SPLIT_TEST && !s->has_test))
        return ctr_source_no_split(s, s->has_test ? "train, test, all" : "train, all");
    CTR_TRY(visit_top(w, ""));
    CTR_TRY(visit_top(w, splits->train));
    CTR_TRY(visit_top(w, splits->test));
    if (!splits->train) {
        CTR_TRY(add_classes(w));
        sort_classes(s);
        CTR_TRY(walk_from(w, ""));
        CTR_TRY(drop_empty_classes(s));
        goto out;
    }
    CTR_TRY(list(w, splits->train));
    CTR_TRY(add_classes(w));
    if (splits->test) {
        CTR_TRY(list(w, splits->test));
        CTR_TRY(add_classes(w));
    }
    sort_classes(s);
    if (s->split != CTR_SPLIT_TEST)
        CTR_TRY(walk_from(w, splits->train));
    if (s->split != CTR_SPLIT_TRAIN && splits->test)
        CTR_TRY(walk_from(w, splits->test));
out:
    return rc;
}

/* ---- driver ---- */

static int folder_open(struct ctr_source *s)
{
    int rc = 0;
    struct splits splits;
    struct walk *w = ctr_alloc(1, sizeof *w);
    struct folder *f = ctr_arena_alloc(&s->arena, sizeof *f);
    if (!w || !f) {
        free(w);
        return CTR_E_FAIL;
    }
    w->source = s;
    w->root_fd = f->root_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->root_fd < 0)
        CTR_TRY(ctr_fail(CTR_E_DATA, "cannot open '%s': %s", s->path, strerror(errno)));
    s->state = f;
    CTR_TRY(list(w, ""));
    find_splits(&splits, w);
    CTR_TRY(walk_splits(w, &splits));
    if (s->n == 0)
        CTR_TRY(no_images(w));
    ctr_source_sample(s, f->root_fd);
out:
    ctr_arena_free(&w->arena);
    free(w->stack);
    free(w->entries);
    free(w->seen);
    free(w);
    return rc;
}

static int folder_decode(struct ctr_image *out, const struct ctr_source *s, size_t i, unsigned want)
{
    const struct folder *f = s->state;
    void *bytes = NULL;
    size_t n = 0;
    int rc = ctr_read_below(&bytes, &n, f->root_fd, s->names[i], CTR_IMAGE_MAX_FILE, 0);
    if (rc == 0)
        rc = ctr_image_decode(out, bytes, n, want);
    free(bytes);
    return rc;
}

static void folder_close(struct ctr_source *s)
{
    struct folder *f = s->state;
    if (f)
        close(f->root_fd);
}

const struct ctr_data_driver ctr_driver_folder = {
    .name = "folder",
    .text = "image files; sub-directories are classes, train/ and test/ or val/ the splits",
    .open = folder_open,
    .decode = folder_decode,
    .close = folder_close,
};
