/* thumbs.c -- see thumbs.h. In: a data set, names. Out: RGB pixels. */
#include "thumbs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "data/image.h"

struct named {
    const char *name;
    uint32_t image;
};

static int by_name(const void *pa, const void *pb)
{
    const struct named *a = pa, *b = pb;
    return strcmp(a->name, b->name);
}

static int sort_names(struct thumbs *t)
{
    const struct ctr_data_info *info = ctr_data_info(t->data);
    struct named *list = ctr_alloc(info->n, sizeof *list);
    t->n = info->n;
    t->name = ctr_alloc(t->n, sizeof *t->name);
    t->image = ctr_alloc(t->n, sizeof *t->image);
    t->pixels = ctr_alloc(ctr_data_image_bytes(info), 1);
    if (!list || !t->name || !t->image || !t->pixels) {
        free(list);
        return CTR_E_FAIL;
    }
    for (size_t i = 0; i < t->n; i++)
        list[i] = (struct named){info->names[i], (uint32_t)i};
    qsort(list, t->n, sizeof *list, by_name);
    for (size_t i = 0; i < t->n; i++) {
        t->name[i] = list[i].name;
        t->image[i] = list[i].image;
    }
    free(list);
    return 0;
}

int thumbs_open(struct thumbs *out, const char *path, const char *split, unsigned side)
{
    struct thumbs t = {0};
    struct ctr_data_params params = {.path = path, .split = split, .max_bad = 1};
    int rc = ctr_data_open(&t.data, &params);
    if (rc == 0 && ctr_data_info(t.data)->width > side) {
        ctr_data_close(&t.data);
        params.image_size = side;
        rc = ctr_data_open(&t.data, &params);
    }
    if (rc == 0)
        rc = sort_names(&t);
    if (rc == 0)
        *out = t;
    else
        thumbs_close(&t);
    return rc;
}

void thumbs_close(struct thumbs *t)
{
    ctr_data_close(&t->data);
    free(t->name);
    free(t->image);
    free(t->pixels);
    *t = (struct thumbs){0};
}

static void to_rgb(uint8_t *rgb, const uint8_t *pixels, unsigned side, unsigned channels,
                   unsigned bytes)
{
    for (size_t i = 0; i < (size_t)side * side; i++)
        for (size_t c = 0; c < 3; c++) {
            size_t at = i * channels + (channels < 3 ? 0 : c);
            uint16_t wide = 0;
            if (bytes == 2)
                memcpy(&wide, pixels + 2 * at, sizeof wide);
            rgb[3 * i + c] = bytes == 1 ? pixels[at] : (uint8_t)((wide + 128) / 257);
        }
}

static int by_text(const void *key, const void *name)
{
    return strcmp(key, *(const char *const *)name);
}

int thumbs_get(uint8_t *rgb, unsigned *side, struct thumbs *t, const char *name)
{
    const struct ctr_data_info *info = ctr_data_info(t->data);
    const char **found = bsearch(name, t->name, t->n, sizeof *t->name, by_text);
    uint32_t used = 0, image;
    if (!found)
        return ctr_fail(CTR_E_DATA, "'%s' is not in '%s'", name, info->path);
    image = t->image[found - t->name];
    int rc = ctr_data_read(t->data, t->pixels, &used, &image, 1);
    if (rc == 0 && used != image)
        rc = ctr_fail(CTR_E_DATA, "'%s' cannot be read any more", name);
    if (rc == 0)
        to_rgb(rgb, t->pixels, *side = info->width, info->channels, info->sample_bytes);
    return rc;
}

int thumb_of_file(uint8_t *rgb, unsigned *side, const char *path)
{
    struct ctr_image image = {0};
    void *file = NULL;
    size_t n = 0;
    int rc = ctr_file_read(&file, &n, path, CTR_IMAGE_MAX_FILE);
    if (rc == 0)
        rc = ctr_image_decode(&image, file, n, THUMB_SIDE);
    if (rc == 0) {
        unsigned shorter = image.width < image.height ? image.width : image.height;
        rc = ctr_image_fit(&image, shorter < THUMB_SIDE ? shorter : THUMB_SIDE);
    }
    if (rc == 0)
        rc = ctr_image_convert(&image, ctr_pixel_usual(image.pixel), 1);
    if (rc == 0)
        to_rgb(rgb, image.pixels, *side = image.width, image.pixel.channels, 1);
    ctr_image_free(&image);
    free(file);
    return rc;
}
