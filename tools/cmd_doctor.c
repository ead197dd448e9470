/* cmd_doctor.c -- `clcontrast doctor`: what is wrong with the OpenCL set-up here, and how to mend
 * it.
 *
 * In: nothing but flags. Out: findings on standard output. Exit code 0 when a device works, else
 * CTR_E_NODEVICE. */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "cmd.h"
#include "doctor.h"
#include "term.h"

struct options {
    int json;
    const char *root;
};

static const struct opt rows[] = {
    OPT_ROW(FLAG, struct options, json, .name = "json", .help = "print one JSON object"),
    OPT_ROW(STR, struct options, root, .name = "root", .metavar = "DIR", .shown = "/",
            .help = "where /etc, /sys, /proc and /dev of the system lie, to look at that of a "
                    "container or chroot from outside; drivers are still loaded here"),
    {.name = NULL},
};

static const char *const levels[] = {"ok", "note", "warning", "fault"};

/* "6.1.0 x86_64" */
static void kernel(char *out, size_t size)
{
    struct utsname name;
    *out = '\0';
    if (uname(&name) == 0)
        snprintf(out, size, "%s %s %s", name.sysname, name.release, name.machine);
}

/* ---- text ---- */

#define INDENT 23

static void wrap_safe(struct ctr_str *out, const char *text, int width)
{
    struct ctr_str safe = {0};
    term_escape(&safe, text);
    if (safe.s && !safe.failed)
        opt_wrap(out, safe.s, INDENT, INDENT, width);
    ctr_str_free(&safe);
}

static void print_finding(struct ctr_str *out, const struct doctor_finding *f, int width)
{
    ctr_str_addf(out, "  %-8s %-11s ", levels[f->level], f->part);
    wrap_safe(out, f->text.s ? f->text.s : "", width);
    for (const char *p = f->mend.s ? f->mend.s : ""; *p; p += strspn(p, "\n")) {
        char line[512];
        size_t n = strcspn(p, "\n");
        snprintf(line, sizeof line, "-> %.*s", (int)n, p);
        ctr_str_addf(out, "%*s", INDENT, "");
        wrap_safe(out, line, width);
        p += n;
    }
}

static void print_text(struct ctr_str *out, const struct doctor *d)
{
    char name[256];
    unsigned count[4] = {0};
    int width = term_width(1) > 100 ? 100 : term_width(1);
    kernel(name, sizeof name);
    ctr_str_addf(out, "clcontrast " CTR_VERSION " on %s, %s\n\n", d->system, name);
    for (size_t i = 0; i < d->n; i++) {
        print_finding(out, &d->finding[i], width);
        count[d->finding[i].level]++;
    }
    ctr_str_addf(out, "\n%u device%s %s; %u fault%s, %u warning%s\n", d->n_usable,
                 d->n_usable == 1 ? "" : "s", d->n_usable == 1 ? "works" : "work",
                 count[DOCTOR_FAULT], count[DOCTOR_FAULT] == 1 ? "" : "s", count[DOCTOR_WARNING],
                 count[DOCTOR_WARNING] == 1 ? "" : "s");
}

/* ---- JSON ---- */

static void json_lines(struct ctr_str *out, const char *text)
{
    for (const char *p = text; *p; p += strspn(p, "\n")) {
        char line[512];
        size_t n = strcspn(p, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, p);
        ctr_str_addf(out, p == text ? "" : ",");
        ctr_str_json(out, line);
        p += n;
    }
}

static void print_json(struct ctr_str *out, const struct doctor *d)
{
    char name[256];
    kernel(name, sizeof name);
    ctr_str_addf(out, "{\"schema\":1,\"version\":\"" CTR_VERSION "\",\"system\":");
    ctr_str_json(out, d->system);
    ctr_str_addf(out, ",\"kernel\":");
    ctr_str_json(out, name);
    ctr_str_addf(out, ",\"usable_devices\":%u,\"findings\":[", d->n_usable);
    for (size_t i = 0; i < d->n; i++) {
        const struct doctor_finding *f = &d->finding[i];
        ctr_str_addf(out, "%s\n{\"level\":\"%s\",\"part\":\"%s\",\"text\":", i ? "," : "",
                     levels[f->level], f->part);
        ctr_str_json(out, f->text.s ? f->text.s : "");
        ctr_str_addf(out, ",\"mend\":[");
        json_lines(out, f->mend.s ? f->mend.s : "");
        ctr_str_addf(out, "]}");
    }
    ctr_str_addf(out, "]}\n");
}

static int run(void *options, const struct opt_set *set)
{
    const struct options *o = options;
    struct doctor d = {.root = o->root && strcmp(o->root, "/") != 0 ? o->root : ""};
    struct ctr_str out = {0};
    doctor_find_distro(&d);
    doctor_drivers(&d);
    doctor_devices(&d);
    doctor_system(&d);
    if (o->json)
        print_json(&out, &d);
    else
        print_text(&out, &d);
    out.failed |= d.failed;
    int rc = term_print(&out);
    if (rc == 0 && d.n_usable == 0)
        rc = ctr_hint(ctr_fail(CTR_E_NODEVICE, "no OpenCL device here works"),
                      "what to do stands behind the arrows, faults first");
    doctor_finish(&d);
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast doctor", "is the OpenCL set-up in order? If not, what to do"},
    {"clcontrast doctor --json", "for programs"},
    {"OCL_ICD_VENDORS=DIR clcontrast doctor", "with the drivers alone whose .icd files are in DIR"},
    {NULL, NULL},
};

const struct cmd cmd_doctor = {
    .name = "doctor",
    .summary = "check the OpenCL set-up and say how to mend it",
    .args = "",
    .about =
        "Looks at the OpenCL loader, the drivers and whether their libraries load, the devices, "
        "each "
        "tried in a process of its own, GPUs that have no driver, permissions, caches and the disk "
        "they lie on, and versions with known faults. What is wrong is followed by what mends it "
        "on "
        "this distribution. Nothing is changed. Exit code 0: a device works; 4: none does.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct options),
    .run = run,
};
