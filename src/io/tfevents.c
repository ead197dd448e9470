/* tfevents.c -- TensorBoard event files, encoded by hand.
 *
 * In: tags, steps, values. Out: records {u64 length, masked crc32c of it, Event, masked crc32c of
 * that}, Event and Summary in protobuf wire format. Invariant: the file always ends with a whole
 * record. References: tensorflow/docs python_io.md (record format), tensorflow/tensorboard
 * compat/proto/{event,summary}.proto (field numbers). */
#include "io/tfevents.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/status.h"
#include "base/str.h"
#include "io/append.h"

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

static void add_varint(struct ctr_str *s, uint64_t v)
{
    char out[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        out[n++] = (char)(v | 0x80);
    out[n++] = (char)v;
    ctr_str_add(s, out, n);
}

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void add_key(struct ctr_str *s, unsigned field, enum wire wire)
{
    add_varint(s, field << 3 | (unsigned)wire);
}

static void add_uint(struct ctr_str *s, unsigned field, uint64_t v)
{
    add_key(s, field, VARINT);
    add_varint(s, v);
}

static void add_bytes(struct ctr_str *s, unsigned field, const void *data, size_t n)
{
    add_key(s, field, BYTES);
    add_varint(s, n);
    ctr_str_add(s, data, n);
}

/* What every Event begins with: wall_time and step. */
static void begin_event(struct ctr_str *s, uint64_t step)
{
    double now = ctr_wall_time();
    add_key(s, 1, FIXED64);
    ctr_str_add(s, (const char *)&now, sizeof now);
    add_uint(s, 2, step);
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
    add_bytes(&s, 3, "brain.Event:2", 13); /* file_version */
    int rc = add_record(ev, &s);
    ctr_str_free(&s);
    if (rc != 0 || from_step == 0)
        return rc;
    begin_event(&s, from_step);
    add_bytes(&s, 7, "\x08\x01", 2); /* session_log {status: START}: hides later steps */
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

/* Event{5: Summary{1: Value{1: tag, ...}}}, `value` being the rest of Value. */
static int add_value(struct ctr_tfevents *ev, const char *tag, uint64_t step,
                     const struct ctr_str *value)
{
    struct ctr_str inner = {0}, summary = {0}, event = {0};
    add_bytes(&inner, 1, tag, strlen(tag));
    if (!value->failed)
        ctr_str_add(&inner, value->s, value->n);
    if (!inner.failed)
        add_bytes(&summary, 1, inner.s, inner.n);
    begin_event(&event, step);
    if (!summary.failed)
        add_bytes(&event, 5, summary.s, summary.n);
    event.failed |= value->failed | inner.failed | summary.failed;
    int rc = add_record(ev, &event);
    ctr_str_free(&inner);
    ctr_str_free(&summary);
    ctr_str_free(&event);
    return rc;
}

int ctr_tfevents_scalar(struct ctr_tfevents *ev, const char *tag, uint64_t step, float value)
{
    struct ctr_str s = {0};
    add_key(&s, 2, FIXED32); /* simple_value */
    ctr_str_add(&s, (const char *)&value, sizeof value);
    int rc = add_value(ev, tag, step, &s);
    ctr_str_free(&s);
    return rc;
}

int ctr_tfevents_image(struct ctr_tfevents *ev, const char *tag, uint64_t step, const void *png,
                       unsigned width, unsigned height, unsigned channels, size_t png_bytes)
{
    struct ctr_str image = {0}, s = {0};
    add_uint(&image, 1, height);
    add_uint(&image, 2, width);
    add_uint(&image, 3, channels); /* 1 grey, 3 RGB: as in the proto */
    add_bytes(&image, 4, png, png_bytes);
    if (!image.failed)
        add_bytes(&s, 4, image.s, image.n);
    s.failed |= image.failed;
    int rc = add_value(ev, tag, step, &s);
    ctr_str_free(&image);
    ctr_str_free(&s);
    return rc;
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
