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

static int check_local(const char *line)
{
    struct ctr_augment_params params;
    int rc = ctr_augment_parse(&params, line);
    return rc ? ctr_fail_in(rc, "--local-augment") : 0;
}

/* ---- tables ---- */

static const struct opt input_rows[] = {
    ROW(STR, config, .name = "config", .metavar = "FILE", .flag_only = 1,
        .help = "values for options that are not given, `name = value` a line, as in a run's "
                "config.toml and as --print-config prints them"),
    ROW(STR, data, .name = "data", .letter = 'd', .metavar = "PATH",
        .shown = "shapes, drawn as they are needed",
        .help =
            "folder of images, or of CIFAR, IDX (MNIST) or STL-10 files; DRIVER:PATH forces one"),
    ROW(STR, split, .name = "split", .metavar = "NAME", .init = "train", .names = &names_splits,
        .help = "part of them to learn from: train, test, val, all, unlabeled (STL-10)"),
    OPT_DEVICE(struct train_options),
    ROW(STR, recipe, .name = "recipe", .metavar = "NAME",
        .shown = "shapes without --data, else simclr", .names = &recipe_names,
        .help = "values for options given neither here nor in --config, as a publication has them; "
                "`clcontrast recipes` lists them"),
    ROW(U64, batch, .name = "batch", .letter = 'b', .metavar = "N", .init = "256", .min = 2,
        .max = 1e6, .help = "images a step"),
    ROW(U64, views, .name = "views", .metavar = "N", .init = "0",
        .shown = "one for each part of --augment, at least as many as the method needs", .max = 256,
        .help = "views of an image that are compared"),
    ROW(U64, micro_batch, .name = "micro-batch", .metavar = "N", .init = "0", .shown = "the batch",
        .max = 1e6,
        .help = "so many images at a time in the network: the gradient of the whole batch in less "
                "memory, forward twice; batch-norm takes the statistics of each micro-batch"),
    ROW(U64, local_views, .name = "local-views", .metavar = "N", .init = "0", .max = 256,
        .help = "smaller views beside them, which look for them but are not looked for"),
    ROW(U64, local_size, .name = "local-size", .metavar = "PIXELS", .init = "0",
        .shown = "half the other views'", .max = 4096, .help = "their side"),
    ROW(STR, local_augment, .name = "local-augment", .metavar = "LINE", .check = check_local,
        .init = "crop(0.05,0.14) flip jitter gray", .help = "what is done to them"),
    ROW(U64, limit, .name = "limit", .metavar = "N", .init = "0", .shown = "all", .max = 4e9,
        .help = "use at most so many images"),
    ROW(U64, image_size, .name = "image-size", .metavar = "PIXELS", .init = "0",
        .shown = "the images' own", .max = 4096, .help = "side that images are brought to"),
    ROW(U64, view_size, .name = "view-size", .metavar = "PIXELS", .init = "0",
        .shown = "the images' side", .max = 4096,
        .help = "side of the views cut out of them, for encoders that take any size; smaller ones "
                "are less work"),
    ROW(U64, channels, .name = "channels", .metavar = "N", .init = "0",
        .shown = "3 for photographs, else the images' own", .max = 16,
        .help = "that all images have or are brought to: 1 is grey, 3 are RGB"),
    ROW(CHOICE, bits, .name = "bits", .metavar = "N", .choices = "auto|8|16", .init = "auto",
        .help = "of each value on the device; auto is 16 where all images have them, else 8"),
    ROW(U64, threads, .name = "threads", .metavar = "N", .init = "0", .shown = "all processors",
        .max = 256, .help = "that decode images"),
    ROW(FLAG, stream, .name = "stream",
        .help = "keep the images off the device; done anyway when they do not fit"),
    ROW(CHOICE, recompute, .name = "recompute", .metavar = "WHAT", .choices = "auto|on|off",
        .init = "auto",
        .help = "make outputs again in the backward pass to save memory, the same bits: auto where "
                "that costs little time, on wherever memory falls"),
    ROW(STR, kernel, .name = "kernel", .metavar = "OP=VARIANT,...",
        .help = "force kernel variants, or OP=VARIANT:N,N with its sizes, where they can be used"),
    ROW(STR, quirk, .name = "quirk", .metavar = "+A,-B",
        .help = "switch workarounds on or off (see `clcontrast devices`)"),
    ROW(FLAG, sync, .name = "sync", .help = "wait after each kernel, so that a fault names it"),
    {.name = NULL},
};

static const struct opt network_rows[] = {
    ROW(STR, encoder, .name = "encoder", .metavar = "NAME", .init = "cnn",
        .names = &names_encoders, .help = "the network"),
    ROW(DOUBLE, width, .name = "width", .metavar = "X", .init = "1", .min = 0.01,
        .max = CTR_WIDTH_MAX,
        .help = "times the encoder's channels and features, in multiples of 8"),
    ROW(CHOICE, stem, .name = "stem", .metavar = "KIND", .choices = "auto|cifar|strided|imagenet",
        .init = "auto",
        .help =
            "first layers of a resnet: stride 1 (cifar), 2 (strided) or 4 (imagenet) in all; auto "
            "is cifar up to 64 pixels, else imagenet"),
    ROW(STR, normalize, .name = "normalize", .metavar = "HOW", .init = "auto",
        .check = train_normalize_check,
        .help = "less a mean, divided by a deviation of each channel, images from 0 to 1: none, imagenet or "
                "M,M,M/S,S,S; auto: as the model of --init, else none"),
    OPT_PRECISION(struct train_options),
    OPT_MATH(struct train_options),
    ROW(STR, method, .name = "method", .metavar = "NAME", .init = "simclr",
        .names = &names_methods,
        .help = "learning method; `clcontrast train --help` tells about each"),
    ROW(U64, head_layers, .name = "head-layers", .metavar = "N", .init = "2", .max = 4,
        .help = "layers of the projection head; 0: the loss compares the encoder's features"),
    ROW(U64, head_hidden, .name = "head-hidden", .metavar = "N", .init = "0",
        .shown = "the encoder's dimension", .max = 65536,
        .help = "width of the projection head's hidden layers"),
    ROW(U64, head_out, .name = "head-out", .metavar = "N", .init = "128", .min = 2, .max = 65536,
        .help = "dimension of the projections that the loss compares"),
    ROW(FLAG, head_bn, .name = "head-bn", .init = "1",
        .help = "leave batch-norm out of the projection head"),
    ROW(STR, optimizer, .name = "optimizer", .metavar = "NAME", .shown = "the encoder's",
        .names = &names_optimizers, .help = "what makes steps of gradients"),
    ROW(DOUBLE, learning_rate, .name = "learning-rate", .metavar = "X", .init = "0",
        .shown = "the encoder's, times batch / 256", .max = 1e6, .help = "at its highest"),
    ROW(DOUBLE, weight_decay, .name = "weight-decay", .metavar = "X", .init = "-1",
        .shown = "the encoder's", .min = -1, .max = 10,
        .help = "pull towards zero; biases and norms are spared"),
    ROW(DOUBLE, warmup, .name = "warmup-epochs", .metavar = "N", .init = "0", .max = 1e6,
        .help = "in which the learning rate rises from nothing"),
    ROW(CHOICE, schedule, .name = "schedule", .metavar = "KIND", .choices = "cosine|constant|step",
        .init = "cosine", .help = "course of the learning rate after the warm-up"),
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

int train_tables(struct train_command *c, const struct cmd *cmd, int argc, char **argv,
                 const char *config)
{
    int rc = 0;
    struct train_options chosen;
    CTR_TRY(choose(&chosen, c, argc, argv, config));
    const struct ctr_encoder *e = ctr_encoder_find(chosen.encoder);
    const struct ctr_method *m = ctr_method_find(chosen.method);
    const struct ctr_optim *o = ctr_optim_find(chosen.optimizer ? chosen.optimizer : e->optimizer);
    c->set.elsewhere = elsewhere;
    CTR_TRY(opt_add(&c->set, "Images and device", input_rows, &c->o));
    CTR_TRY(cmd_options(&c->set, cmd, &c->o));
    CTR_TRY(opt_add(&c->set, "Network and method", network_rows, &c->o));
    CTR_TRY(opt_add(&c->set, "Augmentation", augment_rows, &c->augment));
    describe(&c->method, m->options);
    CTR_TRY(opt_add(&c->set, "Method", c->method.rows, c->method.value));
    describe(&c->optim, o->options);
    CTR_TRY(opt_add(&c->set, "Optimizer", c->optim.rows, c->optim.value));
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

/* The run whose weights are taken becomes the file with them, and auto what that says, so that the configuration tells
 * what this run began with. */
static int settle_start(struct train_command *c)
{
    struct ctr_normalize normalize = {0};
    struct ctr_str text = {0};
    char *file = NULL;
    int rc = 0;
    if (c->o.init) {
        CTR_TRY(ctr_weights_start(&file, &normalize, c->o.init));
        c->o.init = ctr_arena_strdup(&c->arena, file);
    }
    if (strcmp(c->o.normalize, "auto") == 0) {
        ctr_normalize_line(&text, &normalize);
        c->o.normalize = text.failed ? NULL : ctr_arena_strdup(&c->arena, text.s);
    }
    if (!c->o.normalize || (file && !c->o.init))
        rc = CTR_E_FAIL;
out:
    free(file);
    ctr_str_free(&text);
    return rc;
}

const char *train_recipe(const struct train_command *c)
{
    return c->o.recipe ? c->o.recipe : recipe_default(c->o.data);
}

int train_settle(struct train_command *c, const struct opt *others)
{
    int rc = c->o.config ? config_read(&c->set, &c->arena, c->o.config, others) : 0;
    if (rc == 0)
        rc = absolute(&c->o.data, c);
    if (rc == 0)
        rc = absolute(&c->o.init, c);
    if (rc == 0)
        rc = settle_start(c);
    return rc ? rc : recipe_apply(&c->set, train_recipe(c));
}

enum ctr_dtype opt_storage(int precision)
{
    static const enum ctr_dtype stored[] = {CTR_F32, CTR_F16, CTR_BF16}; /* fp32|fp16|bf16 */
    return stored[precision];
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

int train_params(struct ctr_train_params *p, const struct train_command *c)
{
    const struct train_options *o = &c->o;
    *p = (struct ctr_train_params){
        .data = o->data,
        .split = o->split,
        .limit = o->limit,
        .validation = o->validation,
        .image_size = o->image_size,
        .view_size = o->view_size,
        .channels = o->channels,
        .bits = 8 * (uint64_t)o->bits,
        .threads = o->threads,
        .stream = o->stream,
        .encoder = o->encoder,
        .method = o->method,
        .optimizer = o->optimizer,
        .stem = (enum ctr_stem)o->stem,
        .width = o->width,
        .precision = opt_storage(o->precision),
        .head_layers = o->head_layers,
        .head_hidden = o->head_hidden,
        .head_out = o->head_out,
        .head_bn = o->head_bn,
        .epochs = o->epochs,
        .max_steps = o->steps,
        .batch = o->batch,
        .views = o->views,
        .micro_batch = o->micro_batch,
        .local_views = o->local_views,
        .local_size = o->local_size,
        .seed = o->seed,
        .learning_rate = o->learning_rate,
        .weight_decay = o->weight_decay,
        .warmup_epochs = o->warmup,
        .schedule = (enum ctr_schedule_kind)o->schedule,
        .init = o->init,
        .out = o->dry_run ? NULL : o->out,
        .resume = o->resume && !o->dry_run,
        .checkpoint_steps = o->checkpoint_steps,
        .log_steps = o->log_steps,
        .keep = o->keep,
        .device = o->device,
        .kernels = o->kernel,
        .recompute = (enum ctr_recompute)o->recompute,
        .quirks = o->quirk,
        .tf32 = o->math,
        .profile = o->profile,
        .sync = o->sync,
        .config = c->config.s,
    };
    memcpy(p->method_option, c->method.value, sizeof p->method_option);
    memcpy(p->optim_option, c->optim.value, sizeof p->optim_option);
    int rc = o->labels ? ctr_few_parse(&p->labels, o->labels) : 0;
    if (rc != 0)
        return ctr_fail_in(rc, "--labels");
    if (strcmp(o->normalize, "auto") != 0 && (rc = ctr_normalize_parse(&p->normalize, o->normalize)) != 0)
        return ctr_fail_in(rc, "--normalize");
    if (o->tune) /* a command without takes what is stored */
        rc = ctr_train_tune_parse(p, o->tune);
    if (rc == 0)
        rc = augment_params(&p->augment, &c->augment);
    if (rc == 0)
        rc = ctr_augment_parse(&p->augment_local, o->local_augment);
    p->augment_local.cubic = p->augment.cubic;
    return rc;
}

void train_finish(struct train_command *c)
{
    opt_finish(&c->set);
    ctr_str_free(&c->config);
    ctr_arena_free(&c->arena);
    free(c);
}
