/* doctor_system.c -- what drivers need of the system. In: /proc, /sys, /dev, the environment, the
 * caches. Out: findings. */
#include "doctor.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "dev/quirks.h"
#include "term.h"

/* Bytes: a cache on less makes builds fail; on less than the second it may soon. */
#define ROOM_NEEDED ((uint64_t)16 << 20)
#define ROOM_WANTED ((uint64_t)256 << 20)

/* ---- kernel views ---- */

static void views(struct doctor *d)
{
    static const char *const needed[][2] = {{"/proc/cpuinfo", "/proc"},
                                            {"/sys/devices/system/cpu", "/sys"}};
    char path[512];
    for (size_t i = 0; i < 2; i++)
        if (access(doctor_path(path, sizeof path, d, needed[i][0]), F_OK) != 0) {
            doctor_add(d, DOCTOR_FAULT, "system", "%s is not there: PoCL asks it about processors",
                       needed[i][0]);
            doctor_mend(d, "from outside of the chroot or container: mount --bind %s CHROOT%s",
                        needed[i][1], needed[i][1]);
        }
}

/* ---- device files ---- */

static void device_file(struct doctor *d, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return;
    if (access(path, R_OK | W_OK) == 0) {
        doctor_add(d, DOCTOR_OK, "permissions", "%s may be opened", path);
        return;
    }
    int why = errno;
    const struct group *group = getgrgid(st.st_gid);
    doctor_add(d, DOCTOR_WARNING, "permissions", "%s may not be opened: %s; its group is %s", path,
               strerror(why), group ? group->gr_name : "without a name");
    if (group && st.st_gid != 0 && (st.st_mode & 060) == 060)
        doctor_mend(d, "usermod -aG %s USER, as root, then log in again", group->gr_name);
    else
        doctor_mend(d, "let a group have it: chgrp render %s; chmod 660 %s", path, path);
}

static void device_files(struct doctor *d)
{
    static const char *const files[] = {"/dev/kfd", "/dev/nvidiactl", "/dev/nvidia0"};
    char dir[512], path[PATH_MAX];
    DIR *dri = opendir(doctor_path(dir, sizeof dir, d, "/dev/dri"));
    for (struct dirent *entry; dri && (entry = readdir(dri)) != NULL;)
        if (strncmp(entry->d_name, "renderD", 7) == 0) {
            snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
            device_file(d, path);
        }
    if (dri)
        closedir(dri);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        device_file(d, doctor_path(path, sizeof path, d, files[i]));
}

/* ---- caches ---- */

/* A file there, written and gone again: 0, or errno. */
static int try_write(const char *dir)
{
    char *path = ctr_path_join(dir, ".doctor-XXXXXX");
    int fd = path ? mkstemp(path) : -1, why = fd < 0 ? errno : 0;
    if (fd >= 0) {
        why = write(fd, "clcontrast\n", 11) == 11 ? 0 : errno;
        close(fd);
        unlink(path);
    }
    free(path);
    return why;
}

static void cache(struct doctor *d, const char *whose, const char *dir, const char *mend,
                  enum doctor_level bad)
{
    char room[24], *there = ctr_path_existing(dir);
    int why = there ? try_write(there) : ENOMEM;
    free(there);
    if (why) {
        doctor_add(d, bad, "caches", "%s, %s, cannot be written: %s", whose, dir, strerror(why));
        doctor_mend(d, "%s", mend);
        return;
    }
    uint64_t left = ctr_disk_room(dir);
    if (left < ROOM_WANTED) {
        doctor_add(d, left < ROOM_NEEDED ? bad : DOCTOR_WARNING, "caches",
                   "%s, %s, has %s left: a driver may end the program when it is full", whose, dir,
                   term_bytes(room, left));
        doctor_mend(d, "make room there, or %s", mend);
    } else {
        doctor_add(d, DOCTOR_OK, "caches", "%s: %s, %s free", whose, dir, term_bytes(room, left));
    }
}

static void own_cache(struct doctor *d)
{
    const char *off = getenv("CTR_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char path[PATH_MAX];
    if (off && strcmp(off, "off") == 0) {
        doctor_add(d, DOCTOR_NOTE, "caches", "CTR_CACHE=off: kernels are built anew at each start");
        return;
    }
    if (off && *off)
        cache(d, "our cache of kernels", off, "export CTR_CACHE=DIR, of one that can be written",
              DOCTOR_WARNING);
    if (xdg && *xdg)
        snprintf(path, sizeof path, "%s/clcontrast", xdg);
    else if (home && *home)
        snprintf(path, sizeof path, "%s/.cache/clcontrast", home);
    else {
        doctor_add(d, DOCTOR_WARNING, "caches",
                   "neither XDG_CACHE_HOME nor HOME is set: nothing is kept");
        doctor_mend(d, "export HOME=DIR, of one that can be written");
        return;
    }
    cache(d, "our cache", path, "export XDG_CACHE_HOME=DIR, of one that can be written",
          DOCTOR_WARNING);
}

/* ---- PoCL ---- */

static void pocl_cache(struct doctor *d)
{
    static const char mend[] = "mkdir -p DIR; export POCL_CACHE_DIR=DIR, where it can be written";
    const char *own = getenv("POCL_CACHE_DIR");
    char path[PATH_MAX];
    if (own && !*own) {
        doctor_add(d, DOCTOR_FAULT, "caches", "POCL_CACHE_DIR is set, but empty: PoCL aborts");
        doctor_mend(d, "unset POCL_CACHE_DIR");
    } else if (ctr_pocl_cache(path, sizeof path)) {
        cache(d, "PoCL's cache", path, mend, DOCTOR_FAULT);
    }
}

/* PoCL links kernels by ld until 7.0; later ones bring their own, and then the devices work. */
static void linker(struct doctor *d)
{
    if (ctr_in_path("ld"))
        doctor_add(d, DOCTOR_OK, "linker", "ld is in PATH, for PoCL");
    else {
        doctor_add(d, d->n_usable ? DOCTOR_NOTE : DOCTOR_FAULT, "linker",
                   "there is no ld in PATH; PoCL before 7.1 aborts without");
        doctor_mend_package(d, NEED_LINKER);
    }
}

/* ---- memory ---- */

static uint64_t limit_in(const struct doctor *d, const char *name)
{
    char path[512], text[64];
    unsigned long long value;
    doctor_read(text, sizeof text, doctor_path(path, sizeof path, d, name));
    text[strcspn(text, "\n")] = '\0';
    return ctr_parse_u64(text, &value) == 0 ? value : UINT64_MAX; /* "max" */
}

/* CPU drivers count the machine's memory, not what a container may use. */
static void memory(struct doctor *d)
{
    uint64_t v2 = limit_in(d, "/sys/fs/cgroup/memory.max"),
             v1 = limit_in(d, "/sys/fs/cgroup/memory/memory.limit_in_bytes");
    uint64_t limit = v2 < v1 ? v2 : v1;
    for (unsigned i = 0; d->list && i < d->list->n_devices; i++) {
        const struct ctr_device_info *device = &d->list->devices[i];
        char has[24], may[24];
        if (device->kind != CTR_DEVICE_CPU || device->global_bytes <= limit)
            continue;
        doctor_add(d, DOCTOR_WARNING, "memory",
                   "device %u claims %s, but this container may use %s", device->index,
                   term_bytes(has, device->global_bytes), term_bytes(may, limit));
        doctor_mend(d, "for PoCL: export POCL_MEMORY_LIMIT=%llu (GiB)",
                    (unsigned long long)(limit >> 30 ? limit >> 30 : 1));
    }
}

void doctor_system(struct doctor *d)
{
    views(d);
    device_files(d);
    own_cache(d);
    if (doctor_has_driver(d, "pocl")) {
        pocl_cache(d);
        linker(d);
    }
    memory(d);
}
