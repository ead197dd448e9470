/* protobuf.c -- see protobuf.h. A key is field number and wire type; numbers are little-endian. */
#include "io/protobuf.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fixed-width values are little-endian");

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static void add_varint(struct ctr_str *s, uint64_t v)
{
    char out[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        out[n++] = (char)(v | 0x80);
    out[n++] = (char)v;
    ctr_str_add(s, out, n);
}

static void add_key(struct ctr_str *s, unsigned field, enum wire wire)
{
    add_varint(s, field << 3 | (unsigned)wire);
}

void ctr_pb_uint(struct ctr_str *s, unsigned field, uint64_t value)
{
    add_key(s, field, VARINT);
    add_varint(s, value);
}

void ctr_pb_float(struct ctr_str *s, unsigned field, float value)
{
    add_key(s, field, FIXED32);
    ctr_str_add(s, (const char *)&value, sizeof value);
}

void ctr_pb_double(struct ctr_str *s, unsigned field, double value)
{
    add_key(s, field, FIXED64);
    ctr_str_add(s, (const char *)&value, sizeof value);
}

void ctr_pb_bytes(struct ctr_str *s, unsigned field, const void *data, size_t n)
{
    add_key(s, field, BYTES);
    add_varint(s, n);
    ctr_str_add(s, data, n);
}

void ctr_pb_text(struct ctr_str *s, unsigned field, const char *text)
{
    ctr_pb_bytes(s, field, text, strlen(text));
}

void ctr_pb_message(struct ctr_str *s, unsigned field, struct ctr_str *message)
{
    if (message->failed)
        s->failed = 1;
    else
        ctr_pb_bytes(s, field, message->s ? message->s : "", message->n);
    ctr_str_free(message);
}

static int read_varint(uint64_t *out, const unsigned char **at, const unsigned char *end)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        unsigned char byte = *(*at)++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = v;
            return 1;
        }
    }
    return 0;
}

int ctr_pb_next(struct ctr_pb_field *out, const void **message, const void *message_end)
{
    const unsigned char *at = *message, *end = message_end;
    uint64_t key = 0, n = 0;
    if (at == end)
        return 0;
    struct ctr_pb_field f = {0};
    if (!read_varint(&key, &at, end) || key >> 3 == 0 || key >> 3 > UINT32_MAX >> 3)
        return -1;
    f.number = (unsigned)(key >> 3);
    switch (key & 7) {
    case VARINT:
        if (!read_varint(&f.value, &at, end))
            return -1;
        break;
    case BYTES:
        if (!read_varint(&n, &at, end) || n > (size_t)(end - at))
            return -1;
        f.is_bytes = 1;
        f.data = at;
        f.bytes = (size_t)n;
        at += n;
        break;
    case FIXED64:
    case FIXED32:
        n = (key & 7) == FIXED64 ? 8 : 4;
        if (n > (size_t)(end - at))
            return -1;
        memcpy(&f.value, at, (size_t)n);
        at += n;
        break;
    default:
        return -1;
    }
    *out = f;
    *message = at;
    return 1;
}
