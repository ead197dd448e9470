/* quirks.h -- what of the quirks the doctor looks at, too. */
#ifndef CTR_DEV_QUIRKS_H
#define CTR_DEV_QUIRKS_H

#include <stddef.h>

/* Where PoCL keeps what it has compiled; 0: at a place of its own. */
int ctr_pocl_cache(char *path, size_t room);

#endif
