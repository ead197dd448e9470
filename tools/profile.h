/* profile.h -- the table of kernels of `train --profile` and `bench`. */
#ifndef CTR_TOOLS_PROFILE_H
#define CTR_TOOLS_PROFILE_H

#include "dev/dev.h"

/* Prints rows (by falling time) that take at least `least` of the whole, in order, then which cost most beyond
 * their floors. Without peaks there are no floors, and nothing is said of them. */
void profile_print(const struct ctr_profile_row *rows, unsigned n, double least);

#endif
