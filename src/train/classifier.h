/* classifier.h -- the classifier that `supervised` trains along with its encoder, as a checkpoint holds it:
 * "fc.weight" [classes, D], "fc.bias" [classes], and in the metadata "classes", the names it tells apart. */
#ifndef CTR_TRAIN_CLASSIFIER_H
#define CTR_TRAIN_CLASSIFIER_H

#include "base/str.h"
#include "data/data.h"
#include "eval/eval.h"
#include "io/safetensors.h"

/* Appends the names of the classes as one JSON array. */
void ctr_classes_json(struct ctr_str *out, const struct ctr_data_info *info);
/* *accuracy: share of rows of f, features of that encoder of images of `info`, that it gets right; NaN where
 * the checkpoint has none, or, with a warning, one for other classes. */
int ctr_classifier_score(double *accuracy, const struct ctr_st *st, const struct ctr_features *f,
                         const struct ctr_data_info *info);

#endif
