/* names.c -- words that options take, from the tables of those who know them. */
#include "names.h"

#include "data/data.h"
#include "data/pipeline.h"
#include "method/method.h"
#include "nn/nn.h"
#include "optim/optim.h"

static const char *encoder(size_t i, const char **text)
{
    *text = ctr_encoders[i].text;
    return ctr_encoders[i].name;
}

const struct opt_names names_encoders = {.what = "encoder",
                                         .title = "Encoders",
                                         .see = "`clcontrast train --help` lists them",
                                         .few = 1,
                                         .get = encoder};

static const char *method(size_t i, const char **text)
{
    const struct ctr_method *m = ctr_methods[i];
    *text = m ? m->text : NULL;
    return m ? m->name : NULL;
}

const struct opt_names names_methods = {.what = "method",
                                        .title = "Methods",
                                        .see = "`clcontrast train --help` lists them",
                                        .get = method};

static const char *optimizer(size_t i, const char **text)
{
    const struct ctr_optim *o = ctr_optims[i];
    *text = o ? o->text : NULL;
    return o ? o->name : NULL;
}

const struct opt_names names_optimizers = {.what = "optimizer",
                                           .title = "Optimizers",
                                           .see = "`clcontrast train --help` lists them",
                                           .few = 1,
                                           .get = optimizer};

static const char *split(size_t i, const char **text)
{
    *text = "";
    return ctr_data_split(i);
}

const struct opt_names names_splits = {
    .what = "split",
    .title = "Splits",
    .see = "parts are train, test, val, all, unlabeled",
    .few = 1,
    .get = split};

static const char *device(size_t i, const char **text)
{
    static const char *const kinds[][2] = {{"gpu", "the first GPU"}, {"cpu", "the first CPU"}};
    *text = i < 2 ? kinds[i][1] : NULL;
    return i < 2 ? kinds[i][0] : NULL;
}

const struct opt_names names_devices = {.what = "device", .title = "Devices", .get = device};

static const char *line(size_t i, const char **text)
{
    *text = ctr_augment_presets[i].help;
    return ctr_augment_presets[i].name;
}

const struct opt_names names_lines = {.what = "line", .title = "Lines", .get = line};
