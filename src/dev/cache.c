/* cache.c -- compiled programs on disk, so that a second start does not compile.
 *
 * In and out: binaries as the driver gives them. A file is named by the XXH3-128 of everything that
 * decides the binary (text, options, device, driver, platform, this program's version) and starts
 * with a header:
 *     0  8 bytes  "CTRCLB01"      magic and format version
 *     8 16 bytes  the key again   guards against renamed files
 *    24  8 bytes  payload length, little endian
 *    32  8 bytes  XXH3-64 of the payload, little endian
 *    40           payload
 * Files appear complete or not at all (temp and rename). Whatever does not match is as good as
 * absent: the caller compiles from source and the file is replaced. Nothing here is ever a failure.
 * CTR_CACHE=off switches it off, CTR_CACHE=DIR puts it elsewhere than the cache directory's
 * "programs". */
#include "dev/impl.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/outfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define MAGIC        "CTRCLB01"
#define HEADER_BYTES 40
#define MAX_BYTES    ((size_t)256 << 20)

struct hash {
    unsigned char bytes[16];
};

static struct hash hash_key(const struct ctr_cache_key *key)
{
    const char *parts[] = {key->text,   key->options,  key->device,
                           key->driver, key->platform, MAGIC " " CTR_VERSION};
    XXH128_hash_t sum = {0};
    /* Each part is hashed with the sum so far as its seed, so that the borders between parts count.
     */
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        XXH128_hash_t h = XXH3_128bits_withSeed(parts[i], strlen(parts[i]), sum.low64 ^ i);
        sum.low64 = h.low64;
        sum.high64 = sum.high64 * UINT64_C(0x9e3779b97f4a7c15) + h.high64;
    }
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, sum);
    struct hash out;
    memcpy(out.bytes, canonical.digest, sizeof out.bytes);
    return out;
}

/* Directory of the cache, NULL when it is off. */
static char *cache_dir(void)
{
    const char *env = getenv("CTR_CACHE");
    if (env && strcmp(env, "off") == 0)
        return NULL;
    if (env && *env)
        return ctr_strdup(env);
    char *base = ctr_cache_dir(), *dir = base ? ctr_path_join(base, "programs") : NULL;
    free(base);
    return dir;
}

static char *cache_path(const struct hash *key)
{
    char name[40];
    for (int i = 0; i < 16; i++)
        snprintf(name + 2 * i, 3, "%02x", key->bytes[i]);
    snprintf(name + 32, sizeof name - 32, ".bin");
    char *dir = cache_dir(), *path = NULL;
    if (dir && ctr_mkdirs(dir) == 0)
        path = ctr_path_join(dir, name);
    free(dir);
    return path;
}

static void put_u64(unsigned char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get_u64(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

void *ctr_cache_load(size_t *bytes, const struct ctr_cache_key *key)
{
    struct hash hash = hash_key(key);
    char *path = cache_path(&hash);
    void *data = NULL;
    size_t n;
    if (!path || access(path, R_OK) != 0 || ctr_file_read(&data, &n, path, MAX_BYTES) != 0)
        goto none;
    unsigned char *p = data;
    if (n <= HEADER_BYTES || memcmp(p, MAGIC, 8) != 0 || memcmp(p + 8, hash.bytes, 16) != 0 ||
        get_u64(p + 24) != n - HEADER_BYTES ||
        get_u64(p + 32) != XXH3_64bits(p + HEADER_BYTES, n - HEADER_BYTES))
        goto none;
    memmove(p, p + HEADER_BYTES, n - HEADER_BYTES);
    *bytes = n - HEADER_BYTES;
    free(path);
    return data;
none:
    free(path);
    free(data);
    return NULL;
}

void ctr_cache_store(const struct ctr_cache_key *key, const void *data, size_t bytes)
{
    unsigned char header[HEADER_BYTES];
    struct hash hash = hash_key(key);
    struct ctr_outfile file;
    char *path = bytes <= MAX_BYTES - HEADER_BYTES ? cache_path(&hash) : NULL;
    if (path && ctr_outfile_open(&file, path) == 0) {
        memcpy(header, MAGIC, 8);
        memcpy(header + 8, hash.bytes, 16);
        put_u64(header + 24, bytes);
        put_u64(header + 32, XXH3_64bits(data, bytes));
        if (ctr_outfile_write(&file, header, sizeof header) == 0 &&
            ctr_outfile_write(&file, data, bytes) == 0)
            (void)ctr_outfile_commit(&file);
        else
            ctr_outfile_abort(&file);
    }
    free(path);
}

void ctr_cache_drop(const struct ctr_cache_key *key)
{
    struct hash hash = hash_key(key);
    char *path = cache_path(&hash);
    if (path)
        unlink(path);
    free(path);
}
