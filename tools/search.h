/* search.h -- what `search` found, and how it is shown: the parts of cmd_search.c. */
#ifndef CTR_TOOLS_SEARCH_H
#define CTR_TOOLS_SEARCH_H

#include "eval/search.h"
#include "io/vectors.h"

enum search_kind { SEARCH_FILE, SEARCH_ROW, SEARCH_VECTOR };

/* A question: an image's file, a row of the index, a row of a file of vectors. */
struct search_query {
    enum search_kind kind;
    const char *text; /* the file, or the image's name in the index; "" where a row has none */
    size_t row;       /* SEARCH_ROW, SEARCH_VECTOR */
};

struct search_result {
    const struct ctr_vectors *index;
    enum ctr_metric metric;
    const struct search_query *query; /* [n] */
    const struct ctr_hit *hits;       /* [n][k] */
    size_t n, k;
    double index_s, search_s; /* to bring the index to the device, and to search it */
    const char *device;
};

/* To standard output: a table for each query; one JSON object. */
int search_print(const struct search_result *result);
int search_print_json(const struct search_result *result);
/* A page with the pictures of queries and hits; what has none any more gets an empty frame, told of
 * in a warning. */
int search_write_html(const char *path, const struct search_result *result);

#endif
