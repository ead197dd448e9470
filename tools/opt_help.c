/* opt_help.c -- option tables as text for people. In: rows. Out: lines, wrapped. */
#include <math.h>
#include <string.h>

#include "opt.h"

void opt_bounds(struct ctr_str *out, const struct opt *row)
{
    if (isinf(row->max))
        ctr_str_addf(out, "at least %.10g", row->min);
    else
        ctr_str_addf(out, "from %.10g to %.10g", row->min, row->max);
}

static void spaces(struct ctr_str *out, int n)
{
    if (n > 0)
        ctr_str_addf(out, "%*s", n, "");
}

void opt_wrap(struct ctr_str *out, const char *text, int indent, int at, int width)
{
    for (int first = 1; *text; first = 0) {
        int n = (int)strcspn(text, " ");
        if (!first && at + 1 + n > width) {
            ctr_str_add(out, "\n", 1);
            spaces(out, at = indent);
        } else if (!first) {
            ctr_str_add(out, " ", 1);
            at++;
        }
        ctr_str_add(out, text, (size_t)n);
        at += n;
        text += n;
        text += strspn(text, " ");
    }
    ctr_str_add(out, "\n", 1);
}

/* A flag that is on by default is shown as the one that turns it off. */
void opt_row_flags(struct ctr_str *out, const struct opt *row)
{
    int on = row->kind == OPT_FLAG && row->init && strcmp(row->init, "1") == 0;
    if (row->letter)
        ctr_str_addf(out, "-%c, ", row->letter);
    ctr_str_addf(out, "--%s%s", on ? "no-" : "", row->name);
}

static void add_names(struct ctr_str *out, const struct opt_names *names)
{
    const char *name, *text;
    for (size_t i = 0; (name = names->get(i, &text)) != NULL; i++)
        ctr_str_addf(out, "%s%s", i ? ", " : ": ", name);
}

void opt_row_text(struct ctr_str *out, const struct opt *row)
{
    ctr_str_addf(out, "%s", row->help);
    if (row->choices) {
        ctr_str_addf(out, ": ");
        for (const char *p = row->choices; *p; p++)
            ctr_str_add(out, *p == '|' ? ", " : p, *p == '|' ? 2 : 1);
    }
    if (row->names && row->names->few)
        add_names(out, row->names);
    int bounds = row->min != 0 || row->max != 0, flag = row->kind == OPT_FLAG;
    const char *shown = row->shown ? row->shown : flag ? NULL : row->init;
    ctr_str_addf(out, "%s", bounds || shown ? " (" : "");
    if (bounds)
        opt_bounds(out, row);
    if (shown)
        ctr_str_addf(out, "%sdefault: %s", bounds ? "; " : "", shown);
    ctr_str_addf(out, "%s", bounds || shown ? ")" : "");
}

static void help_row(struct ctr_str *out, const struct opt *row, int column, int width)
{
    struct ctr_str flags = {0}, text = {0};
    opt_row_flags(&flags, row);
    if (row->metavar)
        ctr_str_addf(&flags, " %s", row->metavar);
    opt_row_text(&text, row);
    out->failed |= flags.failed || text.failed;
    if (!flags.failed && !text.failed) {
        ctr_str_addf(out, "  %s", flags.s);
        int at = 2 + (int)flags.n;
        if (at + 2 > column) {
            ctr_str_add(out, "\n", 1);
            at = 0;
        }
        spaces(out, column - at);
        opt_wrap(out, text.s, column, column, width);
    }
    ctr_str_free(&flags);
    ctr_str_free(&text);
}

void opt_list(struct ctr_str *out, const struct opt_names *names, int width)
{
    const char *name, *text;
    ctr_str_addf(out, "\n%s:\n", names->title);
    for (size_t i = 0; (name = names->get(i, &text)) != NULL; i++) {
        ctr_str_addf(out, "  %-11s", name);
        opt_wrap(out, text, 13, 13, width);
    }
}

void opt_help(struct ctr_str *out, const struct opt_set *set, int width)
{
    int column = width < 60 ? 6 : 24;
    for (unsigned g = 0; g < set->n_groups; g++) {
        if (set->groups[g].rows->name)
            ctr_str_addf(out, "\n%s:\n", set->groups[g].title);
        for (const struct opt *row = set->groups[g].rows; row->name; row++)
            help_row(out, row, column, width);
    }
}
