/* os.h -- clocks, files, directories, threads: what the operating system gives us. */
#ifndef CTR_BASE_OS_H
#define CTR_BASE_OS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Seconds on the monotonic clock, for durations; seconds since 1970, for records. */
double ctr_now(void);
double ctr_wall_time(void);
/* Processors this process may run on, at least 1. */
unsigned ctr_cpu_count(void);

/* Asks for pages of 2 MiB under the memory at p, where it covers whole ones; best before it is first
 * touched. Only a wish. */
void ctr_huge_pages(void *p, size_t bytes);

/* Creates `path` and its parents. Existing directories are fine. */
int ctr_mkdirs(const char *path);
/* "dir/name" in a new string, or NULL (failure recorded). */
char *ctr_path_join(const char *dir, const char *name);
/* `path`, or the nearest directory above it that is there, in a new string; NULL: out of memory (recorded). */
char *ctr_path_existing(const char *path);
/* Bytes that its disk has left; UINT64_MAX where that is not told. */
uint64_t ctr_disk_room(const char *path);
/* The directory for this program's caches ("$XDG_CACHE_HOME/clcontrast", else under $HOME), created;
 * NULL without a recorded failure when there is none: caching is then off. Freed with free(). */
char *ctr_cache_dir(void);
/* Whether an executable file of that name is in a directory of PATH. */
int ctr_in_path(const char *program);
/* Whole regular file of at most `max_bytes` into a new buffer with a NUL after it. Never blocks on
 * FIFOs or devices. CTR_E_IO (text names the path) on any failure; outputs untouched. */
int ctr_file_read(void **out, size_t *bytes, const char *path, size_t max_bytes);

/* A file that appears complete or not at all: written beside its place, synced, renamed over it.
 * On any failure the old file is intact. Exactly one of commit or abort ends it. A link is followed; what is
 * there and no regular file (a directory, a device, a pipe) is CTR_E_USAGE. */
struct ctr_outfile {
    int fd;
    char *path, *tmp;
    int keep; /* what was written stays when it is aborted */
};
int ctr_outfile_open(struct ctr_outfile *file, const char *path);
/* The same for long work: what an earlier call left is in "path.part", open for reading and writing and
 * positioned at its beginning; aborting leaves it there again. CTR_E_USAGE while another process has it. */
int ctr_outfile_resume(struct ctr_outfile *file, const char *path);
int ctr_outfile_write(struct ctr_outfile *file, const void *data, size_t bytes);
/* At a place of the file, by any thread. */
int ctr_outfile_write_at(const struct ctr_outfile *file, const void *data, size_t bytes, uint64_t at);
/* What is written so far goes to the disk beside other work, where the system can do that, so that the commit waits
 * for less. */
void ctr_outfile_start_sync(const struct ctr_outfile *file);
/* All bytes are on the disk, and nothing is renamed yet: several files can be made certain of before the
 * first of them takes its place. Commit does it where it was not done. */
int ctr_outfile_sync(struct ctr_outfile *file);
int ctr_outfile_commit(struct ctr_outfile *file);
void ctr_outfile_abort(struct ctr_outfile *file);
/* Open, write and commit in one. */
int ctr_file_write(const char *path, const void *data, size_t bytes);

/* Calls fn(ctx, i) for i in [0, n) from up to `threads` threads (0: all processors); returns when all
 * are done. Falls back to fewer threads when they cannot be started. */
void ctr_parallel(unsigned threads, size_t n, void (*fn)(void *ctx, size_t i), void *ctx);

#endif
