/* doctor.c -- findings, and what mends them on which distribution. */
#include "doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"

void doctor_add(struct doctor *d, enum doctor_level level, const char *part, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (ctr_grow((void **)&d->finding, &d->cap, d->n + 1, sizeof *d->finding) != 0) {
        d->failed = 1;
        return;
    }
    d->finding[d->n] = (struct doctor_finding){.level = level, .part = part};
    ctr_str_addf(&d->finding[d->n++].text, "%s", text);
}

void doctor_mend(struct doctor *d, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (d->n && !d->failed)
        ctr_str_addf(&d->finding[d->n - 1].mend, "%s%s", d->finding[d->n - 1].mend.n ? "\n" : "",
                     text);
}

/* ---- distributions ---- */

enum doctor_distro { DEBIAN, FEDORA, ARCH, ALPINE, DISTROS };

static const struct {
    const char *name, *ids, *install;
} distros[DISTROS] = {
    [DEBIAN] = {"Debian, Ubuntu", "debian ubuntu linuxmint pop raspbian", "apt install"},
    [FEDORA] = {"Fedora", "fedora rhel centos rocky almalinux", "dnf install"},
    [ARCH] = {"Arch", "arch manjaro endeavouros artix", "pacman -S"},
    [ALPINE] = {"Alpine", "alpine postmarketos", "apk add"},
};

/* Names as the distributions have them; those of NVIDIA come with its driver. */
static const char *const packages[][DISTROS] = {
    [NEED_LOADER] = {"ocl-icd-libopencl1", "ocl-icd", "ocl-icd", "opencl-icd-loader"},
    [NEED_POCL] = {"pocl-opencl-icd binutils", "pocl binutils", "pocl binutils", "pocl binutils"},
    [NEED_LINKER] = {"binutils", "binutils", "binutils", "binutils"},
    [NEED_INTEL] = {"intel-opencl-icd", "intel-compute-runtime", "intel-compute-runtime",
                    "intel-compute-runtime"},
    [NEED_MESA] = {"mesa-opencl-icd", "mesa-libOpenCL", "opencl-mesa", "mesa-rusticl"},
    [NEED_ROCM] = {"rocm-opencl-icd", "rocm-opencl", "rocm-opencl-runtime", NULL},
    [NEED_NVIDIA] = {"nvidia-opencl-icd", "xorg-x11-drv-nvidia-cuda-libs", "opencl-nvidia", NULL},
};

static int has_word(const char *words, const char *word, size_t n)
{
    for (const char *p = words; *p; p += strspn(p, " ")) {
        size_t m = strcspn(p, " ");
        if (m == n && memcmp(p, word, n) == 0)
            return 1;
        p += m;
    }
    return 0;
}

/* The value of a line KEY="value" of os-release, without quotes. */
static size_t value_of(const char **value, const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, n) == 0 && line[n] == '=') {
            *value = line + n + 1 + (line[n + 1] == '"');
            return strcspn(*value, "\"\n");
        }
    *value = "";
    return 0;
}

void doctor_find_distro(struct doctor *d)
{
    static const char *const keys[] = {"ID", "ID_LIKE"};
    char path[512], text[4096];
    const char *value;
    snprintf(d->system, sizeof d->system, "an unknown system");
    d->distros = (1u << DISTROS) - 1;
    if (doctor_read(text, sizeof text, doctor_path(path, sizeof path, d, "/etc/os-release")) == 0)
        return;
    size_t n = value_of(&value, text, "PRETTY_NAME");
    if (n)
        snprintf(d->system, sizeof d->system, "%.*s", (int)n, value);
    for (size_t k = 0; k < 2 && d->distros == (1u << DISTROS) - 1; k++) {
        n = value_of(&value, text, keys[k]);
        for (size_t at = 0, m; at < n; at += m + 1) {
            m = strcspn(value + at, " \"\n");
            for (unsigned i = 0; i < DISTROS; i++)
                if (has_word(distros[i].ids, value + at, m))
                    d->distros = 1u << i;
        }
    }
}

void doctor_mend_package(struct doctor *d, enum doctor_need need)
{
    int one = (d->distros & (d->distros - 1)) == 0;
    for (unsigned i = 0; i < DISTROS; i++)
        if (d->distros >> i & 1 && packages[need][i]) {
            if (one)
                doctor_mend(d, "%s %s", distros[i].install, packages[need][i]);
            else
                doctor_mend(d, "%s: %s %s", distros[i].name, distros[i].install, packages[need][i]);
        }
}

int doctor_mend_limit(struct doctor *d, const char *why)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
    char most[32] = "unlimited";
    if (!strstr(why, strerror(EAGAIN)) && !strstr(why, "ld could not run"))
        return 0;
    if (getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        snprintf(most, sizeof most, "%llu", (unsigned long long)limit.rlim_cur);
    doctor_mend(d, "allow more processes and threads: `ulimit -u` is %s, or pids.max of the container", most);
    return 1;
}

int doctor_need_of(const char *library)
{
    static const struct {
        const char *word;
        enum doctor_need need;
    } words[] = {{"pocl", NEED_POCL},    {"Rusticl", NEED_MESA},  {"MesaOpenCL", NEED_MESA},
                 {"igdrcl", NEED_INTEL}, {"nvidia", NEED_NVIDIA}, {"amdocl", NEED_ROCM}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(library, words[i].word))
            return (int)words[i].need;
    return -1;
}

int doctor_has_driver(const struct doctor *d, const char *word)
{
    for (unsigned i = 0; i < d->n_drivers; i++)
        if (d->driver[i].loads && strstr(d->driver[i].library, word))
            return 1;
    return 0;
}

size_t doctor_read(char *text, size_t size, const char *path)
{
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, size - 1, file) : 0;
    text[n] = '\0';
    if (file)
        fclose(file);
    return n;
}

const char *doctor_path(char *buffer, size_t size, const struct doctor *d, const char *path)
{
    snprintf(buffer, size, "%s%s", d->root, path);
    return buffer;
}

void doctor_finish(struct doctor *d)
{
    for (size_t i = 0; i < d->n; i++) {
        ctr_str_free(&d->finding[i].text);
        ctr_str_free(&d->finding[i].mend);
    }
    free(d->finding);
    ctr_devices_free(&d->list);
}
