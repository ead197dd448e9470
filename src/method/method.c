/* method.c -- the list of methods, and how most of them begin. A new one: its file, its name here. */
#include "method/method.h"

#include <string.h>

#define METHODS(M)                                                                                 \
    M(simclr)                                                                                      \
    M(margin) M(triplet) M(npair) M(supcon) M(dcl) M(dclw) M(debiased) M(moco) M(nnclr) M(byol)    \
        M(simsiam) M(barlow) M(vicreg) M(swav)

#define DECLARE(name) extern const struct ctr_method ctr_method_##name;
#define ROW(name)     &ctr_method_##name,

METHODS(DECLARE)
const struct ctr_method *const ctr_methods[] = {METHODS(ROW) NULL};

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
    ctr_tensor *z = ctr_head(io->g, "projection_head", h, &io->head);
    if (!io->z)
        io->z = z;
    return z;
}

ctr_tensor *ctr_method_project_shadow(struct ctr_method_io *io, ctr_tensor *views)
{
    ctr_graph_shadow(io->g, 1);
    ctr_tensor *z = ctr_method_project(io, views);
    ctr_graph_shadow(io->g, 0);
    return z;
}

ctr_tensor *ctr_method_predict(struct ctr_method_io *io, ctr_tensor *z, double hidden)
{
    struct ctr_head_params params = {.layers = 2,
                                     .hidden = (size_t)hidden,
                                     .out = z ? z->dim[1] : 0,
                                     .bn = io->head.bn,
                                     .training = 1};
    return ctr_l2norm(io->g, ctr_head(io->g, "predictor", z, &params));
}

ctr_tensor *ctr_method_similarity(struct ctr_method_io *io, ctr_tensor *z)
{
    z = ctr_l2norm(io->g, z);
    return ctr_mean(io->g, ctr_row_dot(io->g, z, z, 1, io->N), 1, 0);
}
