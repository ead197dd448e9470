/* select.c -- which of the listed devices a selector means.
 *
 * NULL or "": usable GPUs, then every other usable device, in platform order. "cpu", "gpu": those
 * of this kind. "N": index over all devices. "P:D": device D of platform P. Anything else: part of
 * one device's name, ignoring case. */
#include "dev/impl.h"
#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int fail_listing(int code, const struct ctr_device_list *list, const char *why,
                        const char *selector)
{
    struct ctr_str s = {0};
    for (unsigned i = 0; i < list->n_devices; i++)
        ctr_str_addf(&s, "%s%u '%s'%s", i ? ", " : "", i, list->devices[i].name,
                     list->devices[i].available ? "" : " (not available)");
    ctr_fail(code, "%s '%s'", why, selector);
    ctr_hint(code, "devices: %s, or 'null'", s.s ? s.s : "none");
    ctr_str_free(&s);
    return code;
}

static int nothing_there(const struct ctr_device_list *list)
{
    if (list->n_platforms == 0) {
        ctr_fail(CTR_E_NODEVICE, "no OpenCL platform is installed");
        return ctr_hint(
            CTR_E_NODEVICE,
            "`clcontrast doctor` says why; the driver pocl-opencl-icd runs on any processor");
    }
    ctr_fail(CTR_E_NODEVICE, "no OpenCL device: %u platform(s) without any", list->n_platforms);
    /* The one whose remedy is surest. */
    const struct ctr_platform_info *tell = &list->platforms[list->n_platforms - 1];
    for (unsigned i = 0; i < list->n_platforms; i++)
        if (strcmp(list->platforms[i].name, "rusticl") == 0)
            tell = &list->platforms[i];
    for (unsigned i = 0; i < list->n_platforms; i++)
        if (strcmp(list->platforms[i].name, "Portable Computing Language") == 0)
            tell = &list->platforms[i];
    return ctr_hint(CTR_E_NODEVICE, "%s: %s", tell->name, tell->hint);
}

/* Appends the usable devices that are (or are not) of this kind. */
static unsigned collect(unsigned *order, unsigned n, const struct ctr_device_list *list,
                        enum ctr_device_kind kind, int is)
{
    for (unsigned i = 0; i < list->n_devices; i++)
        if (list->devices[i].available && (list->devices[i].kind == kind) == is)
            order[n++] = i;
    return n;
}

/* "12" or "1:2" and nothing else; 1 when it was one. */
static int parse_number(const char *s, unsigned long long *platform, unsigned long long *device,
                        int *pair)
{
    char head[24];
    const char *colon = strchr(s, ':');
    *pair = colon != NULL;
    if (!colon)
        return ctr_parse_u64(s, device) == 0;
    if ((size_t)(colon - s) >= sizeof head)
        return 0;
    memcpy(head, s, (size_t)(colon - s));
    head[colon - s] = '\0';
    return ctr_parse_u64(head, platform) == 0 && ctr_parse_u64(colon + 1, device) == 0;
}

static int by_number(unsigned *order, unsigned *n, const struct ctr_device_list *list,
                     const char *selector, int pair, unsigned long long p, unsigned long long d)
{
    for (unsigned i = 0; i < list->n_devices; i++) {
        const struct ctr_device_info *info = &list->devices[i];
        if (pair ? info->platform != p || info->device != d : i != d)
            continue;
        if (!info->available)
            return fail_listing(CTR_E_NODEVICE, list, "this device is not available:", selector);
        order[0] = i;
        *n = 1;
        return 0;
    }
    return fail_listing(CTR_E_USAGE, list, "there is no device", selector);
}

static int by_name(unsigned *order, unsigned *n, const struct ctr_device_list *list,
                   const char *selector)
{
    unsigned found = 0;
    for (unsigned i = 0; i < list->n_devices; i++)
        if (list->devices[i].available && strcasestr(list->devices[i].name, selector))
            order[found++] = i;
    if (found == 0)
        return fail_listing(CTR_E_USAGE, list, "there is no device", selector);
    if (found > 1)
        return fail_listing(CTR_E_USAGE, list, "more than one device is called", selector);
    *n = 1;
    return 0;
}

int ctr_select(unsigned *order, unsigned *n, const struct ctr_device_list *list,
               const char *selector)
{
    unsigned long long p = 0, d = 0;
    int pair;
    if (list->n_devices == 0)
        return nothing_there(list);
    if (!selector || !*selector) {
        *n = collect(order, 0, list, CTR_DEVICE_GPU, 1);
        *n = collect(order, *n, list, CTR_DEVICE_GPU, 0);
        return *n ? 0 : fail_listing(CTR_E_NODEVICE, list, "no device is available for", "");
    }
    if (parse_number(selector, &p, &d, &pair))
        return by_number(order, n, list, selector, pair, p, d);
    if (strcasecmp(selector, "cpu") == 0 || strcasecmp(selector, "gpu") == 0) {
        int gpu = tolower((unsigned char)selector[0]) == 'g';
        *n = collect(order, 0, list, gpu ? CTR_DEVICE_GPU : CTR_DEVICE_CPU, 1);
        return *n ? 0 : fail_listing(CTR_E_NODEVICE, list, "no device of kind", selector);
    }
    return by_name(order, n, list, selector);
}
