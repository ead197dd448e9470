/* jsonl.h -- metrics over steps: a file of JSON objects, one a line, each with a "step". */
#ifndef CTR_IO_JSONL_H
#define CTR_IO_JSONL_H

#include <stdint.h>

#include "io/append.h"
#include "io/json.h"

/* Opens `path` for appending and keeps of it what an interrupted run had written up to
 * `keep_step` (-1: nothing): it is cut before the first line that is incomplete, is no object or
 * has a greater step. Continued from there, the file is that of an uninterrupted run. */
int ctr_jsonl_open(struct ctr_append *file, const char *path, int64_t keep_step);
/* One line, complete or (CTR_E_IO) not at all. */
int ctr_jsonl_write(struct ctr_append *file, const struct ctr_json_field *fields, size_t n);

#endif
