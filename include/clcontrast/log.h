/* log.h -- what the library says beside its results: damaged checkpoints that were passed over, training on
 * images that evaluation tests on, files left by a process that died. It prints nothing itself, and says nothing
 * unless it is asked.
 *
 *     static void say(void *user, enum ctr_log_level level, const char *line) { fprintf(stderr, "%s\n", line); }
 *     ctr_log_set(say, NULL, CTR_LOG_WARN); */
#ifndef CLCONTRAST_LOG_H
#define CLCONTRAST_LOG_H

#include "clcontrast/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Failures are no lines: they are what a function returns (status.h). */
enum ctr_log_level {
    CTR_LOG_ERROR, /* what a driver's compiler says of a kernel that it refuses */
    CTR_LOG_WARN,  /* the work goes on, but somebody should know */
    CTR_LOG_INFO,
    CTR_LOG_DEBUG
};

/* One line without a newline, borrowed. May be called from any thread that is in the library, one at a time; it
 * calls nothing of the library's. */
typedef void ctr_log_fn(void *user, enum ctr_log_level level, const char *line);

/* Where lines of the process go, those up to a level; NULL silences, as at the start. fn and user are used
 * until the next call, and no longer once that has returned. */
CTR_API void ctr_log_set(ctr_log_fn *fn, void *user, enum ctr_log_level up_to);

#ifdef __cplusplus
}
#endif
#endif
