/* child.h -- work done in a child process, so that a crash of what it calls is a result. */
#ifndef CTR_BASE_CHILD_H
#define CTR_BASE_CHILD_H

#include <stddef.h>
#include <sys/types.h>

struct ctr_child {
    unsigned char *data; /* what it wrote to its result pipe, n bytes; freed with free() */
    size_t n;
    char last_line[128]; /* of its standard output and error, "" for none */
    int status;          /* as by waitpid */
    int timed_out;       /* it was killed after so many seconds: */
    double limit_s;
    /* its own */
    pid_t pid;
    size_t cap;
    int result, errors;
};

/* Runs fn(ctx, fd), fd being the result pipe, in a child and waits for its end, limit_s at most.
 * The child exits 0 behind fn. CTR_E_FAIL when none can be started. */
int ctr_child_run(struct ctr_child *child, void (*fn)(void *ctx, int fd), void *ctx,
                  double limit_s);
/* In the child: the whole of data to fd, 0 or -1. */
int ctr_child_write(int fd, const void *data, size_t bytes);
/* Why there is no result, in words: "WHO aborted (signal 6): its last line". */
void ctr_child_tell(char *out, size_t size, const struct ctr_child *child, const char *who);

#endif
