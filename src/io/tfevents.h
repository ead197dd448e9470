/* tfevents.h -- event files for TensorBoard: scalars over steps. */
#ifndef CTR_IO_TFEVENTS_H
#define CTR_IO_TFEVENTS_H

#include <stddef.h>
#include <stdint.h>

struct ctr_tfevents;

/* A new events.out.tfevents.<time>.<host>.<pid>.<n> in `dir`. `from_step` > 0 tells the reader that
 * a resumed run starts there: what older files of the directory hold from that step on is hidden.
 */
int ctr_tfevents_open(struct ctr_tfevents **out, const char *dir, uint64_t from_step);
/* One record each, handed to the system at once, so that a killed process loses nothing. After
 * CTR_E_IO the file ends with the last whole record and may be written to again. */
int ctr_tfevents_scalar(struct ctr_tfevents *ev, const char *tag, uint64_t step, float value);
/* Waits until the disk has it. */
int ctr_tfevents_flush(struct ctr_tfevents *ev);
void ctr_tfevents_close(struct ctr_tfevents **ev);
const char *ctr_tfevents_path(const struct ctr_tfevents *ev);

/* CRC-32C (Castagnoli) of the bytes; "123456789" gives 0xe3069283. */
uint32_t ctr_crc32c(const void *data, size_t bytes);

#endif
