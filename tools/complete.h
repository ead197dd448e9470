/* complete.h -- what a shell offers while a command is typed, from the tables that make its help.
 *
 * Each line is a word, a tab, a line about it; or ":files", ":directories": the shell's own. Only
 * words that go on with what is typed. The scripts of `clcontrast completion` read it. */
#ifndef CTR_TOOLS_COMPLETE_H
#define CTR_TOOLS_COMPLETE_H

#include "cmd.h"

/* `clcontrast complete WORD...`: what follows the program's name, the last word being typed. */
int complete(int argc, char **argv);
/* Appends the answer of a command; argv as above, without the command's name. */
void complete_command(struct ctr_str *out, const struct opt_set *set, const struct cmd *cmd,
                      int argc, char **argv);

#endif
