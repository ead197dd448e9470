/* log.h -- messages to whoever embeds the library. The library itself never prints. */
#ifndef CTR_BASE_LOG_H
#define CTR_BASE_LOG_H

#include "base/status.h"

enum ctr_log_level { CTR_LOG_ERROR, CTR_LOG_WARN, CTR_LOG_INFO, CTR_LOG_DEBUG };

/* One line without a newline. May be called from any thread, one at a time. */
typedef void ctr_log_fn(void *user, enum ctr_log_level level, const char *line);

/* NULL silences (the state at start). Set it before other threads use the library. */
void ctr_log_set(ctr_log_fn *fn, void *user, enum ctr_log_level up_to);
void ctr_log(enum ctr_log_level level, const char *fmt, ...) CTR_PRINTF(2, 3);

#endif
