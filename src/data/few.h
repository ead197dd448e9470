/* few.h -- few labels: as many images of each class, drawn by a seed. Training on a few images (data.h)
 * and evaluating with few labels (eval/eval.h) draw here, hence the same images by the same seed. */
#ifndef CTR_DATA_FEW_H
#define CTR_DATA_FEW_H

#include "clcontrast/data.h"

/* "10" of each class, or "1%" of all. CTR_E_USAGE. */
int ctr_few_parse(struct ctr_few *few, const char *text);
/* Of each class at most, when there are n images; 0: nothing is asked for. All of a class for a share of 1. */
size_t ctr_few_per_class(const struct ctr_few *few, size_t n, unsigned classes);

/* What else is drawn by the same seed must differ in `what`. */
enum ctr_few_draw { CTR_DRAW_HELD, CTR_DRAW_FEW };
/* rank[n]: each row's place in a random order of its class, which has n_of[classes] rows. label[n] in
 * [0, classes). A class's order depends on the seed, its number and its size only. */
int ctr_few_rank(uint32_t *rank, size_t *n_of, const int32_t *label, size_t n, unsigned classes,
                 uint64_t seed, enum ctr_few_draw what);
/* row[*kept]: rows in rising order, `per_class` of each class, all of one that has fewer. row has room
 * for n. */
int ctr_few_choose(uint32_t *row, size_t *kept, const int32_t *label, size_t n, unsigned classes,
                   size_t per_class, uint64_t seed);

#endif
