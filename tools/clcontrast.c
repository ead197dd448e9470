/* clcontrast.c -- the program: finds the command, runs it, reports its failure.
 *
 * In: argv. Out: the command's own output and, as exit code, its CTR_E_* (see
 * include/clcontrast/status.h). Results go to standard output, everything else to standard error.
 * How a command is added is told at the head of cmd.h; its row here is the last step. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "complete.h"
#include "help.h"
#include "term.h"

/* One a line: */
/* clang-format off */
const struct cmd *const cmd_table[] = {
    &cmd_ablate,
    &cmd_augment,
    &cmd_bench,
    &cmd_classify,
    &cmd_completion,
    &cmd_dedup,
    &cmd_devices,
    &cmd_doctor,
    &cmd_embed,
    &cmd_eval,
    &cmd_export,
    &cmd_help,
    &cmd_import,
    &cmd_info,
    &cmd_map,
    &cmd_pack,
    &cmd_plot,
    &cmd_recipes,
    &cmd_report,
    &cmd_search,
    &cmd_train,
    &cmd_tune,
    NULL,
};
/* clang-format on */

static int unknown_command(const char *name)
{
    struct opt_near near = {0};
    int dash = name[0] == '-';
    for (const struct cmd *const *cmd = cmd_table; *cmd; cmd++)
        opt_near_offer(&near, name, (*cmd)->name);
    opt_near_offer(&near, name, "version");
    opt_near_offer(&near, name, "--help");
    opt_near_offer(&near, name, "--version");
    int rc = ctr_fail(CTR_E_USAGE, "unknown %s '%s'", dash ? "option" : "command", name);
    if (near.best)
        return ctr_hint(rc, "did you mean 'clcontrast %s'?", near.best);
    return ctr_hint(rc, "%s",
                    dash ? "options follow the command: clcontrast COMMAND [options]"
                         : "'clcontrast help' lists the commands");
}

static int is(const char *arg, const char *word, const char *flag, const char *letter)
{
    return strcmp(arg, word) == 0 || strcmp(arg, flag) == 0 || strcmp(arg, letter) == 0;
}

static int dispatch(int argc, char **argv)
{
    const struct cmd *cmd = cmd_find(argv[1]);
    if (cmd)
        return cmd_run(cmd, argc - 2, argv + 2);
    if (is(argv[1], "help", "--help", "-h"))
        return cmd_run(&cmd_help, argc - 2, argv + 2);
    if (is(argv[1], "version", "--version", "-V")) {
        puts("clcontrast " CTR_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "complete") == 0)
        return complete(argc - 2, argv + 2);
    return unknown_command(argv[1]);
}

static int reader_is_gone(void)
{
    struct pollfd out = {.fd = 1, .events = POLLOUT};
    return poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

/* Whoever reads us may stop early (`| head`): that is no failure. A full disk is one. */
static int flush_output(int rc)
{
    errno = 0;
    if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE || reader_is_gone() || rc != 0)
        return rc;
    return ctr_fail(CTR_E_IO, "cannot write to standard output%s%s", errno ? ": " : "",
                    errno ? strerror(errno) : "");
}

static volatile pid_t own_pid;

/* Some drivers abort instead of failing; what they said stands above. Children that try drivers
 * inherit the handler and keep silent. */
static void on_abort(int signal)
{
    static const char text[] =
        "error: aborted, most likely by the OpenCL driver\n"
        "hint: 'clcontrast devices' tries each device in a process of its own\n";
    if (getpid() == own_pid && write(2, text, sizeof text - 1) < 0)
        _exit(CTR_E_DEVICE);
    raise(signal); /* SA_RESETHAND: this time for good */
}

static void watch_signals(void)
{
    own_pid = getpid();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit: write says EFBIG */
    sigaction(SIGABRT, &(struct sigaction){.sa_handler = on_abort, .sa_flags = (int)SA_RESETHAND},
              NULL);
}

int main(int argc, char **argv)
{
    watch_signals();
    term_init();
    if (argc < 2) {
        help_usage(stderr);
        return CTR_E_USAGE;
    }
    int rc = dispatch(argc, argv);
    rc = flush_output(rc == CMD_DONE ? 0 : rc);
    term_progress_end();
    if (rc == CTR_E_PARTIAL)
        term_warn("%s", ctr_error_text());
    else if (rc != 0)
        term_error();
    return rc;
}
