/* cmd.c -- what all commands share: common options, help, argument counts, beginning and end. In: a
 * command's tables and argv. Out: its struct filled, and the command run, or its help on standard
 * output. */
#include "cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "complete.h"
#include "interrupt.h"
#include "man.h"
#include "term.h"

const struct cmd_exit cmd_exits[] = {
    {CTR_OK, "done"},
    {CTR_E_FAIL, "a failure without a code of its own"},
    {CTR_E_USAGE, "wrong argument, option or configuration"},
    {CTR_E_PARTIAL, "done, but some inputs were skipped"},
    {CTR_E_NODEVICE, "no usable OpenCL device"},
    {CTR_E_DEVMEM, "device memory exhausted"},
    {CTR_E_DEVICE, "device, driver or kernel build failed"},
    {CTR_E_DATA, "the data set is missing or malformed"},
    {CTR_E_MODEL, "a model or checkpoint is missing, malformed or does not fit"},
    {CTR_E_DIVERGED, "the loss is no longer finite"},
    {CTR_E_IO, "a file cannot be written or read"},
    {130, "interrupted (SIGINT); a run that had begun was saved first"},
    {143, "terminated (SIGTERM); likewise"},
    {0, NULL},
};

static const char *name_of(size_t i, const char **text)
{
    *text = cmd_table[i] ? cmd_table[i]->summary : NULL;
    return cmd_table[i] ? cmd_table[i]->name : NULL;
}

const struct opt_names cmd_names = {.what = "command",
                                    .title = "Commands",
                                    .see = "'clcontrast help' lists the commands",
                                    .get = name_of};

const struct cmd *cmd_find(const char *name)
{
    const struct cmd *const *cmd = cmd_table;
    while (*cmd && strcmp((*cmd)->name, name) != 0)
        cmd++;
    return *cmd;
}

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
    if (full && cmd->examples)
        examples(&out, cmd->examples, width);
    if (full && cmd->lists)
        opt_list(&out, cmd->lists, width);
    opt_help(&out, set, width);
    if (full)
        ctr_str_addf(&out, "\nExit codes: see `clcontrast help`.\n");
    int rc = term_print(&out);
    return rc ? rc : CMD_DONE;
}

static int check_args(const struct opt_set *set, const struct cmd *cmd)
{
    int rc = 0;
    if (set->n_args > cmd->max_args)
        rc = ctr_fail(CTR_E_USAGE, "unexpected argument '%s'", set->args[cmd->max_args]);
    else if (set->n_args < cmd->min_args)
        rc = ctr_fail(CTR_E_USAGE, "'%s' needs %s", cmd->name, cmd->args);
    if (rc)
        return ctr_hint(rc, "see 'clcontrast %s --help'", cmd->name);
    for (size_t i = 0; rc == 0 && cmd->arg_names && i < set->n_args; i++)
        rc = opt_check_name(cmd->arg_names, set->args[i]);
    return rc;
}

/* What a program asks of a command's tables; 0: nothing. */
static int answer(const struct opt_set *set, const struct cmd *cmd, int argc, char **argv)
{
    struct ctr_str out = {0};
    if (argc > 0 && strcmp(argv[0], CMD_MAN) == 0)
        man_command(&out, set, cmd);
    else if (argc > 1 && strcmp(argv[0], CMD_COMPLETE) == 0)
        complete_command(&out, set, cmd, argc - 1, argv + 1);
    else
        return 0;
    int rc = term_print(&out);
    return rc ? rc : CMD_DONE;
}

static int parse(struct opt_set *set, const struct cmd *cmd, int argc, char **argv)
{
    struct common common;
    int rc = opt_add(set, "Common options", common_rows, &common);
    if (rc)
        return rc;
    CTR_TRY(answer(set, cmd, argc, argv));
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

int cmd_run(const struct cmd *cmd, int argc, char **argv)
{
    struct opt_set set = {0};
    void *options = ctr_alloc(1, cmd->bytes + 1);
    int rc = options ? 0 : CTR_E_FAIL;
    if (rc == 0)
        rc = cmd->tables ? cmd->tables(&set, options, argc, argv) : cmd_options(&set, cmd, options);
    if (rc == 0)
        rc = parse(&set, cmd, argc, argv);
    if (rc == 0)
        rc = cmd->run(options, &set);
    opt_finish(&set);
    if (options && cmd->finish)
        cmd->finish(options);
    free(options);
    term_progress_end();
    if (rc == CTR_E_FAIL && interrupt_caught())
        term_error(); /* "interrupted", or else: nobody could tell it later */
    if (rc == CTR_E_DEVICE && interrupt_caught()) /* LLVM, in some drivers, removes what it was writing */
        term_note("stopped; what the driver was doing failed at the signal");
    if (rc == 0 || rc == CTR_E_PARTIAL || rc == CTR_E_FAIL || rc == CTR_E_DEVICE) /* done as far as it goes */
        interrupt_obey();
    return rc;
}
