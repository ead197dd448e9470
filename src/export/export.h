/* export.h -- a net (net.h) as other programs read it. */
#ifndef CTR_EXPORT_EXPORT_H
#define CTR_EXPORT_EXPORT_H

#include "export/net.h"

/* An ONNX model, IR 8, opset 13: "image" float[batch, C, H, W] in [0,1] -> "features" float[batch,
 * D]. `meta` become its metadata_props. CTR_E_USAGE above 2 GiB, which protobuf can't hold. */
int ctr_onnx_add(struct ctr_str *out, const struct ctr_net *net, const char *name,
                 const struct ctr_st_meta *meta, size_t n_meta);

/* C11 that needs nothing but libm: NAME_embed(features, image, work), and a main behind #ifdef
 * NAME_MAIN. `meta` stand in its head. CTR_E_USAGE above CTR_CODE_MAX values: compilers take
 * minutes for them. */
#define CTR_CODE_MAX 4000000
int ctr_code_add(struct ctr_str *out, const struct ctr_net *net, const char *name,
                 const struct ctr_st_meta *meta, size_t n_meta);

#endif
