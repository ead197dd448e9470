/* device.h -- which OpenCL devices this machine has and whether they compute correctly; opening one.
 *
 *     struct ctr_device_list *list;
 *     if (ctr_devices_list(&list, 1) == 0) {
 *         for (unsigned i = 0; i < list->n_devices; i++)
 *             printf("%u %s %s\n", i, list->devices[i].name, list->devices[i].probe);
 *         ctr_devices_free(&list);
 *     }
 *
 * Drivers are loaded in child processes only, so that one that aborts or hangs becomes a line of
 * the list instead of the end of the program. Call this before anything else in the process uses
 * OpenCL, which does not survive a fork. Text is as the driver reports it; escape it for a
 * terminal. */
#ifndef CLCONTRAST_DEVICE_H
#define CLCONTRAST_DEVICE_H

#include <stdint.h>

#include "clcontrast/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ctr_device_kind { CTR_DEVICE_CPU, CTR_DEVICE_GPU, CTR_DEVICE_ACCELERATOR, CTR_DEVICE_OTHER };

#define CTR_MAX_QUIRKS 16

/* A known oddity of a device that is being worked around. */
struct ctr_quirk_info {
    char name[32]; /* as in CTR_QUIRK=+name,-name */
    char why[160];
};

struct ctr_device_info {
    unsigned index;            /* over all platforms: what a selector "N" names */
    unsigned platform, device; /* what a selector "P:D" names */
    enum ctr_device_kind kind;
    char name[128], vendor[128];
    char driver[128];    /* driver version */
    char version[128];   /* "OpenCL 1.2 ..." */
    char c_version[128]; /* "OpenCL C 1.2 ..." */
    uint64_t global_bytes, max_alloc_bytes, local_bytes;
    uint64_t max_group; /* work-items of a work-group */
    uint64_t align_bytes;
    unsigned compute_units, clock_mhz;
    int fp16, fp64, subgroups; /* as claimed by the driver's extensions */
    unsigned vector_floats;    /* floats of a vector register; 0 when unknown */
    int fma;                   /* 1: the driver claims a fused multiply-add of fp32 */
    int unified;               /* 1: device memory is host memory */
    int available;             /* 1: the driver offers it and can compile for it */
    char family[8];            /* kernel family: "cpu" or "gpu" */
    char pci[32];              /* PCI address "0000:01:00.0", "" when unknown */
    int alias_of;              /* index of an earlier device at the same PCI address, or -1 */
    unsigned n_quirks;
    struct ctr_quirk_info quirks[CTR_MAX_QUIRKS];
    int probed;      /* 1: a small kernel was built and run on it */
    int ok;          /* 1: and its results were right */
    char probe[512]; /* the verdict in words: "ok", "driver aborted (signal 6)"; "" if not probed */
};

struct ctr_platform_info {
    char name[128], vendor[128], version[128];
    unsigned n_devices;
    char hint[160]; /* what to try when it has no device, else "" */
};

struct ctr_device_list {
    unsigned n_platforms, n_devices;
    struct ctr_platform_info *platforms;
    struct ctr_device_info *devices; /* in platform order; devices[i].index == i */
};

/* Lists platforms and devices. With `probe`, each device also builds and runs a small kernel, in a
 * child process of its own, for at most 60 seconds. No platform or no device at all is success with
 * an empty list. CTR_E_FAIL when no child process can be started or discovery itself crashed or
 * hung (the text says how); *out is untouched then. The caller owns *out. */
CTR_API int ctr_devices_list(struct ctr_device_list **out, int probe);
/* Accepts NULL and pointers to NULL; sets *list to NULL. */
CTR_API void ctr_devices_free(struct ctr_device_list **list);

/* A device that was opened. It and everything made on it (models, indices) are used by one thread at a
 * time; other threads may use others, also of the same hardware, at the same time. A child process can't
 * use what was opened before the fork: CTR_E_DEVICE. */
typedef struct ctr_dev ctr_dev;

/* A zeroed field means its default. */
struct ctr_dev_params {
    int profile;        /* time each launch by events; the host then waits after each */
    int sync;           /* wait after each launch, so that a fault names its kernel */
    const char *quirks; /* "+name,-name" on top of what was detected; NULL: none */
    int tf32;           /* permit products of fp32 values in tf32, where there are units for it */
};

/* selector: "0" (an index of the list), "1:0" (platform and device), "cpu", "gpu", part of a name, or
 * "null", which computes nothing; NULL: the first usable GPU, else the first usable device. params may
 * be NULL. Small kernels are built and run on it, to know what it can do. CTR_E_NODEVICE, CTR_E_USAGE,
 * CTR_E_DEVICE; the hint lists the devices there are. The caller owns *out. */
CTR_API int ctr_dev_open(ctr_dev **out, const char *selector, const struct ctr_dev_params *params);
/* What was made on it must be closed before. Accepts NULL and pointers to NULL; sets *dev to NULL. */
CTR_API void ctr_dev_destroy(ctr_dev **dev);
/* As its driver calls it; lives as long as the device. */
CTR_API const char *ctr_dev_name(const ctr_dev *dev);

#ifdef __cplusplus
}
#endif
#endif
