/* doctor_drivers.c -- the OpenCL loader and what it loads. In: the process's libraries, the vendors
 * directory, the environment. Out: findings, and the drivers. Libraries are loaded in children. */
#include "doctor.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child.h"
#include "base/os.h"

#define LOAD_LIMIT_S 30.0

/* ---- the loader and CLBlast ---- */

/* cl_loader_info, which both loaders have: names without the headers, which only src/dev includes.
 */
static void loader_info(void *ctx, int fd)
{
    enum { INFO_VERSION = 2, INFO_NAME = 3 };
    typedef int info_fn(unsigned what, size_t size, void *value, size_t *n);
    union {
        void *object;
        void *(*extension)(const char *name);
        info_fn *info;
    } fn = {.object = dlsym(RTLD_DEFAULT, "clGetExtensionFunctionAddress")};
    char name[64] = "", version[64] = "", text[160];
    (void)ctx;
    fn.object = fn.object ? fn.extension("clGetICDLoaderInfoOCLICD") : NULL;
    if (!fn.object || fn.info(INFO_NAME, sizeof name, name, NULL) != 0 ||
        fn.info(INFO_VERSION, sizeof version, version, NULL) != 0)
        return;
    int n = snprintf(text, sizeof text, "%.60s %.60s", name, version);
    (void)ctr_child_write(fd, text, (size_t)n);
}

/* The file that a symbol comes from, links followed; "" when there is none. */
static const char *file_of(char path[PATH_MAX], const char *symbol)
{
    Dl_info info;
    void *at = dlsym(RTLD_DEFAULT, symbol);
    path[0] = '\0';
    if (at && dladdr(at, &info) && info.dli_fname && !realpath(info.dli_fname, path))
        path[0] = '\0';
    return path;
}

static void loader(struct doctor *d)
{
    char path[PATH_MAX];
    struct ctr_child child;
    file_of(path, "clGetPlatformIDs");
    if (ctr_child_run(&child, loader_info, NULL, LOAD_LIMIT_S) != 0) {
        doctor_add(d, DOCTOR_WARNING, "loader", "%s", ctr_error_text());
        doctor_mend_limit(d, ctr_error_text());
        return;
    }
    doctor_add(d, DOCTOR_OK, "loader", "%.*s (%s)", child.n ? (int)child.n : 11,
               child.n ? (const char *)child.data : "OpenCL ICD", path);
    d->khronos = child.n >= 7 && memcmp(child.data, "Khronos", 7) == 0;
    free(child.data);
}

/* Its file has the version; the library itself does not tell it. */
static void blas(struct doctor *d)
{
    char path[PATH_MAX];
    const char *version = strstr(file_of(path, "CLBlastSgemm"), ".so.");
    if (version)
        doctor_add(d, DOCTOR_OK, "CLBlast", "%s (%s)", version + 4, path);
}

/* ---- drivers ---- */

static void load(void *ctx, int fd)
{
    const char *why = dlopen(ctx, RTLD_NOW | RTLD_LOCAL) ? "" : dlerror();
    (void)ctr_child_write(fd, why, strlen(why) + 1);
}

/* "" when the library loads, else why not. */
static void try_load(char *why, size_t size, const char *library)
{
    struct ctr_child child;
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s", library);
    if (ctr_child_run(&child, load, name, LOAD_LIMIT_S) != 0)
        snprintf(why, size, "%s", ctr_error_text());
    else if (child.n == 0)
        ctr_child_tell(why, size, &child, "it");
    else
        snprintf(why, size, "%.*s", (int)child.n - 1, (const char *)child.data);
    free(child.data);
}

static void add_driver(struct doctor *d, const char *file, const char *library)
{
    char why[256];
    if (d->n_drivers == DOCTOR_DRIVERS)
        return;
    struct doctor_driver *driver = &d->driver[d->n_drivers++];
    snprintf(driver->file, sizeof driver->file, "%s", file);
    snprintf(driver->library, sizeof driver->library, "%s", library);
    try_load(why, sizeof why, library);
    driver->loads = !*why;
    if (driver->loads) {
        doctor_add(d, DOCTOR_OK, "drivers", "%s%s%s loads", file, *file ? ": " : "", library);
        return;
    }
    doctor_add(d, DOCTOR_FAULT, "drivers", "%s%s%s does not load: %s", file, *file ? " names " : "",
               library, why);
    if (doctor_mend_limit(d, why))
        return;
    int need = doctor_need_of(library);
    if (need >= 0)
        doctor_mend_package(d, (enum doctor_need)need);
    if (*file)
        doctor_mend(d, "or remove %s, when the driver is gone for good", file);
}

/* An .icd file holds one line: the library's name or path. */
static void read_icd(struct doctor *d, const char *path)
{
    void *text = NULL;
    size_t bytes;
    if (ctr_file_read(&text, &bytes, path, 65536) != 0) {
        doctor_add(d, DOCTOR_FAULT, "drivers", "%s", ctr_error_text());
        return;
    }
    char *line = text;
    size_t n = strcspn(line, "\n");
    int crlf = n > 0 && line[n - 1] == '\r';
    line[n - (size_t)crlf] = '\0';
    if (crlf) {
        doctor_add(d, DOCTOR_FAULT, "drivers",
                   "%s has Windows line ends: the loader looks for a "
                   "library whose name ends in a carriage return",
                   path);
        doctor_mend(d, "sed -i 's/\\r//' %s", path);
    } else if (!*line) {
        doctor_add(d, DOCTOR_FAULT, "drivers", "%s is empty: it should name a driver's library",
                   path);
        doctor_mend(d, "install its package again, or remove it");
    } else {
        add_driver(d, path, line);
    }
    free(text);
}

static int is_icd(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 4 && strcmp(entry->d_name + n - 4, ".icd") == 0;
}

static void no_driver(struct doctor *d, const char *what, const char *path)
{
    doctor_add(d, DOCTOR_FAULT, "drivers", "%s %s: no OpenCL driver is installed", path, what);
    doctor_mend_package(d, NEED_POCL);
}

static void read_vendors(struct doctor *d, const char *dir)
{
    struct dirent **entry = NULL;
    int n = scandir(dir, &entry, is_icd, alphasort);
    if (n < 0)
        no_driver(d, errno == ENOENT ? "is not there" : strerror(errno), dir);
    else if (n == 0)
        no_driver(d, "has no .icd files", dir);
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", dir, entry[i]->d_name);
        read_icd(d, path);
        free(entry[i]);
    }
    free(entry);
}

/* What OCL_ICD_VENDORS may be: a directory; to ocl-icd also an .icd file, by its name alone when it is in
 * the usual place, or a driver's library. */
static void read_chosen(struct doctor *d, const char *value)
{
    struct stat st;
    char path[PATH_MAX];
    size_t n = strlen(value);
    if (stat(value, &st) == 0 && S_ISDIR(st.st_mode)) {
        read_vendors(d, value);
    } else if (!d->khronos && n > 4 && strcmp(value + n - 4, ".icd") == 0) {
        snprintf(path, sizeof path, "/etc/OpenCL/vendors/%s", value);
        read_icd(d, strchr(value, '/') || access(path, F_OK) != 0 ? value : path);
    } else if (!d->khronos && strstr(value, ".so")) {
        add_driver(d, "", value);
    } else {
        doctor_add(d, DOCTOR_FAULT, "drivers", "OCL_ICD_VENDORS=%s is no directory%s", value,
                   d->khronos ? ", which is all that this loader takes" : ", .icd file or library");
        doctor_mend(d, "unset OCL_ICD_VENDORS");
    }
}

/* The libraries a:b:c, which Khronos's loader takes before those of the vendors directory. */
static void read_more(struct doctor *d, const char *libraries)
{
    while (*libraries) {
        size_t n = strcspn(libraries, ":");
        char library[PATH_MAX];
        snprintf(library, sizeof library, "%.*s", (int)n, libraries);
        if (n)
            add_driver(d, "", library);
        libraries += n + (libraries[n] == ':');
    }
}

/* The value of a variable, which is noted; NULL when it is not set or empty, or if this loader does not look at
 * it. */
static const char *variable(struct doctor *d, const char *name, int looked_at)
{
    const char *value = getenv(name);
    if (!value || !*value)
        return NULL;
    doctor_add(d, DOCTOR_NOTE, "drivers", "%s=%s is set%s", name, value,
               looked_at ? "" : ", which this loader does not look at");
    return looked_at ? value : NULL;
}

/* A driver whose kernel part runs but whose OpenCL library or .icd file is missing. */
static void nvidia(struct doctor *d)
{
    static const char library[] = "libnvidia-opencl.so.1";
    char path[512], why[256];
    if (d->chosen || doctor_has_driver(d, "nvidia") ||
        access(doctor_path(path, sizeof path, d, "/proc/driver/nvidia/version"), F_OK) != 0)
        return;
    try_load(why, sizeof why, library);
    if (*why) {
        doctor_add(d, DOCTOR_WARNING, "drivers",
                   "NVIDIA's kernel driver runs, but its OpenCL library "
                   "does not load: %s",
                   why);
        doctor_mend_package(d, NEED_NVIDIA);
        doctor_mend(d, "its version must be that of the kernel driver; in a container, "
                       "NVIDIA_DRIVER_CAPABILITIES must have compute");
    } else {
        doctor_add(d, DOCTOR_WARNING, "drivers", "%s is there, but no .icd file names it", library);
        doctor_mend(d, "echo %s > /etc/OpenCL/vendors/nvidia.icd", library);
    }
}

void doctor_drivers(struct doctor *d)
{
    char path[512];
    loader(d);
    blas(d);
    const char *chosen = variable(d, "OCL_ICD_VENDORS", 1);
    const char *directory = variable(d, "OPENCL_VENDOR_PATH", !d->khronos);
    const char *more = variable(d, "OCL_ICD_FILENAMES", d->khronos);
    (void)variable(d, "OPENCL_LAYERS", 1);
    d->chosen = chosen || directory;
    if (more)
        read_more(d, more);
    if (chosen)
        read_chosen(d, chosen);
    else if (directory)
        read_vendors(d, directory);
    else
        read_vendors(d, doctor_path(path, sizeof path, d, "/etc/OpenCL/vendors"));
    nvidia(d);
}
