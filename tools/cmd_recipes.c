/* cmd_recipes.c -- `clcontrast recipes [NAME]`: what --recipe of train can name, with its sources.
 */
#include <stdio.h>

#include "cmd.h"
#include "recipe.h"
#include "term.h"

struct options {
    int json;
};

static const struct opt rows[] = {
    OPT_ROW(FLAG, struct options, json, .name = "json", .help = "print one JSON object"),
    {.name = NULL},
};

/* Those named, else all. */
static void print_json(struct ctr_str *out, const struct opt_set *set)
{
    const char *name, *text;
    ctr_str_addf(out, "{\"schema\":1,\"recipes\":[");
    for (size_t i = 0; i < set->n_args; i++) {
        ctr_str_addf(out, i ? ",\n" : "\n");
        recipe_json(out, set->args[i]);
    }
    for (size_t i = 0; set->n_args == 0 && (name = recipe_names.get(i, &text)) != NULL; i++) {
        ctr_str_addf(out, i ? ",\n" : "\n");
        recipe_json(out, name);
    }
    ctr_str_addf(out, "]}\n");
}

static int run(void *options, const struct opt_set *set)
{
    const struct options *o = options;
    struct ctr_str text = {0};
    int width = term_width(1) > 100 ? 100 : term_width(1);
    if (o->json)
        print_json(&text, set);
    else if (set->n_args == 0)
        recipe_list(&text, width);
    for (size_t i = 0; !o->json && i < set->n_args; i++)
        recipe_show(&text, set->args[i], width);
    return term_print(&text);
}

static const struct cmd_example examples[] = {
    {"clcontrast recipes", "all of them, with source and score"},
    {"clcontrast recipes moco-cifar10", "its values, and what differs from the source"},
    {"clcontrast train --data cifar10 --recipe moco-cifar10 --epochs 20",
     "train by it, but shorter"},
    {"clcontrast train --recipe moco-cifar10 --print-config > mine.toml", "a file to begin with"},
    {NULL, NULL},
};

const struct cmd cmd_recipes = {
    .name = "recipes",
    .summary = "list the recipes of publications that train can follow",
    .args = "[NAME...]",
    .max_args = 64,
    .arg_names = &recipe_names,
    .about =
        "A recipe is a set of values for options of `clcontrast train`, from a publication or a "
        "program that reports scores for them. Scores are the source's, with its own evaluation, "
        "at "
        "its own length: they are what to hold one's own against, not a promise. What clcontrast "
        "does otherwise in all of them: biases and the scales of norms do not decay; batch-norm "
        "sees "
        "both views at once; the learning rate falls from step to step; images are not shifted by "
        "a "
        "mean.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct options),
    .run = run,
};
