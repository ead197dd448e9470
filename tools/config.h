/* config.h -- option values in a file: `key = value`, the keys being the names of the flags.
 *
 * A subset of TOML: one pair a line; strings in double quotes with \" \\ \n \t \r \e \uXXXX,
 * numbers, true and false, lists of strings in brackets on one line; `#` begins a comment. A byte
 * order mark and CRLF are accepted. No tables: keys are flat. What config_write writes, config_read
 * reads. */
#ifndef CTR_TOOLS_CONFIG_H
#define CTR_TOOLS_CONFIG_H

#include "base/mem.h"
#include "opt.h"

/* Sets the options that the file names and the command line did not. Texts live in *arena, which
 * must outlive the set. `others` (or NULL): options whose keys may be there too and are left alone.
 * CTR_E_USAGE "FILE:LINE:COLUMN: ..." for anything wrong in it, CTR_E_IO when it cannot be read. */
int config_read(struct opt_set *set, struct ctr_arena *arena, const char *path,
                const struct opt *others);
/* Only what the set has, for a set that is not yet whole: other keys are left alone. */
int config_glance(struct opt_set *set, struct ctr_arena *arena, const char *path);
/* The same for text in memory; `name` stands in messages. */
int config_parse(struct opt_set *set, struct ctr_arena *arena, const char *name, const char *text,
                 size_t bytes);
/* Appends every option that is a key, with its present value. Options without a value are left out.
 */
void config_write(struct ctr_str *out, const struct opt_set *set);
/* The same for people: groups, and behind each value who gave it, from[enum opt_source] (NULL for
 * OPT_DEFAULT), which must hold no line break. */
void config_show(struct ctr_str *out, const struct opt_set *set, const char *const *from);

#endif
