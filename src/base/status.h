/* status.h -- recording failures. See include/clcontrast/status.h for the codes. */
#ifndef CTR_BASE_STATUS_H
#define CTR_BASE_STATUS_H

#include "clcontrast/status.h"

#define CTR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Records the text, clears the hint and returns `code`: `return ctr_fail(CTR_E_DATA, "...")`. */
int ctr_fail(int code, const char *fmt, ...) CTR_PRINTF(2, 3);
/* Adds what the user can do to the failure just recorded. Returns `code` for chaining. */
int ctr_hint(int code, const char *fmt, ...) CTR_PRINTF(2, 3);
/* Puts "prefix: " in front of the recorded text, for callers who know the file or step. */
int ctr_fail_in(int code, const char *fmt, ...) CTR_PRINTF(2, 3);

/* For functions of the public headers: their caller gave something, not NULL. */
#define CTR_NEED(argument)                                                                         \
    do {                                                                                           \
        if (!(argument))                                                                           \
            return ctr_fail(CTR_E_USAGE, "%s: " #argument " is NULL", __func__);                   \
    } while (0)

/* Runs a call; on failure keeps its code in `rc` and jumps to the function's one `out:` label. */
#define CTR_TRY(call)                                                                              \
    do {                                                                                           \
        if ((rc = (call)) != 0)                                                                    \
            goto out;                                                                              \
    } while (0)

#endif
