/* recipe.c -- the table of recipes. In: a name. Out: option values, or text about them.
 *
 * Values are the source's, brought to what they mean here: learning rates are those at the recipe's
 * batch; where the source's loss is another multiple of ours, the learning rate is multiplied and the
 * weight decay divided by it, which makes the same steps of plain SGD. */
#include "recipe.h"

#include <string.h>

struct recipe {
    const char *name, *text;
    const char *source; /* where the values stand */
    /* What the source reports of them, on lossless CIFAR-10 unless it says otherwise; NULL: nothing */
    const char *score;
    const char *notes; /* what was converted, and what differs here; NULL: nothing */
    struct {
        const char *option, *value;
    } values[24]; /* ends with a NULL option */
};

/* lightly's benchmark of methods on CIFAR-10: one network, one schedule for all. */
#define LIGHTLY_SOURCE "lightly, cifar10_benchmark.py and benchmarks.rst"
#define LIGHTLY_NET {"encoder", "resnet18"}, {"batch", "128"}, {"epochs", "200"}
#define LIGHTLY_VIEWS {"augment", "crop(0.08,1) flip jitter(0.4,0.4,0.4,0.1;0.8) gray(0.2)"}
#define LIGHTLY_SGD                                                                                \
    LIGHTLY_NET, {"optimizer", "sgd"}, {"learning-rate", "0.06"}, {"weight-decay", "0.0005"},      \
        LIGHTLY_VIEWS
#define KNN200(percent) "kNN 200@0.1 " percent " %, the best epoch on the test set"

/* dkobak's SimCLR: whatever the length */
#define DKOBAK                                                                                     \
    {"method", "simclr"}, {"encoder", "resnet18"}, {"batch", "512"}, {"optimizer", "sgd"},         \
        {"weight-decay", "0.0005"}, {"temperature", "0.5"}, {"head-hidden", "1024"},               \
        {"head-out", "128"}, {"head-bn", "false"},                                                 \
        {"augment", "crop(0.2,1) flip jitter(0.4,0.4,0.4,0.1;0.8) gray(0.1)"}

/* Ends with a row without a name. */
static const struct recipe recipes[] = {
    {"simclr", "the defaults, whatever the data", "Chen et al., arXiv:2002.05709", NULL, NULL, {{0}}},
    {"shapes",
     "for the built-in drawings: views keep the shape and lose the colour",
     "found by trial; tools/quickstart.sh",
     NULL,
     "colour alone tells drawings apart too easily",
     {{"epochs", "60"},
      {"batch", "128"},
      {"temperature", "0.2"},
      {"augment", "crop(0.4) flip jitter(0.8,0.8,0.8,0.2;1) gray(0.5)"}}},
    {"cifar10-hour",
     "SimCLR with small views, narrow ResNet-10, 18 epochs: less than an hour on two CPU cores",
     "found by trial; docs/EVALUATION.md",
     "kNN 20 74.4 %, linear 76.0 %, last epoch, one seed, JPEG copies",
     NULL,
     {{"encoder", "resnet10"},
      {"stem", "cifar"},
      {"width", "0.5"},
      {"view-size", "24"},
      {"local-views", "4"},
      {"local-size", "16"},
      {"augment", "crop(0.3) flip jitter(0.4,0.4,0.4,0.1;0.8) gray(0.2)"},
      {"local-augment", "crop(0.08,0.4) flip jitter(0.4,0.4,0.4,0.1;0.8) gray(0.2)"},
      {"batch", "256"},
      {"temperature", "0.2"},
      {"optimizer", "sgd"},
      {"learning-rate", "0.36"},
      {"weight-decay", "0.0005"},
      {"warmup-epochs", "1"},
      {"epochs", "18"}}},
    {"simclr-cifar10",
     "SimCLR, ResNet-18, 1000 epochs",
     "dkobak/simclr-cifar10, README.md and simclr-cifar10.py",
     "kNN 10 91.4 %, linear 91.7 %, last epoch, three seeds",
     NULL,
     {DKOBAK, {"epochs", "1000"}, {"learning-rate", "0.06"}}},
    {"simclr-cifar10-short",
     "SimCLR, ResNet-18, 100 epochs",
     "dkobak/simclr-cifar10, README.md",
     "kNN 10 83.2 +- 0.2 %, linear 85.6 +- 0.2 %, last epoch, three seeds",
     NULL,
     {DKOBAK, {"epochs", "100"}, {"learning-rate", "0.12"}}},
    {"moco-cifar10",
     "MoCo v2, ResNet-18, 200 epochs",
     LIGHTLY_SOURCE,
     KNN200("83.8"),
     "there batch-norm sees an eighth of the batch at a time, shuffled for the following network",
     {LIGHTLY_SGD,
      {"method", "moco"},
      {"temperature", "0.1"},
      {"queue", "4096"},
      {"ema", "0.99"},
      {"symmetric", "1"},
      {"head-hidden", "512"},
      {"head-out", "128"},
      {"head-bn", "false"}}},
    {"byol-cifar10",
     "BYOL, ResNet-18, 200 epochs",
     LIGHTLY_SOURCE,
     KNN200("86.9"),
     "the loss there is half of ours: learning rate halved, weight decay doubled; ema stays 0.99 "
     "there and rises to 1 here",
     {LIGHTLY_NET,
      {"method", "byol"},
      {"optimizer", "sgd"},
      {"learning-rate", "0.03"},
      {"weight-decay", "0.001"},
      {"ema", "0.99"},
      {"predictor-hidden", "1024"},
      {"head-hidden", "1024"},
      {"head-out", "256"},
      LIGHTLY_VIEWS}},
    {"simsiam-cifar10",
     "SimSiam, ResNet-18, 200 epochs",
     LIGHTLY_SOURCE,
     KNN200("81.9"),
     "the last batch-norm of the head has scale and shift there, not here",
     {LIGHTLY_SGD,
      {"method", "simsiam"},
      {"predictor-hidden", "512"},
      {"head-hidden", "2048"},
      {"head-out", "2048"}}},
    {"barlow-cifar10",
     "Barlow Twins, ResNet-18, 200 epochs",
     LIGHTLY_SOURCE,
     KNN200("84.2"),
     NULL,
     {LIGHTLY_SGD,
      {"method", "barlow"},
      {"lambda", "0.005"},
      {"head-hidden", "2048"},
      {"head-out", "2048"}}},
    {"nnclr-cifar10",
     "NNCLR, ResNet-18, 200 epochs",
     LIGHTLY_SOURCE,
     KNN200("83.4"),
     "there views of the same side are negatives, too, and the head ends in a batch-norm",
     {LIGHTLY_SGD,
      {"method", "nnclr"},
      {"temperature", "0.5"},
      {"queue", "4096"},
      {"predictor-hidden", "4096"},
      {"head-hidden", "2048"},
      {"head-out", "256"}}},
    {"swav-cifar10",
     "SwAV without small crops, ResNet-18, 200 epochs",
     LIGHTLY_SOURCE,
     KNN200("81.2"),
     "Adam there",
     {LIGHTLY_NET,
      {"method", "swav"},
      {"optimizer", "adamw"},
      {"learning-rate", "0.001"},
      {"weight-decay", "1e-06"},
      {"temperature", "0.1"},
      {"prototypes", "512"},
      {"sinkhorn-eps", "0.05"},
      {"sinkhorn-rounds", "3"},
      {"head-hidden", "512"},
      {"head-out", "128"},
      {"augment", "crop(0.14,1) flip jitter(0.64,0.64,0.64,0.16;0.8) gray(0.2)"}}},
    {"dcl-cifar10",
     "DCL, ResNet-18, 200 epochs",
     LIGHTLY_SOURCE,
     KNN200("84.4"),
     "the head ends in a batch-norm there",
     {LIGHTLY_SGD,
      {"method", "dcl"},
      {"temperature", "0.1"},
      {"head-hidden", "512"},
      {"head-out", "128"}}},
    {"dclw-cifar10",
     "DCLW, ResNet-18, 200 epochs",
     LIGHTLY_SOURCE,
     KNN200("83.3"),
     "the head ends in a batch-norm there",
     {LIGHTLY_SGD,
      {"method", "dclw"},
      {"temperature", "0.1"},
      {"sigma", "0.5"},
      {"head-hidden", "512"},
      {"head-out", "128"}}},
    {"vicreg-cifar10",
     "VICReg, ResNet-18, 1000 epochs",
     "solo-learn, scripts/pretrain/cifar/vicreg.yaml and README.md",
     "linear, trained along, 92.07 %",
     "the term of deviations is half of theirs here: its weight is doubled; their first convolution "
     "pads by 2, ours by 1; half precision there",
     {{"method", "vicreg"},
      {"encoder", "resnet18"},
      {"batch", "256"},
      {"epochs", "1000"},
      {"optimizer", "lars"},
      {"eta", "0.02"},
      {"clip", "1"},
      {"learning-rate", "0.3"},
      {"weight-decay", "0.0001"},
      {"warmup-epochs", "10"},
      {"sim-weight", "25"},
      {"std-weight", "50"},
      {"cov-weight", "1"},
      {"head-layers", "3"},
      {"head-hidden", "2048"},
      {"head-out", "2048"},
      {"augment", "crop(0.2,1) jitter(0.4,0.4,0.2,0.1;0.8) gray(0.2) solarize(0.5;0.1) flip"},
      {"resize", "bicubic"}}},
    {"supcon-cifar10",
     "supervised contrastive, ResNet-50, 1000 epochs; needs classes",
     "HobbitLong/SupContrast, README.md and main_supcon.py",
     "linear 96.0 %, the best epoch on the test set",
     "the loss there is 0.1 / 0.07 times ours: learning rate multiplied, weight decay divided by that",
     {{"method", "supcon"},
      {"encoder", "resnet50"},
      {"batch", "1024"},
      {"epochs", "1000"},
      {"optimizer", "sgd"},
      {"learning-rate", "0.714286"},
      {"weight-decay", "7e-05"},
      {"warmup-epochs", "10"},
      {"temperature", "0.1"},
      {"head-hidden", "2048"},
      {"head-out", "128"},
      {"head-bn", "false"},
      {"augment", "crop(0.2,1) flip jitter(0.4,0.4,0.4,0.1;0.8) gray(0.2)"}}},
    {"pairwise-cifar10",
     "pairs of the same and of other classes, small network, 5 epochs; needs classes",
     "the Siamese network of Hadsell et al., CVPR 2006, as tutorials have it for CIFAR-10",
     NULL,
     "the learning rate is Adam's usual one; all pairs of a batch are used; a tenth of the images "
     "validates after each epoch",
     {{"method", "margin"},
      {"encoder", "cnn"},
      {"epochs", "5"},
      {"optimizer", "adamw"},
      {"learning-rate", "0.001"},
      {"weight-decay", "0"},
      {"margin", "1"},
      {"by-class", "1"},
      {"views", "1"},
      {"validation", "0.1"},
      {"head-layers", "0"},
      {"augment", "none"}}},
    {0},
};

const char *recipe_default(const char *data)
{
    return !data || strcmp(data, "shapes") == 0 ? "shapes" : "simclr";
}

static const struct recipe *find(const char *name)
{
    const struct recipe *r = recipes;
    while (r->name && strcmp(r->name, name) != 0)
        r++;
    return r->name ? r : NULL;
}

static const char *name_of(size_t i, const char **text)
{
    *text = recipes[i].text;
    return recipes[i].name;
}

const struct opt_names recipe_names = {
    .what = "recipe", .title = "Recipes", .see = "`clcontrast recipes` lists them", .get = name_of};

int recipe_apply(struct opt_set *set, const char *name)
{
    const struct recipe *r = find(name);
    int rc = opt_check_name(&recipe_names, name);
    for (size_t i = 0; rc == 0 && r->values[i].option; i++)
        if (opt_find(set, r->values[i].option)) /* not those of a method that another has replaced */
            rc = opt_assign(set, r->values[i].option, r->values[i].value, OPT_RECIPE);
    return rc;
}

/* "  WORD    text", wrapped. */
static void line(struct ctr_str *out, const char *word, const char *text, int width)
{
    ctr_str_addf(out, "  %-10s", word);
    opt_wrap(out, text, 12, 12, width);
}

static void head(struct ctr_str *out, const struct recipe *r, int width)
{
    ctr_str_addf(out, "%s\n  ", r->name);
    opt_wrap(out, r->text, 2, 2, width);
    line(out, "source", r->source, width);
    if (r->score)
        line(out, "scores", r->score, width);
}

void recipe_list(struct ctr_str *out, int width)
{
    for (const struct recipe *r = recipes; r->name; r++)
        head(out, r, width);
}

static void member(struct ctr_str *out, const char *key, const char *text)
{
    ctr_str_json(out, key);
    ctr_str_add(out, ":", 1);
    if (text)
        ctr_str_json(out, text);
    else
        ctr_str_addf(out, "null");
}

void recipe_json(struct ctr_str *out, const char *name)
{
    const struct recipe *r = find(name);
    if (!r)
        return;
    const char *const parts[][2] = {
        {"name", r->name}, {"text", r->text}, {"source", r->source}, {"score", r->score},
        {"notes", r->notes}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        ctr_str_addf(out, i ? "," : "{");
        member(out, parts[i][0], parts[i][1]);
    }
    ctr_str_addf(out, ",\"values\":{");
    for (size_t i = 0; r->values[i].option; i++) {
        ctr_str_addf(out, i ? "," : "");
        member(out, r->values[i].option, r->values[i].value);
    }
    ctr_str_addf(out, "}}");
}

void recipe_show(struct ctr_str *out, const char *name, int width)
{
    const struct recipe *r = find(name);
    if (!r)
        return;
    head(out, r, width);
    if (r->notes)
        line(out, "note", r->notes, width);
    for (size_t i = 0; r->values[i].option; i++)
        ctr_str_addf(out, "  %-19s %s\n", r->values[i].option, r->values[i].value);
}
