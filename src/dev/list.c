/* list.c -- the public list of devices. See include/clcontrast/device.h. */
#include "dev/impl.h"

#include <stdlib.h>

void ctr_devices_free(struct ctr_device_list **list)
{
    if (!list || !*list)
        return;
    free((*list)->platforms);
    free((*list)->devices);
    free(*list);
    *list = NULL;
}
