/* status.c -- the thread's last failure. In: code and text. Out: the same, until the next one. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char text[2048];
static _Thread_local char hint[1024];

const char *ctr_error_text(void)
{
    return text;
}

const char *ctr_error_hint(void)
{
    return hint;
}

const char *ctr_status_name(int status)
{
    static const char *const names[] = {"OK",       "E_FAIL",   "E_USAGE",  "E_PARTIAL",
                                        "E_NODEVICE", "E_DEVMEM", "E_DEVICE", "E_DATA",
                                        "E_MODEL",  "E_DIVERGED", "E_IO"};
    if (status < 0 || status >= (int)(sizeof names / sizeof *names))
        return "E_UNKNOWN";
    return names[status];
}

int ctr_fail(int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    hint[0] = '\0';
    return code;
}

int ctr_hint(int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(hint, sizeof hint, fmt, ap);
    va_end(ap);
    return code;
}

int ctr_fail_in(int code, const char *fmt, ...)
{
    char prefix[512], old[sizeof text - sizeof prefix - 2];
    memcpy(old, text, sizeof old);
    old[sizeof old - 1] = '\0';
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof prefix, fmt, ap);
    va_end(ap);
    snprintf(text, sizeof text, "%s: %s", prefix, old);
    return code;
}
