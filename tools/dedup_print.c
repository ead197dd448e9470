/* dedup_print.c -- groups of near-duplicates as text, as JSON, as a gallery. In: what was found.
 * Out: standard output, a file. */
#include "dedup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/outfile.h"
#include "io/html.h"
#include "term.h"
#include "thumbs.h"

#define GROUPS_SHOWN 300 /* in the gallery */

static const char *name_of(const struct dedup_result *r, uint32_t image, char room[32])
{
    if (r->name && r->name[image])
        return r->name[image];
    snprintf(room, 32, "row %" PRIu32, image);
    return room;
}

/* "same" or the similarity. */
static const char *score_of(const struct dedup_result *r, size_t member, char room[32])
{
    if (r->groups->exact[member])
        return "same";
    snprintf(room, 32, "%.4f", r->groups->score[member]);
    return room;
}

int dedup_print(const struct dedup_result *r)
{
    const struct ctr_groups *g = r->groups;
    for (size_t k = 0; k < g->n; k++) {
        struct ctr_str s = {0};
        ctr_str_addf(&s, "%sgroup %zu: %zu images\n", k ? "\n" : "", k + 1,
                     g->first[k + 1] - g->first[k]);
        for (size_t i = g->first[k]; i < g->first[k + 1]; i++) {
            char score[32], row[32], bytes[24] = "";
            if (r->bytes)
                term_bytes(bytes, r->bytes[g->member[i]]);
            ctr_str_addf(&s, "  %6s  %9s  ", score_of(r, i, score), bytes);
            term_escape(&s, name_of(r, g->member[i], row));
            ctr_str_add(&s, "\n", 1);
        }
        int rc = term_print(&s);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void json_group(struct ctr_str *s, const struct dedup_result *r, size_t k)
{
    const struct ctr_groups *g = r->groups;
    ctr_str_addf(s, "%s{\"images\":[", k ? "," : "");
    for (size_t i = g->first[k]; i < g->first[k + 1]; i++) {
        ctr_str_addf(s, "%s{\"row\":%" PRIu32, i > g->first[k] ? "," : "", g->member[i]);
        if (r->name && r->name[g->member[i]]) {
            ctr_str_addf(s, ",\"path\":");
            ctr_str_json(s, r->name[g->member[i]]);
        }
        if (r->bytes)
            ctr_str_addf(s, ",\"bytes\":%" PRIu64, r->bytes[g->member[i]]);
        ctr_str_addf(s, ",\"exact\":%s,\"similarity\":", g->exact[i] ? "true" : "false");
        ctr_str_json_num(s, g->score[i]);
        ctr_str_add(s, "}", 1);
    }
    ctr_str_add(s, "]}", 2);
}

int dedup_print_json(const struct dedup_result *r)
{
    struct ctr_str s = {0};
    ctr_str_addf(&s, "{\"schema\":1,\"data\":");
    ctr_str_json(&s, r->what);
    ctr_str_addf(&s, ",\"by\":\"%s\",\"images\":%zu,\"exact_copies\":%zu,\"threshold\":", r->by,
                 r->n, r->n_exact);
    ctr_str_json_num(&s, r->threshold);
    ctr_str_addf(&s, ",\"threshold_chosen\":%s,\"nearest_median\":", r->chosen ? "true" : "false");
    ctr_str_json_num(&s, r->background.median);
    ctr_str_addf(&s, ",\"nearest_quartile\":");
    ctr_str_json_num(&s, r->background.quartile);
    ctr_str_addf(&s, ",\"groups\":[");
    for (size_t k = 0; k < r->groups->n; k++)
        json_group(&s, r, k);
    ctr_str_addf(&s, "]}\n");
    return term_print(&s);
}

/* ---- gallery ---- */

struct gallery {
    const struct dedup_result *r;
    struct thumbs thumbs; /* without data: there are none */
    struct ctr_str page;
    uint8_t rgb[THUMB_BYTES];
};

static int tile(struct gallery *g, size_t member)
{
    const struct dedup_result *r = g->r;
    uint32_t image = r->groups->member[member];
    char score[32], row[32], bytes[24] = "", note[64];
    unsigned side = 0;
    int found = g->thumbs.data && r->name && r->name[image] &&
                thumbs_get(g->rgb, &side, &g->thumbs, r->name[image]) == 0;
    if (r->bytes)
        term_bytes(bytes, r->bytes[image]);
    snprintf(note, sizeof note, "%s%s%s", score_of(r, member, score), *bytes ? ", " : "", bytes);
    return ctr_html_tile(&g->page, &(struct ctr_html_tile){.rgb = found ? g->rgb : NULL,
                                                           .width = side,
                                                           .height = side,
                                                           .title = name_of(r, image, row),
                                                           .note = note});
}

static int group_row(struct gallery *g, size_t k)
{
    const struct ctr_groups *all = g->r->groups;
    int rc = 0;
    ctr_str_addf(&g->page, "<h2>Group %zu</h2>\n", k + 1);
    ctr_html_row_begin(&g->page);
    for (size_t i = all->first[k]; rc == 0 && i < all->first[k + 1]; i++)
        rc = tile(g, i);
    ctr_html_row_end(&g->page);
    return rc;
}

int dedup_write_html(const char *path, const struct dedup_result *r)
{
    struct gallery g = {.r = r};
    const size_t n = r->groups->n < GROUPS_SHOWN ? r->groups->n : GROUPS_SHOWN;
    int rc = 0;
    if (r->data && thumbs_open(&g.thumbs, r->data, r->split, THUMB_SIDE) != 0)
        term_warn("no pictures in the page: %s", ctr_error_text());
    ctr_html_begin(&g.page, "Near-duplicates", NULL);
    ctr_str_addf(&g.page, "<p>%zu groups of %zu images, among %zu in ", r->groups->n,
                 r->groups->n_members, r->n);
    ctr_html_text(&g.page, r->what);
    ctr_str_addf(&g.page, ", by %s; similar from %.4f on%s.", r->by, r->threshold,
                 r->chosen ? ", which the data chose" : "");
    ctr_str_addf(&g.page, n < r->groups->n ? " The first %zu are shown.</p>\n" : "</p>\n", n);
    for (size_t k = 0; k < n; k++)
        CTR_TRY(group_row(&g, k));
    ctr_html_end(&g.page);
    if (g.page.failed)
        CTR_TRY(ctr_fail(CTR_E_FAIL, "out of host memory for the page"));
    CTR_TRY(ctr_file_write(path, g.page.s, g.page.n));
    term_note("wrote %s", path);
out:
    thumbs_close(&g.thumbs);
    ctr_str_free(&g.page);
    return rc;
}
