/* dev.c -- the front door: opening, memory, counting. See dev.h for the contract and impl.h for
 * what stands behind. Every argument is checked here, so that backends need not. */
#include "dev/impl.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int ctr_dev_usable(const ctr_dev *dev)
{
    if (!dev)
        return ctr_fail(CTR_E_USAGE, "no device given");
    if (dev->pid != getpid()) {
        ctr_fail(CTR_E_DEVICE, "device '%s' was opened before fork()", dev->caps.name);
        return ctr_hint(CTR_E_DEVICE, "open it in the process that uses it");
    }
    if (dev->lost)
        return ctr_fail(CTR_E_DEVICE, "device '%s' was lost by an earlier fault: %s", dev->caps.name,
                        dev->lost_by);
    return 0;
}

/* "-cl-std=CL1.2 -DCTR_CPU=1 ..." */
int ctr_dev_base_options(ctr_dev *dev)
{
    const struct ctr_caps *caps = &dev->caps;
    struct ctr_str s = {0};
    int cpu = caps->family == CTR_FAMILY_CPU;
    /* No warnings: of vectors wider than its registers clang warns at each function, and PoCL prints their number. */
    ctr_str_addf(&s, "-cl-std=CL1.2 -w -DCTR_CPU=%d -DVW=%d", cpu, cpu ? 16 : 4);
    for (unsigned bit = 0; ctr_quirk_name(bit); bit++) {
        if (!(caps->quirks >> bit & 1))
            continue;
        ctr_str_addf(&s, " -DCTR_Q_");
        for (const char *p = ctr_quirk_name(bit); *p; p++)
            ctr_str_addf(&s, "%c", *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
        ctr_str_addf(&s, "=1");
    }
    if (s.failed) {
        ctr_str_free(&s);
        return CTR_E_FAIL;
    }
    free(dev->base_options);
    dev->base_options = s.s;
    return 0;
}

static void set_quirks(ctr_dev *dev, uint32_t bits, enum ctr_family family)
{
    dev->caps.quirks = bits;
    dev->caps.family = bits & CTR_Q_FAMILY_GPU   ? CTR_FAMILY_GPU
                       : bits & CTR_Q_FAMILY_CPU ? CTR_FAMILY_CPU
                                                 : family;
}

static int open_null(ctr_dev *dev, const char *quirks)
{
    int rc = 0;
    uint32_t bits;
    CTR_TRY(ctr_quirks_detect(&bits, &(struct ctr_device_info){.name = "null", .fma = 1}, "", quirks));
    CTR_TRY(ctr_null_open(dev));
    set_quirks(dev, bits, dev->caps.family);
    CTR_TRY(ctr_dev_base_options(dev));
out:
    return rc;
}

static int open_one(ctr_dev *dev, const struct ctr_device_list *list, unsigned index,
                    const char *quirks)
{
    const struct ctr_device_info *info = &list->devices[index];
    const char *platform = list->platforms[info->platform].name;
    int rc = 0;
    uint32_t bits;
    CTR_TRY(ctr_quirks_check(info, platform));
    CTR_TRY(ctr_quirks_detect(&bits, info, platform, quirks));
    CTR_TRY(ctr_cl_open(dev, info));
    set_quirks(dev, bits, info->kind == CTR_DEVICE_CPU ? CTR_FAMILY_CPU : CTR_FAMILY_GPU);
    CTR_TRY(ctr_dev_base_options(dev));
    CTR_TRY(ctr_caps_probe(dev));
    memset(&dev->stats, 0, sizeof dev->stats);
    ctr_dev_profile_reset(dev);
out:
    return rc;
}

static ctr_dev *new_dev(const struct ctr_dev_params *params)
{
    ctr_dev *dev = ctr_alloc(1, sizeof *dev);
    if (!dev)
        return NULL;
    dev->pid = getpid();
    dev->profile = params && params->profile;
    dev->sync = params && params->sync;
    dev->tf32 = params && params->tf32;
    return dev;
}

/* Tries the candidates in turn; the failure of the last one is the failure. */
static int open_listed(ctr_dev **out, const struct ctr_device_list *list, const unsigned *order,
                       unsigned n, const struct ctr_dev_params *params)
{
    int rc = CTR_E_NODEVICE;
    for (unsigned i = 0; i < n; i++) {
        ctr_dev *dev = new_dev(params);
        if (!dev)
            return CTR_E_FAIL;
        rc = open_one(dev, list, order[i], params ? params->quirks : NULL);
        if (rc == 0) {
            *out = dev;
            return 0;
        }
        ctr_dev_destroy(&dev);
        if (rc == CTR_E_USAGE)
            return rc;
        ctr_log(CTR_LOG_WARN, "device %u '%s' cannot be used: %s", order[i],
                list->devices[order[i]].name, ctr_error_text());
    }
    return rc;
}

int ctr_dev_open(ctr_dev **out, const char *selector, const struct ctr_dev_params *params)
{
    int rc = 0;
    struct ctr_device_list *list = NULL;
    unsigned *order = NULL, n;
    if (!out)
        return ctr_fail(CTR_E_USAGE, "ctr_dev_open: no place for the device");
    if (selector && strcmp(selector, "null") == 0) {
        ctr_dev *dev = new_dev(params);
        rc = dev ? open_null(dev, params ? params->quirks : NULL) : CTR_E_FAIL;
        if (rc == 0)
            *out = dev;
        else
            ctr_dev_destroy(&dev);
        return rc;
    }
    CTR_TRY(ctr_cl_discover(&list));
    if (!(order = ctr_alloc(list->n_devices + 1, sizeof *order)))
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(ctr_select(order, &n, list, selector));
    rc = open_listed(out, list, order, n, params);
out:
    free(order);
    ctr_devices_free(&list);
    return rc;
}

void ctr_dev_destroy(ctr_dev **dev)
{
    if (!dev || !*dev)
        return;
    ctr_dev *d = *dev;
    *dev = NULL;
    if (d->pid != getpid())
        d->lost = 1;
    if (d->backend) {
        if (!d->lost)
            (void)d->backend->finish(d);
        ctr_launch_destroy_all(d);
        ctr_prog_destroy_all(d);
        /* Views first: they go with the root they keep. */
        for (int views = 1; views >= 0; views--)
            for (ctr_buf *b = d->bufs, *next; b; b = next) {
                next = b->next;
                if ((b->root != b) == views) {
                    d->backend->buf_destroy(b);
                    if (b->prev)
                        b->prev->next = next;
                    else
                        d->bufs = next;
                    if (next)
                        next->prev = b->prev;
                    free(b);
                }
            }
        d->backend->close(d);
    }
    for (size_t i = 0; i < d->n_rows; i++)
        free((char *)d->rows[i].name);
    free(d->rows);
    free(d->base_options);
    free(d);
}

const struct ctr_caps *ctr_dev_caps(const ctr_dev *dev)
{
    return &dev->caps;
}

const char *ctr_dev_name(const ctr_dev *dev)
{
    return dev->caps.name;
}

int ctr_dev_finish(ctr_dev *dev)
{
    int rc = ctr_dev_usable(dev);
    return rc ? rc : dev->backend->finish(dev);
}

struct ctr_dev_stats ctr_dev_stats(const ctr_dev *dev)
{
    return dev->stats;
}

/* ---- memory ---- */

static ctr_buf *new_buf(ctr_dev *dev, size_t bytes, const char *what)
{
    ctr_buf *b = ctr_alloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->dev = dev;
    b->root = b;
    b->bytes = bytes;
    size_t n = strlen(what);
    memcpy(b->what, what, n < sizeof b->what ? n : sizeof b->what - 1);
    return b;
}

static void link_buf(ctr_buf *b)
{
    b->next = b->dev->bufs;
    if (b->next)
        b->next->prev = b;
    b->dev->bufs = b;
}

static void free_buf(ctr_buf *b)
{
    ctr_dev *dev = b->dev;
    dev->backend->buf_destroy(b);
    if (b->prev)
        b->prev->next = b->next;
    else
        dev->bufs = b->next;
    if (b->next)
        b->next->prev = b->prev;
    if (b->root == b)
        dev->stats.live_bytes -= b->bytes;
    free(b);
}

/* When nothing is queued that may use it: PoCL 7.1 ends the process where a command's end releases the
 * last hold on a buffer. Its views first, the newest first: NVIDIA's driver (580) crashes in the release of a
 * buffer whose overlapping sub-buffers went before it in the order in which they came. */
static void free_root(ctr_buf *root)
{
    if (!root->dev->lost)
        (void)root->dev->backend->finish(root->dev);
    for (ctr_buf *b = root->dev->bufs, *next; b; b = next) {
        next = b->next;
        if (b->root == root && b != root)
            free_buf(b);
    }
    free_buf(root);
}

int ctr_buf_create(ctr_buf **out, ctr_dev *dev, size_t bytes, const char *what)
{
    int rc = ctr_dev_usable(dev);
    if (rc)
        return rc;
    if (!out || bytes == 0)
        return ctr_fail(CTR_E_USAGE, "buffer '%s' on '%s': empty", what ? what : "",
                        dev->caps.name);
    uint64_t free_bytes = dev->caps.global_bytes > dev->stats.live_bytes
                              ? dev->caps.global_bytes - dev->stats.live_bytes
                              : 0;
    if (bytes > dev->caps.max_alloc_bytes || bytes > free_bytes)
        return ctr_fail(CTR_E_DEVMEM,
                        "'%s' needs %zu bytes on '%s', which has %" PRIu64
                        " bytes left and allows %" PRIu64 " in one piece",
                        what ? what : "a buffer", bytes, dev->caps.name, free_bytes,
                        dev->caps.max_alloc_bytes);
    ctr_buf *b = new_buf(dev, bytes, what ? what : "buffer");
    if (!b)
        return CTR_E_FAIL;
    rc = dev->backend->buf_create(b);
    if (rc) {
        free(b);
        return rc;
    }
    link_buf(b);
    dev->stats.allocations++;
    dev->stats.live_bytes += bytes;
    if (dev->stats.live_bytes > dev->stats.peak_bytes)
        dev->stats.peak_bytes = dev->stats.live_bytes;
    *out = b;
    return 0;
}

/* Checks that a range lies inside a live buffer of a usable device. */
static int check_range(const ctr_buf *buf, size_t at, size_t bytes, const char *doing)
{
    if (!buf)
        return ctr_fail(CTR_E_USAGE, "%s: no buffer given", doing);
    int rc = ctr_dev_usable(buf->dev);
    if (rc)
        return rc;
    if (at > buf->bytes || bytes > buf->bytes - at)
        return ctr_fail(CTR_E_USAGE, "%s: bytes %zu..%zu are outside '%s' of %zu bytes", doing, at,
                        at + bytes, buf->what, buf->bytes);
    return 0;
}

int ctr_buf_view(ctr_buf **out, ctr_buf *parent, size_t at, size_t bytes)
{
    int rc = check_range(parent, at, bytes, "view");
    if (rc)
        return rc;
    ctr_dev *dev = parent->dev;
    if (!out || bytes == 0)
        return ctr_fail(CTR_E_USAGE, "view of '%s': empty", parent->what);
    if (at % dev->caps.align_bytes)
        return ctr_fail(CTR_E_USAGE, "view of '%s': byte %zu is not a multiple of %zu",
                        parent->what, at, dev->caps.align_bytes);
    ctr_buf *b = new_buf(dev, bytes, parent->what);
    if (!b)
        return CTR_E_FAIL;
    b->root = parent->root;
    b->at = parent->at + at;
    rc = dev->backend->buf_view(b);
    if (rc) {
        free(b);
        return rc;
    }
    b->root->views++;
    link_buf(b);
    *out = b;
    return 0;
}

void ctr_buf_destroy(ctr_buf **buf)
{
    if (!buf || !*buf)
        return;
    ctr_buf *b = *buf, *root = b->root;
    *buf = NULL;
    b->closed = 1;
    if (b != root)
        root->views--;
    if (root->closed && root->views == 0)
        free_root(root);
}

size_t ctr_buf_bytes(const ctr_buf *buf)
{
    return buf->bytes;
}

int ctr_buf_write(ctr_buf *dst, size_t at, const void *src, size_t bytes)
{
    int rc = check_range(dst, at, bytes, "write");
    if (rc || bytes == 0)
        return rc;
    return dst->dev->backend->buf_write(dst, at, src, bytes);
}

int ctr_buf_read(void *dst, ctr_buf *src, size_t at, size_t bytes)
{
    int rc = check_range(src, at, bytes, "read");
    if (rc || bytes == 0)
        return rc;
    return src->dev->backend->buf_read(dst, src, at, bytes);
}

int ctr_buf_fill(ctr_buf *dst, size_t at, size_t bytes, uint32_t pattern)
{
    int rc = check_range(dst, at, bytes, "fill");
    if (rc || bytes == 0)
        return rc;
    if (at % 4 || bytes % 4)
        return ctr_fail(CTR_E_USAGE, "fill of '%s': %zu bytes at %zu, not multiples of 4",
                        dst->what, bytes, at);
    return dst->dev->backend->buf_fill(dst, at, bytes, pattern);
}
