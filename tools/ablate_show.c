/* ablate_show.c -- the results of an ablation as a heat map, in letters, as JSON. */
#include "ablate.h"

#include <math.h>
#include <stdio.h>

#include "eval/eval.h"
#include "io/heatmap.h"
#include "io/json.h"
#include "term.h"

struct values {
    double cell[ABLATE_OPS *
                (ABLATE_OPS + 1)]; /* [ops][ops + 1], per cent; the last is the row's mean */
    const char *name[ABLATE_OPS + 1];
    double low, high;
};

static void collect(struct values *v, const struct ablation *a)
{
    size_t n = a->n_ops;
    v->low = v->high = a->table.row[0].done ? 100 * a->table.row[0].probe : NAN;
    for (size_t i = 0; i < n; i++) {
        double *cell = v->cell + i * (n + 1);
        cell[n] = 0;
        for (size_t j = 0; j < n; j++) {
            const struct ablate_row *row = &a->table.row[a->at[i][j]];
            cell[j] = row->done ? 100 * row->probe : NAN;
            cell[n] += cell[j] / (double)n;
            v->low = fmin(v->low, cell[j]); /* these leave NaN out */
            v->high = fmax(v->high, cell[j]);
        }
        v->name[i] = a->op[i].name;
    }
    v->name[n] = "average";
}

int ablate_draw(const struct ablation *a)
{
    const struct train_options *o = &a->c->o;
    struct values v;
    struct ctr_str caption = {0};
    collect(&v, a);
    ctr_str_addf(&caption, "linear probe (%s), %%: %s, %s, %llu epochs",
                 ctr_probe_name((enum ctr_probe)o->probe), o->s.method, o->s.encoder,
                 (unsigned long long)o->s.epochs);
    if (a->table.row[0].done)
        ctr_str_addf(&caption, "; untrained: %.1f, white", 100 * a->table.row[0].probe);
    const struct ctr_heatmap map = {
        .value = v.cell,
        .rows = a->n_ops,
        .columns = a->n_ops + 1,
        .row_name = v.name,
        .column_name = v.name,
        .apart = a->n_ops,
        .low = v.low,
        .middle = a->table.row[0].done ? 100 * a->table.row[0].probe : v.low,
        .high = v.high,
        .digits = 1,
        .title = "one view: down the first transformation, across the second; diagonal: one alone",
        .caption = caption.s,
    };
    int rc = caption.failed ? CTR_E_FAIL : ctr_heatmap_png(o->s.out, &map);
    ctr_str_free(&caption);
    return rc;
}

static void print_cell(double value)
{
    if (isfinite(value))
        printf(" %9.2f", value);
    else
        printf(" %9s", "-");
}

void ablate_print(const struct ablation *a)
{
    struct values v;
    collect(&v, a);
    printf("%-16s", "");
    for (size_t j = 0; j <= a->n_ops; j++)
        printf(" %9.9s", v.name[j]);
    for (size_t i = 0; i < a->n_ops; i++) {
        printf("\n%-16.16s", v.name[i]);
        for (size_t j = 0; j <= a->n_ops; j++)
            print_cell(v.cell[i * (a->n_ops + 1) + j]);
    }
    printf("\n%-16s", "untrained");
    print_cell(100 * a->table.row[0].probe);
    printf("\n");
}

int ablate_print_json(const struct ablation *a)
{
    struct ctr_str s = {0};
    ctr_str_addf(&s, "{\"schema\":1,\"out\":");
    ctr_str_json(&s, a->c->o.s.out);
    ctr_str_addf(&s, ",\"table\":");
    ctr_str_json(&s, a->table.path);
    ctr_str_addf(&s, ",\"runs\":[");
    for (size_t i = 0; i < a->total; i++) {
        const struct ablate_row *row = &a->table.row[i];
        const struct ctr_json_field fields[] = {
            ctr_json_str("name", row->name), ctr_json_str("line", row->line),
            ctr_json_num("loss", row->loss), ctr_json_num("knn10", row->knn),
            ctr_json_num("linear", row->probe)};
        ctr_str_addf(&s, i ? ",\n" : "\n");
        ctr_json_object(&s, fields, sizeof fields / sizeof *fields);
    }
    ctr_str_addf(&s, "]}\n");
    return term_print(&s);
}
