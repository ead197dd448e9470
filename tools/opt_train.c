/* opt_train.c -- options of a training step: tables, and tables to parameters. In: argv, a run's
 * configuration. Out: what src/train/train.h takes. */
#include "opt_train.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "method/method.h"
#include "recipe.h"

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct train_options, member, __VA_ARGS__)

static const struct opt input_rows[] = {
    ROW(STR, data, .name = "data", .letter = 'd', .metavar = "PATH",
        .shown = "shapes, drawn as they are needed",
        .help =
            "folder of images, or of CIFAR, IDX (MNIST) or STL-10 files; DRIVER:PATH forces one"),
    ROW(STR, device, .name = "device", .metavar = "D", .shown = "first GPU, else first device",
        .help = "number from `clcontrast devices`, cpu, gpu, or part of a name"),
    ROW(STR, recipe, .name = "recipe", .metavar = "NAME",
        .shown = "shapes without --data, else simclr",
        .help = "values for all options that are not given: simclr or shapes"),
    ROW(U64, batch, .name = "batch", .letter = 'b', .metavar = "N", .init = "256", .min = 2,
        .max = 1e6, .help = "images a step"),
    ROW(U64, views, .name = "views", .metavar = "N", .init = "0",
        .shown = "one for each part of --augment, at least 2", .max = 256,
        .help = "views of an image that are compared"),
    ROW(U64, limit, .name = "limit", .metavar = "N", .init = "0", .shown = "all", .max = 4e9,
        .help = "use at most so many images"),
    ROW(U64, image_size, .name = "image-size", .metavar = "PIXELS", .init = "0",
        .shown = "the images' own", .max = 4096, .help = "side that images are brought to"),
    ROW(U64, view_size, .name = "view-size", .metavar = "PIXELS", .init = "0",
        .shown = "the images' side", .max = 4096,
        .help = "side of the views cut out of them; three quarters of it save near half of the time "
                "at little loss, since what is cut out is shown larger than in whole images"),
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
        .help = "cnn, resnet10, resnet18, resnet34, resnet50 or resnext50_32x4d"),
    ROW(DOUBLE, width, .name = "width", .metavar = "X", .init = "1", .min = 0.01,
        .max = CTR_WIDTH_MAX,
        .help = "times the encoder's channels and features, in multiples of 8"),
    ROW(CHOICE, stem, .name = "stem", .metavar = "KIND", .choices = "auto|cifar|strided|imagenet",
        .init = "auto",
        .help = "first layers of a resnet: stride 1 (cifar), 2 (strided) or 4 (imagenet) in all; auto "
                "is cifar up to 64 pixels, else imagenet"),
    OPT_PRECISION(struct train_options),
    OPT_MATH(struct train_options),
    ROW(STR, method, .name = "method", .metavar = "NAME", .init = "simclr",
        .help = "learning method, one of those above"),
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
        .help = "sgd, adamw or lars"),
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

/* A text value of the configuration file, read before its tables are known; NULL: not there. */
static char *peek_config(struct ctr_arena *arena, const char *path, const char *key)
{
    void *text = NULL;
    size_t n, k = strlen(key);
    char *found = NULL;
    if (ctr_file_read(&text, &n, path, 1 << 20) != 0)
        return NULL;
    for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, k) == 0 && strncmp(line + k, " = \"", 4) == 0) {
            line[k + 4 + strcspn(line + k + 4, "\"\n")] = '\0';
            found = ctr_arena_strdup(arena, line + k + 4);
            break;
        }
    free(text);
    return found;
}

static const char *early(struct train_command *c, int argc, char **argv, const char *config,
                         const char *name, const char *init)
{
    const char *typed = opt_peek(argc, argv, name);
    const char *kept = config ? peek_config(&c->arena, config, name) : NULL;
    return typed ? typed : kept ? kept : init;
}

int train_tables(struct train_command *c, const struct cmd *cmd, int argc, char **argv,
                 const char *config)
{
    int rc = 0;
    const struct ctr_encoder *e = ctr_encoder_find(early(c, argc, argv, config, "encoder", "cnn"));
    const struct ctr_method *m = ctr_method_find(early(c, argc, argv, config, "method", "simclr"));
    const struct ctr_optim *o =
        ctr_optim_find(early(c, argc, argv, config, "optimizer", e ? e->optimizer : "sgd"));
    CTR_TRY(opt_add(&c->set, "Images and device", input_rows, &c->o));
    CTR_TRY(cmd_options(&c->set, cmd, &c->o));
    CTR_TRY(opt_add(&c->set, "Network and method", network_rows, &c->o));
    CTR_TRY(opt_add(&c->set, "Augmentation", augment_rows, &c->augment));
    if (m) {
        describe(&c->method, m->options);
        CTR_TRY(opt_add(&c->set, "Method", c->method.rows, c->method.value));
    }
    if (o) {
        describe(&c->optim, o->options);
        CTR_TRY(opt_add(&c->set, "Optimizer", c->optim.rows, c->optim.value));
    }
out:
    return rc;
}

/* What is read is found again from any directory: its path, also that of DRIVER:PATH, is kept from
 * the root. What is not there is left as it is: the reader will say. */
static int absolute(const char **name, struct train_command *c)
{
    const char *data = *name, *colon = data ? strchr(data, ':') : NULL;
    char *path = data ? realpath(data, NULL) : NULL;
    struct ctr_str full = {0};
    if (!path && colon && colon[1] && (path = realpath(colon + 1, NULL)) != NULL)
        ctr_str_add(&full, data, (size_t)(colon + 1 - data));
    if (!path)
        return 0;
    ctr_str_add(&full, path, strlen(path));
    free(path);
    if (!full.failed)
        *name = ctr_arena_strdup(&c->arena, full.s);
    int failed = full.failed || !*name;
    ctr_str_free(&full);
    return failed ? CTR_E_FAIL : 0;
}

int train_settle(struct train_command *c)
{
    int rc = absolute(&c->o.data, c);
    if (rc == 0)
        rc = absolute(&c->o.init, c);
    if (rc == 0 &&
        ctr_method_find(c->o.method)) /* else its options are not there; the trainer will say */
        rc = recipe_apply(&c->set, c->o.recipe ? c->o.recipe : recipe_default(c->o.data));
    return rc;
}

enum ctr_dtype opt_storage(int precision)
{
    static const enum ctr_dtype stored[] = {CTR_F32, CTR_F16, CTR_BF16}; /* fp32|fp16|bf16 */
    return stored[precision];
}

/* --tune; a command without it takes what is stored. */
static int tune_when(struct ctr_train_params *p, const char *text)
{
    if (!text)
        return 0;
    p->tune = strcmp(text, "off") == 0 ? CTR_TUNE_OFF : CTR_TUNE_AUTO;
    if (p->tune == CTR_TUNE_OFF || strcmp(text, "auto") == 0)
        return 0;
    p->tune = CTR_TUNE_FOR;
    if (ctr_parse_double(text, &p->tune_s) == 0 && p->tune_s > 0 && p->tune_s <= 1e6)
        return 0;
    return ctr_fail(CTR_E_USAGE, "--tune: '%s' is not auto, off or a number of seconds", text);
}

int train_params(struct ctr_train_params *p, const struct train_command *c)
{
    const struct train_options *o = &c->o;
    *p = (struct ctr_train_params){
        .data = o->data,
        .limit = o->limit,
        .image_size = o->image_size,
        .view_size = o->view_size,
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
        .seed = o->seed,
        .learning_rate = o->learning_rate,
        .weight_decay = o->weight_decay,
        .warmup_epochs = o->warmup,
        .schedule = (enum ctr_schedule_kind)o->schedule,
        .init = o->init,
        .out = o->plan ? NULL : o->out,
        .resume = o->resume && !o->plan,
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
    rc = tune_when(p, o->tune);
    if (rc == 0)
        rc = augment_params(&p->augment_small, &c->augment, CTR_AUGMENT_SMALL_MAX);
    return rc ? rc : augment_params(&p->augment_large, &c->augment, CTR_AUGMENT_SMALL_MAX + 1);
}

void train_finish(struct train_command *c)
{
    opt_finish(&c->set);
    ctr_str_free(&c->config);
    ctr_arena_free(&c->arena);
    free(c);
}
