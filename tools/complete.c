/* complete.c -- completion of commands, options and values. In: words typed so far. Out: lines. */
#include "complete.h"

#include <stdio.h>
#include <string.h>

#include "term.h"

/* What is typed of a word, and what stands before it in the same argument: "--method=". */
struct typed {
    const char *before, *word;
    int before_n;
};

static void offer(struct ctr_str *out, const struct typed *typed, const char *word,
                  const char *text)
{
    if (strncmp(word, typed->word, strlen(typed->word)) == 0)
        ctr_str_addf(out, "%.*s%s\t%s\n", typed->before_n, typed->before, word, text);
}

static void offer_names(struct ctr_str *out, const struct typed *typed,
                        const struct opt_names *names)
{
    const char *name, *text = "";
    for (size_t i = 0; (name = names->get(i, &text)) != NULL; i++)
        offer(out, typed, name, text);
}

static void offer_choices(struct ctr_str *out, const struct typed *typed, const char *choices)
{
    for (const char *p = choices; *p; p += *p == '|') {
        char word[64];
        size_t n = strcspn(p, "|");
        snprintf(word, sizeof word, "%.*s", (int)n, p);
        offer(out, typed, word, "");
        p += n;
    }
}

/* By the words that help uses for a value: "FILE", "RUN...", "IMAGE|DIR". */
static void offer_paths(struct ctr_str *out, const char *metavar)
{
    static const char *const files[] = {"FILE", "PATH", "MODEL", "IMAGE", "QUERY", "INDEX", "SET"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strstr(metavar, files[i])) {
            ctr_str_addf(out, ":files\n");
            return;
        }
    if (strstr(metavar, "DIR") || strstr(metavar, "RUN"))
        ctr_str_addf(out, ":directories\n");
}

static void offer_values(struct ctr_str *out, const struct typed *typed, const struct opt *row)
{
    if (row->choices)
        offer_choices(out, typed, row->choices);
    else if (row->names)
        offer_names(out, typed, row->names);
    else if (row->metavar)
        offer_paths(out, row->metavar);
}

static void offer_options(struct ctr_str *out, const struct typed *typed, const struct opt_set *set)
{
    for (unsigned g = 0; g < set->n_groups; g++)
        for (const struct opt *row = set->groups[g].rows; row->name; row++) {
            char word[80];
            int on = row->kind == OPT_FLAG && row->init && strcmp(row->init, "1") == 0;
            snprintf(word, sizeof word, "--%s%s", on ? "no-" : "", row->name);
            offer(out, typed, word, row->help);
        }
}

/* The row that a word names and leaves without its value, or NULL. n: bytes of the name. */
static const struct opt *open_row(const struct opt_set *set, const char *word, size_t n)
{
    int is_long = strncmp(word, "--", 2) == 0;
    if (word[0] != '-' || n < 2)
        return NULL;
    for (unsigned g = 0; g < set->n_groups; g++)
        for (const struct opt *row = set->groups[g].rows; row->name; row++) {
            int same = is_long
                           ? strlen(row->name) == n - 2 && memcmp(row->name, word + 2, n - 2) == 0
                           : n == 2 && row->letter && row->letter == word[1];
            if (same)
                return row->kind == OPT_FLAG ? NULL : row;
        }
    return NULL;
}

void complete_command(struct ctr_str *out, const struct opt_set *set, const struct cmd *cmd,
                      int argc, char **argv)
{
    const char *last = argv[argc - 1], *before = argc > 1 ? argv[argc - 2] : "";
    const char *equals = strncmp(last, "--", 2) == 0 ? strchr(last, '=') : NULL;
    struct typed typed = {.before = last, .word = last};
    const struct opt *row = NULL;
    int ended = 0; /* by `--`: only arguments follow */
    for (int i = 0; i + 1 < argc; i++)
        ended |= strcmp(argv[i], "--") == 0;
    if (!ended && (row = open_row(set, before, strlen(before))) == NULL && equals) {
        row = open_row(set, last, (size_t)(equals - last));
        typed.before_n = (int)(equals + 1 - last);
        typed.word = equals + 1;
    }
    if (row)
        offer_values(out, &typed, row);
    else if (!ended && last[0] == '-')
        offer_options(out, &typed, set);
    else if (cmd->arg_names)
        offer_names(out, &typed, cmd->arg_names);
    else
        offer_paths(out, cmd->args);
}

static int complete_name(const char *word)
{
    struct ctr_str out = {0};
    struct typed typed = {.before = "", .word = word};
    offer_names(&out, &typed, &cmd_names);
    offer(&out, &typed, "version", "print the version");
    if (word[0] == '-') {
        offer(&out, &typed, "--help", "list the commands");
        offer(&out, &typed, "--version", "print the version");
    }
    return term_print(&out);
}

/* bash takes `--name=value` apart; an option and its value may as well be two words. */
static int drop_equals(int argc, char **argv)
{
    static char nothing[] = "";
    int n = 0;
    for (int i = 0; i < argc; i++)
        if (i == 0 || strcmp(argv[i], "=") != 0 || strncmp(argv[i - 1], "--", 2) != 0)
            argv[n++] = argv[i];
        else if (i + 1 == argc)
            argv[n++] = nothing;
    return n;
}

int complete(int argc, char **argv)
{
    static char request[] = CMD_COMPLETE;
    argc = drop_equals(argc, argv);
    if (argc == 1)
        return complete_name(argv[0]);
    const struct cmd *cmd = argc > 1 ? cmd_find(argv[0]) : NULL;
    argv[0] = request;
    return cmd ? cmd_run(cmd, argc, argv) : 0;
}
