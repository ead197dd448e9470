/* method.c -- the list of methods. A new one: its file, its declaration, its row here. */
#include "method/method.h"

#include <string.h>

extern const struct ctr_method ctr_method_simclr;

const struct ctr_method *const ctr_methods[] = {
    &ctr_method_simclr,
    NULL,
};

const struct ctr_method *ctr_method_find(const char *name)
{
    for (const struct ctr_method *const *m = ctr_methods; *m; m++)
        if (strcmp((*m)->name, name) == 0)
            return *m;
    return NULL;
}
