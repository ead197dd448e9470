/* packed.h -- the layout of a packed set, "set.ctrd": images decoded once, to be mapped into
 * memory. pack.c writes it, packed.c reads it; docs/PACKED.md has the table. Everything is
 * little-endian.
 *
 *     header    64 bytes, below
 *     index     sizes u64[n], labels i32[n], splits u8[n], then texts that end with a NUL: the
 * driver that read the images, the classes' names, the images' names; zeros to a multiple of 8
 *     records   one an image: pixels [side][side][channels], zeros to a multiple of 8, state u64,
 * sum u64
 *
 * A file that is shorter is the beginning of one: this is how an interrupted packing goes on. */
#ifndef CTR_DATA_PACKED_H
#define CTR_DATA_PACKED_H

#include <stddef.h>
#include <stdint.h>

#include <xxhash.h>

#define CTR_PACKED_MAGIC                                                                           \
    "\x89"                                                                                         \
    "CTRD\r\n\x1a"
#define CTR_PACKED_VERSION 1u
#define CTR_PACKED_ENDING  ".ctrd"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packed sets are little-endian");

struct ctr_packed_header {
    char magic[8];
    uint32_t version, side, channels, sample_bytes; /* of a value: 1 or 2 */
    uint64_t n;
    uint32_t n_classes, zero;
    uint64_t index_bytes, index_sum;
    uint64_t sum; /* of the 56 bytes before */
};
_Static_assert(sizeof(struct ctr_packed_header) == 64, "as docs/PACKED.md has it");

/* Whether a record holds pixels, or why there are none, as text that ends with a NUL where it fits.
 */
enum ctr_packed_state { CTR_PACKED_GOOD, CTR_PACKED_BAD };

static inline uint64_t ctr_packed_image_bytes(const struct ctr_packed_header *h)
{
    return (uint64_t)h->side * h->side * h->channels * h->sample_bytes;
}

/* Where a record's state stands; its sum follows. */
static inline uint64_t ctr_packed_state_at(const struct ctr_packed_header *h)
{
    return (ctr_packed_image_bytes(h) + 7) / 8 * 8;
}

static inline uint64_t ctr_packed_record_bytes(const struct ctr_packed_header *h)
{
    return ctr_packed_state_at(h) + 16;
}

static inline uint64_t ctr_packed_bytes(const struct ctr_packed_header *h)
{
    return sizeof *h + h->index_bytes + h->n * ctr_packed_record_bytes(h);
}

static inline uint64_t ctr_packed_header_sum(const struct ctr_packed_header *h)
{
    return XXH3_64bits(h, offsetof(struct ctr_packed_header, sum));
}

/* The sum of record i knows its place. */
static inline uint64_t ctr_packed_record_sum(const struct ctr_packed_header *h, const void *record,
                                             uint64_t i)
{
    return XXH3_64bits_withSeed(record, ctr_packed_state_at(h) + 8, i);
}

#endif
