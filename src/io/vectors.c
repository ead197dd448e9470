/* vectors.c -- writes the files of vectors.h; vectors_read.c reads them. */
#include "io/vectors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/str.h"
#include "io/json.h"
#include "io/npy.h"
#include "io/vectors_impl.h"

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

static int write_text(const char *path, const char *ending, const struct ctr_str *s)
{
    char *file = ctr_vectors_beside(path, ending);
    int rc = !file || s->failed ? out_of_memory() : ctr_file_write(file, s->n ? s->s : "", s->n);
    free(file);
    return rc;
}

static int write_lines(const char *path, const char *ending, const char *const *name, size_t n)
{
    struct ctr_str s = {0};
    for (size_t i = 0; i < n; i++)
        add_line(&s, name[i]);
    int rc = write_text(path, ending, &s);
    ctr_str_free(&s);
    return rc;
}

static int write_labels(const char *path, const struct ctr_vectors *v)
{
    char *file = ctr_vectors_beside(path, ".labels.npy");
    int rc = file ? ctr_npy_write_i32(file, v->label, (uint64_t[]){v->n}, 1) : CTR_E_FAIL;
    free(file);
    return rc != 0 ? rc : write_lines(path, ".classes.txt", v->class_name, v->n_classes);
}

static int write_json(const char *path, const struct ctr_vectors *v)
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
    int rc = write_text(path, ".json", &s);
    ctr_str_free(&s);
    return rc;
}

/* Files of an earlier call that this one will not write. */
static int remove_old(const char *path)
{
    static const char *const endings[] = {".json", ".labels.npy", ".classes.txt", ".paths.txt"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof endings / sizeof *endings; i++) {
        char *file = ctr_vectors_beside(path, endings[i]);
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
    int rc = remove_old(path);
    if (rc == 0)
        rc = ctr_npy_write_f32(path, v->x, (uint64_t[]){v->n, v->D}, 2);
    if (rc == 0 && v->label && v->n_classes)
        rc = write_labels(path, v);
    if (rc == 0 && v->name)
        rc = write_lines(path, ".paths.txt", v->name, v->n);
    return rc != 0 ? rc : write_json(path, v);
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
