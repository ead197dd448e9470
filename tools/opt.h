/* opt.h -- command line options out of tables.
 *
 * One row is one fact told once: the flag --NAME, the configuration key NAME, its default, its
 * bounds, its help. A set is one or
 * more tables, each filling a struct of the caller. Accepted: --name=value, --name value, -x value,
 * -xvalue, --flag, --no-flag, and `--` before arguments that begin with a dash.
 * Every failure is CTR_E_USAGE with the option named and, where one is near, the right spelling. */
#ifndef CTR_TOOLS_OPT_H
#define CTR_TOOLS_OPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum opt_kind { OPT_FLAG, OPT_STR, OPT_U64, OPT_DOUBLE, OPT_CHOICE, OPT_LIST };

/* What OPT_LIST fills: every value given, in order. */
struct opt_list {
    const char **items;
    size_t n, cap;
};

/* Words that have a list: methods, encoders. Where a text must be one of them the nearest is told;
 * help, man pages and completion list them. */
struct opt_names {
    const char *what;  /* one of them: "method" */
    const char *title; /* all of them: "Methods" */
    int few;           /* the help of an option has room for them */
    const char *see; /* "`clcontrast train --help` lists them"; NULL where other texts do as well */
    /* The i-th, NULL behind the last; *text becomes a line about it. */
    const char *(*get)(size_t i, const char **text);
};

struct opt {
    const char *name;   /* "weight-decay": --weight-decay; the last row's is NULL */
    char letter;        /* 'o': -o; 0: none */
    enum opt_kind kind; /* kind and offset come from OPT_ROW */
    size_t offset;
    const char *metavar; /* "N", "FILE"; NULL for flags */
    const char *init;    /* default, as it would be typed ("1" for a flag that is on); NULL: none */
    const char *shown;   /* default in words where init cannot say it: "as much as fits" */
    const char *choices; /* OPT_CHOICE, OPT_STR: "cnn|resnet18"; NULL: any text */
    double min, max;     /* inclusive bounds of a number, max may be INFINITY; both 0: none */
    const struct opt_names *names;  /* OPT_STR, OPT_LIST: what the text is one of; may be NULL */
    int (*check)(const char *text); /* OPT_STR: 0, or CTR_E_USAGE recorded; NULL: any text */
    int flag_only;    /* 1: no configuration key, since it speaks of this call (--config) */
    const char *help; /* begins with a small letter, no full stop */
};

/* One row: OPT_ROW(U64, struct options, batch, .name = "batch", .metavar = "N", .help = "..."). The
 * compiler checks that the member is of the kind's type: FLAG int; STR const char *; U64 uint64_t;
 * DOUBLE double; CHOICE int (index of the word in `choices`, -1 without a default); LIST struct
 * opt_list. */
#define OPT_ROW(KIND, type, member, ...)                                                           \
    {                                                                                              \
        .kind = OPT_##KIND, .offset = OPT_OFFSET(type, member, OPT_CTYPE_##KIND), __VA_ARGS__      \
    }
#define OPT_CTYPE_FLAG   int
#define OPT_CTYPE_STR    const char *
#define OPT_CTYPE_U64    uint64_t
#define OPT_CTYPE_DOUBLE double
#define OPT_CTYPE_CHOICE int
#define OPT_CTYPE_LIST   struct opt_list
#define OPT_OFFSET(type, member, ctype)                                                            \
    (offsetof(type, member) + 0 * sizeof((ctype *)0 == &((type *)0)->member))

/* Who set a value; a higher one wins over a lower one. */
enum opt_source { OPT_DEFAULT, OPT_RECIPE, OPT_CONFIG, OPT_COMMAND_LINE, OPT_SOURCES };

#define OPT_MAX_GROUPS 8
#define OPT_MAX_ROWS   48

struct opt_group {
    const char *title; /* "Options" */
    const struct opt *rows;
    void *base;
    unsigned char source[OPT_MAX_ROWS];
};

/* Zero-initialise. Texts given to it (argv, configuration) are borrowed. */
struct opt_set {
    struct opt_group groups[OPT_MAX_GROUPS];
    unsigned n_groups;
    const char **args; /* what is not an option, in order */
    size_t n_args, args_cap;
    /* Says of a name that the set has not where it went or where it belongs; 0: nothing to say. May
     * be NULL. */
    int (*elsewhere)(struct ctr_str *hint, const char *name);
};

/* Adds a table and writes its defaults into *base. */
int opt_add(struct opt_set *set, const char *title, const struct opt *rows, void *base);
/* argv without the names of program and command. */
int opt_parse(struct opt_set *set, int argc, char **argv);
/* Sets one option by name, as a configuration file does. Flags take true/false/yes/no/1/0. A value
 * set by a higher source stays; twice from the same source is a failure (lists grow instead). */
int opt_assign(struct opt_set *set, const char *name, const char *text, enum opt_source source);
/* Adds a hint to the failure `rc` of an unknown name: what `elsewhere` says, or the nearest name,
 * with `dashes` before it; `keys`: among those that are keys of a configuration. Returns rc. */
int opt_unknown_hint(int rc, const struct opt_set *set, const char *name, const char *dashes,
                     int keys);
/* The row of a name, or NULL. */
const struct opt *opt_find(struct opt_set *set, const char *name);
/* Who set `name` last; OPT_DEFAULT also for unknown names. */
enum opt_source opt_source(const struct opt_set *set, const char *name);
/* The value of one option before anything is parsed (a later table may depend on it), or NULL. */
const char *opt_peek(int argc, char **argv, const char *name);
/* Appends a row's value as it would be typed; "" for no value. Numbers read back equal. */
void opt_value(struct ctr_str *out, const struct opt_group *group, const struct opt *row);
/* Frees what the set and the lists of its tables hold. */
void opt_finish(struct opt_set *set);

/* CTR_E_USAGE, with the nearest name as the hint, for a text that must be one of the names and is
 * not. */
int opt_check_name(const struct opt_names *names, const char *text);

/* opt_help.c -- the tables as text. */

/* Appends "-o, --out", and what the option does, with choices, bounds and default. */
void opt_row_flags(struct ctr_str *out, const struct opt *row);
void opt_row_text(struct ctr_str *out, const struct opt *row);
/* Appends "at least 1" or "from 1 to 4". */
void opt_bounds(struct ctr_str *out, const struct opt *row);
/* Appends the names and their texts: two columns, wrapped to `width`. */
void opt_list(struct ctr_str *out, const struct opt_names *names, int width);
/* Appends every table: two columns, wrapped to `width`; defaults and bounds shown. */
void opt_help(struct ctr_str *out, const struct opt_set *set, int width);
/* Appends words wrapped to `width`, each new line indented; `at` is the column of the first word.
 */
void opt_wrap(struct ctr_str *out, const char *text, int indent, int at, int width);

/* The nearest of the words seen so far, for "did you mean". Zero-initialise, offer, read `best`. */
struct opt_near {
    const char *best;
    size_t distance;
};
void opt_near_offer(struct opt_near *near, const char *typed, const char *word);

#endif
