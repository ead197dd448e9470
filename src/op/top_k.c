/* top_k.c -- the k largest of a_i.b_j + c_j of each row i, streamed over the rows of b.
 *
 * The keys are cut into parts (a number fixed by shape and device), each with its own lists; these
 * are merged. A list's order is total, score and then index, so that the cut changes nothing. On a
 * CPU a part's keys go through the cache in chunks that all queries meet one after the other, so
 * that b is read from memory once: at D = 128 a query costs 256 operations a key, 4 bytes a value. */
#include "op/op.h"

enum {
    KEY_TILE = 8,    /* as in products.clh */
    QUERY_TILE = 32, /* as in products.clh */
    GROUP = 64,      /* queries and keys of a group's tile, products_group.clh */
    GROUP_ITEMS = 256,
    QUERIES = 256, /* that meet a part together on a CPU, at least where there are so many */
    CHUNK_BYTES = 512 << 10, /* of keys, in a core's second cache beside a block of queries */
    MERGE_ITEMS = 64
};

struct attr {
    size_t k;
};

enum { SCORE, INDEX };

/* Parts, the keys of each, and how many queries one work-item (or group) of a part takes. */
struct cut {
    size_t parts, span, queries;
};

static size_t multiple(size_t n, size_t of)
{
    return (n + of - 1) / of * of;
}

/* Queries are divided first, as far as a key that is read still serves many; a short part would
 * see most of its keys enter its lists. */
static struct cut cut_up(const ctr_graph *g, const ctr_node *node, int group)
{
    const struct attr *a = node->attr;
    size_t M = node->in[0]->dim[0], N = node->in[1]->dim[0], tile = group ? GROUP : KEY_TILE;
    size_t want = (group ? 4 : 8) * (size_t)ctr_graph_caps(g)->compute_units;
    size_t queries = group ? GROUP : QUERIES, crowds = (M + queries - 1) / queries;
    if (crowds > want && !group)
        queries = multiple((M + want - 1) / want, QUERY_TILE);
    crowds = (M + queries - 1) / queries;
    size_t parts = (want + crowds - 1) / crowds, span = multiple((N + parts - 1) / parts, tile);
    size_t least = multiple(8 * a->k > 4 * tile ? 8 * a->k : 4 * tile, tile);
    span = span < least ? least : span;
    return (struct cut){(N + span - 1) / span, span, queries};
}

/* Values of the scratch before the lists: the packed queries of `tile`. */
static size_t packed(const ctr_node *node, int group)
{
    size_t M = node->in[0]->dim[0], D = node->in[0]->dim[1];
    return group ? 0 : (M + QUERY_TILE - 1) / QUERY_TILE * QUERY_TILE * D;
}

static int prepare(ctr_graph *g, ctr_node *node, int group)
{
    const struct attr *a = node->attr;
    size_t hits = cut_up(g, node, group).parts * node->in[0]->dim[0] * a->k;
    size_t bytes = packed(node, group) * sizeof(float) + hits * (sizeof(float) + sizeof(int32_t));
    return ctr_node_scratch(g, node, bytes) ? 0 : ctr_graph_status(g);
}

static int emit_pack(ctr_graph *g, const ctr_node *node)
{
    const ctr_tensor *a = node->in[0];
    struct ctr_launch_spec spec = {
        .file = "op/top_k.cl",
        .kernel = "top_k_pack",
        .options = node->in[2] ? "-DBIAS=1" : NULL,
        .global = {(a->dim[0] + QUERY_TILE - 1) / QUERY_TILE},
        .local = {1},
        .args = {CTR_BUF(node->scratch->buf), CTR_BUF(a->buf), CTR_I32(a->dim[1]), CTR_I32(a->dim[0])},
        .n_args = 4,
        .bytes = 2.0 * (double)a->bytes};
    return ctr_emit(g, &spec);
}

static int emit_merge(ctr_graph *g, const ctr_node *node, size_t parts, size_t lists)
{
    const struct attr *a = node->attr;
    const ctr_tensor *score = node->out[SCORE], *index = node->out[INDEX], *part = node->scratch;
    struct ctr_launch_spec spec = {
        .file = "op/top_k.cl",
        .kernel = "top_k_merge",
        .options = node->in[2] ? "-DBIAS=1" : NULL,
        .args = {CTR_BUF(score->buf), CTR_BUF(index->buf), CTR_BUF(part->buf), CTR_I32(parts),
                 CTR_I32(score->dim[0]), CTR_I32(a->k), CTR_U64(lists)},
        .n_args = 7,
        .flops = (double)parts * (double)score->count,
        .bytes = 2.0 * (double)(parts + 1) * (double)score->bytes};
    ctr_grid_items(g, &spec, score->dim[0], MERGE_ITEMS);
    return ctr_emit(g, &spec);
}

static int lower(ctr_graph *g, ctr_node *node, int group)
{
    int rc = 0;
    const struct attr *attr = node->attr;
    ctr_tensor *a = node->in[0], *b = node->in[1], *c = node->in[2], *part = node->scratch;
    size_t M = a->dim[0], N = b->dim[0], D = a->dim[1], lists = packed(node, group);
    size_t chunk = CHUNK_BYTES / (D * sizeof(float)) / KEY_TILE * KEY_TILE;
    struct cut cut = cut_up(g, node, group);
    struct ctr_launch_spec spec = {.file = "op/top_k.cl",
                                   .kernel = group ? "top_k_group" : "top_k_tile",
                                   .options = c ? "-DBIAS=1" : NULL,
                                   .global = {cut.parts, 1, 1},
                                   .local = {1, 1, 1},
                                   .flops = 2.0 * (double)M * (double)N * (double)D,
                                   .bytes = (double)(a->bytes + b->bytes + part->bytes)};
    unsigned n = 0;
    spec.args[n++] = CTR_BUF(part->buf);
    if (group)
        spec.args[n++] = CTR_BUF(a->buf);
    spec.args[n++] = CTR_BUF(b->buf);
    spec.args[n++] = CTR_BUF(c ? c->buf : b->buf);
    spec.args[n++] = CTR_I32(D);
    spec.args[n++] = CTR_I32(M);
    spec.args[n++] = CTR_I32(N);
    spec.args[n++] = CTR_I32(attr->k);
    spec.args[n++] = CTR_I32(cut.span);
    if (group) {
        spec.global[0] = (M + GROUP - 1) / GROUP * GROUP_ITEMS;
        spec.global[1] = cut.parts;
        spec.local[0] = GROUP_ITEMS;
    } else {
        CTR_TRY(emit_pack(g, node));
        spec.global[1] = (M + cut.queries - 1) / cut.queries;
        spec.args[n++] = CTR_I32(chunk < 4 * KEY_TILE ? 4 * KEY_TILE : chunk);
        spec.args[n++] = CTR_I32(cut.queries);
        spec.args[n++] = CTR_U64(lists);
    }
    spec.n_args = n;
    CTR_TRY(ctr_emit(g, &spec));
    CTR_TRY(emit_merge(g, node, cut.parts, lists));
out:
    return rc;
}

static int tile_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    return caps->family == CTR_FAMILY_CPU || caps->max_group < GROUP_ITEMS;
}

static int tile_prepare(ctr_graph *g, ctr_node *node)
{
    return prepare(g, node, 0);
}

static int tile_lower(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, 0);
}

static int group_prepare(ctr_graph *g, ctr_node *node)
{
    return prepare(g, node, 1);
}

static int group_lower(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, 1);
}

static const struct ctr_op top_k = {
    .name = "top_k",
    .variants = (const struct ctr_variant[]){{.name = "tile",
                                              .usable = tile_usable,
                                              .prepare = tile_prepare,
                                              .lower = tile_lower},
                                             {.name = "group",
                                              .prepare = group_prepare,
                                              .lower = group_lower},
                                             {0}},
};

ctr_tensor *ctr_top_k(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, ctr_tensor *c, size_t k,
                      ctr_tensor **index)
{
    struct attr attr = {k};
    ctr_tensor *in[] = {a, b, c};
    if (a && b &&
        (a->rank != 2 || b->rank != 2 || a->dim[1] != b->dim[1] || a->dim[0] > 1u << 30 ||
         b->dim[0] > 1u << 30 || a->dim[1] > 1u << 24 || (c && c->count != b->dim[0])))
        return ctr_graph_fail(g, CTR_E_USAGE, "top_k: rows of %s and %s differ in length", a->name,
                              b->name);
    if (b && (k < 1 || k > b->dim[0]))
        return ctr_graph_fail(g, CTR_E_USAGE, "top_k: %zu of the %zu rows of %s", k, b->dim[0],
                              b->name);
    ctr_node *node = ctr_node_add(g, &top_k, &attr, sizeof attr, 3, in, 1);
    if (!node)
        return NULL;
    const size_t dim[] = {a->dim[0], k};
    ctr_tensor *score = ctr_node_out(g, node, CTR_F32, 2, dim);
    ctr_tensor *places = ctr_node_out(g, node, CTR_I32, 2, dim);
    if (index)
        *index = places;
    return places ? score : NULL;
}
