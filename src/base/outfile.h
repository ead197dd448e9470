/* outfile.h -- files that are written whole or not at all. */
#ifndef CTR_BASE_OUTFILE_H
#define CTR_BASE_OUTFILE_H

#include <stddef.h>
#include <stdint.h>

/* A file that appears complete or not at all: written beside its place, synced, renamed over it.
 * On any failure the old file is intact. Exactly one of commit or abort ends it. A link is followed; what is
 * there and no regular file (a directory, a device, a pipe) is CTR_E_USAGE. What is written is locked until it
 * has its name, and what processes that died have left of this file is removed. Of two threads that write the
 * same file at once one gets CTR_E_IO. */
struct ctr_outfile {
    int fd;
    char *path, *tmp;
    int keep; /* what was written stays when it is aborted */
    int synced;
};
#define CTR_OUTFILE_MARK ".tmp-" /* behind the file's name, then the process's number */
int ctr_outfile_open(struct ctr_outfile *file, const char *path);
/* The same for long work: what an earlier call left is in "path.part", open for reading and writing and
 * positioned at its beginning; aborting leaves it there again. CTR_E_USAGE while another process has it. */
int ctr_outfile_resume(struct ctr_outfile *file, const char *path);
int ctr_outfile_write(struct ctr_outfile *file, const void *data, size_t bytes);
/* At a place of the file, by any thread. */
int ctr_outfile_write_at(const struct ctr_outfile *file, const void *data, size_t bytes, uint64_t at);
/* What is written so far goes to the disk beside other work, where the system can do that, so that the commit waits
 * for less. */
void ctr_outfile_start_sync(const struct ctr_outfile *file);
/* All bytes are on the disk, none are to follow, and nothing is renamed yet: several files can be made certain
 * of before the first of them takes its place. Commit does it where it was not done. */
int ctr_outfile_sync(struct ctr_outfile *file);
int ctr_outfile_commit(struct ctr_outfile *file);
void ctr_outfile_abort(struct ctr_outfile *file);
/* Removes what processes that died have left in dir: "NAME.tmp-PID", a regular file that nobody holds (one that
 * cannot be locked stays); of any NAME and also links where `name` is NULL. ctr_outfile_open does it for its
 * own file. */
void ctr_outfile_clear(const char *dir, const char *name);
/* Open, write and commit in one. */
int ctr_file_write(const char *path, const void *data, size_t bytes);

#endif
