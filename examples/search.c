/* search.c -- the images of a directory that are most like each of some others.
 *
 *     cc search.c -o search $(pkg-config --cflags --libs clcontrast)
 *     ./search run photos cat.jpg dog.jpg */
#include <clcontrast/model.h>
#include <clcontrast/search.h>
#include <stdio.h>
#include <stdlib.h>

enum { NEAREST = 5 };

/* The vectors of a directory are searched with those of files. */
static int search(ctr_dev *dev, ctr_model *model, const struct ctr_embedding *e,
                  const char *const *paths, size_t n)
{
    size_t k = e->n < NEAREST ? e->n : NEAREST;
    float *query = malloc(n * e->D * sizeof *query);
    struct ctr_hit *hits = malloc(n * k * sizeof *hits);
    ctr_index *index = NULL;
    int rc = query && hits ? 0 : CTR_E_FAIL;
    if (rc == 0)
        rc = ctr_model_embed_files(query, model, paths, n, 0);
    if (rc == 0)
        rc = ctr_index_create(&index, dev, e->x, e->n, e->D, CTR_COSINE, 0);
    if (rc == 0)
        rc = ctr_index_search(hits, index, query, n, k);
    for (size_t q = 0; rc == 0 && q < n; q++) {
        printf("%s\n", paths[q]);
        for (size_t i = 0; i < k; i++)
            printf("  %.4f %s\n", hits[q * k + i].score, e->name[hits[q * k + i].row]);
    }
    ctr_index_destroy(&index);
    free(hits);
    free(query);
    return rc;
}

int main(int argc, char **argv)
{
    ctr_dev *dev = NULL;
    ctr_model *model = NULL;
    ctr_data *data = NULL;
    struct ctr_embedding e = {0};
    if (argc < 4) {
        fprintf(stderr, "usage: search MODEL IMAGES QUERY...\n");
        return CTR_E_USAGE;
    }
    int rc = ctr_dev_open(&dev, NULL, NULL);
    if (rc == 0)
        rc = ctr_model_open(&model, dev, argv[1], NULL);
    if (rc == 0)
        rc = ctr_model_data(&data, model, &(struct ctr_model_data_params){.path = argv[2]});
    if (rc == 0)
        rc = ctr_model_embed(&e, model, data, 0, NULL, NULL);
    if (rc == 0)
        rc = search(dev, model, &e, (const char *const *)argv + 3, (size_t)argc - 3);
    if (rc != 0)
        fprintf(stderr, "error: %s\n", ctr_error_text());
    ctr_embedding_free(&e);
    ctr_data_close(&data);
    ctr_model_close(&model);
    ctr_dev_destroy(&dev);
    return rc;
}
