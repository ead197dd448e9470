/* method.c -- the list of methods, and how most of them begin. A new one: its file, its
 * declaration, its row here. */
#include "method/method.h"

#include <string.h>

extern const struct ctr_method ctr_method_simclr, ctr_method_supcon, ctr_method_moco,
    ctr_method_byol, ctr_method_simsiam;

const struct ctr_method *const ctr_methods[] = {
    &ctr_method_simclr, &ctr_method_supcon,  &ctr_method_moco,
    &ctr_method_byol,   &ctr_method_simsiam, NULL,
};

const struct ctr_method *ctr_method_find(const char *name)
{
    for (const struct ctr_method *const *m = ctr_methods; *m; m++)
        if (strcmp((*m)->name, name) == 0)
            return *m;
    return NULL;
}

ctr_tensor *ctr_method_project(struct ctr_method_io *io, ctr_tensor *views)
{
    ctr_tensor *h = io->encoder->build(io->g, views, &io->encoder_params);
    return ctr_head(io->g, "projection_head", h, &io->head);
}

ctr_tensor *ctr_method_project_shadow(struct ctr_method_io *io, ctr_tensor *views)
{
    ctr_graph_shadow(io->g, 1);
    ctr_tensor *z = ctr_method_project(io, views);
    ctr_graph_shadow(io->g, 0);
    return z;
}
