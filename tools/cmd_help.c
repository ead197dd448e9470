/* cmd_help.c -- `clcontrast help [COMMAND]`: all commands, or one of them; with --man as manual
 * pages. */
#include <stdio.h>

#include "cmd.h"
#include "help.h"
#include "man.h"
#include "term.h"

struct options {
    int man;
};

static const struct opt rows[] = {
    OPT_ROW(FLAG, struct options, man, .name = "man", .help = "print the manual page, for man(1)"),
    {.name = NULL},
};

void help_usage(FILE *to)
{
    struct ctr_str out = {0};
    ctr_str_addf(&out, "usage: clcontrast COMMAND [options]\n\n"
                       "Learns image representations without labels, on any OpenCL device.\n");
    opt_list(&out, &cmd_names, term_width(fileno(to)));
    ctr_str_addf(&out, "  %-11sprint the version (also --version)\n", "version");
    if (!out.failed)
        fputs(out.s, to);
    ctr_str_free(&out);
}

static void print_exits(void)
{
    puts("\nExit codes:");
    for (const struct cmd_exit *e = cmd_exits; e->text; e++)
        printf("  %-10d %s\n", e->code, e->text);
}

static int print_page(void)
{
    struct ctr_str out = {0};
    man_program(&out);
    return term_print(&out);
}

static int run(void *options, const struct opt_set *set)
{
    const struct options *o = options;
    char full[] = "--help", page[] = CMD_MAN, *args[] = {o->man ? page : full, NULL};
    if (set->n_args)
        return cmd_run(cmd_find(set->args[0]), 1, args);
    if (o->man)
        return print_page();
    help_usage(stdout);
    print_exits();
    return 0;
}

static const struct cmd_example examples[] = {
    {"clcontrast help", "the commands and the exit codes"},
    {"clcontrast help train", "how to use one, as `clcontrast train --help`"},
    {"clcontrast help --man train | man -l -", "the same as a manual page"},
    {NULL, NULL},
};

const struct cmd cmd_help = {
    .name = "help",
    .summary = "how to use a command: clcontrast help COMMAND",
    .args = "[COMMAND]",
    .max_args = 1,
    .about = "Prints the commands, or the help of one of them.",
    .arg_names = &cmd_names,
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct options),
    .run = run,
};
