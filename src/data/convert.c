/* convert.c -- brings an image to the channels and the bits that a data set has.
 * In: pixels as decoded. Out: pixels as wanted; the same memory where they are so already.
 * Gray of RGB is that of ITU-R BT.601, as PIL's mode L. */
#include "data/image.h"

#include "base/status.h"

static unsigned colours(struct ctr_pixel pixel)
{
    return pixel.channels - (pixel.alpha != 0);
}

unsigned ctr_pixel_usual(struct ctr_pixel pixel)
{
    unsigned there = colours(pixel);
    return there <= 1 || there == 3 ? 3 : pixel.channels;
}

int ctr_pixel_converts(struct ctr_pixel from, unsigned channels)
{
    unsigned there = colours(from);
    return from.channels == channels || there == channels || (there == 1 && channels == 3) ||
           (there == 3 && channels == 1);
}

static unsigned get(const struct ctr_image *image, size_t i)
{
    return image->pixel.bytes == 2 ? ((const uint16_t *)image->pixels)[i] : image->pixels[i];
}

static void put(struct ctr_image *image, size_t i, unsigned value, unsigned bytes)
{
    if (bytes < image->pixel.bytes)
        value *= 257; /* 255 becomes 65535 */
    if (bytes > image->pixel.bytes)
        value = (value + 128) / 257;
    if (image->pixel.bytes == 2)
        ((uint16_t *)image->pixels)[i] = (uint16_t)value;
    else
        image->pixels[i] = (uint8_t)value;
}

/* Channel c of the pixel that begins at i. */
static unsigned channel(const struct ctr_image *from, size_t i, unsigned c, unsigned channels)
{
    if (channels == 1 && colours(from->pixel) == 3)
        return (19595 * get(from, i) + 38470 * get(from, i + 1) + 7471 * get(from, i + 2) + 32768) >> 16;
    return get(from, channels == 3 && colours(from->pixel) == 1 ? i : i + c);
}

int ctr_image_convert(struct ctr_image *image, unsigned channels, unsigned bytes)
{
    const struct ctr_pixel from = image->pixel;
    struct ctr_image made;
    if (from.channels == channels && from.bytes == bytes)
        return 0;
    if (!ctr_pixel_converts(from, channels))
        return ctr_fail(CTR_E_DATA, "%u channel%s, where the data set has %u", from.channels,
                        from.channels == 1 ? "" : "s", channels);
    int rc = ctr_image_alloc(&made, image->width, image->height,
                             (struct ctr_pixel){.channels = channels, .bytes = bytes});
    if (rc != 0)
        return rc;
    for (size_t i = 0, n = (size_t)made.width * made.height; i < n; i++)
        for (unsigned c = 0; c < channels; c++)
            put(&made, i * channels + c, channel(image, i * from.channels, c, channels), from.bytes);
    ctr_image_free(image);
    *image = made;
    return 0;
}
