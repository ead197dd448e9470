/* log.h -- messages to whoever embeds the library. The library itself never prints. */
#ifndef CTR_BASE_LOG_H
#define CTR_BASE_LOG_H

#include "base/status.h"
#include "clcontrast/log.h"

void ctr_log(enum ctr_log_level level, const char *fmt, ...) CTR_PRINTF(2, 3);

#endif
