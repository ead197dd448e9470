/* method.c -- the list of methods, and how most of them begin. A new one: its file, its name here. */
#include "method/method.h"

#include <string.h>

#define METHODS(M)                                                                                 \
    M(simclr)                                                                                      \
    M(margin) M(siamese) M(triplet) M(npair) M(supcon) M(dcl) M(dclw) M(debiased) M(moco)          \
        M(nnclr) M(byol) M(simsiam) M(barlow) M(vicreg) M(swav) M(supervised)

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

static ctr_tensor *encode(struct ctr_method_io *io, ctr_tensor *views, unsigned first, unsigned n)
{
    size_t rows = views ? views->dim[0] / io->V : 0;
    if (n < io->V)
        views = ctr_take_rows(io->g, views, first * rows, n * rows);
    struct ctr_encoder_params params = io->encoder_params;
    if (io->frozen)
        params.training = 0;
    ctr_tensor *h = ctr_encode(io->g, io->encoder, views, &params);
    if (io->frozen)
        h = ctr_detach(io->g, h);
    return ctr_head(io->g, "projection_head", h, &io->head);
}

static size_t turns(const struct ctr_method_io *io)
{
    return io->N / io->micro.images;
}

/* z of all local views that there are. */
static ctr_tensor *encode_local(struct ctr_method_io *io, ctr_tensor *local)
{
    return encode(io, local, 0, io->V);
}

/* The first pass: z of n views from the z of each turn's images. */
static ctr_tensor *project_turns(struct ctr_method_io *io, unsigned first, unsigned n)
{
    const struct ctr_micro *m = &io->micro;
    ctr_tensor *turn = ctr_graph_repeat(io->g, turns(io));
    ctr_tensor *z = encode(io, m->views(m->user, io->g, turn), first, n);
    z = ctr_turn_put(io->g, z, turn, turns(io), n);
    ctr_graph_once(io->g);
    return z;
}

static ctr_tensor *project(struct ctr_method_io *io, unsigned first, unsigned n)
{
    return io->micro.images ? project_turns(io, first, n) : encode(io, io->views, first, n);
}

ctr_tensor *ctr_method_project(struct ctr_method_io *io, unsigned first, unsigned n)
{
    struct ctr_micro *m = &io->micro;
    if (m->z)
        return ctr_graph_fail(io->g, CTR_E_USAGE,
                              "micro-batches need a method that projects its views at once");
    io->z = project(io, first, n);
    if (m->images) {
        ctr_graph_want_grad(io->z);
        m->z = io->z;
        m->first = first;
        m->n = n;
    }
    return io->z;
}

ctr_tensor *ctr_method_project_local(struct ctr_method_io *io)
{
    struct ctr_micro *m = &io->micro;
    if (!m->images)
        return encode_local(io, io->local);
    ctr_tensor *turn = ctr_graph_repeat(io->g, turns(io));
    ctr_tensor *z = encode_local(io, m->local(m->user, io->g, turn));
    m->z_local = ctr_turn_put(io->g, z, turn, turns(io), io->L);
    ctr_graph_once(io->g);
    ctr_graph_want_grad(m->z_local);
    return m->z_local;
}

ctr_tensor *ctr_method_project_shadow(struct ctr_method_io *io, unsigned first, unsigned n)
{
    ctr_graph_shadow(io->g, 1);
    ctr_tensor *z = project(io, first, n);
    ctr_graph_shadow(io->g, 0);
    return z;
}

/* The sum over all rows of z_i.dz_i, whose gradient at z is dz. */
static ctr_tensor *product(ctr_graph *g, ctr_tensor *z, ctr_tensor *dz)
{
    ctr_tensor *dot = ctr_row_dot(g, z, ctr_detach(g, dz), 1, 0);
    return ctr_mean(g, dot, dot ? (float)dot->count : 0, 0);
}

/* The second pass, of one turn. */
static int backward_turn(struct ctr_method_io *io, ctr_tensor *turn)
{
    const struct ctr_micro *m = &io->micro;
    ctr_graph *g = io->g;
    ctr_tensor *z = encode(io, m->views(m->user, g, turn), m->first, m->n);
    ctr_tensor *dz = ctr_turn_take(g, m->z->grad, turn, turns(io), m->n);
    if (!m->z_local)
        return ctr_graph_backward(g, z, dz);
    ctr_tensor *local = encode_local(io, m->local(m->user, g, turn));
    ctr_tensor *dlocal = ctr_turn_take(g, m->z_local->grad, turn, turns(io), io->L);
    return ctr_graph_backward(g, ctr_add(g, product(g, z, dz), product(g, local, dlocal), 0), NULL);
}

int ctr_method_backward(struct ctr_method_io *io, ctr_tensor *seed)
{
    const struct ctr_micro *m = &io->micro;
    int rc = ctr_graph_backward(io->g, io->loss, seed);
    if (rc != 0 || !m->images)
        return rc;
    if (!m->z)
        return ctr_fail(CTR_E_USAGE, "this method knows no micro-batches");
    ctr_tensor *turn = ctr_graph_repeat(io->g, turns(io));
    io->encoder_params.training = io->head.training = CTR_TRAIN_AGAIN;
    rc = backward_turn(io, turn);
    ctr_graph_once(io->g);
    return rc;
}

ctr_tensor *ctr_method_predict(struct ctr_method_io *io, ctr_tensor *z, double hidden)
{
    struct ctr_head_params params = {.layers = 2,
                                     .hidden = (size_t)hidden,
                                     .out = z ? z->dim[1] : 0,
                                     .bn = io->head.bn,
                                     .training = io->head.training};
    return ctr_l2norm(io->g, ctr_head(io->g, "predictor", z, &params));
}

/* One more of n scalars whose mean is wanted; sum: of those before, NULL for the first. */
static ctr_tensor *add_share(ctr_graph *g, ctr_tensor *sum, ctr_tensor *x, unsigned n)
{
    ctr_tensor *share = n > 1 ? ctr_mean(g, x, 1 / (float)n, 0) : x;
    return sum ? ctr_add(g, sum, share, 0) : share;
}

ctr_tensor *ctr_method_agreement(struct ctr_method_io *io, ctr_tensor *a, ctr_tensor *b,
                                 float scale, float offset)
{
    ctr_tensor *mean = NULL;
    for (unsigned v = 1; v < io->V; v++) {
        ctr_tensor *dot = ctr_row_dot(io->g, a, b, 1, v * io->N);
        mean = add_share(io->g, mean, ctr_mean(io->g, dot, scale, offset), io->V - 1);
    }
    return mean;
}

ctr_tensor *ctr_method_similarity(struct ctr_method_io *io, ctr_tensor *z)
{
    z = ctr_l2norm(io->g, z);
    return ctr_method_agreement(io, z, z, 1, 0);
}

void ctr_method_contrast(struct ctr_method_io *io, ctr_tensor *a, ctr_tensor *b, ctr_tensor *neg,
                         ctr_tensor *top, const struct ctr_contrast *contrast)
{
    ctr_graph *g = io->g;
    for (unsigned v = 1; v < io->V; v++) {
        ctr_tensor *pos = ctr_row_dot(g, a, b, contrast->scale, v * io->N);
        ctr_tensor *loss = ctr_contrast(g, pos, neg, top, contrast);
        io->loss = add_share(g, io->loss, loss, io->V - 1);
        if (!top)
            continue;
        io->top1 = add_share(g, io->top1, ctr_contrast_nearest(loss), io->V - 1);
        io->similarity = add_share(g, io->similarity, ctr_contrast_similarity(loss), io->V - 1);
    }
}

void ctr_method_contrast_local(struct ctr_method_io *io, ctr_tensor *a, ctr_tensor *b,
                               ctr_tensor *neg, const struct ctr_contrast *contrast)
{
    ctr_graph *g = io->g;
    float others = (float)(io->V + io->L - 1);
    ctr_tensor *local = NULL;
    for (unsigned v = 0; v < io->V; v++) {
        ctr_tensor *pos = ctr_row_dot(g, a, b, contrast->scale, v * io->N);
        local = add_share(g, local, ctr_contrast(g, pos, neg, NULL, contrast), io->V);
    }
    io->loss = ctr_add(g, ctr_mean(g, io->loss, (float)(io->V - 1) / others, 0),
                       ctr_mean(g, local, (float)io->L / others, 0), 0);
}

void ctr_method_contrast_images(struct ctr_method_io *io, ctr_tensor *z,
                                const struct ctr_contrast *contrast)
{
    ctr_tensor *top = NULL, *neg = ctr_lse(io->g, z, z, contrast->scale, io->N, &top);
    ctr_method_contrast(io, z, z, neg, top, contrast);
}
