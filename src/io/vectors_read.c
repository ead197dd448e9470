/* vectors_read.c -- reads the files of vectors.h, or a lone .npy file of another writer. In: paths. Out:
 * one struct whose memory dies as a whole. Nothing in the files is trusted. */
#include "io/vectors.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/status.h"
#include "io/npy.h"

#define MAX_BYTES ((size_t)1 << 40)

/* What ctr_vectors_free frees. */
struct owned {
    void *file, *converted, *labels, *text[2];
    const char **name, **class_name;
    char *model, *data, *split;
};

/* ---- arrays ---- */

static float half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, bits = h & 1023u, u;
    float f;
    if (exponent == 0) {
        f = (float)bits * 0x1p-24f;
        return sign ? -f : f;
    }
    u = sign | (exponent == 31 ? 255u << 23 : (exponent + 112) << 23) | bits << 13;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* Values of 2 or 8 bytes as floats in new memory. */
static float *convert(const char *from, size_t n, size_t item_bytes)
{
    float *to = ctr_alloc(n, sizeof *to);
    for (size_t i = 0; to && i < n; i++) {
        double wide;
        uint16_t narrow;
        if (item_bytes == 8) {
            memcpy(&wide, from + 8 * i, sizeof wide);
            to[i] = (float)wide;
        } else {
            memcpy(&narrow, from + 2 * i, sizeof narrow);
            to[i] = half(narrow);
        }
    }
    return to;
}

/* The whole file; *npy is checked against its size. */
static int read_npy(void **file, struct ctr_npy *npy, const char *path)
{
    size_t bytes = 0;
    int rc = ctr_file_read(file, &bytes, path, MAX_BYTES);
    if (rc != 0) /* like a folder of images that is not there */
        return rc == CTR_E_IO ? CTR_E_DATA : rc;
    rc = ctr_npy_parse(npy, *file, bytes);
    if (rc != 0)
        return ctr_fail_in(rc, "'%s'", path);
    if (npy->data_bytes != bytes - npy->data_at)
        return ctr_fail(CTR_E_DATA, "'%s' has %zu bytes of values where its shape needs %zu", path,
                        bytes - npy->data_at, npy->data_bytes);
    return 0;
}

static int check_type(const struct ctr_npy *npy, const char *path)
{
    const char *d = npy->descr;
    if (strcmp(d, "<f4") != 0 && strcmp(d, "<f8") != 0 && strcmp(d, "<f2") != 0)
        return ctr_hint(ctr_fail(CTR_E_DATA, "'%s' holds values of type '%s', not floats", path, d),
                        "numpy.save(FILE, x.astype('<f4'))");
    if (npy->rank < 1 || npy->rank > 2)
        return ctr_hint(ctr_fail(CTR_E_DATA, "'%s' has %u dimensions; vectors have 2", path,
                                 npy->rank),
                        "numpy.save(FILE, x.reshape(len(x), -1))");
    if (npy->fortran_order && npy->rank == 2)
        return ctr_hint(ctr_fail(CTR_E_DATA, "'%s' is stored column by column", path),
                        "numpy.save(FILE, numpy.ascontiguousarray(x))");
    if (npy->data_bytes == 0)
        return ctr_fail(CTR_E_DATA, "'%s' holds no vectors", path);
    return 0;
}

static int read_vectors(struct ctr_vectors *v, struct owned *o, const char *path)
{
    struct ctr_npy npy;
    int rc = read_npy(&o->file, &npy, path);
    if (rc == 0)
        rc = check_type(&npy, path);
    if (rc != 0)
        return rc;
    v->n = npy.rank == 2 ? (size_t)npy.dims[0] : 1;
    v->D = (size_t)npy.dims[npy.rank - 1];
    const char *data = (const char *)o->file + npy.data_at;
    if (npy.item_bytes == sizeof(float) && npy.data_at % sizeof(float) == 0)
        v->x = (const float *)(const void *)data;
    else if (npy.item_bytes == sizeof(float) && (o->converted = ctr_alloc(v->n * v->D, sizeof(float))))
        v->x = memcpy(o->converted, data, npy.data_bytes);
    else if (npy.item_bytes != sizeof(float))
        v->x = o->converted = convert(data, v->n * v->D, npy.item_bytes);
    return v->x ? 0 : CTR_E_FAIL;
}

/* ---- what lies beside ---- */

static int is_there(const char *path)
{
    struct stat is;
    return stat(path, &is) == 0;
}

/* Takes away what vectors.c put in; 0: an unknown escape. */
static int unescape(char *s)
{
    char *to = s;
    for (; *s; s++) {
        if (*s == '\\') {
            s++;
            if (*s != 'n' && *s != 'r' && *s != '\\')
                return 0;
            *to++ = *s == 'n' ? '\n' : *s == 'r' ? '\r' : '\\';
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
    return 1;
}

/* Lines of a text; *n of them. */
static int split_lines(const char ***out, size_t *n, char *text, size_t bytes, const char *path)
{
    size_t cap = 0, count = 0;
    const char **line = NULL;
    for (char *at = text, *end; at < text + bytes; at = end + 1) {
        end = memchr(at, '\n', (size_t)(text + bytes - at));
        int ok = end && !memchr(at, '\0', (size_t)(end - at));
        if (ok)
            *end = '\0';
        if (!ok || !unescape(at)) {
            free(line);
            return ctr_fail(CTR_E_DATA, "'%s': line %zu is malformed", path, count + 1);
        }
        if (ctr_grow((void **)&line, &cap, count + 1, sizeof *line) != 0) {
            free(line);
            return CTR_E_FAIL;
        }
        line[count++] = at;
    }
    *out = line;
    *n = count;
    return 0;
}

static int read_lines(const char ***line, size_t *n, void **text, const char *path)
{
    size_t bytes = 0;
    int rc = ctr_file_read(text, &bytes, path, MAX_BYTES);
    return rc != 0 ? rc : split_lines(line, n, *text, bytes, path);
}

static int does_not_fit(const char *path, size_t has, const char *what, size_t n)
{
    return ctr_hint(ctr_fail(CTR_E_DATA, "'%s' has %zu %s for %zu vectors", path, has, what, n),
                    "write all files anew with clcontrast embed, or move it away");
}

static int read_names(struct ctr_vectors *v, struct owned *o, const char *path)
{
    size_t n = 0;
    int rc = read_lines(&o->name, &n, &o->text[0], path);
    if (rc == 0 && n != v->n)
        rc = does_not_fit(path, n, "lines", v->n);
    v->name = o->name;
    return rc;
}

static int read_classes(struct ctr_vectors *v, struct owned *o, const char *path)
{
    size_t n = 0;
    int rc = read_lines(&o->class_name, &n, &o->text[1], path);
    if (rc == 0 && n > UINT32_MAX)
        rc = ctr_fail(CTR_E_DATA, "'%s' has too many lines", path);
    v->class_name = o->class_name;
    v->n_classes = (unsigned)n;
    return rc;
}

/* After the classes. */
static int read_labels(struct ctr_vectors *v, struct owned *o, const char *path)
{
    struct ctr_npy npy;
    int rc = read_npy(&o->labels, &npy, path);
    if (rc != 0)
        return rc;
    if (strcmp(npy.descr, "<i4") != 0 || npy.rank != 1 || npy.data_at % sizeof(int32_t) != 0)
        return ctr_fail(CTR_E_DATA, "'%s' is not a row of numbers of type '<i4'", path);
    if (npy.dims[0] != v->n)
        return does_not_fit(path, (size_t)npy.dims[0], "labels", v->n);
    v->label = (const int32_t *)(const void *)((const char *)o->labels + npy.data_at);
    for (size_t i = 0; i < v->n; i++)
        if (v->label[i] < -1 || v->label[i] >= (int64_t)v->n_classes)
            return ctr_fail(CTR_E_DATA, "'%s': label %d of vector %zu is none of %u classes", path,
                            v->label[i], i, v->n_classes);
    return 0;
}

static const char *json_text(char **kept, const json_t *root, const char *key)
{
    const char *text = json_string_value(json_object_get(root, key));
    *kept = text && *text ? ctr_strdup(text) : NULL;
    return *kept;
}

static int read_json(struct ctr_vectors *v, struct owned *o, const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        int rc = ctr_fail(CTR_E_DATA, "'%s' is no JSON object: %s", path, root ? "" : error.text);
        json_decref(root);
        return rc;
    }
    int rc = 0;
    json_int_t n = json_integer_value(json_object_get(root, "n"));
    json_int_t dim = json_integer_value(json_object_get(root, "dim"));
    const char *features = json_string_value(json_object_get(root, "features"));
    if ((uint64_t)n != v->n || (uint64_t)dim != v->D)
        rc = ctr_hint(ctr_fail(CTR_E_DATA, "'%s' is of other vectors: %lld x %lld, not %zu x %zu",
                               path, (long long)n, (long long)dim, v->n, v->D),
                      "write all files anew with clcontrast embed, or move it away");
    v->projections = features && strcmp(features, "projections") == 0;
    v->unit = json_is_true(json_object_get(root, "normalized"));
    v->step = (uint64_t)json_integer_value(json_object_get(root, "step"));
    v->model = json_text(&o->model, root, "model");
    v->data = json_text(&o->data, root, "data");
    v->split = json_text(&o->split, root, "split");
    json_decref(root);
    return rc;
}

int ctr_vectors_read(struct ctr_vectors *out, const char *path)
{
    static const struct {
        const char *ending;
        int (*read)(struct ctr_vectors *v, struct owned *o, const char *path);
    } beside[] = {{".json", read_json},
                  {".paths.txt", read_names},
                  {".classes.txt", read_classes},
                  {".labels.npy", read_labels}};
    struct ctr_vectors v = {0};
    struct owned *o = ctr_alloc(1, sizeof *o);
    if (!o)
        return CTR_E_FAIL;
    v.owned = o;
    int rc = read_vectors(&v, o, path);
    for (size_t i = 0; rc == 0 && i < sizeof beside / sizeof *beside; i++) {
        char *file = ctr_vectors_beside(path, beside[i].ending);
        if (!file)
            rc = CTR_E_FAIL;
        else if (is_there(file))
            rc = beside[i].read(&v, o, file);
        free(file);
    }
    if (rc != 0)
        ctr_vectors_free(&v);
    else
        *out = v;
    return rc;
}

void ctr_vectors_free(struct ctr_vectors *v)
{
    struct owned *o = v->owned;
    if (o) {
        free(o->file);
        free(o->converted);
        free(o->labels);
        free(o->text[0]);
        free(o->text[1]);
        free(o->name);
        free(o->class_name);
        free(o->model);
        free(o->data);
        free(o->split);
        free(o);
    }
    *v = (struct ctr_vectors){0};
}
