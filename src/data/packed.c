/* packed.c -- reads a packed set (packed.h): nothing is decoded, pixels are where the file is
 * mapped. In: a file that pack.c wrote, or anything else. Out: the images, labels and splits of the
 * set that was packed, the same list with the same hash. Invariants: sizes are checked against the
 * file's before they are used; header and index by their sums at opening, each record by its own
 * whenever it is read. A record that does not hold is a damaged file, never a bad image: those were
 * found when it was packed, and their records say why. */
#include "data/packed.h"
#include "base/mem.h"
#include "data/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct packed {
    int fd;
    const uint8_t *map; /* [bytes] */
    uint64_t bytes;
    struct ctr_packed_header header;
    uint32_t *record; /* [source->n] number in the file */
};

/* What the index holds, as pointers into the map. */
struct index {
    const uint8_t *sizes, *labels, *splits; /* u64, i32, u8; [n] */
    const char *text, *end;
};

static int packed_probe(const char *path)
{
    char magic[8];
    struct stat st;
    size_t n = strlen(path), m = strlen(CTR_PACKED_ENDING);
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;
    if (n > m && strcmp(path + n - m, CTR_PACKED_ENDING) == 0)
        return 1;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int found = fd >= 0 && read(fd, magic, sizeof magic) == (ssize_t)sizeof magic &&
                memcmp(magic, CTR_PACKED_MAGIC, sizeof magic) == 0;
    if (fd >= 0)
        close(fd);
    return found;
}

static int damaged(const struct ctr_source *s, const char *what)
{
    return ctr_hint(ctr_fail(CTR_E_DATA, "'%s' is damaged: %s", s->path, what),
                    "make it again by `clcontrast pack`");
}

/* ---- opening ---- */

static int map_file(struct packed *p, const struct ctr_source *s)
{
    if (ctr_records_open(&p->fd, &p->bytes, s->path) != 0)
        return CTR_E_DATA;
    if (p->bytes < sizeof p->header)
        return ctr_fail(CTR_E_DATA, "'%s' is no packed set: %llu bytes are too few for a header",
                        s->path, (unsigned long long)p->bytes);
    void *map = mmap(NULL, (size_t)p->bytes, PROT_READ, MAP_SHARED, p->fd, 0);
    if (map == MAP_FAILED)
        return ctr_fail(CTR_E_IO, "cannot map '%s': %s", s->path, strerror(errno));
    p->map = map;
    memcpy(&p->header, p->map, sizeof p->header);
    return 0;
}

static int incomplete(const struct packed *p, const struct ctr_source *s)
{
    const struct ctr_packed_header *h = &p->header;
    uint64_t have = (p->bytes - sizeof *h - h->index_bytes) / ctr_packed_record_bytes(h);
    ctr_fail(CTR_E_DATA, "'%s' is incomplete: %llu of %llu images", s->path,
             (unsigned long long)have, (unsigned long long)h->n);
    return ctr_hint(CTR_E_DATA, "the command that was making it goes on when it is given again");
}

/* Nothing in the header is believed before its sum is right, and nothing beyond the file's size
 * after. */
static int check_header(const struct packed *p, const struct ctr_source *s)
{
    const struct ctr_packed_header *h = &p->header;
    if (memcmp(h->magic, CTR_PACKED_MAGIC, sizeof h->magic) != 0)
        return ctr_hint(ctr_fail(CTR_E_DATA, "'%s' is no packed set", s->path),
                        "packed sets are made by `clcontrast pack`");
    if (h->version != CTR_PACKED_VERSION)
        return ctr_hint(
            ctr_fail(CTR_E_DATA,
                     "'%s' is a packed set of version %u; this program reads version %u", s->path,
                     h->version, CTR_PACKED_VERSION),
            "make it again by this program's `clcontrast pack`");
    if (h->sum != ctr_packed_header_sum(h))
        return damaged(s, "the header's checksum is wrong");
    if (h->side < 1 || h->side > CTR_DATA_MAX_SIDE || h->channels < 1 ||
        h->channels > CTR_CHANNELS_MAX || h->sample_bytes < 1 || h->sample_bytes > 2 || h->n < 1 ||
        h->n >= UINT32_MAX || h->zero != 0)
        return damaged(s, "the header's sizes cannot be");
    if (h->index_bytes > p->bytes - sizeof *h || h->index_bytes / 13 < h->n ||
        h->n_classes > h->index_bytes)
        return damaged(s, "the header's sizes do not fit the file");
    if (p->bytes < ctr_packed_bytes(h))
        return incomplete(p, s);
    return p->bytes == ctr_packed_bytes(h) ? 0 : damaged(s, "there are bytes behind its end");
}

static int find_index(struct index *x, const struct packed *p, const struct ctr_source *s)
{
    const struct ctr_packed_header *h = &p->header;
    x->sizes = p->map + sizeof *h;
    x->labels = x->sizes + 8 * h->n;
    x->splits = x->labels + 4 * h->n;
    x->text = (const char *)x->splits + h->n;
    x->end = (const char *)x->sizes + h->index_bytes;
    return XXH3_64bits(x->sizes, (size_t)h->index_bytes) == h->index_sum
               ? 0
               : damaged(s, "the checksum of its list of images is wrong");
}

/* The next text of the index, NULL past the last. */
static const char *next_text(struct index *x)
{
    const char *text = x->text, *nul = memchr(text, '\0', (size_t)(x->end - text));
    x->text = nul ? nul + 1 : x->end;
    return nul ? text : NULL;
}

static int in_split(const struct ctr_source *s, uint8_t split)
{
    return s->split == CTR_SPLIT_ALL || split == s->split;
}

/* Image i of the file, if it is in the split asked for. */
static int add_image(struct ctr_source *s, struct packed *p, struct index *x, uint64_t i)
{
    uint64_t size;
    int32_t label;
    uint8_t split = x->splits[i];
    const char *name = next_text(x);
    memcpy(&size, x->sizes + 8 * i, sizeof size);
    memcpy(&label, x->labels + 4 * i, sizeof label);
    if (!name || !*name || label < -1 || label >= (int64_t)p->header.n_classes ||
        (split != CTR_SPLIT_TRAIN && split != CTR_SPLIT_TEST && split != CTR_SPLIT_UNLABELED))
        return damaged(s, "its list of images cannot be");
    s->has_test |= split == CTR_SPLIT_TEST;
    if (!in_split(s, split))
        return 0;
    p->record[s->n] = (uint32_t)i;
    return ctr_source_add(s, name, size, label);
}

static int add_images(struct ctr_source *s, struct packed *p)
{
    struct index x;
    int rc = 0;
    p->record = ctr_arena_alloc(&s->arena, (size_t)p->header.n * sizeof *p->record);
    if (!p->record)
        return CTR_E_FAIL;
    CTR_TRY(find_index(&x, p, s));
    const char *driver = next_text(&x);
    if (!driver)
        return damaged(s, "its list of images cannot be");
    if (!(s->made_by = ctr_arena_strdup(&s->arena, driver)))
        return CTR_E_FAIL;
    for (uint32_t c = 0; c < p->header.n_classes; c++) {
        const char *name = next_text(&x);
        CTR_TRY(name ? ctr_source_add_class(s, name) : damaged(s, "its list of classes cannot be"));
    }
    for (uint64_t i = 0; i < p->header.n; i++)
        CTR_TRY(add_image(s, p, &x, i));
    if (s->n == 0)
        rc = ctr_source_no_split(s, s->has_test ? "test, all" : "all");
out:
    return rc;
}

static int packed_open(struct ctr_source *s)
{
    int rc = 0;
    struct packed *p = ctr_arena_alloc(&s->arena, sizeof *p);
    if (!p)
        return CTR_E_FAIL;
    p->fd = -1;
    s->state = p;
    CTR_TRY(map_file(p, s));
    CTR_TRY(check_header(p, s));
    CTR_TRY(add_images(s, p));
    s->width = s->height = p->header.side;
    s->pixel = (struct ctr_pixel){.channels = p->header.channels, .bytes = p->header.sample_bytes};
out:
    return rc;
}

/* ---- reading ---- */

/* Touching a page that the file no longer has would end the program. */
static int still_there(const struct packed *p, const struct ctr_source *s)
{
    struct stat st;
    if (fstat(p->fd, &st) == 0 && (uint64_t)st.st_size >= p->bytes)
        return 0;
    return ctr_fail(CTR_E_DATA, "'%s' has become shorter while it was read", s->path);
}

static int packed_decode(struct ctr_image *out, const struct ctr_source *s, size_t i, unsigned want)
{
    (void)want;
    const struct packed *p = s->state;
    const struct ctr_packed_header *h = &p->header;
    const uint8_t *record =
        p->map + sizeof *h + h->index_bytes + p->record[i] * ctr_packed_record_bytes(h);
    uint64_t end[2]; /* state, sum */
    int rc = still_there(p, s);
    if (rc != 0)
        return rc;
    memcpy(end, record + ctr_packed_state_at(h), sizeof end);
    if (end[1] != ctr_packed_record_sum(h, record, p->record[i]) || end[0] > CTR_PACKED_BAD)
        return ctr_hint(ctr_fail(CTR_E_DATA, "'%s' is damaged: the checksum of '%s' is wrong",
                                 s->path, s->names[i]),
                        "make it again by `clcontrast pack`");
    size_t bytes = (size_t)ctr_packed_image_bytes(h);
    if (end[0] == CTR_PACKED_BAD)
        return ctr_fail(CTR_E_PARTIAL, "%.*s", (int)strnlen((const char *)record, bytes),
                        (const char *)record);
    rc = ctr_image_alloc(out, h->side, h->side, s->pixel);
    if (rc == 0)
        memcpy(out->pixels, record, bytes);
    return rc;
}

static void packed_close(struct ctr_source *s)
{
    struct packed *p = s->state;
    if (p && p->map)
        munmap((void *)p->map, (size_t)p->bytes);
    if (p && p->fd >= 0)
        close(p->fd);
}

const struct ctr_data_driver ctr_driver_packed = {
    .name = "packed",
    .text = "a file that `clcontrast pack` made of any of the others: nothing is decoded again",
    .sealed = 1,
    .probe = packed_probe,
    .open = packed_open,
    .decode = packed_decode,
    .close = packed_close,
};
