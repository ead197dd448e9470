/* records.c -- files of equal records (CIFAR, IDX, STL-10): find, open, read the i-th.
 * Invariants: never blocks on FIFOs or devices; records are read by pread, from any thread. */
#include "base/os.h"
#include "data/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *ctr_records_find(const char *dir, const char *const *subs, const char *name)
{
    struct stat st;
    for (; *subs; subs++) {
        char *sub = **subs ? ctr_path_join(dir, *subs) : ctr_strdup(dir);
        char *path = sub ? ctr_path_join(sub, name) : NULL;
        free(sub);
        if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode))
            return path;
        free(path);
    }
    return NULL;
}

int ctr_records_open(int *out, uint64_t *bytes, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return ctr_fail(CTR_E_IO, "cannot open '%s': %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return ctr_fail(CTR_E_IO, "'%s' is not a regular file", path);
    }
    *out = fd;
    *bytes = (uint64_t)st.st_size;
    return 0;
}

int ctr_records_pread(void *dst, int fd, uint64_t at, size_t n, const char *what)
{
    char *to = dst;
    while (n > 0) {
        ssize_t got = pread(fd, to, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return ctr_fail(CTR_E_IO, "cannot read '%s': %s", what, strerror(errno));
        if (got == 0)
            return ctr_fail(CTR_E_IO, "'%s' has become shorter", what);
        to += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

int ctr_records_read(void *dst, const struct ctr_source *source, const struct ctr_records *r,
                     size_t i)
{
    const struct ctr_record_file *f = r->file;
    while (i >= f->first + f->n)
        f++;
    uint64_t at = f->header_bytes + (uint64_t)(i - f->first) * r->record_bytes + r->skip_bytes;
    return ctr_records_pread(dst, f->fd, at, r->record_bytes - r->skip_bytes, source->names[i]);
}

void ctr_records_close(struct ctr_records *r)
{
    for (unsigned i = 0; i < r->n_files; i++)
        close(r->file[i].fd);
    r->n_files = 0;
}
