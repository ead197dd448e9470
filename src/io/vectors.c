/* vectors.c -- writes the files of vectors.h; vectors_read.c reads them. */
#include "io/vectors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/outfile.h"
#include "base/str.h"
#include "io/json.h"
#include "io/npy.h"

const char *const ctr_vectors_endings[] = {".json", ".labels.npy", ".classes.txt", ".paths.txt", NULL};

char *ctr_vectors_beside(const char *path, const char *ending)
{
    size_t n = strlen(path), stem = n > 4 && strcmp(path + n - 4, ".npy") == 0 ? n - 4 : n;
    char *out = ctr_alloc(stem + strlen(ending) + 1, 1);
    if (out) {
        memcpy(out, path, stem);
        strcpy(out + stem, ending);
    }
    return out;
}

static int out_of_memory(void)
{
    return ctr_fail(CTR_E_FAIL, "out of host memory for a file's text");
}

static void add_line(struct ctr_str *s, const char *name)
{
    for (size_t n; *name; name += n) {
        n = strcspn(name, "\n\r\\");
        ctr_str_add(s, name, n);
        if (name[n])
            ctr_str_add(s, name[n] == '\n' ? "\\n" : name[n] == '\r' ? "\\r" : "\\\\", 2), n++;
    }
    ctr_str_add(s, "\n", 1);
}

/* The files of a set while they are written. */
struct parts {
    const char *path;
    struct ctr_outfile file[5];
    size_t n;
};

/* Opens STEM and the ending, or without one the vectors themselves. */
static int add_part(struct parts *p, const char *ending)
{
    char *path = ending ? ctr_vectors_beside(p->path, ending) : ctr_strdup(p->path);
    int rc = path ? ctr_outfile_open(&p->file[p->n], path) : CTR_E_FAIL;
    p->n += rc == 0;
    free(path);
    return rc;
}

static int write_array(struct parts *p, const char *ending, const char *descr, const void *data,
                       const uint64_t *dims, unsigned rank)
{
    int rc = add_part(p, ending);
    if (rc == 0)
        rc = ctr_npy_write(&p->file[p->n - 1], descr, data, dims, rank);
    return rc != 0 ? rc : ctr_outfile_sync(&p->file[p->n - 1]);
}

/* Frees the text. */
static int write_text(struct parts *p, const char *ending, struct ctr_str *s)
{
    int rc = s->failed ? out_of_memory() : add_part(p, ending);
    if (rc == 0)
        rc = ctr_outfile_write(&p->file[p->n - 1], s->s, s->n);
    if (rc == 0)
        rc = ctr_outfile_sync(&p->file[p->n - 1]);
    ctr_str_free(s);
    return rc;
}

static int write_lines(struct parts *p, const char *ending, const char *const *name, size_t n)
{
    struct ctr_str s = {0};
    for (size_t i = 0; i < n; i++)
        add_line(&s, name[i]);
    return write_text(p, ending, &s);
}

static int write_json(struct parts *p, const struct ctr_vectors *v)
{
    struct ctr_str s = {0};
    const struct ctr_json_field fields[] = {
        ctr_json_int("schema", 1),
        ctr_json_int("n", (long long)v->n),
        ctr_json_int("dim", (long long)v->D),
        ctr_json_str("features", v->projections ? "projections" : "encoder"),
        ctr_json_bool("normalized", v->unit),
        ctr_json_str("model", v->model ? v->model : ""),
        ctr_json_int("step", (long long)v->step),
        ctr_json_str("data", v->data ? v->data : ""),
        ctr_json_str("split", v->split ? v->split : ""),
    };
    ctr_json_object(&s, fields, sizeof fields / sizeof *fields);
    ctr_str_add(&s, "\n", 1);
    return write_text(p, ".json", &s);
}

/* Files of an earlier call, so that its rows never stand beside others' names. */
static int remove_old(const char *path)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && ctr_vectors_endings[i]; i++) {
        char *file = ctr_vectors_beside(path, ctr_vectors_endings[i]);
        if (!file)
            rc = CTR_E_FAIL;
        else if (unlink(file) != 0 && errno != ENOENT)
            rc = ctr_fail(CTR_E_IO, "cannot replace '%s': %s", file, strerror(errno));
        free(file);
    }
    return rc;
}

int ctr_vectors_write(const char *path, const struct ctr_vectors *v)
{
    int rc = 0;
    size_t i = 0;
    struct parts p = {.path = path};
    CTR_TRY(write_array(&p, NULL, "<f4", v->x, (uint64_t[]){v->n, v->D}, 2));
    if (v->label && v->n_classes) {
        CTR_TRY(write_array(&p, ".labels.npy", "<i4", v->label, (uint64_t[]){v->n}, 1));
        CTR_TRY(write_lines(&p, ".classes.txt", v->class_name, v->n_classes));
    }
    if (v->name)
        CTR_TRY(write_lines(&p, ".paths.txt", v->name, v->n));
    CTR_TRY(write_json(&p, v));
    CTR_TRY(remove_old(path));
    while (i < p.n)
        CTR_TRY(ctr_outfile_commit(&p.file[i++]));
out:
    while (i < p.n)
        ctr_outfile_abort(&p.file[i++]);
    return rc;
}

/* ---- CSV ---- */

enum { FLUSH_BYTES = 1 << 20 };

static void add_row(struct ctr_str *s, const struct ctr_vectors *v, size_t i)
{
    ctr_str_csv(s, v->name ? v->name[i] : "");
    ctr_str_add(s, ",", 1);
    if (v->label && v->label[i] >= 0 && (unsigned)v->label[i] < v->n_classes)
        ctr_str_csv(s, v->class_name[v->label[i]]);
    for (size_t d = 0; d < v->D; d++) {
        ctr_str_add(s, ",", 1);
        ctr_str_json_num(s, v->x[i * v->D + d]);
    }
    ctr_str_add(s, "\r\n", 2);
}

static int flush(struct ctr_outfile *file, struct ctr_str *s)
{
    int rc = s->failed ? out_of_memory() : ctr_outfile_write(file, s->s, s->n);
    s->n = 0;
    return rc;
}

int ctr_vectors_write_csv(const char *path, const struct ctr_vectors *v)
{
    struct ctr_str s = {0};
    struct ctr_outfile file;
    int rc = ctr_outfile_open(&file, path);
    if (rc != 0)
        return rc;
    ctr_str_addf(&s, "path,label");
    for (size_t d = 0; d < v->D; d++)
        ctr_str_addf(&s, ",f%zu", d);
    ctr_str_add(&s, "\r\n", 2);
    for (size_t i = 0; rc == 0 && i < v->n; i++) {
        add_row(&s, v, i);
        if (s.n >= FLUSH_BYTES)
            rc = flush(&file, &s);
    }
    if (rc == 0)
        rc = flush(&file, &s);
    if (rc == 0)
        rc = ctr_outfile_commit(&file);
    else
        ctr_outfile_abort(&file);
    ctr_str_free(&s);
    return rc;
}
