/* list.c -- the list of devices, gathered by child processes. See include/clcontrast/device.h.
 *
 * A driver may abort, exit or hang when it is loaded or first used. So one child discovers, and one
 * child per device opens and probes it; results come back over a pipe as plain structs. What a
 * dying child last wrote to its standard error goes into the verdict, since drivers explain
 * themselves there. The calling process must not have used OpenCL before: drivers do not survive a
 * fork. */
#include "dev/impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "base/mem.h"
#include "base/os.h"

#define TIME_LIMIT_S 60.0

/* Why a driver's child gave no result. */
static void tell_end(char *out, size_t size, const struct ctr_child *c)
{
    ctr_child_tell(out, size, c, "driver");
    if (strstr(c->last_line, "linking") && strlen(out) + 40 < size)
        strcat(out, ctr_in_path("ld") ? " (ld could not run)" : " (is ld of binutils in PATH?)");
}

/* ---- discovery ---- */

struct found_header {
    int rc;
    unsigned n_platforms, n_devices;
    char text[512];
};

static void discover(void *ctx, int fd)
{
    (void)ctx;
    struct ctr_device_list *list = NULL;
    struct found_header head = {.rc = ctr_cl_discover(&list)};
    if (head.rc) {
        snprintf(head.text, sizeof head.text, "%s", ctr_error_text());
    } else {
        head.n_platforms = list->n_platforms;
        head.n_devices = list->n_devices;
    }
    if (ctr_child_write(fd, &head, sizeof head) == 0 && list &&
        ctr_child_write(fd, list->platforms, head.n_platforms * sizeof *list->platforms) == 0)
        (void)ctr_child_write(fd, list->devices, head.n_devices * sizeof *list->devices);
}

/* The list out of the child's bytes; they come from a process that a driver may have damaged. */
static int unpack(struct ctr_device_list **out, const struct ctr_child *c)
{
    struct found_header head;
    char end[256];
    int rc = 0;
    struct ctr_device_list *list = NULL;
    if (c->n >= sizeof head)
        memcpy(&head, c->data, sizeof head);
    if (c->n >= sizeof head && head.rc)
        return ctr_fail(head.rc, "%.*s", (int)sizeof head.text - 1, head.text);
    if (c->n < sizeof head || c->n != sizeof head +
                                          (size_t)head.n_platforms * sizeof *list->platforms +
                                          (size_t)head.n_devices * sizeof *list->devices) {
        tell_end(end, sizeof end, c);
        ctr_fail(CTR_E_FAIL, "looking for OpenCL devices failed: %s", end);
        return ctr_hint(CTR_E_FAIL, "try each driver alone to find the faulty one: its .icd file of "
                                    "/etc/OpenCL/vendors in a directory DIR, and OCL_ICD_VENDORS=DIR");
    }
    if (!(list = ctr_alloc(1, sizeof *list)))
        return CTR_E_FAIL;
    list->n_platforms = head.n_platforms;
    list->n_devices = head.n_devices;
    list->platforms = ctr_alloc(head.n_platforms, sizeof *list->platforms);
    list->devices = ctr_alloc(head.n_devices, sizeof *list->devices);
    if (!list->platforms || !list->devices)
        CTR_TRY(CTR_E_FAIL);
    const unsigned char *p = c->data + sizeof head;
    memcpy(list->platforms, p, head.n_platforms * sizeof *list->platforms);
    p += head.n_platforms * sizeof *list->platforms;
    memcpy(list->devices, p, head.n_devices * sizeof *list->devices);
    *out = list;
    list = NULL;
out:
    ctr_devices_free(&list);
    return rc;
}

/* ---- probing ---- */

struct verdict {
    int ok;
    char text[sizeof((struct ctr_device_info *)0)->probe];
};

static void probe(void *ctx, int fd)
{
    const struct ctr_device_info *info = ctx;
    struct verdict v = {0};
    char selector[16];
    ctr_dev *dev = NULL;
    snprintf(selector, sizeof selector, "%u", info->index);
    v.ok = ctr_dev_open(&dev, selector, NULL) == 0;
    snprintf(v.text, sizeof v.text, "%s", v.ok ? "ok" : ctr_error_text());
    (void)ctr_child_write(fd, &v, sizeof v);
    /* The verdict stands; the device is not closed, since nothing is learned from that. */
}

static int probe_one(struct ctr_device_info *info)
{
    struct ctr_child c;
    if (!info->available) {
        snprintf(info->probe, sizeof info->probe, "device or its compiler is not available");
        return 0;
    }
    int rc = ctr_child_run(&c, probe, info, TIME_LIMIT_S);
    if (rc)
        return rc;
    info->probed = 1;
    info->ok = 0;
    if (c.n == sizeof(struct verdict)) {
        struct verdict v;
        memcpy(&v, c.data, sizeof v);
        info->ok = v.ok;
        snprintf(info->probe, sizeof info->probe, "%.*s", (int)sizeof v.text - 1, v.text);
    } else {
        tell_end(info->probe, sizeof info->probe, &c);
    }
    free(c.data);
    return 0;
}

int ctr_devices_list(struct ctr_device_list **out, int probe_too)
{
    int rc = 0;
    struct ctr_child c;
    struct ctr_device_list *list = NULL;
    if (!out)
        return ctr_fail(CTR_E_USAGE, "ctr_devices_list: no place for the list");
    CTR_TRY(ctr_child_run(&c, discover, NULL, TIME_LIMIT_S));
    rc = unpack(&list, &c);
    free(c.data);
    if (rc)
        return rc;
    for (unsigned i = 0; probe_too && i < list->n_devices; i++)
        CTR_TRY(probe_one(&list->devices[i]));
    *out = list;
    list = NULL;
out:
    ctr_devices_free(&list);
    return rc;
}

void ctr_devices_free(struct ctr_device_list **list)
{
    if (!list || !*list)
        return;
    free((*list)->platforms);
    free((*list)->devices);
    free(*list);
    *list = NULL;
}
