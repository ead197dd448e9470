/* pack.c -- writes a packed set (packed.h). In: a data set. Out: header and index at once, then
 * group after group of records, each by the thread that decoded it. Invariants: the bytes depend on
 * images and settings alone, not on threads or interruptions; the file has its name only when it is
 * whole and on the disk. */
#include "data/pack.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/outfile.h"
#include "base/str.h"
#include "data/job.h"
#include "data/packed.h"
#include "data/source.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)16 << 20)  /* of records, from one call of progress to the next */
#define GROUP_BYTES ((size_t)256 << 10) /* that a thread writes at a time */

struct ctr_pack {
    struct ctr_data *data, *train; /* all splits; the training split, NULL: none */
    uint8_t *split;                /* [n] enum ctr_split */
    struct ctr_packed_header header;
    struct ctr_str head; /* header and index, as in the file */
    struct ctr_outfile file;
    uint8_t *records;          /* [chunk] */
    size_t done, chunk, group; /* images: in the file; of a chunk; of a group */
    unsigned threads;
    struct ctr_arena arena;
    struct ctr_data_skip *skips;
    size_t n_skips, skips_cap, n_heard; /* n_heard: of the data set's own list */
};

/* ---- the list of images ---- */

/* The settings that the training split has by default hold for all. Sets without a part that "all"
 * asks for (IDX files of training images alone) are what "train" finds. */
static int open_all(struct ctr_pack *p, const struct ctr_pack_params *params)
{
    struct ctr_data_params want = {.path = params->data,
                                   .image_size = params->image_size,
                                   .channels = params->channels,
                                   .bits = params->bits,
                                   .threads = params->threads,
                                   .max_bad = 1};
    int rc = ctr_data_open(&p->train, &want);
    if (rc != 0 && rc != CTR_E_DATA)
        return rc;
    const struct ctr_data_info *info = p->train ? ctr_data_info(p->train) : NULL;
    if (info) {
        want.image_size = info->height;
        want.channels = info->channels;
        want.bits = 8 * info->sample_bytes;
    }
    want.split = "all";
    rc = ctr_data_open(&p->data, &want);
    if (rc != CTR_E_DATA || !info || info->has_test)
        return rc;
    p->data = p->train;
    return 0;
}

/* A split's images stand in the order of "all". */
static void mark_split(struct ctr_pack *p, const struct ctr_data *split, enum ctr_split mark)
{
    const struct ctr_data_info *all = ctr_data_info(p->data), *part = ctr_data_info(split);
    size_t k = 0;
    for (size_t i = 0; i < all->n && k < part->n; i++)
        if (strcmp(all->names[i], part->names[k]) == 0) {
            p->split[i] = (uint8_t)mark;
            k++;
        }
}

/* The whole could be opened: where a split cannot there is none. */
static int mark_split_named(struct ctr_pack *p, const char *path, const char *name,
                            enum ctr_split mark)
{
    struct ctr_data *split = NULL;
    int rc = ctr_data_open(&split, &(struct ctr_data_params){.path = path, .split = name});
    if (rc == 0)
        mark_split(p, split, mark);
    ctr_data_close(&split);
    return rc == CTR_E_DATA ? 0 : rc;
}

static int mark_splits(struct ctr_pack *p, const char *path)
{
    int rc = 0;
    size_t n = ctr_data_info(p->data)->n;
    if (!(p->split = ctr_alloc(n, 1)))
        return CTR_E_FAIL;
    memset(p->split, CTR_SPLIT_ALL, n);
    if (p->train)
        mark_split(p, p->train, CTR_SPLIT_TRAIN);
    CTR_TRY(mark_split_named(p, path, "test", CTR_SPLIT_TEST));
    CTR_TRY(mark_split_named(p, path, "unlabeled", CTR_SPLIT_UNLABELED));
    if (memchr(p->split, CTR_SPLIT_ALL, n))
        rc = ctr_fail(CTR_E_DATA, "the images of '%s' changed while they were listed", path);
out:
    return rc;
}

/* ---- the file's head ---- */

static void add_text(struct ctr_str *s, const char *text)
{
    ctr_str_add(s, text, strlen(text) + 1);
}

static void add_index(struct ctr_str *s, const struct ctr_pack *p)
{
    static const char zeros[8];
    const struct ctr_data_info *info = ctr_data_info(p->data);
    size_t begin = s->n;
    for (size_t i = 0; i < info->n; i++) {
        uint64_t bytes = ctr_data_file_bytes(p->data, i);
        ctr_str_add(s, (const char *)&bytes, sizeof bytes);
    }
    ctr_str_add(s, (const char *)info->labels, info->n * sizeof *info->labels);
    ctr_str_add(s, (const char *)p->split, info->n);
    add_text(s, ctr_data_made_by(p->data));
    for (unsigned c = 0; c < info->n_classes; c++)
        add_text(s, info->class_names[c]);
    for (size_t i = 0; i < info->n; i++)
        add_text(s, info->names[i]);
    ctr_str_add(s, zeros, (8 - (s->n - begin) % 8) % 8);
}

static int make_head(struct ctr_pack *p)
{
    const struct ctr_data_info *info = ctr_data_info(p->data);
    struct ctr_packed_header *h = &p->header;
    *h = (struct ctr_packed_header){.version = CTR_PACKED_VERSION,
                                    .side = info->height,
                                    .channels = info->channels,
                                    .sample_bytes = info->sample_bytes,
                                    .n = info->n,
                                    .n_classes = info->n_classes};
    memcpy(h->magic, CTR_PACKED_MAGIC, sizeof h->magic);
    ctr_str_add(&p->head, (const char *)h, sizeof *h);
    add_index(&p->head, p);
    if (p->head.failed)
        return ctr_fail(CTR_E_FAIL, "out of host memory for the list of %zu images", info->n);
    h->index_bytes = p->head.n - sizeof *h;
    h->index_sum = XXH3_64bits(p->head.s + sizeof *h, (size_t)h->index_bytes);
    h->sum = ctr_packed_header_sum(h);
    memcpy(p->head.s, h, sizeof *h);
    return 0;
}

/* ---- what was skipped ---- */

static int add_skip(struct ctr_pack *p, const char *path, const char *reason)
{
    struct ctr_data_skip skip = {ctr_arena_strdup(&p->arena, path),
                                 ctr_arena_strdup(&p->arena, reason)};
    if (!skip.path || !skip.reason ||
        ctr_grow((void **)&p->skips, &p->skips_cap, p->n_skips + 1, sizeof *p->skips) != 0)
        return CTR_E_FAIL;
    p->skips[p->n_skips++] = skip;
    return 0;
}

/* What the data set has found bad since the last call. */
static int hear_skips(struct ctr_pack *p)
{
    int rc = 0;
    for (; rc == 0 && p->n_heard < ctr_data_n_skipped(p->data); p->n_heard++) {
        struct ctr_data_skip skip = ctr_data_skip(p->data, p->n_heard);
        rc = add_skip(p, skip.path, skip.reason);
    }
    return rc;
}

/* ---- going on ---- */

static uint64_t file_bytes(const struct ctr_pack *p, size_t images)
{
    return p->head.n + images * ctr_packed_record_bytes(&p->header);
}

/* Reads record i of an earlier call; 0: it is whole. */
static int read_record(struct ctr_pack *p, size_t i)
{
    const struct ctr_packed_header *h = &p->header;
    uint8_t *record = p->records;
    uint64_t end[2];
    int rc = ctr_records_pread(record, p->file.fd, file_bytes(p, i),
                               (size_t)ctr_packed_record_bytes(h), p->file.tmp);
    if (rc != 0)
        return rc;
    memcpy(end, record + ctr_packed_state_at(h), sizeof end);
    if (end[0] > CTR_PACKED_BAD || end[1] != ctr_packed_record_sum(h, record, i))
        return CTR_E_DATA;
    record[ctr_packed_image_bytes(h)] = '\0';
    if (end[0] == CTR_PACKED_BAD)
        rc = add_skip(p, ctr_data_info(p->data)->names[i], (const char *)record);
    return rc;
}

/* Whether the file begins with this head. */
static int same_head(struct ctr_pack *p, uint64_t bytes)
{
    char *head = bytes >= p->head.n ? malloc(p->head.n) : NULL;
    int same = head && ctr_records_pread(head, p->file.fd, 0, p->head.n, p->file.tmp) == 0 &&
               memcmp(head, p->head.s, p->head.n) == 0;
    free(head);
    return same;
}

static int check_room(const struct ctr_pack *p)
{
    struct statvfs v;
    uint64_t need = ctr_packed_bytes(&p->header) - file_bytes(p, p->done);
    if (fstatvfs(p->file.fd, &v) != 0 || (uint64_t)v.f_bavail * v.f_frsize >= need)
        return 0;
    return ctr_fail(CTR_E_IO, "'%s' needs %llu MB more; its disk has %llu MB left", p->file.path,
                    (unsigned long long)(need >> 20),
                    (unsigned long long)((uint64_t)v.f_bavail * v.f_frsize >> 20));
}

/* Keeps what is whole of an earlier call's work, or begins. */
static int go_on(struct ctr_pack *p)
{
    struct stat st;
    int rc = 0;
    if (fstat(p->file.fd, &st) != 0)
        return ctr_fail(CTR_E_IO, "cannot read '%s': %s", p->file.tmp, strerror(errno));
    if (same_head(p, (uint64_t)st.st_size))
        while (p->done < p->header.n && file_bytes(p, p->done + 1) <= (uint64_t)st.st_size &&
               (rc = read_record(p, p->done)) == 0)
            p->done++;
    if (rc == CTR_E_FAIL)
        return rc;
    if (ftruncate(p->file.fd, p->done ? (off_t)file_bytes(p, p->done) : 0) != 0)
        return ctr_fail(CTR_E_IO, "cannot write '%s': %s", p->file.tmp, strerror(errno));
    if ((rc = check_room(p)) != 0)
        return rc;
    return p->done ? 0 : ctr_outfile_write(&p->file, p->head.s, p->head.n);
}

static int check_out(const struct ctr_pack_params *params)
{
    struct stat st;
    size_t n = strlen(params->out), m = strlen(CTR_PACKED_ENDING);
    if (n <= m || strcmp(params->out + n - m, CTR_PACKED_ENDING) != 0)
        return ctr_fail(CTR_E_USAGE, "'%s' does not end in " CTR_PACKED_ENDING, params->out);
    if (stat(params->out, &st) != 0)
        return 0;
    if (!S_ISREG(st.st_mode))
        return ctr_fail(CTR_E_USAGE, "'%s' exists and is no file", params->out);
    return params->overwrite ? 0 : ctr_fail(CTR_E_USAGE, "'%s' exists", params->out);
}

int ctr_pack_open(struct ctr_pack **out, const struct ctr_pack_params *params)
{
    int rc = check_out(params);
    if (rc != 0)
        return rc;
    struct ctr_pack *p = ctr_alloc(1, sizeof *p);
    if (!p)
        return CTR_E_FAIL;
    p->file.fd = -1;
    p->threads = params->threads;
    CTR_TRY(open_all(p, params));
    CTR_TRY(mark_splits(p, params->data));
    CTR_TRY(make_head(p));
    size_t record = (size_t)ctr_packed_record_bytes(&p->header);
    p->chunk = CHUNK_BYTES / record < 16 ? 16 : CHUNK_BYTES / record;
    p->group = GROUP_BYTES / record < 1 ? 1 : GROUP_BYTES / record;
    if (!(p->records = ctr_alloc(p->chunk, record)))
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(hear_skips(p));
    CTR_TRY(ctr_outfile_resume(&p->file, params->out));
    CTR_TRY(go_on(p));
    *out = p;
    p = NULL;
out:
    ctr_pack_close(&p);
    return rc;
}

void ctr_pack_close(struct ctr_pack **pack)
{
    struct ctr_pack *p = *pack;
    if (!p)
        return;
    ctr_outfile_abort(&p->file);
    if (p->train != p->data)
        ctr_data_close(&p->train);
    ctr_data_close(&p->data);
    ctr_str_free(&p->head);
    ctr_arena_free(&p->arena);
    free(p->split);
    free(p->records);
    free(p->skips);
    free(p);
    *pack = NULL;
}

/* ---- running ---- */

/* Images [first, first + n), which threads decode and write group by group. */
struct work {
    struct ctr_pack *pack;
    size_t first, n;
    struct ctr_job_error error;
};

/* Completes the record of image i, whose pixels are there, or for a bad image the reason instead. */
static void seal_record(const struct ctr_packed_header *h, uint8_t *record, const char *bad, size_t i)
{
    size_t bytes = (size_t)ctr_packed_image_bytes(h), state_at = (size_t)ctr_packed_state_at(h);
    size_t used = bad ? strnlen(bad, bytes) : bytes;
    uint64_t end[2] = {bad ? CTR_PACKED_BAD : CTR_PACKED_GOOD};
    if (bad)
        memcpy(record, bad, used);
    memset(record + used, 0, state_at - used);
    memcpy(record + state_at, end, 8);
    end[1] = ctr_packed_record_sum(h, record, i);
    memcpy(record + state_at, end, sizeof end);
}

static void pack_group(void *ctx, size_t g)
{
    struct work *work = ctx;
    struct ctr_pack *p = work->pack;
    const size_t pitch = (size_t)ctr_packed_record_bytes(&p->header), at = g * p->group;
    const size_t n = work->n - at < p->group ? work->n - at : p->group;
    uint8_t *records = p->records + at * pitch;
    int rc = atomic_load(&work->error.rc);
    for (size_t k = 0; rc == 0 && k < n; k++) {
        const char *bad;
        const size_t i = work->first + at + k;
        rc = ctr_data_decode(p->data, records + k * pitch, &bad, i);
        if (rc == 0)
            seal_record(&p->header, records + k * pitch, bad, i);
    }
    if (rc == 0)
        rc = ctr_outfile_write_at(&p->file, records, n * pitch, file_bytes(p, work->first + at));
    if (rc != 0)
        ctr_job_error_keep(&work->error, rc);
}

static int pack_chunk(struct ctr_pack *p)
{
    struct work work = {.pack = p, .first = p->done};
    work.n = p->header.n - p->done < p->chunk ? p->header.n - p->done : p->chunk;
    ctr_parallel(p->threads, (work.n + p->group - 1) / p->group, pack_group, &work);
    int rc = ctr_job_error_raise(&work.error);
    if (rc != 0)
        return rc;
    p->done += work.n;
    ctr_outfile_start_sync(&p->file);
    return hear_skips(p);
}

int ctr_pack_run(struct ctr_pack *p, ctr_data_progress_fn *progress, void *user)
{
    int rc = 0;
    while (rc == 0 && p->done < p->header.n) {
        rc = pack_chunk(p);
        if (rc == 0 && progress)
            rc = progress(user, p->done, p->header.n);
    }
    if (rc == CTR_E_DATA)
        p->file.keep = 0; /* there is no going on */
    return rc ? rc : ctr_outfile_commit(&p->file);
}

/* ---- looking ---- */

const struct ctr_data_info *ctr_pack_info(const struct ctr_pack *p)
{
    return ctr_data_info(p->data);
}

size_t ctr_pack_done(const struct ctr_pack *p)
{
    return p->done;
}

uint64_t ctr_pack_bytes(const struct ctr_pack *p)
{
    return ctr_packed_bytes(&p->header);
}

size_t ctr_pack_n_skipped(const struct ctr_pack *p)
{
    return p->n_skips;
}

struct ctr_data_skip ctr_pack_skip(const struct ctr_pack *p, size_t i)
{
    return p->skips[i];
}
