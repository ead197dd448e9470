/* tuned.c -- choices kept on disk: the store of tune.h.
 *
 * In: a device. Out: lines of a text file, one for each shape:
 *     clcontrast choices 1
 *     device NAME / driver ... / platform ... / engine VERSION kernels HASH     a line each
 *     op@shape=chosen own own_us chosen_us error depth
 *     skip op@shape=variant
 *     sum HASH                                                                  of all before it
 * The name is a hash of the first five lines, which are compared again. Files appear complete or
 * not at all. A file that is not exactly this is ignored and replaced by the next that is found. */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/outfile.h"
#include "dev/kernels.h"
#include "graph/tune.h"

#define MAX_BYTES     ((size_t)4 << 20)
#define MAX_CANDIDATE 512

struct ctr_tuned {
    char *head;                 /* the first lines */
    char *path, *lock, *marker; /* NULL: there is no place to keep anything */
    int lock_fd;
    struct ctr_tuned_entry *entries;
    size_t n, cap;
    char **skipped;
    size_t n_skipped, cap_skipped;
    struct ctr_str list;
};

/* ---- names ---- */

/* Of all kernels: from another text, other times. 0: they come from a directory and may change. */
static uint64_t kernels_hash(void)
{
    const char *dir = getenv("CTR_KERNEL_DIR");
    uint64_t hash = 1;
    if (dir && *dir)
        return 0;
    for (const struct ctr_kernel_file *k = ctr_kernel_files; k->name; k++)
        hash = XXH3_64bits_withSeed(&k->hash, sizeof k->hash, hash);
    return hash;
}

static void add_line(struct ctr_str *s, const char *name, const char *value)
{
    ctr_str_addf(s, "%s ", name);
    for (const char *p = value; *p; p++)
        ctr_str_add(s, (unsigned char)*p < 0x20 ? "?" : p, 1);
    ctr_str_add(s, "\n", 1);
}

static char *head_of(const struct ctr_caps *caps)
{
    struct ctr_str s = {0};
    ctr_str_addf(&s, "clcontrast choices 1\n");
    add_line(&s, "device", caps->name);
    add_line(&s, "driver", caps->driver);
    add_line(&s, "platform", caps->platform);
    ctr_str_addf(&s, "engine " CTR_VERSION " kernels %016" PRIx64 " quirks %x units %u",
                 kernels_hash(), (unsigned)caps->quirks, caps->compute_units);
    if (caps->mma) /* other kernels to choose from */
        ctr_str_addf(&s, " mma %x", caps->mma);
    ctr_str_add(&s, "\n", 1);
    if (!s.failed)
        return s.s;
    ctr_str_free(&s);
    return NULL;
}

/* The folder of all stores, NULL when there is none. */
static char *folder(void)
{
    char *base = ctr_cache_dir(), *dir = base ? ctr_path_join(base, "tuned") : NULL;
    free(base);
    return dir;
}

static void name_files(ctr_tuned *t)
{
    char name[40], *dir = folder();
    char **const files[] = {&t->path, &t->lock, &t->marker};
    static const char *const ends[] = {"txt", "lock", "trying"};
    uint64_t hash = XXH3_64bits(t->head, strlen(t->head));
    for (int i = 0; dir && kernels_hash() != 0 && i < 3; i++) {
        snprintf(name, sizeof name, "%016" PRIx64 ".%s", hash, ends[i]);
        *files[i] = ctr_path_join(dir, name);
    }
    free(dir);
}

/* ---- entries ---- */

static void free_entry(struct ctr_tuned_entry *e)
{
    free(e->op);
    free(e->shape);
    free(e->own);
    free(e->chosen);
}

static void forget(ctr_tuned *t)
{
    for (size_t i = 0; i < t->n; i++)
        free_entry(&t->entries[i]);
    for (size_t i = 0; i < t->n_skipped; i++)
        free(t->skipped[i]);
    t->n = t->n_skipped = 0;
}

static struct ctr_tuned_entry *find(const ctr_tuned *t, const char *op, const char *shape)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->entries[i].op, op) == 0 && strcmp(t->entries[i].shape, shape) == 0)
            return &t->entries[i];
    return NULL;
}

static int put(ctr_tuned *t, const struct ctr_tuned_entry *entry)
{
    struct ctr_tuned_entry e = *entry, *old = find(t, entry->op, entry->shape);
    e.op = ctr_strdup(entry->op);
    e.shape = ctr_strdup(entry->shape);
    e.own = ctr_strdup(entry->own);
    e.chosen = ctr_strdup(entry->chosen);
    if (!e.op || !e.shape || !e.own || !e.chosen ||
        (!old && ctr_grow((void **)&t->entries, &t->cap, t->n + 1, sizeof *t->entries) != 0)) {
        free_entry(&e);
        return CTR_E_FAIL;
    }
    if (old)
        free_entry(old);
    *(old ? old : &t->entries[t->n++]) = e;
    return 0;
}

static int skip(ctr_tuned *t, const char *candidate)
{
    if (ctr_tuned_is_skipped(t, candidate))
        return 0;
    char *copy = ctr_strdup(candidate);
    if (!copy || ctr_grow((void **)&t->skipped, &t->cap_skipped, t->n_skipped + 1,
                          sizeof *t->skipped) != 0) {
        free(copy);
        return CTR_E_FAIL;
    }
    t->skipped[t->n_skipped++] = copy;
    return 0;
}

/* ---- the file ---- */

/* Text of the next word; NULL at the line's end. */
static char *word(char **at)
{
    char *w = *at + strspn(*at, " ");
    size_t n = strcspn(w, " ");
    if (n == 0)
        return NULL;
    *at = w + n;
    if (**at)
        *(*at)++ = '\0';
    return w;
}

static int number(double *out, char **at)
{
    char *w = word(at);
    return w && ctr_parse_double(w, out) == 0 && *out >= 0 && isfinite(*out) ? 0 : -1;
}

/* One line after the head; -1 when it is none. */
static int take_line(ctr_tuned *t, char *line)
{
    struct ctr_tuned_entry e = {0};
    double depth;
    char *first = word(&line);
    if (!first)
        return -1;
    if (strcmp(first, "skip") == 0) {
        char *candidate = word(&line);
        return candidate ? skip(t, candidate) : -1;
    }
    char *at = strchr(first, '@'), *equals = strchr(first, '=');
    if (!at || !equals || at > equals || !(e.own = word(&line)) || number(&e.own_s, &line) != 0 ||
        number(&e.chosen_s, &line) != 0 || number(&e.error, &line) != 0 ||
        number(&depth, &line) != 0 || depth > CTR_TUNE_FULL || word(&line))
        return -1;
    *at = *equals = '\0';
    e.op = first;
    e.shape = at + 1;
    e.chosen = equals + 1;
    e.own_s *= 1e-6;
    e.chosen_s *= 1e-6;
    e.depth = (enum ctr_tune_depth)depth;
    return put(t, &e);
}

/* Checks the sum, which the last line holds, and cuts it off. */
static int check_sum(char *text, size_t n)
{
    char want[32];
    size_t last = n > 0 && text[n - 1] == '\n' ? n - 1 : 0;
    while (last > 0 && text[last - 1] != '\n')
        last--;
    snprintf(want, sizeof want, "sum %016" PRIx64 "\n", XXH3_64bits(text, last));
    if (last == 0 || strcmp(text + last, want) != 0)
        return -1;
    text[last] = '\0';
    return 0;
}

static void load(ctr_tuned *t)
{
    void *data = NULL;
    size_t n, head = strlen(t->head);
    forget(t);
    if (!t->path || access(t->path, F_OK) != 0 || ctr_file_read(&data, &n, t->path, MAX_BYTES) != 0)
        return;
    char *text = data;
    int ok = strlen(text) == n && check_sum(text, n) == 0 && strncmp(text, t->head, head) == 0;
    for (char *line = text + head, *end; ok && *line; line = end + 1) {
        end = strchr(line, '\n');
        *end = '\0';
        ok = take_line(t, line) == 0;
    }
    if (!ok) {
        ctr_log(CTR_LOG_INFO, "'%s' holds no choices that can be used: ignored", t->path);
        forget(t);
    }
    free(data);
}

static int save(const ctr_tuned *t)
{
    struct ctr_str s = {0};
    ctr_str_addf(&s, "%s", t->head);
    for (size_t i = 0; i < t->n; i++) {
        const struct ctr_tuned_entry *e = &t->entries[i];
        ctr_str_addf(&s, "%s@%s=%s %s ", e->op, e->shape, e->chosen, e->own);
        ctr_str_json_num(&s, e->own_s * 1e6);
        ctr_str_add(&s, " ", 1);
        ctr_str_json_num(&s, e->chosen_s * 1e6);
        ctr_str_add(&s, " ", 1);
        ctr_str_json_num(&s, e->error);
        ctr_str_addf(&s, " %d\n", (int)e->depth);
    }
    for (size_t i = 0; i < t->n_skipped; i++)
        ctr_str_addf(&s, "skip %s\n", t->skipped[i]);
    if (!s.failed)
        ctr_str_addf(&s, "sum %016" PRIx64 "\n", XXH3_64bits(s.s, s.n));
    int rc = s.failed ? CTR_E_FAIL : ctr_file_write(t->path, s.s, s.n);
    ctr_str_free(&s);
    return rc;
}

/* ---- the door ---- */

int ctr_tuned_open(ctr_tuned **out, ctr_dev *dev)
{
    ctr_tuned *t = ctr_alloc(1, sizeof *t);
    if (!t)
        return CTR_E_FAIL;
    t->lock_fd = -1;
    if (!(t->head = head_of(ctr_dev_caps(dev)))) {
        ctr_tuned_close(&t);
        return CTR_E_FAIL;
    }
    name_files(t);
    load(t);
    *out = t;
    return 0;
}

void ctr_tuned_close(ctr_tuned **tuned)
{
    ctr_tuned *t = *tuned;
    if (!t)
        return;
    ctr_tuned_unlock(t);
    forget(t);
    free(t->entries);
    free(t->skipped);
    free(t->head);
    free(t->path);
    free(t->lock);
    free(t->marker);
    ctr_str_free(&t->list);
    free(t);
    *tuned = NULL;
}

const char *ctr_tuned_list(ctr_tuned *t)
{
    ctr_str_free(&t->list);
    t->list = (struct ctr_str){0};
    for (size_t i = 0; i < t->n; i++)
        ctr_str_addf(&t->list, "%s@%s=%s\n", t->entries[i].op, t->entries[i].shape,
                     t->entries[i].chosen);
    return t->list.s && !t->list.failed ? t->list.s : "";
}

const struct ctr_tuned_entry *ctr_tuned_entry(const ctr_tuned *t, size_t i)
{
    return i < t->n ? &t->entries[i] : NULL;
}

const char *ctr_tuned_skipped(const ctr_tuned *t, size_t i)
{
    return i < t->n_skipped ? t->skipped[i] : NULL;
}

const struct ctr_tuned_entry *ctr_tuned_find(const ctr_tuned *t, const char *op, const char *shape)
{
    return find(t, op, shape);
}

int ctr_tuned_is_skipped(const ctr_tuned *t, const char *candidate)
{
    for (size_t i = 0; i < t->n_skipped; i++)
        if (strcmp(t->skipped[i], candidate) == 0)
            return 1;
    return 0;
}

int ctr_tuned_put(ctr_tuned *t, const struct ctr_tuned_entry *entry)
{
    int rc = put(t, entry);
    return rc != 0 ? rc : save(t);
}

int ctr_tuned_clear(size_t *n)
{
    int rc = 0;
    char *dir = folder();
    DIR *d = dir ? opendir(dir) : NULL;
    *n = 0;
    for (struct dirent *e; d && rc == 0 && (e = readdir(d)) != NULL;) {
        const char *end = strrchr(e->d_name, '.');
        if (!end || (strcmp(end, ".txt") != 0 && strcmp(end, ".trying") != 0))
            continue;
        char *path = ctr_path_join(dir, e->d_name);
        if (!path)
            rc = CTR_E_FAIL;
        else if (unlink(path) != 0 && errno != ENOENT)
            rc = ctr_fail(CTR_E_IO, "cannot remove '%s': %s", path, strerror(errno));
        else
            *n += strcmp(end, ".txt") == 0;
        free(path);
    }
    if (d)
        closedir(d);
    free(dir);
    return rc;
}

/* ---- while candidates run ---- */

/* What was under way when the last process ended. */
static int take_marker(ctr_tuned *t)
{
    void *data = NULL;
    size_t n;
    int rc = 0;
    if (access(t->marker, F_OK) != 0)
        return 0;
    if (ctr_file_read(&data, &n, t->marker, MAX_CANDIDATE) == 0 && n > 0 && strlen(data) == n &&
        strcspn(data, " \n") == n && strchr(data, '@') && strchr(data, '=')) {
        ctr_log(CTR_LOG_WARN, "'%s' ended the process that tried it: left out from now on",
                (char *)data);
        rc = skip(t, data);
        if (rc == 0)
            rc = save(t);
    }
    free(data);
    if (rc == 0)
        ctr_tuned_unmark(t);
    return rc;
}

static int no_place(void)
{
    const char *dir = getenv("CTR_KERNEL_DIR");
    if (dir && *dir)
        return ctr_fail(CTR_E_USAGE, "kernels from CTR_KERNEL_DIR are not tuned: their text may "
                                     "change at any time");
    return ctr_hint(ctr_fail(CTR_E_IO, "there is no cache directory to keep choices in"),
                    "set XDG_CACHE_HOME to a directory that can be written");
}

int ctr_tuned_lock(ctr_tuned *t)
{
    int rc = 0;
    char *dir = NULL;
    if (!t->path || !t->lock || !t->marker)
        return no_place();
    if (!(dir = folder()))
        CTR_TRY(no_place());
    CTR_TRY(ctr_mkdirs(dir));
    t->lock_fd = open(t->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (t->lock_fd < 0)
        CTR_TRY(ctr_fail(CTR_E_IO, "cannot create '%s': %s", t->lock, strerror(errno)));
    if (flock(t->lock_fd, LOCK_EX | LOCK_NB) != 0)
        CTR_TRY(errno == EWOULDBLOCK
                    ? ctr_fail(CTR_E_USAGE, "another process is tuning this device")
                    : ctr_fail(CTR_E_IO, "cannot lock '%s': %s", t->lock, strerror(errno)));
    load(t); /* what others found meanwhile */
    CTR_TRY(take_marker(t));
out:
    free(dir);
    if (rc != 0)
        ctr_tuned_unlock(t);
    return rc;
}

void ctr_tuned_unlock(ctr_tuned *t)
{
    if (t->lock_fd >= 0)
        close(t->lock_fd);
    t->lock_fd = -1;
}

int ctr_tuned_mark(ctr_tuned *t, const char *candidate)
{
    return ctr_file_write(t->marker, candidate, strlen(candidate));
}

void ctr_tuned_unmark(ctr_tuned *t)
{
    unlink(t->marker);
}
