/* pixels.c -- vectors of images that are in memory and never were files: how alike an encoder takes
 * a disc, the same disc elsewhere, and stripes. Prints the cosine of each pair.
 *
 *     cc pixels.c -o pixels $(pkg-config --cflags --libs clcontrast)
 *     ./pixels run */
#include <clcontrast/model.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 48, IMAGES = 3 };

static unsigned char pixels[IMAGES][SIDE][SIDE]; /* grey */

static void draw(void)
{
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            pixels[0][y][x] = (x - 20) * (x - 20) + (y - 20) * (y - 20) < 150 ? 230 : 40;
            pixels[1][y][x] = (x - 27) * (x - 27) + (y - 25) * (y - 25) < 150 ? 230 : 40;
            pixels[2][y][x] = x / 4 % 2 ? 230 : 40;
        }
}

static int compare(ctr_model *model)
{
    const size_t D = ctr_model_info(model)->D;
    const struct ctr_pixels images = {
        .values = pixels, .n = IMAGES, .height = SIDE, .width = SIDE, .channels = 1, .bits = 8};
    float *x = malloc(IMAGES * D * sizeof *x);
    int rc = x ? ctr_model_embed_pixels(x, model, &images, 1) : CTR_E_FAIL;
    for (size_t i = 0; rc == 0 && i < IMAGES; i++)
        for (size_t j = 0; j < IMAGES; j++) {
            double cosine = 0; /* of vectors of length one */
            for (size_t d = 0; d < D; d++)
                cosine += (double)x[i * D + d] * (double)x[j * D + d];
            printf("%.4f%s", cosine, j + 1 < IMAGES ? " " : "\n");
        }
    free(x);
    return rc;
}

int main(int argc, char **argv)
{
    ctr_dev *dev = NULL;
    ctr_model *model = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: pixels MODEL\n");
        return CTR_E_USAGE;
    }
    draw();
    int rc = ctr_dev_open(&dev, NULL, NULL);
    if (rc == 0)
        rc = ctr_model_open(&model, dev, argv[1], NULL);
    if (rc == 0)
        rc = compare(model);
    if (rc != 0)
        fprintf(stderr, "error: %s\n", ctr_error_text());
    ctr_model_close(&model);
    ctr_dev_destroy(&dev);
    return rc;
}
