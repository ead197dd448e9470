/* devices.c -- the OpenCL devices of this machine, and whether they compute correctly.
 *
 *     cc devices.c -o devices $(pkg-config --cflags --libs clcontrast)
 *     ./devices */
#include <clcontrast/device.h>
#include <stdio.h>

int main(void)
{
    struct ctr_device_list *list = NULL;
    int rc = ctr_devices_list(&list, 1);
    if (rc != 0) {
        fprintf(stderr, "error: %s\n", ctr_error_text());
        return rc;
    }
    for (unsigned i = 0; i < list->n_devices; i++) {
        const struct ctr_device_info *d = &list->devices[i];
        printf("%u: %s, %u units, %.1f GiB: %s\n", d->index, d->name, d->compute_units,
               (double)d->global_bytes / (1 << 30), d->probe);
    }
    ctr_devices_free(&list);
    return 0;
}
