/* man.c -- manual pages. In: tables of commands and options. Out: roff, lines of 80 bytes at most.
 */
#include "man.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct row {
    const char *name, *text;
};

static const struct row environment[] = {
    {"NO_COLOR", "when set and not empty, messages have no colour; neither with TERM=dumb"},
    {"OCL_ICD_VENDORS",
     "the OpenCL drivers to look at: a directory of .icd files; where the loader is ocl-icd, "
     "one such file or a driver's library, too"},
    {"RUSTICL_ENABLE",
     "the drivers that Mesa's rusticl offers as devices: radeonsi, iris, llvmpipe"},
    {"POCL_CACHE_DIR", "where PoCL keeps what it compiled, instead of ~/.cache/pocl"},
    {"CTR_CACHE", "off: built kernels are not kept; else the directory for them"},
    {"CTR_QUIRK", "workarounds to switch on or off, as --quirk"},
    {"XDG_CACHE_HOME", "caches lie in its folder clcontrast, by default ~/.cache/clcontrast"},
    {NULL, NULL},
};

/* ---- roff ---- */

/* Text as it is: no request, no escape; `code` in bold where `marks`. */
static void escape(struct ctr_str *out, const char *text, int marks)
{
    int bold = 0;
    for (const char *p = text; *p; p++)
        if (*p == '`' && marks && (bold || (p[1] != ' ' && strchr(p + 1, '`'))))
            ctr_str_addf(out, "%s", (bold = !bold) ? "\\fB" : "\\fR");
        else if (*p == '\\')
            ctr_str_addf(out, "\\e");
        else if (*p == '-' || *p == '`' || *p == '^' || *p == '~')
            ctr_str_addf(out, *p == '-'   ? "\\-"
                              : *p == '`' ? "\\(ga"
                              : *p == '^' ? "\\(ha"
                                          : "\\(ti");
        else if ((*p == '.' || *p == '\'') && (p == text || p[-1] == ' '))
            ctr_str_addf(out, "\\&%c", *p);
        else
            ctr_str_add(out, p, 1);
}

/* `at` is the column of the first word. */
static void words(struct ctr_str *out, const char *text, int at)
{
    struct ctr_str safe = {0};
    escape(&safe, text, 1);
    if (safe.s && !safe.failed)
        opt_wrap(out, safe.s, 0, at, 78);
    ctr_str_free(&safe);
}

static void paragraph(struct ctr_str *out, const char *text)
{
    words(out, text, 0);
}

/* A line of code in bold, and what varies in italics, whatever its length: roff joins lines that
 * end in a backslash. */
static void code(struct ctr_str *out, const char *text, const char *variable)
{
    struct ctr_str safe = {0};
    int at = 0;
    escape(&safe, text, 0);
    ctr_str_addf(out, "\\fB");
    for (const char *p = safe.s && !safe.failed ? safe.s : ""; *p; p++, at++) {
        if (*p == ' ' && at > 60) {
            ctr_str_addf(out, "\\\n");
            at = 0;
        }
        ctr_str_add(out, p, 1);
    }
    ctr_str_addf(out, "%s%s\\fR\n", *variable ? "\\fR \\fI" : "", variable);
    ctr_str_free(&safe);
}

static void head(struct ctr_str *out, const char *name, const char *summary)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH"); /* builds that can be repeated */
    unsigned long long given;
    time_t now = epoch && ctr_parse_u64(epoch, &given) == 0 ? (time_t)given : time(NULL);
    char date[16] = "1970-01-01";
    struct tm tm;
    if (gmtime_r(&now, &tm))
        strftime(date, sizeof date, "%Y-%m-%d", &tm);
    ctr_str_addf(out, ".TH \"");
    for (const char *p = name; *p; p++)
        ctr_str_addf(out, "%c", *p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
    ctr_str_addf(out, "\" 1 \"%s\" \"clcontrast " CTR_VERSION "\"\n.SH NAME\n%s \\- ", date, name);
    words(out, summary, (int)strlen(name) + 4);
}

static void rows(struct ctr_str *out, const char *title, const struct row *row)
{
    ctr_str_addf(out, ".SH %s\n", title);
    for (; row->name; row++) {
        ctr_str_addf(out, ".TP\n");
        code(out, row->name, "");
        paragraph(out, row->text);
    }
}

static void names(struct ctr_str *out, const struct opt_names *list)
{
    const char *name, *text;
    ctr_str_addf(out, ".SS %s\n", list->title);
    for (size_t i = 0; (name = list->get(i, &text)) != NULL; i++) {
        ctr_str_addf(out, ".TP\n");
        code(out, name, "");
        paragraph(out, text);
    }
}

static void exits(struct ctr_str *out)
{
    ctr_str_addf(out, ".SH EXIT STATUS\n");
    for (const struct cmd_exit *e = cmd_exits; e->text; e++) {
        ctr_str_addf(out, ".TP\n.B %d\n", e->code);
        paragraph(out, e->text);
    }
}

/* ---- pages ---- */

static void options(struct ctr_str *out, const struct opt_group *group)
{
    if (!group->rows->name)
        return;
    if (strcmp(group->title, "Options") != 0) /* the section's own name */
        ctr_str_addf(out, ".SS %s\n", group->title);
    for (const struct opt *row = group->rows; row->name; row++) {
        struct ctr_str flags = {0}, text = {0};
        opt_row_flags(&flags, row);
        opt_row_text(&text, row);
        ctr_str_addf(out, ".TP\n");
        code(out, flags.s && !flags.failed ? flags.s : "", row->metavar ? row->metavar : "");
        paragraph(out, text.s && !text.failed ? text.s : "");
        ctr_str_free(&flags);
        ctr_str_free(&text);
    }
}

void man_command(struct ctr_str *out, const struct opt_set *set, const struct cmd *cmd)
{
    char name[64] = "clcontrast-";
    strncat(name, cmd->name, sizeof name - strlen(name) - 1);
    head(out, name, cmd->summary);
    ctr_str_addf(out, ".SH SYNOPSIS\n.B clcontrast %s\n[options]\n", cmd->name);
    if (*cmd->args)
        paragraph(out, cmd->args);
    ctr_str_addf(out, ".SH DESCRIPTION\n");
    paragraph(out, *cmd->about ? cmd->about : cmd->summary);
    if (cmd->lists)
        names(out, cmd->lists);
    ctr_str_addf(out, ".SH OPTIONS\n");
    for (unsigned g = 0; g < set->n_groups; g++)
        options(out, &set->groups[g]);
    ctr_str_addf(out, ".SH EXAMPLES\n");
    for (const struct cmd_example *e = cmd->examples; e && e->line; e++) {
        ctr_str_addf(out, ".TP\n");
        code(out, e->line, "");
        paragraph(out, e->text);
    }
    exits(out);
    ctr_str_addf(out, ".SH SEE ALSO\n.BR clcontrast (1)\n");
}

void man_program(struct ctr_str *out)
{
    head(out, "clcontrast", "learn image representations without labels, on any OpenCL device");
    ctr_str_addf(out, ".SH SYNOPSIS\n.B clcontrast\n.I COMMAND\n[options]\n.SH DESCRIPTION\n");
    paragraph(out, "Learns an encoder from a folder of images, without labels, and puts it to use. "
                   "Each command has a page of its own, `clcontrast-COMMAND`(1), and "
                   "`clcontrast help COMMAND` prints the same.");
    ctr_str_addf(out, ".PP\n");
    paragraph(out, "Results go to standard output, messages and progress to standard error.");
    ctr_str_addf(out, ".SH COMMANDS\n");
    for (const struct cmd *const *cmd = cmd_table; *cmd; cmd++) {
        ctr_str_addf(out, ".TP\n.BR clcontrast\\-%s (1)\n", (*cmd)->name);
        paragraph(out, (*cmd)->summary);
    }
    exits(out);
    rows(out, "ENVIRONMENT", environment);
    ctr_str_addf(out, ".SH SEE ALSO\n.BR clinfo (1)\n");
}
