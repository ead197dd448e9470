/* pack.h -- a data set decoded once into one file (packed.h), which is then a data set itself: the
 * same images in the same order with the same names, classes, splits and hash, those that cannot be
 * read included. */
#ifndef CTR_DATA_PACK_H
#define CTR_DATA_PACK_H

#include "data/data.h"

struct ctr_pack_params {
    const char *data; /* as for ctr_data_open; all its splits are packed */
    const char *out;  /* "set.ctrd"; an interrupted call leaves "set.ctrd.part" */
    unsigned image_size, channels, bits; /* 0: as the training split has them by default */
    unsigned threads;
    int overwrite; /* `out` may exist */
};

struct ctr_pack;

/* Finds the images and goes on with what an earlier call left, if images and settings are the same:
 * records whose checksum is right need not be made again. CTR_E_USAGE: `out` exists, or another
 * process makes it. CTR_E_IO: it cannot be written, or the disk has too little room. Else as
 * ctr_data_open. */
int ctr_pack_open(struct ctr_pack **out, const struct ctr_pack_params *params);
/* Decodes the rest and puts the file in its place. Non-zero from `progress` (which may be NULL)
 * ends it and is returned; what was done stays for the next call, as on any failure. */
int ctr_pack_run(struct ctr_pack *pack, ctr_data_progress_fn *progress, void *user);
void ctr_pack_close(struct ctr_pack **pack);

/* What is packed: all images, bad ones included. */
const struct ctr_data_info *ctr_pack_info(const struct ctr_pack *pack);
size_t ctr_pack_done(const struct ctr_pack *pack);    /* images of it */
uint64_t ctr_pack_bytes(const struct ctr_pack *pack); /* of the finished file */
/* Images without pixels and files that were passed over, so far; live as long as the pack. */
size_t ctr_pack_n_skipped(const struct ctr_pack *pack);
struct ctr_data_skip ctr_pack_skip(const struct ctr_pack *pack, size_t i);

#endif
