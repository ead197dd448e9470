/* quirks.h -- what `clcontrast doctor` asks of the quirks. */
#ifndef CTR_DEV_QUIRKS_H
#define CTR_DEV_QUIRKS_H

#include <stddef.h>

/* Where PoCL keeps what it has compiled, in n bytes at path; 0: at a place of its own. */
int ctr_pocl_cache(char *path, size_t n);

#endif
