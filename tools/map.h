/* map.h -- a map of vectors, and the forms in which it is shown: the parts of cmd_map.c that cmd_report.c has,
 * too. */
#ifndef CTR_TOOLS_MAP_H
#define CTR_TOOLS_MAP_H

#include "base/str.h"
#include "io/vectors.h"

enum map_method { MAP_TSNE, MAP_PCA };
enum map_metric { MAP_COSINE, MAP_EUCLIDEAN };

struct map_options {
    enum map_method method;
    enum map_metric metric; /* MAP_COSINE: of the vectors divided by their lengths */
    uint64_t points, seed;  /* a sample of so many, drawn by the seed; 0: all */
    double perplexity;      /* of t-SNE */
};

struct map {
    struct map_options o;         /* as settled */
    const struct ctr_vectors *of; /* borrowed */
    size_t n;
    uint32_t *row; /* [n] of the vectors, rising */
    float *xy;     /* [n][2] */
    double share[2];   /* MAP_PCA: of the variance */
    double divergence; /* MAP_TSNE */
};

/* With progress, and a warning where the perplexity had to be lowered. CTR_E_FAIL once a signal was caught. */
int map_make(struct map *out, const struct ctr_vectors *of, const struct map_options *o);
void map_free(struct map *map);

/* map_write.c: appended text. */
int map_svg(struct ctr_str *s, const struct map *map);
void map_csv(struct ctr_str *s, const struct map *map);
void map_json(struct ctr_str *s, const struct map *map);
/* A whole page; its parts: the drawing, and the plane with some pictures on it (of vectors->data; why there are none
 * is a line of the page). */
int map_html(struct ctr_str *s, const struct map *map, const char *path);
int map_html_drawing(struct ctr_str *s, const struct map *map);
int map_html_pictures(struct ctr_str *s, const struct map *map);

#endif
