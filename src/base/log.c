/* log.c -- one sink for the process. In: level and text. Out: one call of the sink a line. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static struct {
    pthread_mutex_t lock;
    ctr_log_fn *fn;
    void *user;
    enum ctr_log_level up_to;
} sink = {.lock = PTHREAD_MUTEX_INITIALIZER};

void ctr_log_set(ctr_log_fn *fn, void *user, enum ctr_log_level up_to)
{
    pthread_mutex_lock(&sink.lock);
    sink.fn = fn;
    sink.user = user;
    sink.up_to = up_to;
    pthread_mutex_unlock(&sink.lock);
}

void ctr_log(enum ctr_log_level level, const char *fmt, ...)
{
    char line[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    pthread_mutex_lock(&sink.lock);
    if (sink.fn && level <= sink.up_to)
        sink.fn(sink.user, level, line);
    pthread_mutex_unlock(&sink.lock);
}
