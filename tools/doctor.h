/* doctor.h -- what `clcontrast doctor` found. The doctor_*.c each look at one part of an OpenCL
 * set-up and add findings, worst ones included; cmd_doctor.c prints them. */
#ifndef CTR_TOOLS_DOCTOR_H
#define CTR_TOOLS_DOCTOR_H

#include "base/str.h"
#include "clcontrast/device.h"

/* fault: something does not work that would otherwise; warning: it may, or works worse. */
enum doctor_level { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_WARNING, DOCTOR_FAULT };

struct doctor_finding {
    enum doctor_level level;
    const char *part;          /* "drivers" */
    struct ctr_str text, mend; /* what to do about it, a line each; empty: nothing */
};

/* A driver as a vendors directory names it. */
struct doctor_driver {
    char file[256];    /* the .icd file; "" for a library named directly */
    char library[256]; /* what it names */
    int loads;
};

#define DOCTOR_DRIVERS 32

struct doctor {
    const char *root; /* before paths of system files; "" */
    char system[128]; /* PRETTY_NAME */
    unsigned distros; /* bits of enum doctor_distro to name packages for */
    int khronos;      /* the loader is Khronos's, not ocl-icd: what variables mean to it */
    int chosen;       /* the environment chooses drivers: others are not missed */
    struct doctor_driver driver[DOCTOR_DRIVERS];
    unsigned n_drivers;
    struct ctr_device_list *list; /* NULL: looking for devices failed */
    unsigned n_usable;
    struct doctor_finding *finding;
    size_t n, cap;
    int failed; /* out of memory */
};

/* Adds a finding; the next functions say what to do about the last one. */
void doctor_add(struct doctor *d, enum doctor_level level, const char *part, const char *fmt, ...)
    CTR_PRINTF(4, 5);
void doctor_mend(struct doctor *d, const char *fmt, ...) CTR_PRINTF(2, 3);

/* Packages that mend things, by what is needed. */
enum doctor_need {
    NEED_LOADER,
    NEED_POCL,
    NEED_LINKER,
    NEED_INTEL,
    NEED_MESA,
    NEED_ROCM,
    NEED_NVIDIA
};
/* The command that installs it here, or on each distribution where this one is not known. */
void doctor_mend_package(struct doctor *d, enum doctor_need need);
/* Where `why` says that no process or thread could be started: what allows more. 0: it says something else. */
int doctor_mend_limit(struct doctor *d, const char *why);
/* Reads root/etc/os-release. */
void doctor_find_distro(struct doctor *d);
/* The need that a driver's library name speaks of, -1: unknown. */
int doctor_need_of(const char *library);
/* Whether a driver is there, and loads, whose library's name has one of the words "a|b". */
int doctor_has_driver(const struct doctor *d, const char *word);
/* The beginning of a file of /proc, /sys or /etc, where sizes mean nothing: its length, 0 for none.
 */
size_t doctor_read(char *text, size_t size, const char *path);
/* A path below the root, in `buffer`. */
const char *doctor_path(char *buffer, size_t size, const struct doctor *d, const char *path);

/* doctor_drivers.c: the loader, the vendors directory, each driver's library. */
void doctor_drivers(struct doctor *d);
/* doctor_devices.c: platforms and devices, each tried; GPUs without one; versions with known
 * faults. */
void doctor_devices(struct doctor *d);
/* doctor_system.c: kernel views, device files and who may open them, caches, linker, memory. */
void doctor_system(struct doctor *d);

void doctor_finish(struct doctor *d);

#endif
