/* cmd_info.c -- `clcontrast info FILE...`: tells what each is by its content, never by its name. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/os.h"
#include "cmd.h"
#include "data/packed.h"
#include "info.h"
#include "term.h"

struct info_options {
    int json, all;
};

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct info_options, member, __VA_ARGS__)

static const struct opt rows[] = {
    ROW(FLAG, all, .name = "tensors", .help = "list every tensor with its shape"),
    ROW(FLAG, json, .name = "json", .help = "one JSON object for each FILE, a line each"),
    {.name = NULL},
};

/* ---- facts ---- */

static void add(struct info *i, struct ctr_json_field field)
{
    if (ctr_grow((void **)&i->fact, &i->cap, i->n + 1, sizeof *i->fact) != 0)
        i->failed = 1;
    else
        i->fact[i->n++] = field;
}

void info_text(struct info *i, const char *key, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *kept = ctr_arena_strdup(&i->mem, text);
    if (kept)
        add(i, ctr_json_str(key, kept));
    else
        i->failed = 1;
}

void info_int(struct info *i, const char *key, long long value)
{
    add(i, ctr_json_int(key, value));
}

void info_num(struct info *i, const char *key, double value)
{
    add(i, ctr_json_num(key, value));
}

void info_value(struct info *i, const char *key, const char *text)
{
    unsigned long long number;
    if (text && ctr_parse_u64(text, &number) == 0 && number <= INT64_MAX)
        info_int(i, key, (long long)number);
    else if (text && *text)
        info_text(i, key, "%s", text);
}

void info_entry(struct info *i, const char *name, const char *type, const uint64_t *dims,
                unsigned rank)
{
    struct ctr_str shape = {0};
    ctr_str_add(&shape, "", 0);
    for (unsigned k = 0; k < rank; k++)
        ctr_str_addf(&shape, "%s%llu", k ? "," : "", (unsigned long long)dims[k]);
    const char *text = shape.s ? shape.s : "";
    ctr_str_addf(&i->list, "  ");
    term_escape(&i->list, name);
    ctr_str_addf(&i->list, "  %s [%s]\n", type, text);
    ctr_str_addf(&i->list_json, "%s{\"name\":", i->list_json.n ? "," : "");
    ctr_str_json(&i->list_json, name);
    ctr_str_addf(&i->list_json, ",\"type\":\"%s\",\"shape\":[%s]}", type, text);
    i->failed |= shape.failed;
    ctr_str_free(&shape);
}

/* ---- printing ---- */

static void add_value(struct ctr_str *out, const struct ctr_json_field *f)
{
    if (f->kind == CTR_JSON_STR)
        term_escape(out, f->str);
    else if (f->kind == CTR_JSON_NUM)
        ctr_str_json_num(out, f->num);
    else
        ctr_str_addf(out, "%lld", f->whole);
}

static void show(struct ctr_str *out, const struct info *i)
{
    term_escape(out, i->path);
    ctr_str_addf(out, ": %s\n", i->kind);
    for (size_t k = 0; k < i->n; k++) {
        ctr_str_addf(out, "  ");
        size_t at = out->n;
        term_escape(out, i->fact[k].key); /* of an ONNX file's own metadata, it may be anything */
        size_t wide = out->n - at;
        ctr_str_addf(out, "%*s", wide < 16 ? (int)(17 - wide) : 1, "");
        for (char *c = out->s ? out->s + at : NULL; c && *c; c++)
            *c = *c == '_' ? ' ' : *c;
        add_value(out, &i->fact[k]);
        ctr_str_add(out, "\n", 1);
    }
    if (i->list.n)
        ctr_str_add(out, i->list.s, i->list.n);
}

static void show_json(struct ctr_str *out, struct info *i)
{
    struct ctr_json_field first[] = {ctr_json_str("path", i->path), ctr_json_str("kind", i->kind)};
    ctr_str_add(out, "{", 1);
    ctr_json_members(out, first, 2);
    ctr_str_addf(out, "%s", i->n ? "," : "");
    ctr_json_members(out, i->fact, i->n);
    if (i->list_json.n)
        ctr_str_addf(out, ",\"list\":[%s]", i->list_json.s);
    ctr_str_add(out, "}\n", 2);
}

/* ---- finding out ---- */

/* The first bytes of a file, at most so many; *out is the caller's to free. */
static int read_head(void **out, size_t *n, const char *path, size_t most)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return ctr_fail(CTR_E_IO, "cannot open '%s': %s", path, strerror(errno));
    if ((*out = ctr_alloc(most, 1)))
        *n = fread(*out, 1, most, file);
    fclose(file);
    return *out ? 0 : CTR_E_FAIL;
}

/* What a run keeps beside checkpoints, and files of formats that are told by their first bytes. */
static int tell_file(struct info *i, uint64_t size)
{
    enum { HEAD = 1 << 17, WHOLE = 256 << 20 };
    static const unsigned char npy[] = "\x93NUMPY";
    void *bytes = NULL;
    size_t n = 0;
    unsigned char start[16] = {0};
    FILE *file = fopen(i->path, "rbe");
    if (!file)
        return ctr_fail(CTR_E_IO, "cannot open '%s': %s", i->path, strerror(errno));
    size_t got = fread(start, 1, sizeof start, file);
    fclose(file);
    if (size == 0)
        return ctr_fail(CTR_E_DATA, "'%s' is empty", i->path);
    int by_parts = start[8] == '{' && got > 8; /* safetensors, of any size */
    if (by_parts || (start[0] == 0x80 && start[1] <= 5))
        return info_safetensors(i);
    if (memcmp(start, CTR_PACKED_MAGIC, 8) == 0)
        return info_images(i);
    if (size > WHOLE && memcmp(start, npy, 6) != 0)
        return ctr_fail(CTR_E_DATA, "'%s' is nothing that is known here", i->path);
    int rc = memcmp(start, npy, 6) == 0 ? read_head(&bytes, &n, i->path, HEAD)
                                        : ctr_file_read(&bytes, &n, i->path, WHOLE);
    if (rc != 0)
        return rc;
    if (memcmp(start, npy, 6) == 0)
        rc = info_npy(i, bytes, n, size);
    else if (memcmp(start, "PK\3\4", 4) == 0 || memcmp(start, "PK\5\6", 4) == 0)
        rc = info_zip(i, bytes, n);
    else if (start[0] == 0x08)
        rc = info_onnx(i, bytes, n);
    else if (isprint(start[0]) && memchr(start, 0, got) == NULL && memchr(bytes, '=', n) &&
             !(start[0] == 'P' && isdigit(start[1])) && memcmp(start, "BM", 2) != 0 &&
             memcmp(start, "II*", 3) != 0)
        rc = info_config(i, bytes, n);
    else
        rc = info_image(i, bytes, n);
    free(bytes);
    return rc;
}

static int tell(struct info *i)
{
    struct stat is;
    if (stat(i->path, &is) != 0)
        return ctr_fail(CTR_E_IO, "cannot open '%s': %s", i->path, strerror(errno));
    if (S_ISDIR(is.st_mode))
        return info_directory(i);
    if (!S_ISREG(is.st_mode))
        return ctr_fail(CTR_E_IO, "'%s' is neither a file nor a directory", i->path);
    int rc = tell_file(i, (uint64_t)is.st_size);
    if (rc == 0)
        info_int(i, "bytes", (long long)is.st_size);
    return rc;
}

static int tell_and_print(const char *path, const struct info_options *o)
{
    struct info i = {.path = path, .kind = "", .all = o->all};
    struct ctr_str out = {0};
    int rc = tell(&i);
    if (rc == 0) {
        if (o->json)
            show_json(&out, &i);
        else
            show(&out, &i);
        out.failed |= i.failed || i.list.failed || i.list_json.failed;
        rc = term_print(&out);
    }
    ctr_str_free(&i.list);
    ctr_str_free(&i.list_json);
    ctr_arena_free(&i.mem);
    free(i.fact);
    return rc;
}

static int run(void *options, const struct opt_set *set)
{
    int rc = 0, failed = 0;
    for (size_t i = 0; i < set->n_args; i++) {
        rc = tell_and_print(set->args[i], options);
        if (rc && i + 1 < set->n_args)
            term_error(); /* of the last one the program tells */
        failed = rc ? rc : failed;
    }
    return rc == 0 && failed ? ctr_fail(failed, "not all of these could be told") : rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast info runs/1", "how far a run is and what it trains"},
    {"clcontrast info model.safetensors --tensors", "every tensor with its shape"},
    {"clcontrast info *.onnx *.npy photos --json", "a line of JSON for each"},
    {NULL, NULL},
};

const struct cmd cmd_info = {
    .name = "info",
    .summary = "tell what a file or directory is",
    .args = "FILE...",
    .min_args = 1,
    .max_args = 4096,
    .about =
        "Knows runs and their checkpoints, exported and imported models, other safetensors files, "
        "ONNX, "
        ".npy and .npz arrays, images, directories and packed sets of them and configuration "
        "files, by "
        "their content. "
        "Files are read to the end and their checksums verified where they have any. The exit code "
        "of a "
        "damaged or unknown file is 8 for models, 7 for other data, 10 where it cannot be read.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct info_options),
    .run = run,
};
