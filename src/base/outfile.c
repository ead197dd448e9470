/* outfile.c -- files that are written beside their place and renamed over it. Paths in messages are given as
 * the caller gave them. */
#include "base/outfile.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what others have left ---- */

/* The process's number in "NAME.tmp-PID", of any NAME where it is NULL; 0: no such name. */
static pid_t maker_of(const char *file, const char *name)
{
    static const char mark[] = CTR_OUTFILE_MARK;
    unsigned long long pid;
    const char *at = strstr(file, mark);
    if (name)
        at = strncmp(file, name, strlen(name)) == 0 ? file + strlen(name) : NULL;
    if (!at || strncmp(at, mark, sizeof mark - 1) != 0 ||
        ctr_parse_u64(at + sizeof mark - 1, &pid) != 0 || pid > INT32_MAX)
        return 0;
    return (pid_t)pid;
}

static int is_dead(pid_t pid)
{
    return pid == getpid() || (kill(pid, 0) != 0 && errno == ESRCH);
}

/* The name still leads to what is open. */
static int is_there(int dir, const char *file, int fd)
{
    struct stat named, opened;
    return fstatat(dir, file, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &opened) == 0 &&
           named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

/* Its maker may be another thread, or live where its number tells nothing here, in another container or on another
 * host: then it is locked. Where no lock is to be had it stays. A share of one is asked for, since NFS gives
 * no more to who only reads. */
static void remove_left(int dir, const char *path, const char *file, int links)
{
    struct stat st;
    int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), left;
    if (fd < 0)
        left = links && fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
    else
        left = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && flock(fd, LOCK_SH | LOCK_NB) == 0 &&
               is_there(dir, file, fd);
    if (left && unlinkat(dir, file, 0) == 0)
        ctr_log(CTR_LOG_INFO, "removed '%s/%s', left by a process that died", path, file);
    if (fd >= 0)
        close(fd);
}

void ctr_outfile_clear(const char *dir, const char *name)
{
    DIR *d = opendir(dir);
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        pid_t pid = maker_of(e->d_name, name);
        if (pid > 0 && is_dead(pid))
            remove_left(dirfd(d), dir, e->d_name, name == NULL);
    }
    closedir(d);
}

/* The directory of a file, in a new string, or NULL. */
static char *parent_of(const char *path)
{
    char *dir = ctr_strdup(path);
    char *slash = dir ? strrchr(dir, '/') : NULL;
    if (slash)
        slash[slash == dir] = '\0';
    else if (dir)
        strcpy(dir, "."); /* a file's name is no empty one */
    return dir;
}

static void clear_beside(const char *path)
{
    char *dir = parent_of(path);
    const char *slash = strrchr(path, '/');
    if (dir)
        ctr_outfile_clear(dir, slash ? slash + 1 : path);
    free(dir);
}

/* ---- one's own ---- */

/* Where links lead, in a new string. Whatever is there is a regular file: others must not be replaced by one. */
static int outfile_target(char **out, const char *path)
{
    struct stat st;
    int link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode), there = stat(path, &st) == 0;
    if (link && !there)
        return ctr_fail(CTR_E_IO, "'%s' is a link that leads nowhere", path);
    if (there && !S_ISREG(st.st_mode))
        return ctr_fail(CTR_E_USAGE, "'%s' is %s", path,
                        S_ISDIR(st.st_mode) ? "a directory" : "no regular file");
    *out = link ? realpath(path, NULL) : ctr_strdup(path);
    if (!*out && link)
        return ctr_fail(CTR_E_IO, "cannot follow '%s': %s", path, strerror(errno));
    return *out ? 0 : CTR_E_FAIL;
}

static int outfile_names(struct ctr_outfile *file, const char *path, const char *ending)
{
    *file = (struct ctr_outfile){.fd = -1};
    int rc = outfile_target(&file->path, path);
    if (rc != 0)
        return rc;
    size_t n = strlen(file->path) + strlen(ending) + 1;
    if (!(file->tmp = ctr_alloc(n, 1))) {
        ctr_outfile_abort(file);
        return CTR_E_FAIL;
    }
    snprintf(file->tmp, n, "%s%s", file->path, ending);
    return 0;
}

/* Made and locked, or -1. Who cleared in between took it for left: then once more. */
static int make_locked(const char *tmp)
{
    for (int tries = 0; tries < 10; tries++) {
        int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0)
            return -1;
        while (flock(fd, LOCK_EX) != 0 && errno == EINTR) /* some file systems know no locks */
            continue;
        if (is_there(AT_FDCWD, tmp, fd))
            return fd;
        close(fd);
    }
    errno = EAGAIN;
    return -1;
}

int ctr_outfile_open(struct ctr_outfile *file, const char *path)
{
    char ending[32];
    snprintf(ending, sizeof ending, CTR_OUTFILE_MARK "%ld", (long)getpid());
    int rc = outfile_names(file, path, ending);
    if (rc != 0)
        return rc;
    clear_beside(file->path);
    file->fd = make_locked(file->tmp);
    if (file->fd < 0) {
        rc = ctr_fail(CTR_E_IO, "cannot create '%s': %s", errno == EEXIST ? file->tmp : path, strerror(errno));
        file->keep = 1; /* another's, if it is there */
        ctr_outfile_abort(file);
    }
    return rc;
}

int ctr_outfile_resume(struct ctr_outfile *file, const char *path)
{
    struct stat st;
    int rc = outfile_names(file, path, ".part");
    if (rc != 0)
        return rc;
    file->keep = 1;
    file->fd = open(file->tmp, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (file->fd < 0 || fstat(file->fd, &st) != 0)
        rc = ctr_fail(CTR_E_IO, "cannot open '%s': %s", file->tmp, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        rc = ctr_fail(CTR_E_IO, "'%s' is not a regular file", file->tmp);
    else if (flock(file->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        rc = ctr_fail(CTR_E_USAGE, "'%s' is being written by another process", file->tmp);
    if (rc != 0)
        ctr_outfile_abort(file);
    return rc;
}

/* `at` < 0: where the last write ended. */
static int write_all(const struct ctr_outfile *file, const void *data, size_t bytes, off_t at)
{
    const char *p = data;
    while (bytes > 0) {
        ssize_t n = at < 0 ? write(file->fd, p, bytes) : pwrite(file->fd, p, bytes, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ctr_fail(CTR_E_IO, "cannot write '%s': %s", file->path, strerror(errno));
        p += n;
        bytes -= (size_t)n;
        at += at < 0 ? 0 : n;
    }
    return 0;
}

int ctr_outfile_write(struct ctr_outfile *file, const void *data, size_t bytes)
{
    return write_all(file, data, bytes, -1);
}

int ctr_outfile_write_at(const struct ctr_outfile *file, const void *data, size_t bytes, uint64_t at)
{
    return write_all(file, data, bytes, (off_t)at);
}

void ctr_outfile_start_sync(const struct ctr_outfile *file)
{
#ifdef SYNC_FILE_RANGE_WRITE
    (void)sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
#endif
}

/* Makes the rename itself durable; some file systems cannot sync a directory, which is no failure. */
static void sync_parent(const char *path)
{
    char *dir = parent_of(path);
    if (!dir)
        return;
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    free(dir);
}

int ctr_outfile_sync(struct ctr_outfile *file)
{
    if (fsync(file->fd) != 0)
        return ctr_fail(CTR_E_IO, "cannot sync '%s': %s", file->path, strerror(errno));
    file->synced = 1;
    return 0;
}

int ctr_outfile_commit(struct ctr_outfile *file)
{
    int rc = file->synced ? 0 : ctr_outfile_sync(file);
    if (rc == 0 && rename(file->tmp, file->path) != 0)
        rc = ctr_fail(CTR_E_IO, "cannot rename to '%s': %s", file->path, strerror(errno));
    if (rc == 0) {
        sync_parent(file->path);
        free(file->tmp);
        file->tmp = NULL;
    }
    ctr_outfile_abort(file);
    return rc;
}

void ctr_outfile_abort(struct ctr_outfile *file)
{
    if (file->tmp && !file->keep)
        unlink(file->tmp); /* while a lock on it holds */
    if (file->fd >= 0)
        close(file->fd); /* a file with its name is synced: nothing can be lost */
    free(file->path);
    free(file->tmp);
    *file = (struct ctr_outfile){.fd = -1};
}

int ctr_file_write(const char *path, const void *data, size_t bytes)
{
    struct ctr_outfile file;
    int rc = ctr_outfile_open(&file, path);
    if (rc != 0)
        return rc;
    rc = ctr_outfile_write(&file, data, bytes);
    if (rc != 0) {
        ctr_outfile_abort(&file);
        return rc;
    }
    return ctr_outfile_commit(&file);
}
