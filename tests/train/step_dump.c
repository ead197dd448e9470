/* step_dump.c -- `step-dump [METHOD[:VIEWS[+LOCAL]]/]ENCODER[:WIDTH] PAIRS SIZE OUT.safetensors [REPEATS]`: runs one step
 * (step.h) and writes its views, parameters, gradients ("grad.NAME"), what its shadow and queue are after
 * the step ("after.NAME"), loss, and on which side of zero each
 * value of each rectified layer is ("mask.NUMBER", in order: rounding decides it for values next to
 * zero, and with it the gradient). tests/torch/step.py compares the file with PyTorch. With REPEATS
 * no masks are kept, since they cost memory, and the median time of further steps is printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "io/safetensors.h"
#include "train/step.h"

static int add(struct ctr_st_tensor *t, const char *prefix, const struct ctr_store_entry *e,
               const float *data)
{
    char *name = ctr_alloc(256, 1);
    if (!name)
        return CTR_E_FAIL;
    snprintf(name, 256, "%s%s", prefix, e->name);
    *t = (struct ctr_st_tensor){.name = name,
                                .dtype = CTR_ST_F32,
                                .rank = e->rank,
                                .data = data,
                                .bytes = e->count * sizeof *data};
    for (unsigned i = 0; i < e->rank; i++)
        t->dims[i] = e->dim[i];
    return 0;
}

/* The sides of a rectified output; no name is set when something in it is negative. */
static int mask(struct ctr_st_tensor *t, const ctr_tensor *y, unsigned number)
{
    float *value = ctr_alloc(y->count, sizeof *value);
    unsigned char *side = ctr_alloc(y->count, 1);
    char *name = ctr_alloc(32, 1);
    int rc = value && side && name ? ctr_tensor_read(value, y, y->bytes) : CTR_E_FAIL;
    size_t zeros = 0, i = 0;
    for (; rc == 0 && i < y->count && value[i] >= 0; i++) {
        side[i] = value[i] > 0;
        zeros += !side[i];
    }
    if (rc == 0 && i == y->count && zeros > 0) {
        snprintf(name, 32, "mask.%03u", number);
        *t = (struct ctr_st_tensor){
            .name = name, .dtype = CTR_ST_U8, .rank = y->rank, .data = side, .bytes = y->count};
        for (unsigned k = 0; k < y->rank; k++)
            t->dims[k] = y->dim[k];
    }
    free(value);
    return rc;
}

static int rectifies(const ctr_node *node)
{
    return strcmp(node->op->name, "batch_norm") == 0 || strncmp(node->op->name, "conv2d", 6) == 0 ||
           strcmp(node->op->name, "dense") == 0;
}

/* What after_update leaves of entry i, where it does. */
static int add_after(struct ctr_st_tensor *t, size_t *n, const struct step *s, size_t i)
{
    const struct ctr_store_entry *e = ctr_store_entry(s->store, i);
    enum ctr_store_part part = e->is_state ? CTR_STORE_VALUES : CTR_STORE_SHADOW;
    if (e->is_state ? e->init.kind != CTR_INIT_DIRECTIONS : !ctr_store_has_shadow(s->store))
        return 0;
    float *x = ctr_alloc(e->count, sizeof *x);
    int rc = x ? ctr_store_read(x, s->store, i, part) : CTR_E_FAIL;
    return rc != 0 ? rc : add(&t[(*n)++], e->is_state ? "after." : "after.shadow.", e, x);
}

static struct ctr_st_tensor views(const char *name, const ctr_tensor *t, const float *x)
{
    struct ctr_st_tensor st = {
        .name = name, .dtype = CTR_ST_F32, .rank = 4, .data = x, .bytes = t->bytes};
    for (unsigned i = 0; i < 4; i++)
        st.dims[i] = t->dim[i];
    return st;
}

static int dump(struct step *s, const char *path)
{
    int rc = 0;
    size_t n = 0, entries = ctr_store_entries(s->store);
    struct ctr_st_tensor *t = ctr_alloc(3 * entries + 3 + ctr_graph_report(s->g).nodes, sizeof *t);
    unsigned masks = 0;
    const ctr_node *node;
    float loss;
    if (!t)
        return CTR_E_FAIL;
    CTR_TRY(ctr_tensor_read(&loss, s->io.loss, sizeof loss));
    printf("loss %.9g\n", (double)loss);
    for (size_t i = 0; s->keep_outputs && (node = ctr_graph_node(s->g, i)); i++)
        if (rectifies(node)) {
            CTR_TRY(mask(&t[n], node->out[0], masks));
            if (t[n].name) {
                n++;
                masks++;
            }
        }
    for (size_t i = 0; i < entries; i++) {
        const struct ctr_store_entry *e = ctr_store_entry(s->store, i);
        CTR_TRY(add_after(t, &n, s, i));
        if (e->is_state)
            continue;
        float *value = ctr_alloc(e->count, sizeof *value),
              *grad = ctr_alloc(e->count, sizeof *grad);
        if (!value || !grad)
            CTR_TRY(CTR_E_FAIL);
        CTR_TRY(ctr_store_read(value, s->store, i, CTR_STORE_VALUES));
        CTR_TRY(ctr_store_read(grad, s->store, i, CTR_STORE_GRADS));
        CTR_TRY(add(&t[n++], "", e, value));
        CTR_TRY(add(&t[n++], "grad.", e, grad));
    }
    t[n++] = (struct ctr_st_tensor){.name = "loss", .dtype = CTR_ST_F32, .data = &loss, .bytes = 4};
    t[n++] = views("views", s->views, s->x);
    if (s->local)
        t[n++] = views("local", s->local, s->x_local);
    CTR_TRY(ctr_st_write(path, t, NULL, 0, n, 0));
out:
    return rc; /* the program ends here: the arrays go with it */
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int repeat(struct step *s, int times)
{
    double *t = ctr_alloc((size_t)times + 1, sizeof *t);
    for (int i = 0; i < times; i++) {
        double start = ctr_now();
        int rc = ctr_graph_replay(s->g);
        if (rc == 0)
            rc = ctr_dev_finish(s->dev);
        if (rc != 0)
            return rc;
        t[i] = ctr_now() - start;
    }
    qsort(t, (size_t)times, sizeof *t, by_value);
    struct ctr_plan_report r = ctr_graph_report(s->g);
    printf("step: median %.4f s of %d, %.1f GFLOP/s, %.0f views/s, arena %.0f MiB\n", t[times / 2],
           times, r.flops / t[times / 2] * 1e-9, (double)s->views->dim[0] / t[times / 2],
           (double)r.arena_bytes / 1048576);
    free(t);
    return 0;
}

int main(int argc, char **argv)
{
    struct step s = {.keep_outputs = argc <= 5, .plan.recompute = argc > 6 ? (enum ctr_recompute)atoi(argv[6]) : CTR_RECOMPUTE_AUTO};
    if (argc < 5) {
        fprintf(stderr,
                "usage: step-dump [METHOD[:VIEWS[+LOCAL]]/]ENCODER[:WIDTH] PAIRS SIZE OUT.safetensors [REPEATS [RECOMPUTE]]\n");
        return 2;
    }
    char *slash = strchr(argv[1], '/'), *colon;
    if (slash) {
        *slash = '\0';
        s.method = argv[1];
        if ((colon = strchr(argv[1], ':')) != NULL) {
            *colon = '\0';
            char *plus = strchr(colon + 1, '+');
            s.V = (unsigned)atoi(colon + 1);
            s.L = plus ? (unsigned)atoi(plus + 1) : 0;
        }
        argv[1] = slash + 1;
    }
    colon = strchr(argv[1], ':');
    double width = colon ? atof(colon + 1) : 1;
    if (colon)
        *colon = '\0';
    int rc = step_run(&s, getenv("CTR_TEST_DEVICE"), argv[1], width, (size_t)atoi(argv[2]),
                      (size_t)atoi(argv[3]));
    if (rc == 0)
        rc = dump(&s, argv[4]);
    if (rc == 0 && argc > 5)
        rc = repeat(&s, atoi(argv[5]));
    if (rc != 0)
        fprintf(stderr, "error: %s\n", ctr_error_text());
    step_finish(&s);
    return rc;
}
