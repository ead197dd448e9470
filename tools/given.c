/* given.c -- see given.h. */
#include "given.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "embed_data.h"
#include "eval/eval.h"
#include "term.h"

int given_is_npy(const char *path)
{
    char magic[6] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd < 0 ? 0 : read(fd, magic, sizeof magic);
    if (fd >= 0)
        close(fd);
    size_t length = strlen(path);
    return (n == (ssize_t)sizeof magic && memcmp(magic, "\x93NUMPY", 6) == 0) ||
           (length > 4 && strcmp(path + length - 4, ".npy") == 0);
}

int given_dev(struct given *g)
{
    return g->dev ? 0 : ctr_dev_open(&g->dev, g->o.device, NULL);
}

int given_model(struct given *g, const char *run_or_file, int projections)
{
    const struct ctr_model_params params = {.projections = projections, .batch = g->o.batch};
    if (g->model)
        return 0;
    int rc = given_dev(g);
    if (rc != 0)
        return rc;
    term_progress("building kernels");
    return ctr_model_open(&g->model, g->dev, run_or_file, &params);
}

static int embed(struct given *g, const char *path)
{
    int rc = 0;
    const struct given_options *o = &g->o;
    const struct ctr_model_data_params images = {
        .path = o->data, .split = o->split, .limit = o->limit, .threads = (unsigned)o->threads};
    CTR_TRY(given_model(g, path, 0));
    CTR_TRY(ctr_model_data(&g->data, g->model, &images));
    CTR_TRY(embed_data(&g->embedding, g->model, g->data, 0));
    const struct ctr_data_info *info = ctr_data_info(g->data);
    const struct ctr_model_info *model = ctr_model_info(g->model);
    g->vectors = (struct ctr_vectors){.n = g->embedding.n,
                                      .D = g->embedding.D,
                                      .x = g->embedding.x,
                                      .label = info->n_classes ? g->embedding.label : NULL,
                                      .name = g->embedding.name,
                                      .class_name = info->class_names,
                                      .n_classes = info->n_classes,
                                      .model = model->path,
                                      .data = o->data ? o->data : model->data,
                                      .split = info->split,
                                      .step = model->step};
out:
    return rc;
}

int given_vectors(struct ctr_vectors *out, const char *path)
{
    int rc = ctr_vectors_read(out, path);
    if (rc == 0 && (rc = ctr_rows_check(out->x, out->n, out->D, "vector")) != 0) {
        ctr_vectors_free(out);
        rc = ctr_fail_in(rc, "'%s'", path);
    }
    return rc;
}

int given_open(struct given *g, const char *path)
{
    if (!given_is_npy(path))
        return embed(g, path);
    int rc = given_vectors(&g->vectors, path);
    if (rc == 0 && g->o.data)
        g->vectors.data = g->o.data;
    if (rc == 0 && g->o.split)
        g->vectors.split = g->o.split;
    return rc;
}

void given_close(struct given *g)
{
    if (g->vectors.owned)
        ctr_vectors_free(&g->vectors);
    ctr_embedding_free(&g->embedding);
    ctr_data_close(&g->data);
    ctr_model_close(&g->model);
    ctr_dev_destroy(&g->dev);
    *g = (struct given){0};
}
