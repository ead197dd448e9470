/* list.c -- the list of devices, gathered by child processes. See include/clcontrast/device.h.
 *
 * A driver may abort, exit or hang when it is loaded or first used. So one child discovers, and one
 * child per device opens and probes it; results come back over a pipe as plain structs. What a
 * dying child last wrote to its standard error goes into the verdict, since drivers explain
 * themselves there. The calling process must not have used OpenCL before: drivers do not survive a
 * fork. */
#include "dev/impl.h"
#include "base/mem.h"
#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TIME_LIMIT_S   60.0
#define MAX_LIST_BYTES ((size_t)16 << 20)

/* ---- a child and what it says ---- */

struct child {
    pid_t pid;
    int result, errors; /* pipes we read; -1 when closed */
    unsigned char *data;
    size_t n, cap;
    char last_line[128]; /* of its standard error */
    int status;          /* as by waitpid */
    int timed_out;
};

static int write_all(int fd, const void *data, size_t bytes)
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
static void keep_last_line(struct child *c, const char *text, size_t n)
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
static int start(struct child *c, void (*fn)(void *ctx, int fd), void *ctx)
{
    int result[2], errors[2];
    *c = (struct child){.result = -1, .errors = -1};
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
    return ctr_fail(CTR_E_FAIL, "cannot start a process to look for devices: %s", strerror(why));
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void read_result(struct child *c)
{
    if (c->n >= MAX_LIST_BYTES || ctr_grow((void **)&c->data, &c->cap, c->n + 65536, 1) != 0) {
        close_fd(&c->result);
        return;
    }
    ssize_t n = read(c->result, c->data + c->n, c->cap - c->n);
    if (n > 0)
        c->n += (size_t)n;
    else if (n == 0 || errno != EINTR)
        close_fd(&c->result);
}

static void read_errors(struct child *c)
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
static void await(struct child *c)
{
    double end = ctr_now() + TIME_LIMIT_S;
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

/* Why there is no result, in words. */
static void tell_end(char *out, size_t size, const struct child *c)
{
    const char *sep = c->last_line[0] ? ": " : "";
    const char *tip = strstr(c->last_line, "linking") ? " (is ld of binutils in PATH?)" : "";
    if (c->timed_out)
        snprintf(out, size, "driver hung (no answer in %.0f s)%s%s", TIME_LIMIT_S, sep,
                 c->last_line);
    else if (WIFSIGNALED(c->status))
        snprintf(out, size, "driver aborted (signal %d)%s%s%s", WTERMSIG(c->status), sep,
                 c->last_line, tip);
    else
        snprintf(out, size, "driver ended the process (status %d)%s%s", WEXITSTATUS(c->status), sep,
                 c->last_line);
}

/* ---- discovery ---- */

struct found_header {
    int rc;
    unsigned n_platforms, n_devices;
    char text[512];
};

static void discover(void *ctx, int fd)
{
    (void)ctx;
    struct ctr_device_list *list = NULL;
    struct found_header head = {.rc = ctr_cl_discover(&list)};
    if (head.rc) {
        snprintf(head.text, sizeof head.text, "%s", ctr_error_text());
    } else {
        head.n_platforms = list->n_platforms;
        head.n_devices = list->n_devices;
    }
    if (write_all(fd, &head, sizeof head) == 0 && list &&
        write_all(fd, list->platforms, head.n_platforms * sizeof *list->platforms) == 0)
        (void)write_all(fd, list->devices, head.n_devices * sizeof *list->devices);
}

/* The list out of the child's bytes; they come from a process that a driver may have damaged. */
static int unpack(struct ctr_device_list **out, const struct child *c)
{
    struct found_header head;
    char end[256];
    int rc = 0;
    struct ctr_device_list *list = NULL;
    if (c->n >= sizeof head)
        memcpy(&head, c->data, sizeof head);
    if (c->n >= sizeof head && head.rc)
        return ctr_fail(head.rc, "%.*s", (int)sizeof head.text - 1, head.text);
    if (c->n < sizeof head || c->n != sizeof head +
                                          (size_t)head.n_platforms * sizeof *list->platforms +
                                          (size_t)head.n_devices * sizeof *list->devices) {
        tell_end(end, sizeof end, c);
        ctr_fail(CTR_E_FAIL, "looking for OpenCL devices failed: %s", end);
        return ctr_hint(CTR_E_FAIL, "choose one driver with OCL_ICD_VENDORS=/etc/OpenCL/vendors/"
                                    "NAME.icd to find the faulty one");
    }
    if (!(list = ctr_alloc(1, sizeof *list)))
        return CTR_E_FAIL;
    list->n_platforms = head.n_platforms;
    list->n_devices = head.n_devices;
    list->platforms = ctr_alloc(head.n_platforms, sizeof *list->platforms);
    list->devices = ctr_alloc(head.n_devices, sizeof *list->devices);
    if (!list->platforms || !list->devices)
        CTR_TRY(CTR_E_FAIL);
    const unsigned char *p = c->data + sizeof head;
    memcpy(list->platforms, p, head.n_platforms * sizeof *list->platforms);
    p += head.n_platforms * sizeof *list->platforms;
    memcpy(list->devices, p, head.n_devices * sizeof *list->devices);
    *out = list;
    list = NULL;
out:
    ctr_devices_free(&list);
    return rc;
}

/* ---- probing ---- */

struct verdict {
    int ok;
    char text[sizeof((struct ctr_device_info *)0)->probe];
};

static void probe(void *ctx, int fd)
{
    const struct ctr_device_info *info = ctx;
    struct verdict v = {0};
    char selector[16];
    ctr_dev *dev = NULL;
    snprintf(selector, sizeof selector, "%u", info->index);
    v.ok = ctr_dev_open(&dev, selector, NULL) == 0;
    snprintf(v.text, sizeof v.text, "%s", v.ok ? "ok" : ctr_error_text());
    (void)write_all(fd, &v, sizeof v);
    /* The verdict stands; the device is not closed, since nothing is learned from that. */
}

static int probe_one(struct ctr_device_info *info)
{
    struct child c;
    if (!info->available) {
        snprintf(info->probe, sizeof info->probe, "device or its compiler is not available");
        return 0;
    }
    int rc = start(&c, probe, info);
    if (rc)
        return rc;
    await(&c);
    info->probed = 1;
    info->ok = 0;
    if (c.n == sizeof(struct verdict)) {
        struct verdict v;
        memcpy(&v, c.data, sizeof v);
        info->ok = v.ok;
        snprintf(info->probe, sizeof info->probe, "%.*s", (int)sizeof v.text - 1, v.text);
    } else {
        tell_end(info->probe, sizeof info->probe, &c);
    }
    free(c.data);
    return 0;
}

int ctr_devices_list(struct ctr_device_list **out, int probe_too)
{
    int rc = 0;
    struct child c;
    struct ctr_device_list *list = NULL;
    if (!out)
        return ctr_fail(CTR_E_USAGE, "ctr_devices_list: no place for the list");
    CTR_TRY(start(&c, discover, NULL));
    await(&c);
    rc = unpack(&list, &c);
    free(c.data);
    if (rc)
        return rc;
    for (unsigned i = 0; probe_too && i < list->n_devices; i++)
        CTR_TRY(probe_one(&list->devices[i]));
    *out = list;
    list = NULL;
out:
    ctr_devices_free(&list);
    return rc;
}

void ctr_devices_free(struct ctr_device_list **list)
{
    if (!list || !*list)
        return;
    free((*list)->platforms);
    free((*list)->devices);
    free(*list);
    *list = NULL;
}
