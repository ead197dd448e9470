/* impl.h -- what stands behind dev.h: the objects, and what a backend has to offer.
 *
 * The front door (dev.c, launch.c, prog.c) owns these objects, checks every argument, keeps names,
 * lists and counts. A backend (cl*.c, null.c) does the work on checked arguments and keeps its part
 * in the `impl` members. A backend that meets a fault after which the driver cannot be trusted sets
 * dev->lost; the front door then lets no call through any more. */
#ifndef CTR_DEV_IMPL_H
#define CTR_DEV_IMPL_H

#include <stdatomic.h>
#include <sys/types.h>

#include "clcontrast/device.h"
#include "dev/dev.h"

struct ctr_prog;

struct ctr_backend {
    /* Releases dev->impl, after everything below was destroyed. With dev->lost, or in a process
     * forked after open, frees host memory only and leaves the driver alone; the same holds for the
     * other destroying members. */
    void (*close)(ctr_dev *dev);
    /* Waits until all work is done. */
    int (*finish)(ctr_dev *dev);

    /* Memory of buf->bytes bytes at buf->impl. */
    int (*buf_create)(ctr_buf *buf);
    /* buf->impl becomes bytes [buf->at, buf->at + buf->bytes) of buf->root. */
    int (*buf_view)(ctr_buf *buf);
    void (*buf_destroy)(ctr_buf *buf);
    int (*buf_write)(ctr_buf *dst, size_t at, const void *src, size_t bytes);
    int (*buf_read)(void *dst, ctr_buf *src, size_t at, size_t bytes);
    int (*buf_fill)(ctr_buf *dst, size_t at, size_t bytes, uint32_t pattern);

    /* Compiles prog->text with prog->full_options into prog->impl. Called from several threads, for
     * different programs, unless the quirk SERIAL_BUILD is set. */
    int (*prog_build)(struct ctr_prog *prog);
    void (*prog_destroy)(struct ctr_prog *prog);

    /* Makes a launch of a built program ready to run: kernel and arguments into launch->impl. */
    int (*launch_bind)(ctr_launch *launch);
    /* Enqueues. With *seconds not NULL waits and says how long the device took. */
    int (*launch_run)(ctr_launch *launch, double *seconds);
    void (*launch_destroy)(ctr_launch *launch);

    /* The three above for launches with is_gemm set, and the scratch one needs. */
    int (*gemm_temp_bytes)(size_t *bytes, ctr_dev *dev, const struct ctr_gemm *gemm);
    int (*gemm_bind)(ctr_launch *launch);
    int (*gemm_run)(ctr_launch *launch, double *seconds);
};

struct ctr_buf {
    ctr_dev *dev;
    ctr_buf *root;    /* the allocation; itself when not a view */
    size_t at, bytes; /* place inside root */
    unsigned views;   /* alive on this root; it stays until the last one goes */
    int closed;       /* destroyed by its owner; a view goes with its root, which goes with its last view */
    char what[64];
    void *impl;
    ctr_buf *prev, *next;
};

/* One compiled program: identity is (file, options). */
struct ctr_prog {
    ctr_dev *dev;
    char *file, *options;
    char *full_options; /* with the language level, family and quirks in front */
    char *owned_text;   /* when read from CTR_KERNEL_DIR */
    const char *text;
    int built, cached; /* cached: loaded as a binary */
    void *impl;
    struct ctr_prog *next;
    /* Of the build now running; the message travels from the building thread to the caller's. */
    int rc;
    char *error, *hint;
    atomic_int done;
    int wanted, reported;
};

struct ctr_launch {
    ctr_dev *dev;
    struct ctr_launch_spec spec; /* file and options are the program's; kernel points to name */
    struct ctr_gemm gemm;
    int is_gemm, bound;
    struct ctr_prog *prog; /* NULL for a gemm */
    char name[96];
    unsigned row; /* of dev->rows */
    void *impl;
    ctr_launch *prev, *next;
};

struct ctr_dev {
    const struct ctr_backend *backend;
    struct ctr_caps caps;
    int profile, sync, tf32; /* as in ctr_dev_params */
    pid_t pid; /* of the process that opened it */
    int lost;
    char lost_by[192]; /* the fault that took it away */
    int probing; /* failures are expected: not worth an error in the log */
    char platform_version[128];
    void *impl;
    char *base_options; /* of every program */
    ctr_buf *bufs;
    ctr_launch *launches;
    struct ctr_prog *progs;
    struct ctr_dev_stats stats;
    struct ctr_profile_row *rows; /* names owned */
    size_t n_rows, cap_rows;
    struct ctr_peaks peaks; /* zeros until they are set */
};

/* 0, or CTR_E_DEVICE when the device is lost or belongs to the parent of this process. */
int ctr_dev_usable(const ctr_dev *dev);
/* Makes base_options of the family and the quirks in dev->caps. */
int ctr_dev_base_options(ctr_dev *dev);

/* ---- prog.c ---- */
int ctr_prog_get(struct ctr_prog **out, ctr_dev *dev, const char *file, const char *options);
int ctr_prog_build_all(ctr_dev *dev, ctr_build_fn *progress, void *user);
void ctr_prog_destroy_all(ctr_dev *dev);

/* ---- launch.c ---- */
void ctr_launch_destroy_all(ctr_dev *dev);

/* ---- null.c ---- */
int ctr_null_open(ctr_dev *dev);

/* ---- cl.c ---- */
/* Platforms and devices as the drivers report them (family and quirks filled in). Loads drivers: in
 * a process that must survive a bad one, call it in a child. An empty list is success. */
int ctr_cl_discover(struct ctr_device_list **out);
/* Opens the device that the driver lists at devices[index]; fills dev->caps but for quirks. */
int ctr_cl_open(ctr_dev *dev, const struct ctr_device_info *info);

/* ---- select.c ---- */
/* Candidates for `selector` in the order they should be tried, into order[n_devices]. *n is 1
 * unless the selector leaves a choice. */
int ctr_select(unsigned *order, unsigned *n, const struct ctr_device_list *list,
               const char *selector);

/* ---- caps.c ---- */
/* Builds and runs small kernels: CTR_E_DEVICE when the device computes wrongly; corrects has_fp16
 * to what really works, and quirks and base_options where own_builtins does not. */
int ctr_caps_probe(ctr_dev *dev);

/* ---- quirks.c ---- */
/* Bits of the rows that match, changed by "+name,-name". CTR_E_USAGE for an unknown name. `changes`
 * may be NULL. */
int ctr_quirks_detect(uint32_t *bits, const struct ctr_device_info *info, const char *platform,
                      const char *changes);
/* Refuses a driver that would abort the process: CTR_E_DEVICE says what it lacks. */
int ctr_quirks_check(const struct ctr_device_info *info, const char *platform);
/* Fills in family and quirks, as CTR_QUIRK in the environment changes them. */
int ctr_quirks_note(struct ctr_device_info *info, const char *platform);
/* Name of bit number `bit`, NULL past the last one. */
const char *ctr_quirk_name(unsigned bit);

/* ---- cache.c ---- */
/* Identity of a program's binary. */
struct ctr_cache_key {
    const char *text, *options, *device, *driver, *platform;
};
/* The binary stored under `key`, or NULL when there is none (never a failure). Freed with free().
 */
void *ctr_cache_load(size_t *bytes, const struct ctr_cache_key *key);
/* Best effort: a cache that cannot be written is no failure. */
void ctr_cache_store(const struct ctr_cache_key *key, const void *data, size_t bytes);
/* Removes a binary that the driver refused. */
void ctr_cache_drop(const struct ctr_cache_key *key);

#endif
