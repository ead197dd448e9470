/* cmd.c -- what all commands share: common options, help, argument counts. In: a command's tables
 * and argv. Out: its struct filled, or its help on standard output. */
#include "cmd.h"

#include <stdio.h>
#include <string.h>

#include "term.h"

struct common {
    int help, brief, quiet, verbose, color;
};

static const struct opt common_rows[] = {
    OPT_ROW(FLAG, struct common, quiet, .name = "quiet", .letter = 'q',
            .help = "print results, warnings and errors only"),
    OPT_ROW(FLAG, struct common, verbose, .name = "verbose", .letter = 'v',
            .help = "say more about what is being done"),
    OPT_ROW(CHOICE, struct common, color, .name = "color", .metavar = "WHEN",
            .choices = "auto|always|never", .init = "auto", .help = "colour in messages"),
    OPT_ROW(FLAG, struct common, help, .name = "help", .letter = 'h',
            .help = "print this text (-h: without examples)"),
    {.name = NULL},
};

int cmd_options(struct opt_set *set, const struct cmd *cmd, void *options)
{
    return cmd->options ? opt_add(set, "Options", cmd->options, options) : 0;
}

/* Help wins over whatever else is wrong with the line. 1: full, 2: short. */
static int asks_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return 1;
        if (strcmp(argv[i], "-h") == 0)
            return 2;
    }
    return 0;
}

static void usage_line(struct ctr_str *out, const struct cmd *cmd)
{
    ctr_str_addf(out, "usage: clcontrast %s [options]%s%s\n", cmd->name, *cmd->args ? " " : "",
                 cmd->args);
}

static void examples(struct ctr_str *out, const struct cmd_example *example, int width)
{
    ctr_str_addf(out, "\nExamples:\n");
    for (; example->line; example++) {
        ctr_str_addf(out, "  %s\n      ", example->line);
        opt_wrap(out, example->text, 6, 6, width);
    }
}

static int print_help(const struct opt_set *set, const struct cmd *cmd, int full)
{
    struct ctr_str out = {0};
    int width = term_width(1);
    width = width > 100 ? 100 : width;
    usage_line(&out, cmd);
    ctr_str_add(&out, "\n", 1);
    opt_wrap(&out, full && *cmd->about ? cmd->about : cmd->summary, 0, 0, width);
    if (full && cmd->lists)
        cmd->lists(&out, width);
    if (full && cmd->examples)
        examples(&out, cmd->examples, width);
    opt_help(&out, set, width);
    if (out.s && !out.failed)
        fputs(out.s, stdout);
    ctr_str_free(&out);
    return CMD_DONE;
}

static int check_args(const struct opt_set *set, const struct cmd *cmd)
{
    int rc = 0;
    if (set->n_args > cmd->max_args)
        rc = ctr_fail(CTR_E_USAGE, "unexpected argument '%s'", set->args[cmd->max_args]);
    else if (set->n_args < cmd->min_args)
        rc = ctr_fail(CTR_E_USAGE, "'%s' needs %s", cmd->name, cmd->args);
    return rc ? ctr_hint(rc, "see 'clcontrast %s --help'", cmd->name) : 0;
}

int cmd_parse(struct opt_set *set, const struct cmd *cmd, int argc, char **argv)
{
    struct common common;
    int rc = opt_add(set, "Common options", common_rows, &common);
    if (rc)
        return rc;
    if (asks_help(argc, argv))
        CTR_TRY(print_help(set, cmd, asks_help(argc, argv) == 1));
    rc = opt_parse(set, argc, argv);
    if (rc && !*ctr_error_hint())
        ctr_hint(rc, "see 'clcontrast %s --help'", cmd->name);
    CTR_TRY(rc);
    term_setup(common.quiet, common.verbose, (enum term_color)common.color);
    CTR_TRY(check_args(set, cmd));
out:
    set->n_groups--; /* `common` ends here */
    return rc;
}
