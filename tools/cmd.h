/* cmd.h -- a command of the program.
 *
 * To add one: write tools/cmd_NAME.c, which ends in a `const struct cmd cmd_NAME`; declare it at
 * the end of this file; add `&cmd_NAME` to the table in clcontrast.c and 'cmd_NAME' to `tools` in
 * meson.build. Flags, defaults, help and examples are data: help, man pages and the completion of
 * shells are made from them. cmd_devices.c is the example to copy. */
#ifndef CTR_TOOLS_CMD_H
#define CTR_TOOLS_CMD_H

#include "opt.h"

struct cmd_example {
    const char *line, *text;
};

struct cmd {
    const char *name;
    const char *summary; /* one line: "list devices and what they can do" */
    const char *args;    /* what follows the options in the usage line: "RUN"; "" for none */
    unsigned min_args, max_args;
    const char *about;                  /* a paragraph or two for --help, may be "" */
    const struct opt_names *lists;      /* printed below the examples; may be NULL */
    const struct opt_names *arg_names;  /* what each argument is one of; may be NULL */
    const struct cmd_example *examples; /* end with a NULL line; may be NULL */
    const struct opt *options;          /* end with a NULL name; may be NULL */
    size_t bytes;                       /* of the struct that they fill, zeroed before */
    /* Adds the tables where there are more than `options` (those of a learning method, say), and
     * that with cmd_options; may be NULL. argv as typed, behind program and command. */
    int (*tables)(struct opt_set *set, void *options, int argc, char **argv);
    /* What the command does, once all is parsed. Returns 0 or a CTR_E_* whose text is recorded; it
     * is the exit code. Progress and messages through term.h, results to standard output. */
    int (*run)(void *options, const struct opt_set *set);
    /* Frees what `options` holds, whatever came before; may be NULL. */
    void (*finish)(void *options);
};

/* Returned when help was printed instead. */
#define CMD_DONE (-1)

/* A command from its arguments to its end: the tables and the options that every command has,
 * parsing, --quiet, --verbose, --color and --help, the number of arguments, run. Work that a signal
 * has ended (interrupt.h) ends the program as that signal would, after the text of its failure. */
int cmd_run(const struct cmd *cmd, int argc, char **argv);
/* Starts a set with the command's own table, which fills *options. */
int cmd_options(struct opt_set *set, const struct cmd *cmd, void *options);

/* First arguments that make cmd_run print, instead of parsing: the man page; the ways of going on
 * with the last argument, one a line as complete.h tells. */
#define CMD_MAN      "--help=man"
#define CMD_COMPLETE "--help=complete"

/* All commands in the order of help, ended by NULL, and their names. */
extern const struct cmd *const cmd_table[];
extern const struct opt_names cmd_names;
/* NULL: there is none. */
const struct cmd *cmd_find(const char *name);
/* What exit codes mean; ends with a NULL text. */
struct cmd_exit {
    int code;
    const char *text;
};
extern const struct cmd_exit cmd_exits[];

extern const struct cmd cmd_ablate;
extern const struct cmd cmd_augment;
extern const struct cmd cmd_bench;
extern const struct cmd cmd_classify;
extern const struct cmd cmd_completion;
extern const struct cmd cmd_dedup;
extern const struct cmd cmd_devices;
extern const struct cmd cmd_doctor;
extern const struct cmd cmd_embed;
extern const struct cmd cmd_eval;
extern const struct cmd cmd_export;
extern const struct cmd cmd_help;
extern const struct cmd cmd_import;
extern const struct cmd cmd_info;
extern const struct cmd cmd_map;
extern const struct cmd cmd_pack;
extern const struct cmd cmd_plot;
extern const struct cmd cmd_recipes;
extern const struct cmd cmd_report;
extern const struct cmd cmd_search;
extern const struct cmd cmd_train;
extern const struct cmd cmd_tune;

#endif
