/* child.c -- a child process and what it says. In: a function. Out: what it wrote, how it ended,
 * and the last line of what it printed, since programs that die explain themselves there. */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/status.h"

#define MAX_BYTES ((size_t)16 << 20)

int ctr_child_write(int fd, const void *data, size_t bytes)
{
    const unsigned char *p = data;
    while (bytes) {
        ssize_t n = write(fd, p, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        bytes -= (size_t)n;
    }
    return 0;
}

/* Keeps the last line that is not empty, of what may arrive in pieces. */
static void keep_last_line(struct ctr_child *c, const char *text, size_t n)
{
    size_t used = strlen(c->last_line);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\n' || text[i] == '\r') {
            if (used && c->last_line[used - 1] != '\n' && used + 1 < sizeof c->last_line) {
                c->last_line[used++] = '\n';
                c->last_line[used] = '\0';
            }
            continue;
        }
        if (used && c->last_line[used - 1] == '\n')
            used = 0;
        if (used + 2 < sizeof c->last_line) {
            c->last_line[used++] = text[i];
            c->last_line[used] = '\0';
        }
    }
}

/* Starts a child that runs fn(ctx, fd) with fd its result pipe and is gone afterwards. */
static int start(struct ctr_child *c, void (*fn)(void *ctx, int fd), void *ctx, double limit_s)
{
    int result[2], errors[2];
    *c = (struct ctr_child){.result = -1, .errors = -1, .limit_s = limit_s};
    if (pipe2(result, O_CLOEXEC) != 0)
        return ctr_fail(CTR_E_FAIL, "cannot make a pipe: %s", strerror(errno));
    if (pipe2(errors, O_CLOEXEC) != 0) {
        close(result[0]);
        close(result[1]);
        return ctr_fail(CTR_E_FAIL, "cannot make a pipe: %s", strerror(errno));
    }
    c->pid = fork();
    if (c->pid == 0) {
        close(result[0]);
        close(errors[0]);
        dup2(errors[1], STDOUT_FILENO);
        dup2(errors[1], STDERR_FILENO);
        fn(ctx, result[1]);
        _exit(0);
    }
    int why = errno;
    close(result[1]);
    close(errors[1]);
    c->result = result[0];
    c->errors = errors[0];
    if (c->pid > 0)
        return 0;
    close(c->result);
    close(c->errors);
    return ctr_fail(CTR_E_FAIL, "cannot start a process: %s", strerror(why));
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void read_result(struct ctr_child *c)
{
    if (c->n >= MAX_BYTES || ctr_grow((void **)&c->data, &c->cap, c->n + 65536, 1) != 0) {
        close_fd(&c->result);
        return;
    }
    ssize_t n = read(c->result, c->data + c->n, c->cap - c->n);
    if (n > 0)
        c->n += (size_t)n;
    else if (n == 0 || errno != EINTR)
        close_fd(&c->result);
}

static void read_errors(struct ctr_child *c)
{
    char text[4096];
    ssize_t n = read(c->errors, text, sizeof text);
    if (n > 0)
        keep_last_line(c, text, (size_t)n);
    else if (n == 0 || errno != EINTR)
        close_fd(&c->errors);
}

/* Reads until the child closed its result pipe or time is up, then makes sure that it is gone. Its
 * standard error is read only as long: a helper that a driver started may keep it open. */
static void await(struct ctr_child *c)
{
    double end = ctr_now() + c->limit_s;
    while (c->result >= 0) {
        double left = end - ctr_now();
        struct pollfd fds[2] = {{.fd = c->result, .events = POLLIN},
                                {.fd = c->errors, .events = POLLIN}};
        if (left <= 0.0) {
            c->timed_out = 1;
            break;
        }
        if (poll(fds, 2, (int)(left * 1000.0) + 1) < 0 && errno != EINTR)
            break;
        if (fds[1].revents)
            read_errors(c);
        if (fds[0].revents)
            read_result(c);
    }
    struct pollfd rest = {.fd = c->errors, .events = POLLIN};
    while (c->errors >= 0 && poll(&rest, 1, 0) > 0)
        read_errors(c);
    /* A complete result is worth more than a clean exit: drivers crash in their destructors too. */
    kill(c->pid, c->timed_out || c->result >= 0 ? SIGKILL : 0);
    while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
        ;
    close_fd(&c->result);
    close_fd(&c->errors);
    c->last_line[strcspn(c->last_line, "\n")] = '\0';
}

int ctr_child_run(struct ctr_child *child, void (*fn)(void *ctx, int fd), void *ctx, double limit_s)
{
    int rc = start(child, fn, ctx, limit_s);
    if (rc == 0)
        await(child);
    return rc;
}

void ctr_child_tell(char *out, size_t size, const struct ctr_child *c, const char *who)
{
    const char *sep = c->last_line[0] ? ": " : "";
    if (c->timed_out)
        snprintf(out, size, "%s hung (no answer in %.0f s)%s%s", who, c->limit_s, sep,
                 c->last_line);
    else if (WIFSIGNALED(c->status))
        snprintf(out, size, "%s aborted (signal %d)%s%s", who, WTERMSIG(c->status), sep,
                 c->last_line);
    else
        snprintf(out, size, "%s ended the process (status %d)%s%s", who, WEXITSTATUS(c->status),
                 sep, c->last_line);
}
