/* zip.c -- see zip.h. In: named bytes. Out: local headers and data as they come, the central
 * directory at the end. Times are those of 1980-01-01, so that the same content gives the same
 * bytes. */
#include "io/zip.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/outfile.h"
#include "base/str.h"

struct ctr_zip {
    struct ctr_outfile file;
    struct ctr_str directory;
    uint64_t at; /* bytes written */
    size_t n;
    uint32_t crc_table[256];
};

enum {
    LOCAL = 0x04034b50,
    CENTRAL = 0x02014b50,
    END = 0x06054b50,
    VERSION = 20,
    DATE = 1 << 5 | 1
};

/* Reflected polynomial 0xedb88320. */
static void crc_init(uint32_t table[256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
        table[i] = c;
    }
}

static uint32_t crc32(const struct ctr_zip *zip, uint32_t crc, const void *data, size_t bytes)
{
    uint32_t c = ~crc;
    for (const unsigned char *p = data; bytes > 0; bytes--)
        c = zip->crc_table[(c ^ *p++) & 0xff] ^ c >> 8;
    return ~c;
}

static void put(struct ctr_str *s, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        ctr_str_add(s, (char[]){(char)(value >> 8 * i)}, 1);
}

/* What local header and directory have in common, from the version needed on. */
static void put_entry(struct ctr_str *s, uint32_t crc, uint64_t size, const char *name)
{
    put(s, VERSION, 2);
    put(s, 1 << 11, 2); /* names are UTF-8 */
    put(s, 0, 2);       /* stored */
    put(s, 0, 2);
    put(s, DATE, 2);
    put(s, crc, 4);
    put(s, size, 4);
    put(s, size, 4);
    put(s, strlen(name), 2);
    put(s, 0, 2); /* no extra field */
}

int ctr_zip_open(struct ctr_zip **out, const char *path)
{
    struct ctr_zip *zip = ctr_alloc(1, sizeof *zip);
    int rc = zip ? ctr_outfile_open(&zip->file, path) : CTR_E_FAIL;
    if (rc != 0) {
        free(zip);
        return rc;
    }
    crc_init(zip->crc_table);
    *out = zip;
    return 0;
}

static int write_str(struct ctr_zip *zip, struct ctr_str *s)
{
    int rc = s->failed ? ctr_fail(CTR_E_FAIL, "out of host memory for an archive")
                       : ctr_outfile_write(&zip->file, s->s, s->n);
    zip->at += s->n;
    ctr_str_free(s);
    return rc;
}

int ctr_zip_add(struct ctr_zip *zip, const char *name, const void *head, size_t head_bytes,
                const void *body, size_t body_bytes)
{
    uint64_t size = (uint64_t)head_bytes + body_bytes;
    uint32_t crc = crc32(zip, crc32(zip, 0, head, head_bytes), body, body_bytes);
    struct ctr_str *directory = &zip->directory, local = {0};
    if (zip->at + size + directory->n + 256 > UINT32_MAX || zip->n == UINT16_MAX ||
        strlen(name) > 128)
        return ctr_fail(CTR_E_USAGE, "'%s' does not fit into a ZIP archive of 4 GiB", name);
    put(directory, CENTRAL, 4);
    put(directory, VERSION, 2);
    put_entry(directory, crc, size, name);
    put(directory, 0, 2 + 2 + 2); /* comment, disk, internal attributes */
    put(directory, 0, 4);         /* external attributes */
    put(directory, zip->at, 4);
    ctr_str_add(directory, name, strlen(name));
    zip->n++;
    put(&local, LOCAL, 4);
    put_entry(&local, crc, size, name);
    ctr_str_add(&local, name, strlen(name));
    int rc = write_str(zip, &local);
    if (rc == 0)
        rc = ctr_outfile_write(&zip->file, head, head_bytes);
    if (rc == 0)
        rc = ctr_outfile_write(&zip->file, body, body_bytes);
    zip->at += size;
    return rc;
}

int ctr_zip_commit(struct ctr_zip **zip)
{
    struct ctr_zip *z = *zip;
    struct ctr_str end = {0};
    uint64_t at = z->at, bytes = z->directory.n;
    int rc = write_str(z, &z->directory);
    put(&end, END, 4);
    put(&end, 0, 2 + 2); /* disks */
    put(&end, z->n, 2);
    put(&end, z->n, 2);
    put(&end, bytes, 4);
    put(&end, at, 4);
    put(&end, 0, 2); /* no comment */
    if (rc == 0)
        rc = write_str(z, &end);
    if (rc != 0) {
        ctr_str_free(&end);
        ctr_zip_abort(zip);
        return rc;
    }
    rc = ctr_outfile_commit(&z->file);
    free(z);
    *zip = NULL;
    return rc;
}

void ctr_zip_abort(struct ctr_zip **zip)
{
    if (!*zip)
        return;
    ctr_outfile_abort(&(*zip)->file);
    ctr_str_free(&(*zip)->directory);
    free(*zip);
    *zip = NULL;
}
