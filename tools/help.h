/* help.h -- the program's own help: its commands, exit codes. */
#ifndef CTR_TOOLS_HELP_H
#define CTR_TOOLS_HELP_H

#include <stdio.h>

/* How the program is used, and the commands. */
void help_usage(FILE *to);

#endif
