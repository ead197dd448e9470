/* normalize.c -- images less a mean, divided by a deviation, before an encoder: that of networks
 * trained elsewhere. As batch-norm by given statistics, so that whatever computes or exports that
 * does this. */
#include "nn/nn.h"

#include <math.h>
#include <string.h>

/* He et al.'s training images in torchvision's models, values from 0 to 1, RGB. */
static const struct ctr_normalize imagenet = {
    3, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}};

ctr_tensor *ctr_encode(ctr_graph *g, const struct ctr_encoder *encoder, ctr_tensor *x,
                       const struct ctr_encoder_params *params)
{
    const struct ctr_normalize *n = &params->normalize;
    float one[CTR_NORMALIZE_MAX], zero[CTR_NORMALIZE_MAX] = {0}, var[CTR_NORMALIZE_MAX];
    size_t C = n->channels;
    if (C > 0 && x) {
        if (x->dim[3] != C)
            return ctr_graph_fail(g, CTR_E_USAGE,
                                  "--normalize is of %zu channels, the images have %zu", C,
                                  x->dim[3]);
        for (size_t c = 0; c < C; c++) {
            one[c] = 1;
            var[c] = n->std[c] * n->std[c];
        }
        const struct ctr_batch_norm bn = {
            .gamma = ctr_graph_constant(g, "normalize.one", CTR_F32, 1, &C, one),
            .beta = ctr_graph_constant(g, "normalize.zero", CTR_F32, 1, &C, zero),
            .running_mean = ctr_graph_constant(g, "normalize.mean", CTR_F32, 1, &C, n->mean),
            .running_var = ctr_graph_constant(g, "normalize.var", CTR_F32, 1, &C, var),
        };
        x = ctr_batch_norm(g, x, &bn);
    }
    ctr_graph_param_flags(g, CTR_PARAM_OWN_RATE);
    ctr_tensor *h = encoder->build(g, x, params);
    ctr_graph_param_flags(g, 0);
    return h;
}

/* Numbers parted by commas, up to `end`; their count, 0 when malformed or too many. */
static unsigned parse_list(float *out, const char *text, size_t length)
{
    unsigned n = 0;
    char word[32];
    double value;
    for (size_t at = 0; at < length && n < CTR_NORMALIZE_MAX; n++) {
        size_t size = strcspn(text + at, ",");
        size = size < length - at ? size : length - at;
        if (size >= sizeof word)
            return 0;
        memcpy(word, text + at, size);
        word[size] = '\0';
        if (ctr_parse_double(word, &value) != 0 || !(fabs(value) < 1e6))
            return 0;
        out[n] = (float)value;
        at += size + 1;
        if (at >= length)
            return n + 1;
    }
    return 0;
}

int ctr_normalize_lists(struct ctr_normalize *out, const char *mean, const char *std)
{
    struct ctr_normalize n = {0};
    int is_none = 1;
    n.channels = parse_list(n.mean, mean, strlen(mean));
    if (n.channels == 0 || parse_list(n.std, std, strlen(std)) != n.channels)
        return ctr_fail(CTR_E_USAGE, "'%s' and '%s' are not a mean and a deviation of each channel",
                        mean, std);
    for (unsigned c = 0; c < n.channels; c++) {
        if (!(n.std[c] > 0))
            return ctr_fail(CTR_E_USAGE, "'%s' has a deviation that is not above 0", std);
        is_none = is_none && n.mean[c] == 0 && n.std[c] == 1;
    }
    *out = is_none ? (struct ctr_normalize){0} : n;
    return 0;
}

int ctr_normalize_parse(struct ctr_normalize *out, const char *text)
{
    char mean[256];
    const char *slash = strchr(text, '/');
    if (strcmp(text, "none") == 0)
        *out = (struct ctr_normalize){0};
    else if (strcmp(text, "imagenet") == 0)
        *out = imagenet;
    else if (slash && (size_t)(slash - text) < sizeof mean) {
        memcpy(mean, text, (size_t)(slash - text));
        mean[slash - text] = '\0';
        return ctr_normalize_lists(out, mean, slash + 1);
    } else
        return ctr_hint(ctr_fail(CTR_E_USAGE, "'%s' is neither none, imagenet nor MEAN/STD", text),
                        "for RGB: 0.485,0.456,0.406/0.229,0.224,0.225");
    return 0;
}

/* "0.485" for the float nearest to it. */
static void add_number(struct ctr_str *s, float value)
{
    double round6 = nearbyint((double)value * 1e6) / 1e6;
    ctr_str_json_num(s, (float)round6 == value ? round6 : (double)value);
}

void ctr_normalize_text(struct ctr_str *mean, struct ctr_str *std, const struct ctr_normalize *n,
                        unsigned channels)
{
    for (unsigned c = 0; c < channels; c++) {
        ctr_str_addf(mean, "%s", c ? "," : "");
        ctr_str_addf(std, "%s", c ? "," : "");
        add_number(mean, n->channels ? n->mean[c] : 0);
        add_number(std, n->channels ? n->std[c] : 1);
    }
}

void ctr_normalize_line(struct ctr_str *out, const struct ctr_normalize *n)
{
    struct ctr_str std = {0};
    if (n->channels) {
        ctr_normalize_text(out, &std, n, n->channels);
        ctr_str_addf(out, "/%s", std.s ? std.s : "");
    } else {
        ctr_str_addf(out, "none");
    }
    out->failed |= std.failed;
    ctr_str_free(&std);
}
