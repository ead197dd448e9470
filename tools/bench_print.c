/* bench_print.c -- rows as a table on standard output, or as one JSON object (docs/BENCHMARKS.md
 * has its schema). */
#include "bench.h"

#include <stdio.h>

#include "clcontrast/device.h"
#include "profile.h"
#include "term.h"

#define LEAST_SHARE 0.02 /* of a step: smaller kernels are not listed */

static double bandwidth(const struct ctr_peaks *p)
{
    return p->read > p->update ? p->read : p->update;
}

static const char *pass_name(enum bench_pass pass)
{
    switch (pass) {
    case BENCH_FWD:
        return "fwd";
    case BENCH_DX:
        return "dx";
    case BENCH_DW:
        return "dw";
    case BENCH_BWD:
        return "bwd";
    case BENCH_ONE:
        break;
    }
    return "";
}

/* ---- table ---- */

void bench_table_head(const struct bench_result *r)
{
    const struct ctr_peaks *p = r->peaks;
    struct ctr_str name = {0};
    term_escape(&name, r->caps->name);
    printf("%s, %s\n", name.s ? name.s : "", r->caps->driver);
    ctr_str_free(&name);
    if (p)
        printf("measured peaks: %.4g GFLOP/s, reading %.4g GB/s, y += s x %.4g GB/s\n",
               p->flops * 1e-9, p->read * 1e-9, p->update * 1e-9);
    if (r->n == 0)
        return;
    printf("%-30s %10s %21s %8s %7s %5s %5s %7s %4s  %s\n", "", "median", "min .. max", "GFLOP/s",
           "GB/s", "flop%", "mem%", "x floor", "runs", "kernels");
}

static void seconds(char *buf, double s)
{
    if (s < 1e-3)
        sprintf(buf, "%.1f us", s * 1e6);
    else if (s < 1)
        sprintf(buf, "%.3f ms", s * 1e3);
    else
        sprintf(buf, "%.3f s", s);
}

static void cell(int width, int digits, int there, double value)
{
    if (there)
        printf(" %*.*f", width, digits, value);
    else
        printf(" %*s", width, "");
}

static void print_step(const struct bench_result *r, const struct bench_row *row)
{
    char arena[24], device[24];
    printf("    %.0f views/s, %zu launches, %.2f GFLOP; arena %s, on the device %s",
           2.0 * (double)row->pairs / row->median_s, row->launches, row->flops * 1e-9,
           term_bytes(arena, row->arena_bytes), term_bytes(device, row->device_bytes));
    if (r->peaks)
        printf("; sum of floors %.4f s", row->floor_s);
    printf("\n");
    profile_print(row->kernels, row->n_kernels, LEAST_SHARE);
    printf("\n");
}

void bench_table_row(const struct bench_result *r, const struct bench_row *row)
{
    char median[32], min[32], max[32];
    double t = row->median_s;
    seconds(median, t);
    seconds(min, row->min_s);
    seconds(max, row->max_s);
    printf("%-30s %10s %10s .%10s", row->name, median, min, max);
    cell(8, 1, row->flops > 0, row->flops / t * 1e-9);
    cell(7, 1, row->bytes > 0, row->bytes / t * 1e-9);
    cell(5, 0, r->peaks && row->flops > 0, r->peaks ? 100 * row->work / t / r->peaks->flops : 0);
    cell(5, 0, r->peaks && row->bytes > 0,
         r->peaks ? 100 * row->bytes / t / bandwidth(r->peaks) : 0);
    cell(7, 2, row->floor_s > 0, t / row->floor_s);
    printf(" %4zu  %s\n", row->launches, row->encoder ? "" : row->variants);
    if (row->encoder)
        print_step(r, row);
    fflush(stdout);
}

/* ---- JSON ---- */

static void text(struct ctr_str *out, const char *key, const char *value)
{
    ctr_str_addf(out, "\"%s\":", key);
    ctr_str_json(out, value);
    ctr_str_addf(out, ",");
}

static void number(struct ctr_str *out, const char *key, double value)
{
    ctr_str_addf(out, "\"%s\":", key);
    ctr_str_json_num(out, value);
    ctr_str_addf(out, ",");
}

static void whole(struct ctr_str *out, const char *key, unsigned long long value)
{
    ctr_str_addf(out, "\"%s\":%llu,", key, value);
}

/* A comma is written after every member; the last one goes. */
static void end(struct ctr_str *out, char bracket)
{
    if (out->n && !out->failed && out->s[out->n - 1] == ',')
        out->n--;
    ctr_str_addf(out, "%c,", bracket);
}

static void json_shape(struct ctr_str *out, const struct bench_row *row)
{
    ctr_str_addf(out, "\"shape\":{");
    for (int i = 0; row->family && i < BENCH_SHAPE && row->family->keys[i]; i++)
        whole(out, row->family->keys[i], row->v[i]);
    if (row->encoder) {
        text(out, "encoder", row->encoder);
        whole(out, "pairs", row->pairs);
        whole(out, "image_size", row->image_size);
    }
    end(out, '}');
}

static void json_kernels(struct ctr_str *out, const struct bench_row *row)
{
    ctr_str_addf(out, "\"kernels\":[");
    for (unsigned i = 0; i < row->n_kernels; i++) {
        const struct ctr_profile_row *k = &row->kernels[i];
        ctr_str_addf(out, "\n{");
        text(out, "name", k->name);
        whole(out, "runs", k->runs);
        number(out, "seconds", k->seconds);
        number(out, "flops", k->flops);
        number(out, "bytes", k->bytes);
        number(out, "floor_s", k->floor_s);
        end(out, '}');
    }
    end(out, ']');
}

static void json_row(struct ctr_str *out, const struct bench_row *row)
{
    ctr_str_addf(out, "\n{");
    text(out, "name", row->name);
    text(out, "family", row->family ? row->family->name : "step");
    text(out, "pass", row->family ? pass_name(row->pass) : "");
    json_shape(out, row);
    if (row->samples) {
        text(out, "kernels_chosen", row->variants);
        whole(out, "samples", row->samples);
        whole(out, "launches", row->launches);
        number(out, "median_s", row->median_s);
        number(out, "min_s", row->min_s);
        number(out, "max_s", row->max_s);
        number(out, "flops", row->flops);
        number(out, "work", row->work);
        number(out, "bytes", row->bytes);
        number(out, "floor_s", row->floor_s);
    }
    if (row->samples && row->encoder) {
        number(out, "views_per_s", 2.0 * (double)row->pairs / row->median_s);
        whole(out, "arena_bytes", row->arena_bytes);
        whole(out, "trained_bytes", row->trained_bytes);
        whole(out, "device_bytes", row->device_bytes);
        json_kernels(out, row);
    }
    end(out, '}');
}

void bench_json(struct ctr_str *out, const struct bench_result *r)
{
    ctr_str_addf(out, "{\"schema\":1,");
    text(out, "version", CTR_VERSION);
    if (r->caps) {
        text(out, "device", r->caps->name);
        text(out, "vendor", r->caps->vendor);
        text(out, "platform", r->caps->platform);
        text(out, "driver", r->caps->driver);
        whole(out, "compute_units", r->caps->compute_units);
    }
    text(out, "precision", ctr_dtype_name(r->storage));
    text(out, "math", r->tf32 ? "tf32" : "fp32");
    if (r->peaks) {
        ctr_str_addf(out, "\"peaks\":{");
        number(out, "flops_per_s", r->peaks->flops);
        number(out, "read_bytes_per_s", r->peaks->read);
        number(out, "update_bytes_per_s", r->peaks->update);
        end(out, '}');
    }
    ctr_str_addf(out, "\"rows\":[");
    for (size_t i = 0; i < r->n; i++)
        json_row(out, &r->rows[i]);
    end(out, ']');
    end(out, '}');
    if (!out->failed)
        out->s[out->n - 1] = '\n';
}
