/* jsonl.c -- JSON lines. In: flat objects. Out: a file that any tool can follow while it grows. */
#include "io/jsonl.h"
#include "base/os.h"
#include "base/status.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Whether an interrupted run's line belongs to the steps before `keep_step` or at it. */
static int belongs(const char *line, size_t bytes, int64_t keep_step)
{
    json_t *object = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
    json_t *step = object ? json_object_get(object, "step") : NULL;
    int ok = json_is_object(object) &&
             (!step || (json_is_integer(step) && json_integer_value(step) <= keep_step));
    json_decref(object);
    return ok;
}

static size_t kept_bytes(const char *text, size_t bytes, int64_t keep_step)
{
    size_t kept = 0;
    const char *newline;
    while (kept < bytes && (newline = memchr(text + kept, '\n', bytes - kept)) != NULL) {
        size_t n = (size_t)(newline - (text + kept));
        if (!belongs(text + kept, n, keep_step))
            break;
        kept += n + 1;
    }
    return kept;
}

int ctr_jsonl_open(struct ctr_append *file, const char *path, int64_t keep_step)
{
    struct ctr_append opened = {0};
    void *text = NULL;
    size_t bytes = 0, kept = 0;
    int rc = ctr_append_open(&opened, path, 0);
    if (rc == 0 && keep_step >= 0 && opened.good_bytes > 0) {
        rc = ctr_file_read(&text, &bytes, path, (size_t)1 << 32);
        if (rc == 0)
            kept = kept_bytes(text, bytes, keep_step);
    }
    if (rc == 0 && kept != opened.good_bytes)
        rc = ctr_append_cut(&opened, kept);
    free(text);
    if (rc == 0)
        *file = opened;
    else
        ctr_append_close(&opened);
    return rc;
}

int ctr_jsonl_write(struct ctr_append *file, const struct ctr_json_field *fields, size_t n)
{
    struct ctr_str s = {0};
    ctr_json_object(&s, fields, n);
    ctr_str_add(&s, "\n", 1);
    int rc = s.failed ? ctr_fail(CTR_E_FAIL, "out of host memory for a line of '%s'", file->path)
                      : ctr_append_write(file, s.s, s.n);
    ctr_str_free(&s);
    return rc;
}
