/* filefaults.h -- file calls that fail on command, and what was synced and renamed. The functions below take the place of libc's in
 * the program they are linked into. Include in one file of a test. */
#ifndef TESTS_FILEFAULTS_H
#define TESTS_FILEFAULTS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    int armed;       /* count calls at all */
    long calls;      /* since arming */
    long fail_at;    /* this call fails, 1 is the first; 0: none */
    int and_after;   /* and all later ones */
    int error;       /* errno of the failure; 0: none fails, and a write takes its first byte wrong */
    int short_write; /* the failing write first takes half of its bytes */
    const char *under; /* files whose path begins so alone; NULL: all */
    char lasting[64];  /* since arming: s a file was synced, d a directory, r renamed */
    unsigned n_lasting;
} filefaults;

static int filefaults_concerns(int fd, const char *path)
{
    char link[32], target[512];
    if (!filefaults.under)
        return 1;
    if (!path) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        path = target;
    }
    return strncmp(path, filefaults.under, strlen(filefaults.under)) == 0;
}

/* Whether this call, of the file behind fd or of `path`, is one of those. */
static int filefaults_reached(int fd, const char *path)
{
    if (!filefaults.armed || !filefaults_concerns(fd, path))
        return 0;
    long n = ++filefaults.calls;
    return filefaults.fail_at > 0 &&
           (n == filefaults.fail_at || (filefaults.and_after && n > filefaults.fail_at));
}

static int filefaults_now(int fd, const char *path)
{
    int fail = filefaults_reached(fd, path) && filefaults.error;
    if (fail)
        errno = filefaults.error;
    return fail;
}

/* The call goes through, unless it fails: -1 then. */
static int filefaults_lasting(char what, int fd, const char *path)
{
    if (filefaults_now(fd, path))
        return -1;
    if (filefaults.armed && filefaults_concerns(fd, path) &&
        filefaults.n_lasting + 1 < sizeof filefaults.lasting)
        filefaults.lasting[filefaults.n_lasting++] = what;
    return 0;
}

ssize_t write(int fd, const void *data, size_t bytes)
{
    char wrong;
    if (filefaults_reached(fd, NULL)) {
        if (!filefaults.error && bytes) {
            wrong = (char)(*(const char *)data ^ 1);
            return syscall(SYS_write, fd, &wrong, 1); /* the caller goes on with the rest */
        }
        if (filefaults.short_write)
            (void)!syscall(SYS_write, fd, data, bytes / 2);
        errno = filefaults.error;
        return -1;
    }
    return syscall(SYS_write, fd, data, bytes);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    if (filefaults_now(fd, NULL)) {
        if (filefaults.short_write)
            (void)!syscall(SYS_pwrite64, fd, data, bytes / 2, offset);
        errno = filefaults.error;
        return -1;
    }
    return syscall(SYS_pwrite64, fd, data, bytes, offset);
}

ssize_t pread(int fd, void *data, size_t bytes, off_t offset)
{
    return filefaults_now(fd, NULL) ? -1 : syscall(SYS_pread64, fd, data, bytes, offset);
}

int fsync(int fd)
{
    struct stat st;
    char what = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? 'd' : 's';
    return filefaults_lasting(what, fd, NULL) ? -1 : (int)syscall(SYS_fsync, fd);
}

int close(int fd)
{
    int fail = filefaults_now(fd, NULL), error = errno;
    int rc = (int)syscall(SYS_close, fd);
    if (fail)
        errno = error;
    return fail ? -1 : rc;
}

int rename(const char *from, const char *to)
{
    return filefaults_lasting('r', -1, to) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int symlink(const char *target, const char *path)
{
    return filefaults_now(-1, path) ? -1 : (int)syscall(SYS_symlinkat, target, AT_FDCWD, path);
}

int unlink(const char *path)
{
    return filefaults_now(-1, path) ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
    va_end(ap);
    return filefaults_now(-1, path) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* The at-th call from now on fails with `error`, and all later ones if `after`. */
static inline void filefaults_arm(long at, int error, int after)
{
    const char *under = filefaults.under;
    memset(&filefaults, 0, sizeof filefaults);
    filefaults.fail_at = at;
    filefaults.error = error;
    filefaults.and_after = after;
    filefaults.short_write = error == ENOSPC;
    filefaults.under = under;
    filefaults.armed = 1;
}

/* Whether it came to that call. */
static inline int filefaults_disarm(void)
{
    filefaults.armed = 0;
    return filefaults.calls >= filefaults.fail_at;
}

#endif
