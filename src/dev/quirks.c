/* quirks.c -- known oddities of devices, one row each, and the switches over them.
 *
 * In: what the driver says about itself. Out: CTR_Q_* bits. A row applies when each of its
 * non-empty patterns is found (ignoring case) in the platform's name, the device's vendor or its
 * name, and its condition holds. Switch rows by hand with "--quirk +name,-name" or CTR_QUIRK in the
 * environment. */
#include "dev/quirks.h"
#include "dev/impl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

#define POCL_ROOM ((uint64_t)1 << 20) /* bytes, for a program's files while they are made */

static int since_7(const struct ctr_device_info *info)
{
    return strtoul(info->driver, NULL, 10) >= 7;
}

static int since_25(const struct ctr_device_info *info)
{
    return strtoul(info->driver, NULL, 10) >= 25;
}

static int short_vectors(const struct ctr_device_info *info)
{
    return info->kind == CTR_DEVICE_CPU && info->vector_floats >= 4 && info->vector_floats < 16;
}

static int lacks_fma(const struct ctr_device_info *info)
{
    return !info->fma;
}

static const struct quirk {
    const char *name; /* also the macro CTR_Q_<NAME> in kernels */
    uint32_t bit;
    const char *platform, *vendor, *device;          /* patterns; NULL matches anything */
    int (*when)(const struct ctr_device_info *info); /* or NULL */
    const char *why;
    const char *link; /* where it was reported */
    const char *seen; /* versions it was seen with */
} quirks[] = {
    {"no_binary_cache", CTR_Q_NO_BINARY_CACHE, "Portable Computing Language", NULL, NULL, NULL,
     "asking for binaries compiles again, and the driver keeps its own cache",
     "github.com/inducer/pyopencl/issues/731", "PoCL 1.8 to 7"},
    {"no_binary_cache", CTR_Q_NO_BINARY_CACHE, "NVIDIA CUDA", NULL, NULL, NULL,
     "binaries are PTX, compiled again on load; the driver keeps its own cache", "", "all"},
    {"no_binary_cache", CTR_Q_NO_BINARY_CACHE, "Oclgrind", NULL, NULL, NULL,
     "its reports name source lines, which binaries do not keep", "", "Oclgrind 21.10"},
    {"no_binary_cache", CTR_Q_NO_BINARY_CACHE, "rusticl", NULL, NULL, NULL,
     "the driver keeps its own cache, and may panic on a binary that it does not know", "",
     "Mesa 22.3 (it panics) to 26.2"},
    {"serial_build", CTR_Q_SERIAL_BUILD, "Oclgrind", NULL, NULL, NULL,
     "building from several threads crashes in one run of three", "", "Oclgrind 21.10"},
    {"serial_build", CTR_Q_SERIAL_BUILD, "Clover", NULL, NULL, NULL,
     "not tried from several threads; the driver is no longer maintained", "", "Mesa 22.3"},
    {"family_cpu", CTR_Q_FAMILY_CPU, "", "", "", NULL, "CPU kernels by hand, for tests", "", ""},
    {"family_gpu", CTR_Q_FAMILY_GPU, "", "", "", NULL, "GPU kernels by hand, for tests", "", ""},
    {"family_gpu", CTR_Q_FAMILY_GPU, "rusticl", NULL, "llvmpipe", since_25,
     "work-items are lanes of its vectors: kernels for GPUs are up to twenty times faster", "",
     "Mesa 25.0, 26.2"},
    {"no_fp16", CTR_Q_NO_FP16, "Oclgrind", NULL, NULL, NULL,
     "its interpreter knows no half constants", "", "Oclgrind 21.10"},
    {"own_builtins", CTR_Q_OWN_BUILTINS, "Portable Computing Language", NULL, NULL, NULL,
     "it reads 18,000 lines of declarations for each program, even one in its cache", "",
     "PoCL 3.1"},
    {"no_fma", CTR_Q_NO_FMA, NULL, NULL, NULL, lacks_fma,
     "it claims no fused multiply-add: fma would be slow, or not compile",
     "github.com/darktable-org/darktable/issues/21662", "llvmpipe of Mesa 22.3 to 26.2"},
    {"short_vectors", CTR_Q_SHORT_VECTORS, NULL, NULL, NULL, short_vectors,
     "its vector registers hold fewer than 16 floats: sums of 2 rows stay in them, not of 8", "",
     "CPUs without AVX-512"},
    {"loop_barriers", CTR_Q_LOOP_BARRIERS, "Portable Computing Language", NULL, NULL, since_7,
     "it adds barriers to loops, and then runs what a condition before them excludes", "",
     "PoCL 7.1"},
    {"always_inline", CTR_Q_ALWAYS_INLINE, "rusticl", NULL, "llvmpipe", NULL,
     "calls of functions with loops crash its compiler or compute wrongly", "", "Mesa 25.0, 26.2"},
    {"no_subgroups", CTR_Q_NO_SUBGROUPS, "", "", "", NULL, "sub-groups switched off by hand", "",
     ""},
    {"mma_emulated", CTR_Q_MMA_EMULATED, "", "", "", NULL,
     "matrix units emulated by hand, for tests", "", ""},
};
#define FAMILIES ((uint32_t)(CTR_Q_FAMILY_CPU | CTR_Q_FAMILY_GPU)) /* one at most */
#define N_QUIRKS (sizeof quirks / sizeof *quirks)

/* An empty pattern is for rows that only a switch activates. */
static int matches(const char *pattern, const char *text)
{
    return !pattern || (*pattern && strcasestr(text, pattern) != NULL);
}

static int row_applies(const struct quirk *q, const struct ctr_device_info *info,
                       const char *platform)
{
    return matches(q->platform, platform) && matches(q->vendor, info->vendor) &&
           matches(q->device, info->name) && (!q->when || q->when(info));
}

static int unknown(const char *name, size_t n)
{
    char all[512] = "";
    for (unsigned bit = 0; ctr_quirk_name(bit); bit++) {
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", bit ? ", " : "", ctr_quirk_name(bit));
    }
    ctr_fail(CTR_E_USAGE, "there is no quirk '%.*s'", (int)n, name);
    return ctr_hint(CTR_E_USAGE, "write +NAME or -NAME, separated by commas; names: %s", all);
}

static int change(uint32_t *bits, const char *changes)
{
    for (const char *p = changes ? changes : ""; *p;) {
        size_t n = strcspn(p, ",");
        int sign = *p == '+' ? 1 : *p == '-' ? -1 : 0;
        unsigned bit = 0;
        const char *name;
        while ((name = ctr_quirk_name(bit)) &&
               (strlen(name) != n - 1 || strncmp(name, p + 1, n - 1) != 0))
            bit++;
        if (n && (!sign || !name))
            return unknown(sign ? p + 1 : p, sign ? n - 1 : n);
        uint32_t one = n ? UINT32_C(1) << bit : 0;
        *bits &= ~(sign > 0 && one & FAMILIES ? FAMILIES : one);
        *bits |= sign > 0 ? one : 0;
        p += n + (p[n] == ',');
    }
    return 0;
}

int ctr_quirks_detect(uint32_t *bits, const struct ctr_device_info *info, const char *platform,
                      const char *changes)
{
    uint32_t b = 0;
    for (size_t i = 0; i < N_QUIRKS; i++)
        if (row_applies(&quirks[i], info, platform))
            b |= quirks[i].bit;
    int rc = change(&b, getenv("CTR_QUIRK"));
    if (rc)
        return ctr_fail_in(rc, "CTR_QUIRK");
    rc = change(&b, changes);
    if (rc == 0)
        *bits = b;
    return rc;
}

int ctr_pocl_cache(char *path, size_t n)
{
    const char *own = getenv("POCL_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"),
               *home = getenv("HOME");
    if (own && *own)
        snprintf(path, n, "%s", own);
    else if (xdg && *xdg)
        snprintf(path, n, "%s/pocl/kcache", xdg);
    else if (home && *home)
        snprintf(path, n, "%s/.cache/pocl/kcache", home);
    else
        return 0;
    return 1;
}

/* PoCL links kernels by the ld in PATH until 7.1 (its notes_7_1.rst), Debian's 7.1 does so too. Where there is
 * none, 3.1 aborts, after taking our handler of SIGABRT away, and 7.1 runs what it has not linked. Where its
 * cache has no room LLVM ends the process. */
int ctr_quirks_check(const struct ctr_device_info *info, const char *platform)
{
    char cache[PATH_MAX];
    unsigned major, minor; /* the driver's version is PoCL's */
    if (!strcasestr(platform, "Portable Computing Language"))
        return 0;
    if (sscanf(info->driver, "%u.%u", &major, &minor) == 2 &&
        (major * 100 + minor < 701 || strstr(info->driver, "debian")) && !ctr_in_path("ld"))
        return ctr_hint(
            ctr_fail(CTR_E_DEVICE,
                     "PoCL %u.%u links kernels by ld of binutils, which is not in PATH", major,
                     minor),
            "install binutils; `clcontrast doctor` says how");
    if (ctr_pocl_cache(cache, sizeof cache) && ctr_disk_room(cache) < POCL_ROOM)
        return ctr_hint(ctr_fail(CTR_E_DEVICE,
                                 "the disk of PoCL's cache, '%s', is full: compiling would end the "
                                 "program",
                                 cache),
                        "make room there, or set POCL_CACHE_DIR to a directory on another disk");
    return 0;
}

int ctr_quirks_note(struct ctr_device_info *info, const char *platform)
{
    uint32_t bits;
    int rc = ctr_quirks_detect(&bits, info, platform, NULL);
    if (rc)
        return rc;
    int cpu = info->kind == CTR_DEVICE_CPU;
    cpu = bits & CTR_Q_FAMILY_GPU ? 0 : bits & CTR_Q_FAMILY_CPU ? 1 : cpu;
    snprintf(info->family, sizeof info->family, "%s", cpu ? "cpu" : "gpu");
    info->n_quirks = 0;
    for (unsigned bit = 0; ctr_quirk_name(bit) && info->n_quirks < CTR_MAX_QUIRKS; bit++) {
        if (!(bits >> bit & 1))
            continue;
        struct ctr_quirk_info *q = &info->quirks[info->n_quirks++];
        const char *why = "switched on by hand";
        for (size_t i = N_QUIRKS; i-- > 0;)
            if (quirks[i].bit == UINT32_C(1) << bit && row_applies(&quirks[i], info, platform))
                why = quirks[i].why;
        snprintf(q->name, sizeof q->name, "%s", ctr_quirk_name(bit));
        snprintf(q->why, sizeof q->why, "%s", why);
    }
    return 0;
}

const char *ctr_quirk_name(unsigned bit)
{
    for (size_t i = 0; i < N_QUIRKS && bit < 32; i++)
        if (quirks[i].bit == UINT32_C(1) << bit)
            return quirks[i].name;
    return NULL;
}
