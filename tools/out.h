/* out.h -- the file that an option names to be written, looked at before any work. What is written
 * itself appears whole or not at all (base/outfile.h). */
#ifndef CTR_TOOLS_OUT_H
#define CTR_TOOLS_OUT_H

#include <stddef.h>

/* --overwrite, for the table of a command whose file costs work to make again; pages and drawings are
 * replaced without. */
#define OPT_OVERWRITE(type)                                                                        \
    OPT_ROW(FLAG, type, overwrite, .name = "overwrite", .help = "replace what is there")

/* --out was given; `example` is how: "-o emb.npy". */
int out_given(const char *path, const char *example);
/* A file can be made there; one that is there is replaced only if `replace` says so, and what is no regular
 * file never. CTR_E_USAGE or CTR_E_IO with "--option: " before the reason. path NULL: nothing is to be
 * written. */
int out_check(const char *option, const char *path, int replace);
/* CTR_E_USAGE where `path` is one of the n files that the command reads, of those beside vectors
 * (io/vectors.h) or of a run's own. path NULL: nothing is to be written; so is an `in`: nothing is read. */
int out_spares(const char *option, const char *path, const char *const *in, size_t n);

#endif
