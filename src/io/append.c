/* append.c -- growing files: logs, metrics, event files. In: records. Out: a file of whole records,
 * also after the disk was full in the middle of one. */
#include "io/append.h"
#include "base/mem.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int ctr_append_open(struct ctr_append *file, const char *path, int exclusive)
{
    struct stat info;
    char *copy = ctr_strdup(path);
    if (!copy)
        return CTR_E_FAIL;
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | (exclusive ? O_EXCL : 0);
    int fd = open(path, flags, 0666), err = errno;
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        int rc = ctr_fail(CTR_E_IO, "cannot write to '%s': %s", path,
                          fd < 0 ? strerror(err) : "not a regular file");
        if (fd >= 0)
            close(fd);
        free(copy);
        errno = err;
        return rc;
    }
    *file = (struct ctr_append){.fd = fd, .path = copy, .good_bytes = (uint64_t)info.st_size};
    return 0;
}

int ctr_append_write(struct ctr_append *file, const void *record, size_t bytes)
{
    const char *p = record;
    for (size_t done = 0; done < bytes;) {
        ssize_t n = write(file->fd, p + done, bytes - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            int rc = ctr_fail(CTR_E_IO, "cannot write '%s': %s", file->path,
                              n < 0 ? strerror(errno) : "nothing written");
            if (ftruncate(file->fd, (off_t)file->good_bytes) != 0)
                rc = ctr_hint(rc, "its last line or record is incomplete");
            return rc;
        }
        done += (size_t)n;
    }
    file->good_bytes += bytes;
    return 0;
}

int ctr_append_cut(struct ctr_append *file, uint64_t bytes)
{
    if (ftruncate(file->fd, (off_t)bytes) != 0)
        return ctr_fail(CTR_E_IO, "cannot shorten '%s': %s", file->path, strerror(errno));
    file->good_bytes = bytes;
    return 0;
}

int ctr_append_sync(struct ctr_append *file)
{
    if (fsync(file->fd) != 0)
        return ctr_fail(CTR_E_IO, "cannot sync '%s': %s", file->path, strerror(errno));
    return 0;
}

void ctr_append_close(struct ctr_append *file)
{
    if (!file->path)
        return;
    close(file->fd);
    free(file->path);
    *file = (struct ctr_append){0};
}
