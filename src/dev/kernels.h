/* kernels.h -- the kernel files embedded in the binary (generated table, see tools/dev/embed_cl.py). */
#ifndef CTR_DEV_KERNELS_H
#define CTR_DEV_KERNELS_H

#include <stdint.h>

struct ctr_kernel_file {
    const char *name; /* below cl/: "op/relu.cl" */
    const char *text; /* includes already in place, #line marks kept */
    uint64_t hash;    /* of the text */
};
/* Ends with a row whose name is NULL. */
extern const struct ctr_kernel_file ctr_kernel_files[];

#endif
