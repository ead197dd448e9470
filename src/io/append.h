/* append.h -- a file that only grows, by whole records. */
#ifndef CTR_IO_APPEND_H
#define CTR_IO_APPEND_H

#include <stddef.h>
#include <stdint.h>

/* Zero-initialise; opened once, closed once. */
struct ctr_append {
    int fd;
    char *path; /* NULL: not open */
    uint64_t good_bytes;
};

/* Opens or creates `path` for appending; `exclusive`: it must not exist yet (errno EEXIST after the
 * failure tells). CTR_E_IO. */
int ctr_append_open(struct ctr_append *file, const char *path, int exclusive);
/* One record, handed to the system at once: a killed process loses none. When that fails (CTR_E_IO)
 * the file is cut back to the records before, so that a later call can go on. */
int ctr_append_write(struct ctr_append *file, const void *record, size_t bytes);
/* Cuts the file to its first `bytes`. */
int ctr_append_cut(struct ctr_append *file, uint64_t bytes);
/* Waits until the disk has it. */
int ctr_append_sync(struct ctr_append *file);
void ctr_append_close(struct ctr_append *file);

#endif
