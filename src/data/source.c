/* source.c -- what drivers share: adding images to a source, and files below a directory.
 * Invariants: nothing here blocks on FIFOs or devices; paths may be longer than PATH_MAX. */
#include "data/source.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int ctr_source_add(struct ctr_source *s, const char *name, uint64_t bytes, int32_t label)
{
    size_t need = s->n + 1;
    if (need > UINT32_MAX)
        return ctr_fail(CTR_E_DATA, "more than %u images in '%s'", UINT32_MAX - 1, s->path);
    char *copy = ctr_arena_strdup(&s->arena, name);
    if (!copy || ctr_grow((void **)&s->names, &s->names_cap, need, sizeof *s->names) != 0 ||
        ctr_grow((void **)&s->labels, &s->labels_cap, need, sizeof *s->labels) != 0 ||
        ctr_grow((void **)&s->sizes, &s->sizes_cap, need, sizeof *s->sizes) != 0)
        return CTR_E_FAIL;
    s->names[s->n] = copy;
    s->labels[s->n] = label;
    s->sizes[s->n] = bytes;
    s->n = need;
    return 0;
}

int ctr_source_add_class(struct ctr_source *s, const char *name)
{
    char *copy = ctr_arena_strdup(&s->arena, name);
    if (!copy ||
        ctr_grow((void **)&s->classes, &s->classes_cap, s->n_classes + 1, sizeof *s->classes) != 0)
        return CTR_E_FAIL;
    s->classes[s->n_classes++] = copy;
    return 0;
}

int ctr_source_skip(struct ctr_source *s, const char *path, const char *reason)
{
    struct ctr_data_skip skip = {ctr_arena_strdup(&s->arena, path),
                                 ctr_arena_strdup(&s->arena, reason)};
    if (!skip.path || !skip.reason ||
        ctr_grow((void **)&s->skips, &s->skips_cap, s->n_skips + 1, sizeof *s->skips) != 0)
        return CTR_E_FAIL;
    s->skips[s->n_skips++] = skip;
    return 0;
}

int ctr_source_no_split(const struct ctr_source *s, const char *there_are)
{
    ctr_fail(CTR_E_DATA, "no split '%s' in '%s' (%s)", s->split_name, s->path, s->driver->name);
    return ctr_hint(CTR_E_DATA, "there are: %s", there_are);
}

int ctr_open_below(int root_fd, const char *rel, int flags)
{
    char part[PATH_MAX];
    int fd = root_fd;
    while (strlen(rel) >= sizeof part) {
        size_t n = sizeof part - 1;
        while (n > 0 && rel[n] != '/')
            n--;
        memcpy(part, rel, n);
        part[n] = '\0';
        int next = n ? openat(fd, part, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
        int error = n ? errno : ENAMETOOLONG;
        if (fd != root_fd)
            close(fd);
        if (next < 0) {
            errno = error;
            return -1;
        }
        fd = next;
        rel += n + 1;
    }
    int got = openat(fd, *rel ? rel : ".", flags | O_NONBLOCK | O_CLOEXEC), error = errno;
    if (fd != root_fd)
        close(fd);
    errno = error;
    return got;
}

int ctr_read_below(void **out, size_t *bytes, int root_fd, const char *rel, size_t max_bytes,
                   int prefix)
{
    int rc = 0, fd = ctr_open_below(root_fd, rel, O_RDONLY);
    char *data = NULL;
    struct stat st;
    if (fd < 0)
        return ctr_fail(errno == EMFILE || errno == ENFILE ? CTR_E_FAIL : CTR_E_IO,
                        "cannot open: %s", strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        CTR_TRY(ctr_fail(CTR_E_IO, "not a regular file"));
    size_t size = (uint64_t)st.st_size > max_bytes ? max_bytes : (size_t)st.st_size, have = 0;
    if ((uint64_t)st.st_size > max_bytes && !prefix)
        CTR_TRY(ctr_fail(CTR_E_DATA, "file too large (%lld bytes)", (long long)st.st_size));
    data = malloc(size + 1);
    if (!data)
        CTR_TRY(ctr_fail(CTR_E_FAIL, "out of host memory (%zu bytes for '%s')", size, rel));
    while (have < size) {
        ssize_t n = read(fd, data + have, size - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            CTR_TRY(ctr_fail(CTR_E_IO, "cannot read: %s", strerror(errno)));
        if (n == 0)
            break;
        have += (size_t)n;
    }
    *out = data;
    *bytes = have;
    data = NULL;
out:
    free(data);
    close(fd);
    return rc;
}
