/* step_dump.c -- `step-dump ENCODER PAIRS SIZE OUT.safetensors [REPEATS]`: runs one step (step.h)
 * and writes its views, parameters, gradients ("grad.NAME") and loss; prints the median time of
 * REPEATS further steps. tests/torch/step.py compares the file with PyTorch. */
#include <stdio.h>
#include <stdlib.h>

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

static int dump(struct step *s, const char *path)
{
    int rc = 0;
    size_t n = 0, entries = ctr_store_entries(s->store);
    struct ctr_st_tensor *t = ctr_alloc(2 * entries + 2, sizeof *t);
    float loss;
    if (!t)
        return CTR_E_FAIL;
    CTR_TRY(ctr_tensor_read(&loss, s->io.loss, sizeof loss));
    printf("loss %.9g\n", (double)loss);
    for (size_t i = 0; i < entries; i++) {
        const struct ctr_store_entry *e = ctr_store_entry(s->store, i);
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
    t[n] = (struct ctr_st_tensor){
        .name = "views", .dtype = CTR_ST_F32, .rank = 4, .data = s->x, .bytes = s->views->bytes};
    for (unsigned i = 0; i < 4; i++)
        t[n].dims[i] = s->views->dim[i];
    CTR_TRY(ctr_st_write(path, t, NULL, 0, n + 1, 0));
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
    struct step s;
    if (argc < 5) {
        fprintf(stderr, "usage: step-dump ENCODER PAIRS SIZE OUT.safetensors [REPEATS]\n");
        return 2;
    }
    int rc = step_run(&s, getenv("CTR_TEST_DEVICE"), argv[1], (size_t)atoi(argv[2]),
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
