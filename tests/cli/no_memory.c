/* Preloaded, it lets the N-th request for memory fail that comes from the program's own code, N being
 * NO_MEMORY of the environment: what libraries and drivers ask for they get. Counts into the file NO_MEMORY_COUNT. */
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static const char *begin, *end; /* the program's instructions */
static long fail_at, count;

static int find_program(struct dl_phdr_info *info, size_t size, void *user)
{
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            begin = (const char *)info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            end = begin + info->dlpi_phdr[i].p_memsz;
        }
    return 1; /* the first is the program */
}

__attribute__((constructor)) static void start(void)
{
    const char *n = getenv("NO_MEMORY");
    unsetenv("LD_PRELOAD");
    dl_iterate_phdr(find_program, NULL);
    fail_at = n ? atol(n) : 0;
}

__attribute__((destructor)) static void stop(void)
{
    const char *path = getenv("NO_MEMORY_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld", count);
        fclose(file);
    }
}

static int fails(const char *caller)
{
    if (!fail_at || caller < begin || caller >= end ||
        __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) != fail_at)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}
