/* cmd_devices.c -- `clcontrast devices`: what OpenCL offers here and whether it computes correctly.
 *
 * In: nothing but flags. Out: a table, or with --json one object, on standard output. Exit code
 * CTR_E_NODEVICE when no device is left that works. */
#include <stdio.h>
#include <string.h>

#include "clcontrast/device.h"
#include "cmd.h"
#include "term.h"

struct options {
    int json, probe;
};

static const struct opt rows[] = {
    OPT_ROW(FLAG, struct options, json, .name = "json", .help = "print one JSON object"),
    OPT_ROW(FLAG, struct options, probe, .name = "probe", .init = "1",
            .help = "do not build and run a small kernel on each device"),
    {.name = NULL},
};

static const struct cmd_example examples[] = {
    {"clcontrast devices", "every platform and device, each tried"},
    {"clcontrast devices --no-probe", "what drivers say about themselves, at once"},
    {"clcontrast devices --json >devices.json", "for programs"},
    {NULL, NULL},
};

static const char *const kinds[] = {"cpu", "gpu", "accel", "other"};

/* ---- JSON ---- */

static void json_text(struct ctr_str *out, const char *key, const char *value)
{
    ctr_str_addf(out, "\"%s\":", key);
    ctr_str_json(out, value);
    ctr_str_add(out, ",", 1);
}

static void json_count(struct ctr_str *out, const char *key, unsigned long long value)
{
    ctr_str_addf(out, "\"%s\":%llu,", key, value);
}

static void json_truth(struct ctr_str *out, const char *key, int value)
{
    ctr_str_addf(out, "\"%s\":%s,", key, value ? "true" : "false");
}

/* A comma is written after every member; the last one goes. */
static void json_close(struct ctr_str *out, char bracket)
{
    if (out->n && !out->failed && out->s[out->n - 1] == ',')
        out->n--;
    ctr_str_addf(out, "%c,", bracket);
}

static void json_device(struct ctr_str *out, const struct ctr_device_info *d)
{
    ctr_str_addf(out, "{");
    json_count(out, "index", d->index);
    json_count(out, "platform", d->platform);
    json_text(out, "kind", kinds[d->kind]);
    json_text(out, "name", d->name);
    json_text(out, "vendor", d->vendor);
    json_text(out, "driver", d->driver);
    json_text(out, "version", d->version);
    json_text(out, "c_version", d->c_version);
    json_text(out, "pci", d->pci);
    json_count(out, "global_bytes", d->global_bytes);
    json_count(out, "max_alloc_bytes", d->max_alloc_bytes);
    json_count(out, "local_bytes", d->local_bytes);
    json_count(out, "max_group", d->max_group);
    json_count(out, "compute_units", d->compute_units);
    json_count(out, "clock_mhz", d->clock_mhz);
    json_truth(out, "fp16", d->fp16);
    json_truth(out, "fp64", d->fp64);
    json_truth(out, "subgroups", d->subgroups);
    json_count(out, "vector_floats", d->vector_floats);
    json_truth(out, "fma", d->fma);
    json_truth(out, "unified_memory", d->unified);
    json_truth(out, "available", d->available);
    json_text(out, "family", d->family);
    if (d->alias_of >= 0)
        json_count(out, "alias_of", (unsigned)d->alias_of);
    json_truth(out, "probed", d->probed);
    if (d->probed) {
        json_truth(out, "ok", d->ok);
        json_text(out, "probe", d->probe);
    }
    ctr_str_addf(out, "\"quirks\":[");
    for (unsigned i = 0; i < d->n_quirks; i++) {
        ctr_str_addf(out, "{");
        json_text(out, "name", d->quirks[i].name);
        json_text(out, "why", d->quirks[i].why);
        json_close(out, '}');
    }
    json_close(out, ']');
    json_close(out, '}');
}

static void print_json(struct ctr_str *out, const struct ctr_device_list *list)
{
    ctr_str_addf(out, "{\"schema\":1,\"platforms\":[");
    for (unsigned i = 0; i < list->n_platforms; i++) {
        const struct ctr_platform_info *p = &list->platforms[i];
        ctr_str_addf(out, "\n{");
        json_text(out, "name", p->name);
        json_text(out, "vendor", p->vendor);
        json_text(out, "version", p->version);
        json_count(out, "devices", p->n_devices);
        json_text(out, "hint", p->hint);
        json_close(out, '}');
    }
    json_close(out, ']');
    ctr_str_addf(out, "\n\"devices\":[");
    for (unsigned i = 0; i < list->n_devices; i++) {
        ctr_str_addf(out, "\n");
        json_device(out, &list->devices[i]);
    }
    json_close(out, ']');
    json_close(out, '}');
    if (!out->failed)
        out->s[out->n - 1] = '\n';
}

/* ---- table ---- */

#define DETAIL_COLUMN 11

static const char *verdict(const struct ctr_device_info *d)
{
    if (!d->available)
        return "unavailable";
    if (!d->probed)
        return "not tried";
    return d->ok ? "works" : "FAILS";
}

/* A wrapped line below a device's row; text from drivers is made safe. */
static void detail(struct ctr_str *out, const struct ctr_str *text, int width)
{
    struct ctr_str safe = {0};
    term_escape(&safe, text->s && !text->failed ? text->s : "");
    ctr_str_addf(out, "%*s", DETAIL_COLUMN, "");
    opt_wrap(out, safe.s && !safe.failed ? safe.s : "", DETAIL_COLUMN + 2, DETAIL_COLUMN, width);
    ctr_str_free(&safe);
}

/* Length of a version without what some drivers add after a comma, and without blanks at its end.
 */
static int shown(const char *version)
{
    size_t n = strcspn(version, ",");
    while (n && version[n - 1] == ' ')
        n--;
    return (int)n;
}

static void abilities(struct ctr_str *text, const struct ctr_device_info *d)
{
    char local[24];
    ctr_str_addf(text, "%.*s, local memory %s, work-groups up to %llu", shown(d->c_version),
                 d->c_version, term_bytes(local, d->local_bytes), (unsigned long long)d->max_group);
    ctr_str_addf(text, "%s%s%s%s", d->fp16 ? ", fp16" : "", d->fp64 ? ", fp64" : "",
                 d->subgroups ? ", subgroups" : "", d->unified ? ", shares the host's memory" : "");
    ctr_str_addf(text, "%s%s%s", *d->family ? "; kernels for " : "", d->family,
                 *d->family ? "s" : "");
}

static void print_details(struct ctr_str *out, const struct ctr_device_info *d, int cut, int width)
{
    struct ctr_str text = {0};
    if (cut)
        ctr_str_addf(&text, "%s; ", d->name);
    ctr_str_addf(&text, "%s, driver %s%s%s, %u compute unit%s", d->vendor, d->driver,
                 *d->pci ? ", PCI " : "", d->pci, d->compute_units,
                 d->compute_units == 1 ? "" : "s");
    if (d->clock_mhz)
        ctr_str_addf(&text, " at %u MHz", d->clock_mhz);
    if (d->alias_of >= 0)
        ctr_str_addf(&text, "; the same device as %d", d->alias_of);
    detail(out, &text, width);
    text.n = 0;
    abilities(&text, d);
    detail(out, &text, width);
    if (d->probed && !d->ok) {
        text.n = 0;
        ctr_str_addf(&text, "probe: %s", d->probe);
        detail(out, &text, width);
    }
    for (unsigned i = 0; i < d->n_quirks; i++) {
        text.n = 0;
        ctr_str_addf(&text, "quirk %s: %s", d->quirks[i].name, d->quirks[i].why);
        detail(out, &text, width);
    }
    ctr_str_free(&text);
}

/* What the other columns leave of the line. */
static int name_columns(int width)
{
    int room = width - DETAIL_COLUMN - 33;
    return room < 20 ? 20 : room > 60 ? 60 : room;
}

/* A name too long for its column is cut there and stands whole in the details. */
static void print_device(struct ctr_str *out, const struct ctr_device_info *d, int width)
{
    char memory[24], largest[24];
    struct ctr_str name = {0};
    term_escape(&name, d->name);
    int room = name_columns(width), cut = name.n > (size_t)room, shown_n = cut ? room - 3 : room;
    ctr_str_addf(out, "%4u %-5s %.*s%-*s %9s %9s  %s\n", d->index, kinds[d->kind], shown_n,
                 name.s && !name.failed ? name.s : "", cut ? 3 : room - (int)name.n,
                 cut ? "..." : "", term_bytes(memory, d->global_bytes),
                 term_bytes(largest, d->max_alloc_bytes), verdict(d));
    ctr_str_free(&name);
    print_details(out, d, cut, width);
}

static void print_platform(struct ctr_str *out, const struct ctr_platform_info *p, int width)
{
    struct ctr_str text = {0}, safe = {0};
    ctr_str_addf(&text, "%s (%.*s)", p->name, shown(p->version), p->version);
    if (p->n_devices == 0)
        ctr_str_addf(&text, ": no devices%s%s", *p->hint ? "; " : "", p->hint);
    term_escape(&safe, text.s && !text.failed ? text.s : "");
    opt_wrap(out, safe.s && !safe.failed ? safe.s : "", 4, 0, width);
    ctr_str_free(&text);
    ctr_str_free(&safe);
}

static void print_table(struct ctr_str *out, const struct ctr_device_list *list)
{
    int width = term_width(1);
    int room = name_columns(width);
    if (list->n_devices)
        ctr_str_addf(out, "%4s %-5s %-*s %9s %9s  %s\n", "#", "kind", room, "name", "memory",
                     "largest", "probe");
    for (unsigned p = 0, i = 0; p < list->n_platforms; p++) {
        print_platform(out, &list->platforms[p], width);
        for (; i < list->n_devices && list->devices[i].platform == p; i++)
            print_device(out, &list->devices[i], width);
    }
}

/* ---- */

/* With a probe, a device counts when it computed correctly; else when it is offered. */
static int any_usable(const struct ctr_device_list *list)
{
    for (unsigned i = 0; i < list->n_devices; i++)
        if (list->devices[i].available && (!list->devices[i].probed || list->devices[i].ok))
            return 1;
    return 0;
}

static int no_device(const struct ctr_device_list *list)
{
    if (list->n_devices)
        return ctr_hint(
            ctr_fail(CTR_E_NODEVICE, "no OpenCL device here works"),
            "the probe lines say why, `clcontrast doctor` how to mend it; for the CPU: apt install "
            "pocl-opencl-icd binutils");
    if (list->n_platforms)
        return ctr_hint(ctr_fail(CTR_E_NODEVICE, "the OpenCL platforms here have no devices"),
                        "`clcontrast doctor` says why; for the CPU: apt install pocl-opencl-icd");
    return ctr_hint(
        ctr_fail(CTR_E_NODEVICE, "no OpenCL platform found"),
        "for the CPU: apt install pocl-opencl-icd binutils; for a GPU, its vendor's driver; "
        "`clcontrast doctor` says more");
}

static int run(void *options, const struct opt_set *set)
{
    const struct options *o = options;
    struct ctr_device_list *list = NULL;
    struct ctr_str out = {0};
    int rc = ctr_devices_list(&list, o->probe);
    if (rc != 0)
        return rc;
    if (o->json)
        print_json(&out, list);
    else
        print_table(&out, list);
    rc = term_print(&out);
    if (rc == 0 && !any_usable(list))
        rc = no_device(list);
    ctr_devices_free(&list);
    return rc;
}

const struct cmd cmd_devices = {
    .name = "devices",
    .summary = "list devices, what they can do, and whether they compute correctly",
    .args = "",
    .about =
        "Lists every OpenCL platform and device. Each device builds and runs a small kernel in a "
        "process of its own, so that a driver that crashes is a line of the table. The number in "
        "the first column, cpu, gpu, or a part of the name select a device: --device 0.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct options),
    .run = run,
};
