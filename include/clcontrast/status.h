/* status.h -- result codes and the text that goes with the last one.
 *
 * Every function of the library that can fail returns int: 0, or one of the codes below. The codes
 * are also the exit codes of the command line tool. The text is recorded where the cause is known;
 * it belongs to the calling thread and stays valid until that thread's next failing call. */
#ifndef CLCONTRAST_STATUS_H
#define CLCONTRAST_STATUS_H

#ifndef CTR_API
#define CTR_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum ctr_status {
    CTR_OK = 0,
    CTR_E_FAIL = 1,     /* anything without a code of its own, host memory included */
    CTR_E_USAGE = 2,    /* wrong argument, option or configuration */
    CTR_E_PARTIAL = 3,  /* done, but some inputs were skipped */
    CTR_E_NODEVICE = 4, /* no usable OpenCL device */
    CTR_E_DEVMEM = 5,   /* device memory exhausted */
    CTR_E_DEVICE = 6,   /* device, driver or kernel build failed */
    CTR_E_DATA = 7,     /* the data set is missing or malformed */
    CTR_E_MODEL = 8,    /* a model or checkpoint is missing, malformed or does not fit */
    CTR_E_DIVERGED = 9, /* the loss is no longer finite */
    CTR_E_IO = 10       /* a file cannot be written or read */
};

/* The last failure of this thread, one line without a newline; "" when there was none. */
CTR_API const char *ctr_error_text(void);
/* What to do about it; "" when there is nothing to say. */
CTR_API const char *ctr_error_hint(void);
/* Name of a code as in this header without the prefix ("E_DATA"). Never NULL. */
CTR_API const char *ctr_status_name(int status);

#ifdef __cplusplus
}
#endif
#endif
