/* cmd_pack.c -- `clcontrast pack DIR -o set.ctrd`: images decoded once, for all trainings to come.
 *
 * In: a data set. Out: one file that is the same data set (data/pack.h); on standard output what
 * was skipped and why, a line each, or one JSON object. */
#include <stdio.h>

#include "base/os.h"
#include "cmd.h"
#include "data/pack.h"
#include "interrupt.h"
#include "io/json.h"
#include "names.h"
#include "out.h"
#include "term.h"

struct options {
    const char *out;
    uint64_t size, channels, threads;
    int bits, overwrite, json;
};

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct options, member, __VA_ARGS__)

static const struct opt rows[] = {
    ROW(STR, out, .name = "out", .letter = 'o', .metavar = "FILE",
        .help = "file to write, ending in .ctrd (required)"),
    ROW(U64, size, .name = "image-size", .metavar = "PIXELS", .init = "0",
        .shown = "as train chooses it", .max = CTR_DATA_MAX_SIDE,
        .help = "side that images are brought to: the shorter side is scaled, the centre cut out"),
    ROW(U64, channels, .name = "channels", .metavar = "N", .init = "0",
        .shown = "as train chooses them", .max = 16,
        .help = "that all images have or are brought to: 1 is grey, 3 are RGB"),
    ROW(CHOICE, bits, .name = "bits", .metavar = "N", .choices = "auto|8|16", .init = "auto",
        .help = "of each value; auto is 16 where all images have them, else 8"),
    OPT_THREADS(struct options),
    OPT_OVERWRITE(struct options),
    ROW(FLAG, json, .name = "json",
        .help = "one JSON object: what was packed, and what was skipped"),
    {.name = NULL},
};

/* When and from where this call went on, for rate and remaining time. */
struct clock {
    double start;
    size_t first;
};

static double rate(const struct clock *c, size_t done)
{
    double seconds = ctr_now() - c->start;
    return seconds > 0 ? (double)(done - c->first) / seconds : 0;
}

static int progress(void *user, size_t done, size_t total)
{
    const struct clock *c = user;
    char left[24];
    double per_s = rate(c, done);
    term_progress("%zu/%zu images  %zu%%  %.0f images/s  ETA %s", done, total, done * 100 / total,
                  per_s, term_duration(left, per_s > 0 ? (double)(total - done) / per_s : 0));
    return interrupt_caught() ? CTR_E_FAIL : 0;
}

static void print_skipped(const struct ctr_pack *pack)
{
    for (size_t i = 0; i < ctr_pack_n_skipped(pack); i++) {
        struct ctr_data_skip skip = ctr_pack_skip(pack, i);
        struct ctr_str line = {0};
        term_escape(&line, skip.path);
        ctr_str_add(&line, "\t", 1);
        term_escape(&line, skip.reason);
        puts(line.s ? line.s : "");
        ctr_str_free(&line);
    }
}

static int print_json(const struct ctr_pack *pack, const struct options *o, const struct clock *c)
{
    const struct ctr_data_info *info = ctr_pack_info(pack);
    struct ctr_str s = {0};
    const struct ctr_json_field fields[] = {
        ctr_json_int("schema", 1),
        ctr_json_str("data", info->path),
        ctr_json_str("out", o->out),
        ctr_json_int("bytes", (long long)ctr_pack_bytes(pack)),
        ctr_json_int("images", (long long)info->n),
        ctr_json_int("image_size", info->height),
        ctr_json_int("channels", info->channels),
        ctr_json_int("bits", 8 * info->sample_bytes),
        ctr_json_int("classes", info->n_classes),
        ctr_json_int("done_before", (long long)c->first),
        ctr_json_num("images_per_s", rate(c, info->n)),
    };
    ctr_str_addf(&s, "{");
    ctr_json_members(&s, fields, sizeof fields / sizeof *fields);
    ctr_str_addf(&s, ",\"skipped\":[");
    for (size_t i = 0; i < ctr_pack_n_skipped(pack); i++) {
        struct ctr_data_skip skip = ctr_pack_skip(pack, i);
        const struct ctr_json_field of[] = {ctr_json_str("path", skip.path),
                                            ctr_json_str("reason", skip.reason)};
        ctr_str_addf(&s, "%s", i ? "," : "");
        ctr_json_object(&s, of, 2);
    }
    ctr_str_addf(&s, "]}\n");
    return term_print(&s);
}

static int tell(const struct ctr_pack *pack, const struct options *o, const struct clock *c)
{
    const struct ctr_data_info *info = ctr_pack_info(pack);
    size_t n = ctr_pack_n_skipped(pack);
    char bytes[24], took[24];
    int rc = 0;
    term_note("wrote %s: %zu images of %ux%u, %u channel%s of %u bits, %s; %.0f images/s, %s",
              o->out, info->n, info->width, info->height, info->channels,
              info->channels == 1 ? "" : "s", 8 * info->sample_bytes,
              term_bytes(bytes, ctr_pack_bytes(pack)), rate(c, info->n),
              term_duration(took, ctr_now() - c->start));
    if (o->json)
        rc = print_json(pack, o, c);
    else
        print_skipped(pack);
    return rc || n == 0
               ? rc
               : ctr_fail(CTR_E_PARTIAL, "%zu file%s skipped", n, n == 1 ? " was" : "s were");
}

static int pack(const char *data, const struct options *o)
{
    struct ctr_pack *pack = NULL;
    int rc = ctr_pack_open(&pack, &(struct ctr_pack_params){.data = data,
                                                            .out = o->out,
                                                            .image_size = (unsigned)o->size,
                                                            .channels = (unsigned)o->channels,
                                                            .bits = 8 * (unsigned)o->bits,
                                                            .threads = (unsigned)o->threads,
                                                            .overwrite = o->overwrite});
    if (rc != 0)
        return rc;
    struct clock clock = {ctr_now(), ctr_pack_done(pack)};
    if (clock.first)
        term_note("going on from %s.part: %zu images are done", o->out, clock.first);
    rc = ctr_pack_run(pack, progress, &clock);
    term_progress_end();
    if (rc == CTR_E_FAIL && interrupt_caught()) {
        term_note("stopped after %zu of %zu images; the same command goes on from there",
                  ctr_pack_done(pack), ctr_pack_info(pack)->n);
        rc = 0;
    } else if (rc == 0) {
        rc = tell(pack, o, &clock);
    } else if (rc == CTR_E_IO) {
        ctr_hint(rc, "at least %zu images are in '%s.part'; the same command goes on from there",
                 ctr_pack_done(pack), o->out);
    }
    ctr_pack_close(&pack);
    return rc;
}

static int run(void *options, const struct opt_set *set)
{
    const struct options *o = options;
    int rc = 0;
    CTR_TRY(out_given(o->out, "-o photos.ctrd"));
    CTR_TRY(out_check("out", o->out, o->overwrite));
    CTR_TRY(out_spares("out", o->out, set->args, 1));
    interrupt_catch();
    rc = pack(set->args[0], o);
out:
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast pack photos -o photos.ctrd", "images of the size that train would choose"},
    {"clcontrast train --data photos.ctrd", "train on it as on the folder; nothing is decoded"},
    {"clcontrast pack photos -o photos.ctrd --image-size 224 > skipped.tsv",
     "of 224 pixels; what was skipped and why"},
    {"clcontrast pack scans -o scans.ctrd --channels 5 --bits 16 --json",
     "five channels of 16 bits; a report as JSON"},
    {NULL, NULL},
};

const struct cmd cmd_pack = {
    .name = "pack",
    .summary = "decode and resize the images of a data set once, into one file",
    .args = "DIR",
    .min_args = 1,
    .max_args = 1,
    .about = "Writes all splits of a data set into one file that is the same data set: what --data "
             "takes, takes it, and "
             "training, evaluation and embedding give the same numbers as on DIR with the same "
             "--image-size. Names, "
             "classes, splits and checksums are kept, and images that cannot be read with the "
             "reason; those are printed "
             "(path, tab, reason) and make the exit code 3. What an interrupted call has done "
             "stays in FILE.part; the "
             "same command goes on from there. docs/PACKED.md tells the layout.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct options),
    .run = run,
};
