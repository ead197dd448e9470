/* protobuf.h -- messages in protobuf's wire format, built bottom-up: fields are added to a growing
 * string, which then becomes a field of the next message. Reference:
 * protobuf.dev/programming-guides/encoding. */
#ifndef CTR_IO_PROTOBUF_H
#define CTR_IO_PROTOBUF_H

#include <stdint.h>

#include "base/str.h"

void ctr_pb_uint(struct ctr_str *s, unsigned field, uint64_t value);
void ctr_pb_float(struct ctr_str *s, unsigned field, float value);
void ctr_pb_double(struct ctr_str *s, unsigned field, double value);
void ctr_pb_bytes(struct ctr_str *s, unsigned field, const void *data, size_t n);
void ctr_pb_text(struct ctr_str *s, unsigned field, const char *text);
/* Adds the message and frees it; a message that ran out of memory makes `s` one that did. */
void ctr_pb_message(struct ctr_str *s, unsigned field, struct ctr_str *message);

/* ---- reading ---- */

struct ctr_pb_field {
    unsigned number;
    int is_bytes;
    uint64_t value;   /* a varint or a fixed number's bits */
    const void *data; /* of a field of bytes, which lie in the message */
    size_t bytes;
};
/* The next field of a message [*at, end), which it moves on. 1; 0 at the end; -1 when malformed. */
int ctr_pb_next(struct ctr_pb_field *out, const void **at, const void *end);

#endif
