/* opcheck.c -- runs op cases on a device. In: a case. Out: errors relative to the reference. */
#include "opcheck.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "storage.h"

#define POISON 0x7fc0deadu /* a NaN that no kernel produces */
/* Matrix units cut off their fp32 sums where others round: of 2,000 products, seen nowhere yet. */
#define MMA_SUMS 2e-5

struct run {
    ctr_dev *dev;
    const struct opcase *c;
    ctr_store *store;
    ctr_graph *g;
    ctr_tensor *in[OPCASE_MAX_IN], *seed, *y;
    double *x[OPCASE_MAX_IN], *dy, *want_y, *want_dx[OPCASE_MAX_IN];
    const char *wrong; /* which result is, NULL so far */
};

static size_t in_count(const struct opcase_in *in)
{
    size_t n = 1;
    for (unsigned i = 0; i < in->rank; i++)
        n *= in->dim[i];
    return n;
}

/* Whatever fp32 numbers of a case matrix units round, before they multiply, is drawn such that this
 * changes nothing: then products are exact, and what comes out is held to what fp32 is held to.
 * tests/op/mma.c is about the rounding. */
static double round_for_units(const struct opcase *c, double v)
{
    int e;
    for (unsigned i = 0; i < c->n_in; i++)
        if (c->in[i].dtype == CTR_F16 || c->in[i].dtype == CTR_BF16)
            return storage_round(v, c->in[i].dtype);
    double m = frexp(v, &e);
    return ldexp(nearbyint(ldexp(m, 11)), e - 11);
}

/* Values of input i, the same in every run; exact in its dtype and, with `units`, for matrix units.
 */
static double *draw_input(const struct opcase *c, unsigned i, int units)
{
    const struct opcase_in *in = &c->in[i];
    double lo = in->lo, hi = in->hi;
    if (lo == 0 && hi == 0) {
        lo = -1;
        hi = 1;
    }
    size_t n = in_count(in);
    double *x = ctr_alloc(n, sizeof *x);
    struct ctr_rng rng;
    ctr_rng_init(&rng, 42, CTR_RNG_TEST, i, (uint32_t)n);
    for (size_t k = 0; x && k < n; k++) {
        double v = lo + (hi - lo) * (double)ctr_rng_uniform(&rng);
        if (in->off_zero && fabs(v) < 0.05)
            v = v < 0 ? v - 0.05 : v + 0.05;
        if (in->dtype == CTR_I32)
            x[k] = floor(v);
        else
            x[k] = storage_round(units ? round_for_units(c, v) : v, in->dtype);
    }
    return x;
}

static int write_tensor(ctr_tensor *t, const double *x)
{
    int32_t *raw = ctr_alloc(t->count, 4);
    if (!raw)
        return CTR_E_FAIL;
    for (size_t k = 0; k < t->count; k++)
        if (t->dtype == CTR_I32)
            raw[k] = (int32_t)x[k];
        else if (t->dtype == CTR_F32)
            ((float *)raw)[k] = (float)x[k];
        else
            ((uint16_t *)raw)[k] = storage_narrow(x[k], t->dtype);
    int rc = ctr_tensor_write(t, raw, t->bytes);
    free(raw);
    return rc;
}

static int record(struct run *r, const char *force)
{
    int rc = 0;
    const struct opcase *c = r->c;
    int wants_grad = 0;
    CTR_TRY(ctr_store_create(&r->store, r->dev));
    CTR_TRY(ctr_graph_create(&r->g, r->dev, r->store));
    for (unsigned i = 0; i < c->n_in; i++) {
        char name[16];
        snprintf(name, sizeof name, "in%u", i);
        r->in[i] = ctr_graph_input(r->g, name, c->in[i].dtype, c->in[i].rank, c->in[i].dim);
        if (c->in[i].grad)
            ctr_graph_want_grad(r->in[i]);
        wants_grad |= c->in[i].grad;
    }
    r->y = c->build(r->g, r->in, c);
    CTR_TRY(ctr_graph_status(r->g));
    ctr_graph_keep(r->y);
    if (wants_grad) {
        r->seed = ctr_graph_input(r->g, "seed", r->y->dtype, r->y->rank, r->y->dim);
        CTR_TRY(ctr_graph_backward(r->g, r->y, r->seed));
    }
    CTR_TRY(ctr_graph_plan(r->g, &(struct ctr_plan_params){.kernels = force, .guard = 1}));
    CTR_TRY(ctr_graph_lower(r->g));
    CTR_TRY(ctr_dev_build(r->dev, 0, NULL, NULL));
    CTR_TRY(ctr_store_init(r->store, 1));
out:
    return rc;
}

static void reference(struct run *r)
{
    const struct opcase *c = r->c;
    const double *x[OPCASE_MAX_IN];
    struct ctr_rng rng;
    int units = ctr_dev_caps(r->dev)->mma != 0;
    for (unsigned i = 0; i < c->n_in; i++) {
        r->x[i] = draw_input(c, i, units);
        x[i] = r->x[i];
        if (c->in[i].grad)
            r->want_dx[i] = ctr_alloc(in_count(&c->in[i]), sizeof(double));
    }
    r->want_y = ctr_alloc(r->y->count, sizeof(double));
    r->dy = ctr_alloc(r->y->count, sizeof(double));
    ctr_rng_init(&rng, 43, CTR_RNG_TEST, 0, 0);
    for (size_t k = 0; k < r->y->count; k++) {
        double v = (double)(ctr_rng_uniform(&rng) * 2.0f - 1.0f);
        r->dy[k] = storage_round(units ? round_for_units(c, v) : v, r->y->dtype);
    }
    c->fwd(r->want_y, x, c);
    if (c->bwd)
        c->bwd(r->want_dx, r->dy, x, c);
}

/* Relative error of a tensor; infinite when a value is not finite though it should be. raw: its
 * bytes.
 */
static int compare(double *error, void *raw, const ctr_tensor *t, const double *want)
{
    double diff = 0, norm = 0;
    int rc = ctr_tensor_read(raw, t, t->bytes);
    if (rc != 0)
        return rc;
    for (size_t k = 0; k < t->count; k++) {
        double got = t->dtype == CTR_F32 ? (double)((float *)raw)[k]
                                         : storage_widen(((uint16_t *)raw)[k], t->dtype);
        if (!isfinite(got) && isfinite(want[k])) {
            *error = INFINITY;
            return 0;
        }
        diff += (got - want[k]) * (got - want[k]);
        norm += want[k] * want[k];
    }
    *error = norm > 0 ? sqrt(diff / norm) : sqrt(diff);
    return 0;
}

static int by_units(const ctr_graph *g)
{
    const ctr_node *node;
    for (size_t i = 0; (node = ctr_graph_node(g, i)); i++)
        if (node->variant->error > 0)
            return 1;
    return 0;
}

/* Output and gradients of one replay on poisoned memory; their bits are added to `hash`. */
static int replay_once(struct run *r, struct opcheck_result *res, uint64_t *hash)
{
    int rc = 0;
    const struct opcase *c = r->c;
    void *got = NULL;
    double tol = c->tol > 0 ? c->tol : 1e-6, grad_tol = c->grad_tol > 0 ? c->grad_tol : 1e-6;
    const double units = by_units(r->g) ? MMA_SUMS : 0;
    CTR_TRY(ctr_graph_poison(r->g, POISON));
    for (unsigned i = 0; i < c->n_in; i++)
        CTR_TRY(write_tensor(r->in[i], r->x[i]));
    if (r->seed)
        CTR_TRY(write_tensor(r->seed, r->dy));
    CTR_TRY(ctr_graph_replay(r->g));
    CTR_TRY(ctr_graph_check_guards(r->g, POISON));
    *hash = 1469598103934665603u;
    for (unsigned i = 0; i <= c->n_in; i++) {
        const ctr_tensor *t = i == c->n_in ? r->y : c->in[i].grad ? r->in[i]->grad : NULL;
        double error;
        if (!t)
            continue;
        free(got);
        got = ctr_alloc(t->count, sizeof(float));
        if (!got)
            return CTR_E_FAIL;
        CTR_TRY(compare(&error, got, t, i == c->n_in ? r->want_y : r->want_dx[i]));
        double *worst = i == c->n_in ? &res->fwd_error : &res->bwd_error;
        *worst = error > *worst ? error : *worst;
        if (!(error <= (i == c->n_in ? tol : grad_tol) + units + 2 * storage_error(t->dtype)))
            r->wrong = i == c->n_in ? "output differs from the reference"
                                    : "gradient differs from the reference";
        for (size_t k = 0; k < t->bytes; k++)
            *hash = (*hash ^ ((unsigned char *)got)[k]) * 1099511628211u;
    }
out:
    free(got);
    return rc;
}

static void finish(struct run *r)
{
    for (unsigned i = 0; i < OPCASE_MAX_IN; i++) {
        free(r->x[i]);
        free(r->want_dx[i]);
    }
    free(r->want_y);
    free(r->dy);
    ctr_graph_destroy(&r->g);
    ctr_store_destroy(&r->store);
}

/* `stored`: "fp16", "bf16" or "". */
static unsigned run_variant(ctr_dev *dev, const struct opcase *c, const char *force,
                            const char *stored, opcheck_report *report, void *user,
                            void (*each)(void *, ctr_graph *), void *each_user)
{
    struct run r = {.dev = dev, .c = c};
    const char *why = NULL;
    char text[256], name[512];
    struct opcheck_result res = {.variant = name};
    snprintf(name, sizeof name, "%s%s%s", stored, *stored && force ? " " : "", force ? force : "");
    uint64_t hash[2];
    const char *once = getenv("CTR_TEST_ONCE");
    if (record(&r, force) != 0)
        why = ctr_error_text();
    else
        reference(&r);
    if (!why && replay_once(&r, &res, &hash[0]) != 0)
        why = ctr_error_text();
    if (!why && !once && replay_once(&r, &res, &hash[1]) != 0)
        why = ctr_error_text();
    if (!why && !once && hash[0] != hash[1])
        why = "two runs differ";
    if (!why)
        why = r.wrong;
    if (!why && !force && !*stored && opcheck_gradcheck(c, r.y->count) > 1e-5)
        why = "the reference's gradient differs from central differences";
    if (why) {
        snprintf(text, sizeof text, "%s", why);
        why = text;
    }
    report(user, c, &res, why != NULL, why);
    if (each && r.g)
        each(each_user, r.g);
    finish(&r);
    return why != NULL;
}

/* "op=variant:configuration" of every choice in a graph beyond the default one. Those of different ops
 * are tried together: the first of each op, the second of each, and so on. */
struct choices {
    char text[256][96];
    unsigned round[256], rounds;
    unsigned n, lost;
};

static int same_op(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return n == strcspn(b, "=") && memcmp(a, b, n) == 0;
}

static void add_choice(struct choices *all, const ctr_node *node, const struct ctr_variant *v,
                       const struct ctr_config *config)
{
    struct ctr_str s = {0};
    unsigned k = 0, round = 0;
    ctr_str_addf(&s, "%s=%s", node->op->name, v->name);
    ctr_config_text(&s, config);
    for (; k < all->n && strcmp(all->text[k], s.s) != 0; k++)
        round += same_op(all->text[k], s.s) != 0;
    if (k == all->n && k < 256 && s.n < sizeof all->text[k]) {
        memcpy(all->text[all->n], s.s, s.n + 1);
        all->round[all->n++] = round;
        all->rounds = round + 1 > all->rounds ? round + 1 : all->rounds;
    } else
        all->lost += k == all->n;
    ctr_str_free(&s);
}

static void collect(void *user, ctr_graph *g)
{
    const char *own = getenv("CTR_TEST_CONFIGS"); /* "own": no others */
    struct choices *all = user;
    const ctr_node *node;
    for (size_t i = 0; (node = ctr_graph_node(g, i)); i++)
        for (const struct ctr_variant *v = node->op->variants; v->name; v++) {
            struct ctr_config configs[64];
            if (!ctr_variant_usable(g, node, v))
                continue;
            if (v != node->variant)
                add_choice(all, node, v, &(struct ctr_config){{0}});
            if (own && strcmp(own, "own") == 0)
                continue;
            if (ctr_node_storage(node) != CTR_F32) /* configurations share what reads and writes */
                continue;
            size_t n = ctr_variant_configs(configs, 64, g, node, v);
            for (size_t k = 0; k < n; k++)
                add_choice(all, node, v, &configs[k]);
        }
}

/* What a round came to; only kept. */
static void hear(void *user, const struct opcase *c, const struct opcheck_result *r, int failed,
                 const char *why)
{
    *(struct opcheck_result *)user = *r;
}

/* One choice of each op at once; where that fails each alone, and then, if none does, all of them. */
static unsigned run_round(ctr_dev *dev, const struct opcase *c, const struct choices *all,
                          unsigned round, const char *stored, opcheck_report *report, void *user)
{
    struct ctr_str force = {0};
    struct opcheck_result res;
    char name[128];
    unsigned failed = 0;
    for (unsigned i = 0; i < all->n; i++)
        if (all->round[i] == round)
            ctr_str_addf(&force, "%s%s", force.n ? "," : "", all->text[i]);
    unsigned wrong = run_variant(dev, c, force.s, stored, hear, &res, NULL, NULL);
    res.variant = name;
    for (unsigned i = 0; i < all->n; i++) {
        if (all->round[i] != round)
            continue;
        snprintf(name, sizeof name, "%s%s%s", stored, *stored ? " " : "", all->text[i]);
        if (wrong)
            failed += run_variant(dev, c, all->text[i], stored, report, user, NULL, NULL);
        else
            report(user, c, &res, 0, NULL);
    }
    if (wrong && !failed)
        failed = run_variant(dev, c, force.s, stored, report, user, NULL, NULL);
    ctr_str_free(&force);
    return failed;
}

/* CTR_TEST_FORCE, and nodes of an op it names that another variant ran. */
struct forced {
    const char *force;
    unsigned others;
};

static void count_others(void *user, ctr_graph *g)
{
    struct forced *f = user;
    const ctr_node *node;
    for (size_t i = 0; (node = ctr_graph_node(g, i)); i++) {
        const char *p = f->force;
        while (p && !same_op(p, node->op->name))
            p = (p = strchr(p, ',')) ? p + 1 : NULL;
        const char *name = p ? p + strcspn(p, "=") + 1 : node->variant->name;
        size_t n = strcspn(name, ":,");
        f->others += n != strlen(node->variant->name) || memcmp(name, node->variant->name, n) != 0;
    }
}

/* Nothing but what is forced, which must be what runs. */
static unsigned forced_variant(ctr_dev *dev, const struct opcase *c, const char *force,
                               const char *stored, opcheck_report *report, void *user)
{
    struct forced f = {.force = force};
    unsigned failed = run_variant(dev, c, force, stored, report, user, count_others, &f);
    if (f.others)
        report(user, c, &(struct opcheck_result){.variant = force}, 1, "another variant has run");
    return failed + (f.others > 0);
}

static unsigned all_variants(ctr_dev *dev, const struct opcase *c, const char *stored,
                             opcheck_report *report, void *user)
{
    static struct choices all;
    const char *force = getenv("CTR_TEST_FORCE");
    all.n = all.rounds = all.lost = 0;
    if (force)
        return forced_variant(dev, c, force, stored, report, user);
    unsigned failed = run_variant(dev, c, NULL, stored, report, user, collect, &all);
    for (unsigned i = 0; i < all.rounds; i++)
        failed += run_round(dev, c, &all, i, stored, report, user);
    return failed + all.lost; /* what is not tried has not passed */
}

unsigned opcheck_case(ctr_dev *dev, const struct opcase *c, opcheck_report *report, void *user)
{
    const char *precision = getenv("CTR_TEST_PRECISION"); /* "fp32": nothing stored otherwise */
    unsigned failed = all_variants(dev, c, "", report, user);
    if (precision && strcmp(precision, "fp32") == 0)
        return failed;
    for (enum ctr_dtype dtype = CTR_F16; dtype <= CTR_BF16; dtype++) {
        struct opcase half = *c;
        int any = 0;
        for (unsigned i = 0; i < c->n_in; i++)
            if (c->in[i].act) {
                half.in[i].dtype = dtype;
                any = 1;
            }
        failed += any ? all_variants(dev, &half, ctr_dtype_name(dtype), report, user) : 0;
    }
    return failed;
}

static double weighted_sum(double *y, size_t n, const double *dy, const double *const *x,
                           const struct opcase *c)
{
    double sum = 0;
    memset(y, 0, n * sizeof *y);
    c->fwd(y, x, c);
    for (size_t k = 0; k < n; k++)
        sum += y[k] * dy[k];
    return sum;
}

double opcheck_gradcheck(const struct opcase *c, size_t y_count)
{
    double *x[OPCASE_MAX_IN] = {0}, *dx[OPCASE_MAX_IN] = {0};
    double diff = 0, norm = 0;
    size_t total = 0;
    for (unsigned i = 0; i < c->n_in; i++)
        total += c->in[i].grad ? in_count(&c->in[i]) : 0;
    if (!c->bwd || c->no_gradcheck || total > 2000)
        return 0;
    double *y = ctr_alloc(y_count, sizeof *y), *dy = ctr_alloc(y_count, sizeof *dy);
    for (size_t k = 0; k < y_count; k++)
        dy[k] = cos(1.0 + (double)k);
    for (unsigned i = 0; i < c->n_in; i++) {
        x[i] = draw_input(c, i, 0);
        dx[i] = c->in[i].grad ? ctr_alloc(in_count(&c->in[i]), sizeof(double)) : NULL;
    }
    c->bwd(dx, dy, (const double *const *)x, c);
    for (unsigned i = 0; i < c->n_in; i++)
        for (size_t k = 0; dx[i] && k < in_count(&c->in[i]); k++) {
            const double h = 1e-5, at = x[i][k];
            x[i][k] = at + h;
            double up = weighted_sum(y, y_count, dy, (const double *const *)x, c);
            x[i][k] = at - h;
            double down = weighted_sum(y, y_count, dy, (const double *const *)x, c);
            x[i][k] = at;
            double numeric = (up - down) / (2 * h);
            diff += (numeric - dx[i][k]) * (numeric - dx[i][k]);
            norm += numeric * numeric;
        }
    for (unsigned i = 0; i < c->n_in; i++) {
        free(x[i]);
        free(dx[i]);
    }
    free(y);
    free(dy);
    return norm > 0 ? sqrt(diff / norm) : sqrt(diff);
}
