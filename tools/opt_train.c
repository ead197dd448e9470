/* opt_train.c -- options of a training step: tables, and tables to parameters. In: argv, a run's
 * configuration. Out: what src/train/train.h takes. */
#include "opt_train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "config.h"
#include "method/method.h"
#include "names.h"
#include "recipe.h"
#include "train/weights.h"

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct train_options, member, __VA_ARGS__)

/* ---- tables ---- */

static const struct opt input_rows[] = {
    ROW(STR, config, .name = "config", .metavar = "FILE", .flag_only = 1,
        .help = "values for options that are not given, `name = value` a line, as in a run's "
                "config.toml and as --print-config prints them"),
    SETTING(
        data, .name = "data", .letter = 'd', .metavar = "PATH",
        .shown = "shapes, drawn as they are needed",
        .help =
            "folder of images, or of CIFAR, IDX (MNIST) or STL-10 files; DRIVER:PATH forces one"),
    SETTING(split, .name = "split", .metavar = "NAME", .names = &names_splits,
            .help = "part of them to learn from: train, test, val, all, unlabeled (STL-10)"),
    OPT_DEVICE(struct ctr_train_settings),
    ROW(STR, recipe, .name = "recipe", .metavar = "NAME",
        .shown = "shapes without --data, else simclr", .names = &recipe_names,
        .help = "values for options given neither here nor in --config, as a publication has them; "
                "`clcontrast recipes` lists them"),
    SETTING(batch, .name = "batch", .letter = 'b', .metavar = "N", .help = "images a step"),
    SETTING(views, .name = "views", .metavar = "N",
            .shown = "one for each part of --augment, at least as many as the method needs",
            .help = "views of an image that are compared"),
    SETTING(micro_batch, .name = "micro-batch", .metavar = "N", .shown = "the batch",
            .help =
                "so many images at a time in the network: the gradient of the whole batch in less "
                "memory, forward twice; batch-norm takes the statistics of each micro-batch"),
    SETTING(local_views, .name = "local-views", .metavar = "N",
            .help = "smaller views beside them, which look for them but are not looked for"),
    SETTING(local_size, .name = "local-size", .metavar = "PIXELS", .shown = "half the other views'",
            .help = "their side"),
    SETTING(local_augment, .name = "local-augment", .metavar = "LINE", .check = augment_local_check,
            .help = "what is done to them"),
    SETTING(limit, .name = "limit", .metavar = "N", .shown = "all",
            .help = "use at most so many images"),
    SETTING(image_size, .name = "image-size", .metavar = "PIXELS", .shown = "the images' own",
            .help = "side that images are brought to"),
    SETTING(view_size, .name = "view-size", .metavar = "PIXELS", .shown = "the images' side",
            .help =
                "side of the views cut out of them, for encoders that take any size; smaller ones "
                "are less work"),
    SETTING(channels, .name = "channels", .metavar = "N",
            .shown = "3 for photographs, else the images' own",
            .help = "that all images have or are brought to: 1 is grey, 3 are RGB"),
    SETTING(bits, .name = "bits", .metavar = "N",
            .help = "of each value on the device; auto is 16 where all images have them, else 8"),
    SETTING(threads, .name = "threads", .metavar = "N", .shown = "all processors",
            .help = "that decode images"),
    SETTING(stream, .name = "stream",
            .help = "keep the images off the device; done anyway when they do not fit"),
    SETTING(recompute, .name = "recompute", .metavar = "WHAT",
            .help =
                "make outputs again in the backward pass to save memory, the same bits: auto where "
                "that costs little time, on wherever memory falls"),
    SETTING(kernel, .name = "kernel", .metavar = "OP=VARIANT,...",
            .help =
                "force kernel variants, or OP=VARIANT:N,N with its sizes, where they can be used"),
    SETTING(quirk, .name = "quirk", .metavar = "+A,-B",
            .help = "switch workarounds on or off (see `clcontrast devices`)"),
    SETTING(sync, .name = "sync", .help = "wait after each kernel, so that a fault names it"),
    {.name = NULL},
};

static const struct opt network_rows[] = {
    SETTING(encoder, .name = "encoder", .metavar = "NAME", .names = &names_encoders,
            .help = "the network"),
    SETTING(width, .name = "width", .metavar = "X",
            .help = "times the encoder's channels and features, in multiples of 8"),
    SETTING(
        stem, .name = "stem", .metavar = "KIND",
        .help =
            "first layers of a resnet: stride 1 (cifar), 2 (strided) or 4 (imagenet) in all; auto "
            "is cifar up to 64 pixels, else imagenet"),
    SETTING(normalize, .name = "normalize", .metavar = "HOW", .check = train_normalize_check,
            .help = "less a mean, divided by a deviation of each channel, images from 0 to 1: "
                    "none, imagenet or "
                    "M,M,M/S,S,S; auto: as the model of --init, else none"),
    SETTING(precision, OPT_PRECISION_TEXT),
    SETTING(math, OPT_MATH_TEXT),
    SETTING(method, .name = "method", .metavar = "NAME", .names = &names_methods,
            .help = "learning method; `clcontrast train --help` tells about each"),
    SETTING(head_layers, .name = "head-layers", .metavar = "N",
            .help = "layers of the projection head; 0: the loss compares the encoder's features"),
    SETTING(head_hidden, .name = "head-hidden", .metavar = "N", .shown = "the encoder's dimension",
            .help = "width of the projection head's hidden layers"),
    SETTING(head_out, .name = "head-out", .metavar = "N",
            .help = "dimension of the projections that the loss compares"),
    SETTING(head_bn, .name = "head-bn", .help = "leave batch-norm out of the projection head"),
    SETTING(optimizer, .name = "optimizer", .metavar = "NAME", .shown = "the encoder's",
            .names = &names_optimizers, .help = "what makes steps of gradients"),
    SETTING(learning_rate, .name = "learning-rate", .metavar = "X",
            .shown = "the encoder's, times batch / 256", .help = "at its highest"),
    SETTING(
        encoder_rate, .name = "encoder-rate", .metavar = "X",
        .help =
            "times the learning rate, for the encoder: below 1 what --init gave it moves less than "
            "new heads do, 0 holds it in inference mode"),
    SETTING(weight_decay, .name = "weight-decay", .metavar = "X", .shown = "the encoder's",
            .help = "pull towards zero; biases and norms are spared"),
    SETTING(warmup_epochs, .name = "warmup-epochs", .metavar = "N",
            .help = "in which the learning rate rises from nothing"),
    SETTING(schedule, .name = "schedule", .metavar = "KIND",
            .help = "course of the learning rate after the warm-up"),
    {.name = NULL},
};

#undef ROW

static void describe(struct described *d, const struct ctr_option *options)
{
    for (size_t i = 0; options && options[i].name && i < CTR_MAX_OPTIONS; i++) {
        const struct ctr_option *o = &options[i];
        snprintf(d->init[i], sizeof d->init[i], "%g", o->init);
        d->rows[i] = (struct opt){.name = o->name,
                                  .kind = OPT_DOUBLE,
                                  .metavar = o->metavar,
                                  .offset = i * sizeof(double),
                                  .init = d->init[i],
                                  .min = o->min,
                                  .max = o->max,
                                  .help = o->help};
    }
}

/* Whether one of the options has the name. */
static int has(const struct ctr_option *options, const char *name)
{
    while (options && options->name && strcmp(options->name, name) != 0)
        options++;
    return options && options->name;
}

/* For opt_set.elsewhere: names that were given up, and options of other methods and optimisers. */
static int elsewhere(struct ctr_str *hint, const char *name)
{
    const char *before = "it is an option of --method ";
    if (augment_elsewhere(hint, name))
        return 1;
    if (strcmp(name, "plan") == 0)
        ctr_str_addf(hint, "--dry-run prints the plan now");
    for (const struct ctr_method *const *m = ctr_methods; *m; m++)
        if (has((*m)->options, name)) {
            ctr_str_addf(hint, "%s%s", before, (*m)->name);
            before = ", ";
        }
    if (*before == 'i')
        before = "it is an option of --optimizer ";
    for (const struct ctr_optim *const *o = ctr_optims; *o; o++)
        if (has((*o)->options, name)) {
            ctr_str_addf(hint, "%s%s", before, (*o)->name);
            before = ", ";
        }
    return hint->n > 0;
}

/* What decides which tables there are, into *o, by the means that settle every option. Whatever is
 * wrong is passed over: it will be found, and told, when all is parsed. */
static int choose(struct train_options *o, struct train_command *c, int argc, char **argv,
                  const char *config)
{
    static const char *const names[] = {"encoder", "method", "optimizer", "recipe"};
    struct opt_set set = {0};
    int rc = 0;
    CTR_TRY(opt_add(&set, "", input_rows, o));
    CTR_TRY(opt_add(&set, "", network_rows, o));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *typed = opt_peek(argc, argv, names[i]);
        if (typed)
            (void)opt_assign(&set, names[i], typed, OPT_COMMAND_LINE);
    }
    if (config)
        (void)config_glance(&set, &c->arena, config);
    if (o->recipe) /* those that data bring along choose none of these */
        (void)recipe_apply(&set, o->recipe);
out:
    opt_finish(&set);
    return rc;
}

int train_tables(struct train_command *c, struct opt_set *set, const struct cmd *cmd, int argc,
                 char **argv, const char *config)
{
    int rc = 0;
    struct train_options chosen;
    ctr_train_defaults(&c->o.s); /* some commands have no option for some */
    CTR_TRY(choose(&chosen, c, argc, argv, config));
    const struct ctr_encoder *e = ctr_encoder_find(chosen.s.encoder);
    const struct ctr_method *m = ctr_method_find(chosen.s.method);
    const struct ctr_optim *o =
        ctr_optim_find(chosen.s.optimizer ? chosen.s.optimizer : e->optimizer);
    c->set = set;
    set->elsewhere = elsewhere;
    CTR_TRY(opt_add(set, "Images and device", input_rows, &c->o));
    CTR_TRY(cmd_options(set, cmd, &c->o));
    CTR_TRY(opt_add(set, "Network and method", network_rows, &c->o));
    CTR_TRY(opt_add(set, "Augmentation", augment_rows, &c->augment));
    describe(&c->method, m->options);
    CTR_TRY(opt_add(set, "Method", c->method.rows, c->method.value));
    describe(&c->optim, o->options);
    CTR_TRY(opt_add(set, "Optimizer", c->optim.rows, c->optim.value));
out:
    return rc;
}

/* What is read is found again from any directory. */
static int absolute(const char **name, struct train_command *c)
{
    char *path = *name ? ctr_data_absolute(*name) : NULL;
    if (!*name)
        return 0;
    *name = path ? ctr_arena_strdup(&c->arena, path) : NULL;
    free(path);
    return *name ? 0 : CTR_E_FAIL;
}

int train_normalize_check(const char *text)
{
    struct ctr_normalize n;
    int rc = strcmp(text, "auto") == 0 ? 0 : ctr_normalize_parse(&n, text);
    return rc ? ctr_fail_in(rc, "--normalize") : 0;
}

/* The run whose weights are taken becomes the file with them, and auto what that says, so that the
 * configuration tells what this run began with. */
static int settle_start(struct train_command *c)
{
    struct ctr_normalize normalize = {0};
    struct ctr_str text = {0};
    char *file = NULL;
    int rc = 0;
    if (c->o.s.init) {
        CTR_TRY(ctr_weights_start(&file, &normalize, c->o.s.init));
        c->o.s.init = ctr_arena_strdup(&c->arena, file);
    }
    if (strcmp(c->o.s.normalize, "auto") == 0) {
        ctr_normalize_line(&text, &normalize);
        c->o.s.normalize = text.failed ? NULL : ctr_arena_strdup(&c->arena, text.s);
    }
    if (!c->o.s.normalize || (file && !c->o.s.init))
        rc = CTR_E_FAIL;
out:
    free(file);
    ctr_str_free(&text);
    return rc;
}

const char *train_recipe(const struct train_command *c)
{
    return c->o.recipe ? c->o.recipe : recipe_default(c->o.s.data);
}

int train_settle(struct train_command *c, const struct opt *others)
{
    int rc = c->o.config ? config_read(c->set, &c->arena, c->o.config, others) : 0;
    if (rc == 0)
        rc = absolute(&c->o.s.data, c);
    if (rc == 0)
        rc = absolute(&c->o.s.init, c);
    if (rc == 0)
        rc = settle_start(c);
    return rc ? rc : recipe_apply(c->set, train_recipe(c));
}

enum ctr_dtype opt_storage(int precision)
{
    static const enum ctr_dtype stored[] = {CTR_F32, CTR_F16, CTR_BF16}; /* fp32|fp16|bf16 */
    return stored[precision];
}

int train_labels_check(const char *text)
{
    struct ctr_few few;
    int rc = ctr_few_parse(&few, text);
    return rc ? ctr_fail_in(rc, "--labels") : 0;
}

int train_tune_check(const char *text)
{
    struct ctr_train_params p;
    int rc = ctr_train_tune_parse(&p, text);
    return rc ? ctr_fail_in(rc, "--tune") : 0;
}

const char *train_pixels(char text[48], const struct ctr_data_info *d)
{
    text[0] = '\0';
    if (d->channels != 3 || d->sample_bytes != 1)
        snprintf(text, 48, " with %u channel%s of %u bits", d->channels,
                 d->channels == 1 ? "" : "s", 8 * d->sample_bytes);
    return text;
}

int train_params(struct ctr_train_params *p, struct train_command *c)
{
    struct ctr_train_settings *s = &c->o.s;
    s->resume = c->o.resume && !c->o.dry_run;
    s->augment = c->augment.line;
    s->resize = c->augment.resize == 1 ? "bicubic" : "bilinear";
    int rc = ctr_train_params_take(p, s);
    if (rc != 0)
        return rc;
    if (!opt_find(c->set, "tune")) /* a command without takes what is stored */
        p->tune = CTR_TUNE_STORED;
    if (c->o.dry_run)
        p->out = NULL;
    p->profile = c->o.profile;
    p->config = c->config.s;
    memcpy(p->method_option, c->method.value, sizeof p->method_option);
    memcpy(p->optim_option, c->optim.value, sizeof p->optim_option);
    return 0;
}

void train_finish(void *options)
{
    struct train_command *c = options;
    ctr_str_free(&c->config);
    ctr_arena_free(&c->arena);
}
