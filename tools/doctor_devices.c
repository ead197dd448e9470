/* doctor_devices.c -- what OpenCL offers, each device tried, and GPUs of the machine that it lacks.
 * In: the list of devices, /sys. Out: findings. */
#include "doctor.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "term.h"

/* ---- versions with known faults ---- */

/* The number behind `word` in the text, or -1. */
static double version_after(const char *text, const char *word)
{
    const char *p = strstr(text, word);
    char number[16];
    double value;
    if (!p)
        return -1;
    p += strlen(word);
    size_t n = strspn(p, "0123456789"), m = p[n] == '.' ? strspn(p + n + 1, "0123456789") : 0;
    snprintf(number, sizeof number, "%.*s", (int)(m ? n + 1 + m : n), p);
    return ctr_parse_double(number, &value) == 0 ? value : -1;
}

static void traps(struct doctor *d, const struct ctr_platform_info *p)
{
    double pocl = version_after(p->version, "PoCL ");
    if (pocl >= 0 && pocl < 3.1) {
        doctor_add(d, DOCTOR_WARNING, "versions",
                   "PoCL %g does not know newer processors (\"unknown "
                   "target CPU\") and is not tested; use 3.1 or later",
                   pocl);
        doctor_mend(d, "upgrade the system, or build PoCL from source");
    }
    if (strstr(p->name, "Clover")) {
        doctor_add(d, DOCTOR_WARNING, "versions",
                   "Clover, Mesa's old OpenCL 1.1, cannot build our "
                   "kernels; with LLVM 15 it aborts");
        doctor_mend(d, "use rusticl of the same package: RUSTICL_ENABLE=radeonsi");
    }
}

/* rusticl tells Mesa's version as that of its devices' driver. */
static void device_traps(struct doctor *d, const struct ctr_device_info *i)
{
    double mesa = version_after(i->driver, "");
    if (!strstr(d->list->platforms[i->platform].name, "rusticl") || mesa < 0 || mesa >= 23.1)
        return;
    doctor_add(d, DOCTOR_WARNING, "versions", "%u: rusticl of Mesa %s is too old to rely on",
               i->index, i->driver);
    doctor_mend(d, "use Mesa 23.1 or later");
}

/* ---- platforms and devices ---- */

static void mend_device(struct doctor *d, const struct ctr_device_info *i)
{
    if (doctor_mend_limit(d, i->probe))
        return;
    if (strstr(i->probe, "binutils"))
        doctor_mend_package(d, NEED_LINKER);
    else if (strstr(i->probe, "No space left") || strstr(i->probe, "PoCL's cache"))
        doctor_mend(d, "make room for its cache, see below");
    else
        doctor_mend(d, "update its driver (version %s), or leave it out: --device", i->driver);
}

static void device(struct doctor *d, const struct ctr_device_info *i)
{
    char memory[24], largest[24];
    struct ctr_str name = {0};
    term_escape(&name, i->name);
    const char *shown = name.s && !name.failed ? name.s : "";
    if (i->probed && i->ok) {
        doctor_add(d, DOCTOR_OK, "devices", "%u: %s works; %s of memory, %s at once", i->index,
                   shown, term_bytes(memory, i->global_bytes),
                   term_bytes(largest, i->max_alloc_bytes));
        d->n_usable++;
        device_traps(d, i);
    } else {
        doctor_add(d, DOCTOR_FAULT, "devices", "%u: %s does not work: %s", i->index, shown,
                   i->probe);
        mend_device(d, i);
    }
    if (i->alias_of >= 0)
        doctor_add(d, DOCTOR_NOTE, "devices", "%u: the same device as %d, by another driver",
                   i->index, i->alias_of);
    ctr_str_free(&name);
}

static void platform(struct doctor *d, const struct ctr_platform_info *p)
{
    if (p->n_devices == 0) {
        doctor_add(d, DOCTOR_NOTE, "platforms", "%s has no devices%s%s", p->name,
                   *p->hint ? "; " : "", p->hint);
        return;
    }
    doctor_add(d, DOCTOR_OK, "platforms", "%s (%.*s)", p->name, (int)strcspn(p->version, ","),
               p->version);
    traps(d, p);
}

static void failed_list(struct doctor *d)
{
    doctor_add(d, DOCTOR_FAULT, "platforms", "%s", ctr_error_text());
    if (doctor_mend_limit(d, ctr_error_text()))
        return;
    doctor_mend(d, "try each driver alone, its .icd file in an empty directory DIR: "
                   "OCL_ICD_VENDORS=DIR clcontrast doctor");
    if (strstr(ctr_error_text(), "pocl_cache"))
        doctor_mend(
            d, "give PoCL a cache: mkdir -p ~/.cache/pocl; export POCL_CACHE_DIR=~/.cache/pocl");
}

/* ---- GPUs of the machine ---- */

struct gpu {
    char address[64], driver[64];
    unsigned vendor;
};

static int read_hex(unsigned *out, const char *dir, const char *name)
{
    char path[PATH_MAX + 16], text[64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return doctor_read(text, sizeof text, path) && sscanf(text, "%x", out) == 1 ? 0 : -1;
}

static const struct vendor {
    unsigned id;
    const char *name, *words[2]; /* words of OpenCL's vendor strings */
} vendors[] = {
    {0x10de, "NVIDIA", {"NVIDIA", "nouveau"}},
    {0x1002, "AMD", {"Advanced Micro Devices", "AMD"}},
    {0x8086, "Intel", {"Intel", "Intel"}},
};

static int is_offered(const struct doctor *d, const struct vendor *v, const struct gpu *gpu)
{
    for (unsigned i = 0; d->list && i < d->list->n_devices; i++) {
        const struct ctr_device_info *device = &d->list->devices[i];
        if (device->kind != CTR_DEVICE_GPU)
            continue;
        if (*device->pci
                ? strcmp(device->pci, gpu->address) == 0
                : strstr(device->vendor, v->words[0]) || strstr(device->vendor, v->words[1]) ||
                      strstr(device->name, v->words[1]))
            return 1;
    }
    return 0;
}

static void mend_gpu(struct doctor *d, const struct vendor *v, const struct gpu *gpu)
{
    if (v->id == 0x10de) {
        if (strcmp(gpu->driver, "nvidia") != 0)
            doctor_mend(d, "install NVIDIA's own kernel driver; %s has no OpenCL of use",
                        *gpu->driver ? gpu->driver : "none");
        doctor_mend_package(d, NEED_NVIDIA);
    } else if (v->id == 0x1002) {
        doctor_mend_package(d, NEED_MESA);
        doctor_mend(d, "then export RUSTICL_ENABLE=radeonsi; or AMD's own:");
        doctor_mend_package(d, NEED_ROCM);
    } else {
        doctor_mend_package(d, NEED_INTEL);
    }
}

static void one_gpu(struct doctor *d, const struct gpu *gpu)
{
    for (size_t i = 0; i < sizeof vendors / sizeof *vendors; i++) {
        const struct vendor *v = &vendors[i];
        if (v->id != gpu->vendor || is_offered(d, v, gpu))
            continue;
        doctor_add(d, d->chosen ? DOCTOR_NOTE : DOCTOR_WARNING, "GPUs",
                   "a GPU of %s (PCI %s, kernel driver %s) has no OpenCL device", v->name,
                   gpu->address, *gpu->driver ? gpu->driver : "none");
        if (!d->chosen)
            mend_gpu(d, v, gpu);
    }
}

/* PCI display controllers; the vendors of virtual ones are not in the table. */
static void gpus(struct doctor *d)
{
    char root[512];
    doctor_path(root, sizeof root, d, "/sys/bus/pci/devices");
    DIR *dir = opendir(root);
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        char path[PATH_MAX], link[PATH_MAX + 16], target[512];
        struct gpu gpu = {.vendor = 0};
        unsigned class;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", root, entry->d_name);
        if (read_hex(&class, path, "class") != 0 || class >> 16 != 0x03 ||
            read_hex(&gpu.vendor, path, "vendor") != 0)
            continue;
        snprintf(gpu.address, sizeof gpu.address, "%.63s", entry->d_name);
        snprintf(link, sizeof link, "%s/driver", path);
        ssize_t n = readlink(link, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        const char *slash = strrchr(target, '/');
        snprintf(gpu.driver, sizeof gpu.driver, "%.63s", slash ? slash + 1 : target);
        one_gpu(d, &gpu);
    }
    if (dir)
        closedir(dir);
}

void doctor_devices(struct doctor *d)
{
    if (ctr_devices_list(&d->list, 1) != 0)
        failed_list(d);
    for (unsigned i = 0; d->list && i < d->list->n_platforms; i++)
        platform(d, &d->list->platforms[i]);
    for (unsigned i = 0; d->list && i < d->list->n_devices; i++)
        device(d, &d->list->devices[i]);
    gpus(d);
    if (d->list && d->list->n_devices == 0) {
        doctor_add(d, DOCTOR_FAULT, "devices", "no driver offers a device");
        doctor_mend_package(d, NEED_POCL);
        doctor_mend(d, "that is for the CPU; for a GPU see the lines about platforms and GPUs");
    }
}
