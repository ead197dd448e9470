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

/* Calls fn(ctx, i) for i in [0, n) from up to `threads` threads (0: all processors); returns when all
 * are done. Falls back to fewer threads when they cannot be started. */
void ctr_parallel(unsigned threads, size_t n, void (*fn)(void *ctx, size_t i), void *ctx);

#endif
