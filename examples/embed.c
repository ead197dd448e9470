/* embed.c -- the vector of each image of a directory, as CSV: name, class, values; names are not
 * quoted, so they should have no commas.
 *
 *     cc embed.c -o embed $(pkg-config --cflags --libs clcontrast)
 *     ./embed run photos > vectors.csv */
#include <clcontrast/model.h>
#include <stdio.h>

static void print(const struct ctr_embedding *e, const struct ctr_data_info *info)
{
    for (size_t i = 0; i < e->n; i++) {
        printf("%s,%s", e->name[i], e->label[i] < 0 ? "" : info->class_names[e->label[i]]);
        for (size_t d = 0; d < e->D; d++)
            printf(",%.9g", (double)e->x[i * e->D + d]);
        printf("\n");
    }
}

static int embed(const char *run, const char *images)
{
    ctr_dev *dev = NULL;
    ctr_model *model = NULL;
    ctr_data *data = NULL;
    struct ctr_embedding e = {0};
    int rc = ctr_dev_open(&dev, NULL, NULL);
    if (rc == 0)
        rc = ctr_model_open(&model, dev, run, NULL);
    if (rc == 0)
        rc = ctr_model_data(&data, model, &(struct ctr_model_data_params){.path = images});
    if (rc == 0)
        rc = ctr_model_embed(&e, model, data, 0, NULL, NULL);
    if (rc == 0)
        print(&e, ctr_data_info(data));
    for (size_t i = 0; rc == 0 && i < ctr_data_n_skipped(data); i++) {
        struct ctr_data_skip skip = ctr_data_skip(data, i);
        fprintf(stderr, "skipped %s: %s\n", skip.path, skip.reason);
    }
    ctr_embedding_free(&e);
    ctr_data_close(&data);
    ctr_model_close(&model);
    ctr_dev_destroy(&dev);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: embed MODEL IMAGES\n");
        return CTR_E_USAGE;
    }
    int rc = embed(argv[1], argv[2]);
    if (rc != 0)
        fprintf(stderr, "error: %s\n", ctr_error_text());
    return rc;
}
