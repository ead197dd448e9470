/* tfevents.c -- TensorBoard event files.
 *
 * In: tags, steps, values. Out: records {u64 length, masked crc32c of it, Event, masked crc32c of
 * that}, Event and Summary being messages of protobuf. Invariant: the file always ends with a whole
 * record. References: tensorflow/docs python_io.md (record format), tensorflow/tensorboard
 * compat/proto/{event,summary}.proto (field numbers). */
#include "io/tfevents.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/status.h"
#include "base/str.h"
#include "io/append.h"
#include "io/protobuf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ctr_tfevents {
    struct ctr_append file;
    uint32_t crc_table[256];
};

/* Reflected polynomial 0x82f63b78; the table is kept by who uses it: no global state. */
static void crc_init(uint32_t table[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0x82f63b78u : 0);
        table[i] = c;
    }
}

static uint32_t crc32c(const uint32_t table[256], const void *data, size_t bytes)
{
    uint32_t c = 0xffffffffu;
    for (const unsigned char *p = data; bytes > 0; bytes--)
        c = table[(c ^ *p++) & 0xff] ^ c >> 8;
    return ~c;
}

uint32_t ctr_crc32c(const void *data, size_t bytes)
{
    uint32_t table[256];
    crc_init(table);
    return crc32c(table, data, bytes);
}

static uint32_t masked(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

/* What every Event begins with: wall_time and step. */
static void begin_event(struct ctr_str *s, uint64_t step)
{
    ctr_pb_double(s, 1, ctr_wall_time());
    ctr_pb_uint(s, 2, step);
}

static int add_record(struct ctr_tfevents *ev, const struct ctr_str *event)
{
    struct ctr_str s = {0};
    uint64_t n = event->n;
    uint32_t crc = masked(crc32c(ev->crc_table, &n, sizeof n));
    ctr_str_add(&s, (const char *)&n, sizeof n);
    ctr_str_add(&s, (const char *)&crc, sizeof crc);
    if (!event->failed)
        ctr_str_add(&s, event->s, event->n);
    crc = masked(crc32c(ev->crc_table, event->s, event->n));
    ctr_str_add(&s, (const char *)&crc, sizeof crc);
    int rc = s.failed || event->failed
                 ? ctr_fail(CTR_E_FAIL, "out of host memory for an event of '%s'", ev->file.path)
                 : ctr_append_write(&ev->file, s.s, s.n);
    ctr_str_free(&s);
    return rc;
}

static int create_file(struct ctr_tfevents *ev, const char *dir)
{
    char host[256] = "", name[384];
    gethostname(host, sizeof host - 1);
    for (char *p = host; *p; p++)
        if (*p == '/' || *p == '.')
            *p = '_';
    for (unsigned n = 0;; n++) {
        snprintf(name, sizeof name, "events.out.tfevents.%010lld.%s.%ld.%u",
                 (long long)ctr_wall_time(), *host ? host : "localhost", (long)getpid(), n);
        char *path = ctr_path_join(dir, name);
        if (!path)
            return CTR_E_FAIL;
        int rc = ctr_append_open(&ev->file, path, 1), err = errno;
        free(path);
        if (rc == 0 || err != EEXIST || n == 1000)
            return rc;
    }
}

static int write_start(struct ctr_tfevents *ev, uint64_t from_step)
{
    struct ctr_str s = {0};
    begin_event(&s, 0);
    ctr_pb_text(&s, 3, "brain.Event:2"); /* file_version */
    int rc = add_record(ev, &s);
    ctr_str_free(&s);
    if (rc != 0 || from_step == 0)
        return rc;
    begin_event(&s, from_step);
    ctr_pb_bytes(&s, 7, "\x08\x01", 2); /* session_log {status: START}: hides later steps */
    rc = add_record(ev, &s);
    ctr_str_free(&s);
    return rc;
}

int ctr_tfevents_open(struct ctr_tfevents **out, const char *dir, uint64_t from_step)
{
    struct ctr_tfevents *ev = ctr_alloc(1, sizeof *ev);
    if (!ev)
        return CTR_E_FAIL;
    crc_init(ev->crc_table);
    int rc = create_file(ev, dir);
    if (rc == 0)
        rc = write_start(ev, from_step);
    if (rc != 0) {
        if (ev->file.path)
            unlink(ev->file.path);
        ctr_tfevents_close(&ev);
        return rc;
    }
    *out = ev;
    return 0;
}

/* Event{5: Summary{1: Value}}; frees the value. */
static int add_value(struct ctr_tfevents *ev, uint64_t step, struct ctr_str *value)
{
    struct ctr_str summary = {0}, event = {0};
    ctr_pb_message(&summary, 1, value);
    begin_event(&event, step);
    ctr_pb_message(&event, 5, &summary);
    int rc = add_record(ev, &event);
    ctr_str_free(&event);
    return rc;
}

int ctr_tfevents_scalar(struct ctr_tfevents *ev, const char *tag, uint64_t step, float value)
{
    struct ctr_str s = {0};
    ctr_pb_text(&s, 1, tag);
    ctr_pb_float(&s, 2, value); /* simple_value */
    return add_value(ev, step, &s);
}

int ctr_tfevents_flush(struct ctr_tfevents *ev)
{
    return ctr_append_sync(&ev->file);
}

void ctr_tfevents_close(struct ctr_tfevents **ev)
{
    if (!*ev)
        return;
    ctr_append_close(&(*ev)->file);
    free(*ev);
    *ev = NULL;
}

const char *ctr_tfevents_path(const struct ctr_tfevents *ev)
{
    return ev->file.path;
}
