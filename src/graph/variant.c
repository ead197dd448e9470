/* variant.c -- which variant of its op a node gets, and with which configuration.
 *
 * In: lists of choices, "op=variant" or "op=variant:16,64", for one shape "op@SHAPE=variant:16,64",
 * separated by commas or newlines. Out: node->variant and node->config. The first choice that
 * speaks of the node and can be used there wins; else the op's first usable variant, as it comes.
 * A configuration is only ever one that the variant itself offers for the node. */
#include "graph/impl.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAX_CONFIGS 64 /* of one variant and node */

struct text {
    const char *s;
    size_t n;
};

static int same(struct text t, const char *s)
{
    return strlen(s) == t.n && memcmp(s, t.s, t.n) == 0;
}

/* ---- the list ---- */

struct choice {
    struct text all, op, shape, variant; /* shape.s NULL: any */
    struct ctr_config config;
};

static int digit(char c)
{
    return c >= '0' && c <= '9';
}

size_t ctr_variant_item_length(const char *s)
{
    size_t n = 0;
    while (s[n] && s[n] != '\n' && !(s[n] == ',' && !(digit(s[n + 1]) && memchr(s, ':', n))))
        n++;
    return n;
}

static int parse_config(struct ctr_config *config, const char *s, const char *end)
{
    for (int i = 0; i < CTR_CONFIG_INTS; i++) {
        if (s == end || !digit(*s))
            return -1;
        for (; s < end && digit(*s) && config->v[i] < 100000000; s++)
            config->v[i] = 10 * config->v[i] + (*s - '0');
        if (s == end)
            return 0;
        if (*s++ != ',')
            return -1;
    }
    return -1;
}

/* Splits an item of n characters; -1 when it is none. */
static int parse(struct choice *c, const char *s, size_t n)
{
    const char *end = s + n, *equals = memchr(s, '=', n), *at = memchr(s, '@', n);
    *c = (struct choice){.all = {s, n}};
    if (!equals)
        return -1;
    const char *colon = memchr(equals, ':', (size_t)(end - equals));
    const char *op_end = at && at < equals ? at : equals, *variant_end = colon ? colon : end;
    c->op = (struct text){s, (size_t)(op_end - s)};
    if (op_end != equals)
        c->shape = (struct text){op_end + 1, (size_t)(equals - op_end - 1)};
    c->variant = (struct text){equals + 1, (size_t)(variant_end - equals - 1)};
    return colon ? parse_config(&c->config, colon + 1, end) : 0;
}

/* The item at *list, which moves on; 0 at the end. */
static int next_item(struct text *item, const char **list)
{
    while (*list && (**list == ',' || **list == '\n'))
        ++*list;
    if (!*list || !**list)
        return 0;
    *item = (struct text){*list, ctr_variant_item_length(*list)};
    *list += item->n;
    return 1;
}

/* ---- what a node offers ---- */

static const struct ctr_variant *variant_named(const struct ctr_op *op, struct text name)
{
    for (const struct ctr_variant *v = op->variants; v->name; v++)
        if (same(name, v->name))
            return v;
    return NULL;
}

int ctr_variant_usable(const ctr_graph *g, const ctr_node *node, const struct ctr_variant *v)
{
    return (v->half || ctr_node_storage(node) == CTR_F32) &&
           (!v->usable || v->usable(ctr_graph_caps(g), node));
}

size_t ctr_variant_configs(struct ctr_config *out, size_t room, const ctr_graph *g,
                           const ctr_node *node, const struct ctr_variant *v)
{
    return v->configs && room ? v->configs(out, room, ctr_graph_caps(g), node) : 0;
}

size_t ctr_variant_candidates(struct ctr_candidate *out, size_t room, const ctr_graph *g,
                              const ctr_node *node, int general)
{
    struct ctr_config configs[MAX_CONFIGS];
    const struct ctr_variant *own = NULL;
    size_t n = 0;
    for (const struct ctr_variant *v = node->op->variants; v->name; v++) {
        if (!ctr_variant_usable(g, node, v) || (own && !general && !v[1].name))
            continue;
        if (own && n < room)
            out[n++] = (struct ctr_candidate){v, {{0}}};
        own = own ? own : v;
        size_t k = ctr_variant_configs(configs, MAX_CONFIGS, g, node, v);
        for (size_t i = 0; i < k && n < room; i++)
            out[n++] = (struct ctr_candidate){v, configs[i]};
    }
    return n;
}

static int offers(const ctr_graph *g, const ctr_node *node, const struct ctr_variant *v,
                  const struct ctr_config *config)
{
    static const struct ctr_config own;
    struct ctr_config offered[MAX_CONFIGS];
    if (!ctr_variant_usable(g, node, v))
        return 0;
    if (memcmp(config, &own, sizeof own) == 0)
        return 1;
    for (size_t n = ctr_variant_configs(offered, MAX_CONFIGS, g, node, v); n > 0; n--)
        if (memcmp(config, &offered[n - 1], sizeof *config) == 0)
            return 1;
    return 0;
}

static void add_dims(struct ctr_str *s, const ctr_tensor *t)
{
    static const char *const suffix[] = {"", "i", "u", "b", "h", "bf"};
    for (unsigned k = 0; k < t->rank; k++)
        ctr_str_addf(s, k ? "x%zu" : "%zu", t->dim[k]);
    ctr_str_addf(s, "%s", suffix[t->dtype]);
}

void ctr_node_shape(struct ctr_str *s, const ctr_node *node)
{
    XXH64_hash_t hash = XXH3_64bits(node->attr, node->attr_bytes);
    for (unsigned i = 0; i < node->n_in; i++) {
        ctr_str_addf(s, i ? "/" : "");
        if (node->in[i])
            add_dims(s, node->in[i]);
        else
            ctr_str_add(s, "-", 1);
    }
    for (unsigned i = 0; i < node->n_out; i++) {
        const ctr_tensor *t = node->out[i];
        hash = XXH3_64bits_withSeed(t->dim, sizeof t->dim, hash + t->dtype);
    }
    ctr_str_addf(s, "#%08x", (unsigned)(hash ^ hash >> 32));
}

/* ---- choosing ---- */

static int choose_from(ctr_graph *g, ctr_node *node, const char *shape, const char *list)
{
    struct text item;
    struct choice c;
    while (next_item(&item, &list)) {
        if (parse(&c, item.s, item.n) != 0 || !same(c.op, node->op->name) ||
            (c.shape.s && !same(c.shape, shape)))
            continue;
        const struct ctr_variant *v = variant_named(node->op, c.variant);
        if (v && offers(g, node, v, &c.config)) {
            node->variant = v;
            node->config = c.config;
            return 1;
        }
    }
    return 0;
}

static void add_once(struct ctr_str *list, const struct ctr_str *line)
{
    if (!(list->s && strstr(list->s, line->s)))
        ctr_str_add(list, line->s, line->n);
}

/* Adds the choice to the graph's lists, once for each shape. */
static int record(ctr_graph *g, const ctr_node *node, const char *shape,
                  const struct ctr_variant *own)
{
    static const struct ctr_config none;
    struct ctr_str line = {0};
    ctr_str_addf(&line, "%s@%s=%s", node->op->name, shape, node->variant->name);
    ctr_config_text(&line, &node->config);
    ctr_str_add(&line, "\n", 1);
    if (!line.failed) {
        add_once(&g->choices, &line);
        if (node->variant != own || memcmp(&node->config, &none, sizeof none) != 0)
            add_once(&g->changed, &line);
    }
    int failed = line.failed || g->choices.failed || g->changed.failed;
    ctr_str_free(&line);
    return failed ? CTR_E_FAIL : 0;
}

/* What the op takes by itself. */
static const struct ctr_variant *own_choice(const ctr_graph *g, const ctr_node *node)
{
    for (const struct ctr_variant *v = node->op->variants; v->name; v++)
        if (ctr_variant_usable(g, node, v))
            return v;
    return NULL;
}

int ctr_variant_choose(ctr_graph *g, ctr_node *node, const char *const *lists, size_t n)
{
    struct ctr_candidate other;
    struct ctr_str shape = {0};
    const struct ctr_variant *own = own_choice(g, node);
    int rc = 0, open = ctr_variant_candidates(&other, 1, g, node, 1) > 0;
    if (open)
        ctr_node_shape(&shape, node);
    for (size_t i = 0; i < n && open && !shape.failed && !node->variant; i++)
        if (lists[i])
            choose_from(g, node, shape.s, lists[i]);
    if (!node->variant)
        node->variant = own;
    if (!node->variant)
        rc = ctr_fail(CTR_E_DEVICE, "no kernel of '%s' for %s suits this device", node->op->name,
                      ctr_dtype_name(ctr_node_storage(node)));
    else if (open)
        rc = shape.failed ? CTR_E_FAIL : record(g, node, shape.s, own);
    ctr_str_free(&shape);
    return rc;
}

const char *ctr_graph_choices(const ctr_graph *g, int changed)
{
    const char *list = changed ? g->changed.s : g->choices.s;
    return list ? list : "";
}

/* ---- what a person asks for ---- */

static const struct ctr_op *op_named(const ctr_graph *g, struct text name)
{
    for (size_t i = 0; i < g->n_nodes; i++)
        if (same(name, g->nodes[i]->op->name))
            return g->nodes[i]->op;
    return NULL;
}

static int first_of_op(const ctr_graph *g, size_t node)
{
    for (size_t i = 0; i < node; i++)
        if (g->nodes[i]->op == g->nodes[node]->op)
            return 0;
    return 1;
}

static int no_such_op(const ctr_graph *g, const struct choice *c)
{
    struct ctr_str names = {0};
    for (size_t i = 0; i < g->n_nodes; i++)
        if (first_of_op(g, i))
            ctr_str_addf(&names, " %s", g->nodes[i]->op->name);
    int rc = ctr_fail(CTR_E_USAGE, "'%.*s': no such op is used here", (int)c->all.n, c->all.s);
    ctr_hint(rc, "ops:%s", names.s && !names.failed ? names.s : "");
    ctr_str_free(&names);
    return rc;
}

static int no_such_variant(const struct ctr_op *op, const struct choice *c)
{
    struct ctr_str names = {0};
    for (const struct ctr_variant *v = op->variants; v->name; v++)
        ctr_str_addf(&names, " %s", v->name);
    int rc = ctr_fail(CTR_E_USAGE, "'%.*s': '%s' has no such variant", (int)c->all.n, c->all.s,
                      op->name);
    ctr_hint(rc, "variants:%s", names.s && !names.failed ? names.s : "");
    ctr_str_free(&names);
    return rc;
}

void ctr_config_text(struct ctr_str *s, const struct ctr_config *config)
{
    int n = CTR_CONFIG_INTS;
    while (n > 0 && config->v[n - 1] == 0)
        n--;
    for (int i = 0; i < n; i++)
        ctr_str_addf(s, "%c%d", i ? ',' : ':', config->v[i]);
}

/* Some node must take the configuration, else the hint says what they would take. */
static int check_config(const ctr_graph *g, const struct ctr_op *op, const struct ctr_variant *v,
                        const struct choice *c)
{
    static const struct ctr_config own;
    struct ctr_str known = {0};
    if (memcmp(&c->config, &own, sizeof own) == 0)
        return 0;
    for (size_t i = 0; i < g->n_nodes; i++) {
        struct ctr_config offered[MAX_CONFIGS];
        const ctr_node *node = g->nodes[i];
        if (node->op != op || !ctr_variant_usable(g, node, v))
            continue;
        size_t n = ctr_variant_configs(offered, MAX_CONFIGS, g, node, v);
        for (size_t k = 0; k < n; k++) {
            struct ctr_str one = {0};
            if (memcmp(&offered[k], &c->config, sizeof c->config) == 0) {
                ctr_str_free(&known);
                return 0;
            }
            ctr_config_text(&one, &offered[k]);
            if (one.s && !(known.s && strstr(known.s, one.s)))
                ctr_str_addf(&known, " %s%s", v->name, one.s);
            ctr_str_free(&one);
        }
    }
    int rc = ctr_fail(CTR_E_USAGE, "'%.*s': no such configuration of '%s' suits a shape here",
                      (int)c->all.n, c->all.s, v->name);
    if (known.s && !known.failed)
        ctr_hint(rc, "there are:%s", known.s);
    ctr_str_free(&known);
    return rc;
}

/* Op, variant and configuration must exist, or a slip of the pen would time the wrong thing. */
static int check_item(const ctr_graph *g, struct text item)
{
    struct choice c;
    if (parse(&c, item.s, item.n) != 0)
        return ctr_fail(CTR_E_USAGE, "'%.*s' is not op=variant or op=variant:N,N", (int)item.n,
                        item.s);
    const struct ctr_op *op = op_named(g, c.op);
    if (!op)
        return no_such_op(g, &c);
    const struct ctr_variant *v = variant_named(op, c.variant);
    return v ? check_config(g, op, v, &c) : no_such_variant(op, &c);
}

int ctr_variant_check(const ctr_graph *g, const char *list)
{
    struct text item;
    while (next_item(&item, &list)) {
        int rc = check_item(g, item);
        if (rc != 0)
            return rc;
    }
    return 0;
}
