/* prog.c -- programs of a device: their text, their identity, building many at once.
 *
 * In: (file, options) pairs. Out: one struct ctr_prog each, built when ctr_prog_build_all returns
 * 0. The text is the embedded table's, or, for people who edit kernels, read from the directory in
 * the environment variable CTR_KERNEL_DIR, with includes put in place as tools/dev/embed_cl.py
 * does. */
#include "dev/impl.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/str.h"
#include "dev/kernels.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KERNEL_FILE (1u << 20)
#define MAX_INCLUDES    32

/* ---- text from a directory ---- */

struct flatten {
    const char *root;
    struct ctr_str text;
    char *seen[MAX_INCLUDES];
    unsigned n_seen;
};

/* The name in a line '#include "NAME"', NULL for any other line. */
static char *included_name(const char *line, size_t n)
{
    const char *p = line, *end = line + n;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    if (p == end || *p++ != '#')
        return NULL;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    if ((size_t)(end - p) < 9 || memcmp(p, "include", 7) != 0)
        return NULL;
    p = memchr(p, '"', (size_t)(end - p));
    const char *close = p ? memchr(p + 1, '"', (size_t)(end - p - 1)) : NULL;
    if (!close)
        return NULL;
    char *name = ctr_alloc((size_t)(close - p), 1);
    if (name)
        memcpy(name, p + 1, (size_t)(close - p - 1));
    return name;
}

static int flatten_file(struct flatten *f, const char *name);

/* Puts an included file in place, once. Takes over `name`. */
static int flatten_include(struct flatten *f, char *name)
{
    for (unsigned i = 0; i < f->n_seen; i++)
        if (strcmp(f->seen[i], name) == 0) {
            free(name);
            return 0;
        }
    if (f->n_seen == MAX_INCLUDES) {
        free(name);
        return ctr_fail(CTR_E_DEVICE, "more than %d kernel headers", MAX_INCLUDES);
    }
    f->seen[f->n_seen++] = name;
    return flatten_file(f, name);
}

static int flatten_file(struct flatten *f, const char *name)
{
    int rc = 0;
    void *data = NULL;
    size_t bytes;
    char *path = ctr_path_join(f->root, name);
    if (!path)
        return CTR_E_FAIL;
    if (strstr(name, ".."))
        CTR_TRY(ctr_fail(CTR_E_DEVICE, "kernel file '%s' is outside its directory", name));
    CTR_TRY(ctr_file_read(&data, &bytes, path, MAX_KERNEL_FILE));
    ctr_str_addf(&f->text, "#line 1 \"cl/%s\"\n", name);
    unsigned number = 1;
    for (const char *p = data, *end = p + bytes; p < end; number++) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        size_t n = eol ? (size_t)(eol - p) : (size_t)(end - p);
        char *include = included_name(p, n);
        if (include) {
            CTR_TRY(flatten_include(f, include));
            ctr_str_addf(&f->text, "#line %u \"cl/%s\"\n", number + 1, name);
        } else {
            ctr_str_add(&f->text, p, n);
            ctr_str_add(&f->text, "\n", 1);
        }
        p += n + (eol != NULL);
    }
out:
    free(path);
    free(data);
    return rc;
}

static int text_from_dir(char **out, const char *dir, const char *file)
{
    struct flatten f = {.root = dir};
    int rc = flatten_file(&f, file);
    if (rc == 0 && f.text.failed)
        rc = CTR_E_FAIL;
    if (rc == 0)
        *out = f.text.s;
    else
        ctr_str_free(&f.text);
    for (unsigned i = 0; i < f.n_seen; i++)
        free(f.seen[i]);
    return rc;
}

static int find_text(struct ctr_prog *prog)
{
    const char *dir = getenv("CTR_KERNEL_DIR");
    if (dir && *dir) {
        int rc = text_from_dir(&prog->owned_text, dir, prog->file);
        prog->text = prog->owned_text;
        return rc ? ctr_fail_in(rc, "CTR_KERNEL_DIR") : 0;
    }
    for (const struct ctr_kernel_file *k = ctr_kernel_files; k->name; k++)
        if (strcmp(k->name, prog->file) == 0) {
            prog->text = k->text;
            return 0;
        }
    return ctr_fail(CTR_E_USAGE, "there is no kernel file cl/%s", prog->file);
}

/* ---- identity ---- */

static void destroy_prog(struct ctr_prog *prog)
{
    free(prog->file);
    free(prog->options);
    free(prog->full_options);
    free(prog->owned_text);
    free(prog->error);
    free(prog->hint);
    free(prog);
}

/* A program that declares the built-in functions it calls is built without Clang's opencl-c.h,
 * which PoCL puts before each: with its include guard defined. */
static int declares_builtins(const struct ctr_prog *prog)
{
    return prog->dev->caps.quirks & CTR_Q_OWN_BUILTINS &&
           strstr(prog->text, "\"cl/lib/builtins.clh\"");
}

static int make_options(struct ctr_prog *prog)
{
    struct ctr_str full = {0};
    ctr_str_addf(&full, "%s %s", prog->dev->base_options, prog->options);
    if (declares_builtins(prog))
        ctr_str_addf(&full, " -D_OPENCL_H_");
    prog->full_options = full.s;
    return full.failed ? CTR_E_FAIL : 0;
}

int ctr_prog_get(struct ctr_prog **out, ctr_dev *dev, const char *file, const char *options)
{
    for (struct ctr_prog *p = dev->progs; p; p = p->next)
        if (strcmp(p->file, file) == 0 && strcmp(p->options, options) == 0) {
            *out = p;
            return 0;
        }
    int rc = 0;
    struct ctr_prog *prog = ctr_alloc(1, sizeof *prog);
    if (!prog)
        return CTR_E_FAIL;
    prog->dev = dev;
    prog->file = ctr_strdup(file);
    prog->options = ctr_strdup(options);
    if (!prog->file || !prog->options)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(find_text(prog));
    CTR_TRY(make_options(prog));
    prog->next = dev->progs;
    dev->progs = prog;
    *out = prog;
    prog = NULL;
out:
    if (prog)
        destroy_prog(prog);
    return rc;
}

void ctr_prog_destroy_all(ctr_dev *dev)
{
    while (dev->progs) {
        struct ctr_prog *p = dev->progs;
        dev->progs = p->next;
        dev->backend->prog_destroy(p);
        destroy_prog(p);
    }
}

/* ---- building ---- */

struct build {
    ctr_dev *dev;
    struct ctr_prog **progs;
    unsigned n, reported;
    pthread_t caller;
    ctr_build_fn *progress;
    void *user;
};

/* Tells the caller what was finished meanwhile; on the caller's thread only. */
static void report(struct build *b)
{
    if (!b->progress)
        return;
    for (unsigned i = 0; i < b->n; i++) {
        struct ctr_prog *p = b->progs[i];
        if (p->reported || !atomic_load(&p->done))
            continue;
        p->reported = 1;
        b->progress(b->user, ++b->reported, b->n, p->file);
    }
}

static void build_one(void *ctx, size_t i)
{
    struct build *b = ctx;
    struct ctr_prog *p = b->progs[i];
    p->rc = b->dev->backend->prog_build(p);
    if (p->rc) {
        p->error = ctr_strdup(ctr_error_text());
        p->hint = ctr_strdup(ctr_error_hint());
    }
    atomic_store(&p->done, 1);
    if (pthread_equal(pthread_self(), b->caller))
        report(b);
}

/* The first failure becomes the caller's; messages of failed builds are forgotten afterwards, so
 * that a later build may try again. */
static int collect(struct build *b)
{
    int rc = 0;
    for (unsigned i = 0; i < b->n; i++) {
        struct ctr_prog *p = b->progs[i];
        if (p->rc == 0) {
            p->built = 1;
            b->dev->stats.builds++;
        } else if (rc == 0) {
            rc = ctr_fail(p->rc, "%s", p->error ? p->error : "out of host memory");
            if (p->hint && *p->hint)
                ctr_hint(rc, "%s", p->hint);
        }
        free(p->error);
        free(p->hint);
        p->error = p->hint = NULL;
    }
    return rc;
}

int ctr_prog_build_all(ctr_dev *dev, ctr_build_fn *progress, void *user)
{
    struct build b = {.dev = dev, .caller = pthread_self(), .progress = progress, .user = user};
    /* Only what a launch still wants: one that failed to build must not haunt later builds. */
    for (struct ctr_prog *p = dev->progs; p; p = p->next)
        p->wanted = 0;
    for (ctr_launch *l = dev->launches; l; l = l->next)
        if (l->prog && !l->prog->built)
            l->prog->wanted = 1;
    for (struct ctr_prog *p = dev->progs; p; p = p->next)
        b.n += (unsigned)p->wanted;
    if (b.n == 0)
        return 0;
    if (!(b.progs = ctr_alloc(b.n, sizeof *b.progs)))
        return CTR_E_FAIL;
    unsigned at = b.n;
    for (struct ctr_prog *p = dev->progs; p; p = p->next)
        if (p->wanted) {
            p->reported = 0;
            atomic_store(&p->done, 0);
            b.progs[--at] = p;
        }
    ctr_parallel(dev->caps.quirks & CTR_Q_SERIAL_BUILD ? 1 : 0, b.n, build_one, &b);
    report(&b);
    int rc = collect(&b);
    free(b.progs);
    return rc;
}
