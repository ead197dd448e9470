/* zip.h -- an archive of files that are stored, not compressed: what .npz is (PKWARE APPNOTE.TXT).
 */
#ifndef CTR_IO_ZIP_H
#define CTR_IO_ZIP_H

#include <stddef.h>
#include <stdint.h>

struct ctr_zip;

/* Appears whole or not at all, like any ctr_outfile; exactly one of the last two ends it. CTR_E_IO.
 */
int ctr_zip_open(struct ctr_zip **out, const char *path);
/* A file of two parts one behind the other. CTR_E_USAGE when the archive would pass 4 GiB. */
int ctr_zip_add(struct ctr_zip *zip, const char *name, const void *head, size_t head_bytes,
                const void *body, size_t body_bytes);
int ctr_zip_commit(struct ctr_zip **zip);
void ctr_zip_abort(struct ctr_zip **zip);

#endif
