/* man.h -- manual pages in man(7)'s language, from the tables that make help. */
#ifndef CTR_TOOLS_MAN_H
#define CTR_TOOLS_MAN_H

#include "cmd.h"

/* Appends clcontrast-COMMAND(1); the set holds the command's options. */
void man_command(struct ctr_str *out, const struct opt_set *set, const struct cmd *cmd);
/* Appends clcontrast(1). */
void man_program(struct ctr_str *out);

#endif
