/* os.c -- clocks, files and threads over POSIX. Paths in messages are given as the caller gave them. */
#include "base/os.h"
#include "base/mem.h"
#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

double ctr_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double ctr_wall_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

unsigned ctr_cpu_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

char *ctr_path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir), m = strlen(name);
    char *p = ctr_alloc(n + m + 2, 1);
    if (!p)
        return NULL;
    memcpy(p, dir, n);
    if (n && dir[n - 1] != '/')
        p[n++] = '/';
    memcpy(p + n, name, m + 1);
    return p;
}

void ctr_huge_pages(void *p, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    const uintptr_t page = (uintptr_t)2 << 20;
    uintptr_t first = ((uintptr_t)p + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)p + bytes) / page * page;
    if (first < end)
        (void)madvise((void *)first, end - first, MADV_HUGEPAGE); /* it works without, too */
#endif
}

int ctr_mkdirs(const char *path)
{
    if (!*path)
        return ctr_fail(CTR_E_IO, "cannot create directory '': it has no name");
    char *p = ctr_strdup(path);
    if (!p)
        return CTR_E_FAIL;
    int rc = 0;
    for (char *s = p + 1; rc == 0; s++) {
        if (*s && *s != '/')
            continue;
        char was = *s;
        *s = '\0';
        if (mkdir(p, 0777) != 0 && errno != EEXIST)
            rc = ctr_fail(CTR_E_IO, "cannot create directory '%s': %s", path, strerror(errno));
        *s = was;
        if (!was)
            break;
    }
    struct stat st;
    if (rc == 0 && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
        rc = ctr_fail(CTR_E_IO, "'%s' is not a directory", path);
    free(p);
    return rc;
}

char *ctr_path_existing(const char *path)
{
    char *at = ctr_strdup(path);
    while (at && *at && access(at, F_OK) != 0 && errno == ENOENT) {
        char *slash = strrchr(at, '/');
        if (!slash)
            strcpy(at, "."); /* "" is not there to begin with: at least one character and the NUL */
        else
            slash[slash == at] = '\0';
    }
    return at;
}

uint64_t ctr_disk_room(const char *path)
{
    struct statvfs fs;
    char *at = ctr_path_existing(path);
    int known = at && statvfs(at, &fs) == 0 && fs.f_blocks > 0; /* some tell no sizes: ramfs */
    free(at);
    return known ? (uint64_t)fs.f_bavail * fs.f_frsize : UINT64_MAX;
}

int ctr_in_path(const char *program)
{
    const char *dirs = getenv("PATH");
    for (const char *p = dirs ? dirs : ""; *p; p += strspn(p, ":")) {
        char path[4096];
        size_t n = strcspn(p, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)n, p, program);
        if (access(path, X_OK) == 0)
            return 1;
        p += n;
    }
    return 0;
}

char *ctr_cache_dir(void)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *base = NULL, *dir = NULL;
    if (xdg && *xdg)
        base = ctr_strdup(xdg);
    else if (home && *home)
        base = ctr_path_join(home, ".cache");
    if (base)
        dir = ctr_path_join(base, "clcontrast");
    free(base);
    if (dir && (ctr_mkdirs(dir) != 0 || access(dir, W_OK) != 0)) {
        free(dir);
        dir = NULL;
    }
    return dir;
}

int ctr_file_read(void **out, size_t *bytes, const char *path, size_t max_bytes)
{
    int rc = 0;
    char *data = NULL;
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return ctr_fail(CTR_E_IO, "cannot open '%s': %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        CTR_TRY(ctr_fail(CTR_E_IO, "'%s' is not a regular file", path));
    if ((unsigned long long)st.st_size > max_bytes)
        CTR_TRY(ctr_fail(CTR_E_IO, "'%s' is too large (%lld bytes, at most %zu)", path,
                         (long long)st.st_size, max_bytes));
    size_t size = (size_t)st.st_size, have = 0;
    data = malloc(size + 1);
    if (!data)
        CTR_TRY(ctr_fail(CTR_E_FAIL, "out of host memory (%zu bytes for '%s')", size + 1, path));
    while (have < size) {
        ssize_t n = read(fd, data + have, size - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            CTR_TRY(ctr_fail(CTR_E_IO, "cannot read '%s': %s", path, strerror(errno)));
        if (n == 0)
            break;
        have += (size_t)n;
    }
    data[have] = '\0';
    *out = data;
    *bytes = have;
    data = NULL;
out:
    free(data);
    close(fd);
    return rc;
}

struct parallel {
    void (*fn)(void *ctx, size_t i);
    void *ctx;
    size_t n;
    atomic_size_t next;
};

static void *parallel_worker(void *arg)
{
    struct parallel *p = arg;
    for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->n;)
        p->fn(p->ctx, i);
    return NULL;
}

void ctr_parallel(unsigned threads, size_t n, void (*fn)(void *ctx, size_t i), void *ctx)
{
    struct parallel p = {.fn = fn, .ctx = ctx, .n = n};
    pthread_t id[64];
    unsigned started = 0;
    if (threads == 0)
        threads = ctr_cpu_count();
    while (started + 1 < threads && started + 1 < n && started < 64 &&
           pthread_create(&id[started], NULL, parallel_worker, &p) == 0)
        started++;
    parallel_worker(&p);
    while (started > 0)
        pthread_join(id[--started], NULL);
}
