/* search_print.c -- hits as a table, as JSON, as a gallery. In: a search's result. Out: standard
 * output, a file. Names are anything that a file system permits: each form escapes them in its own
 * way. */
#include "search.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/outfile.h"
#include "io/html.h"
#include "term.h"
#include "thumbs.h"

static const char *name_of(const struct search_result *r, uint32_t row)
{
    return r->index->name ? r->index->name[row] : NULL;
}

static const char *class_of(const struct search_result *r, uint32_t row)
{
    const struct ctr_vectors *v = r->index;
    return v->label && v->label[row] >= 0 ? v->class_name[v->label[row]] : NULL;
}

/* "cat.jpg", "row 17: dog/3.jpg", "queries.npy, row 4"; as it is, not escaped. */
static void query_words(struct ctr_str *s, const struct search_query *q)
{
    if (q->kind == SEARCH_ROW)
        ctr_str_addf(s, *q->text ? "row %zu: %s" : "row %zu%s", q->row, q->text);
    else if (q->kind == SEARCH_VECTOR)
        ctr_str_addf(s, "%s, row %zu", q->text, q->row);
    else
        ctr_str_addf(s, "%s", q->text);
}

/* ---- a table ---- */

static void print_hit(struct ctr_str *s, const struct search_result *r, size_t rank,
                      struct ctr_hit hit)
{
    const char *name = name_of(r, hit.row), *class = class_of(r, hit.row);
    ctr_str_addf(s, "%4zu  %10.6f  ", rank, hit.score);
    if (class) {
        term_escape(s, class);
        ctr_str_add(s, "  ", 2);
    }
    if (name)
        term_escape(s, name);
    else
        ctr_str_addf(s, "row %" PRIu32, hit.row);
    ctr_str_add(s, "\n", 1);
}

int search_print(const struct search_result *r)
{
    for (size_t q = 0; q < r->n; q++) {
        struct ctr_str s = {0}, words = {0};
        query_words(&words, &r->query[q]);
        term_escape(&s, words.s ? words.s : "");
        ctr_str_add(&s, "\n", 1);
        for (size_t i = 0; i < r->k; i++)
            print_hit(&s, r, i + 1, r->hits[q * r->k + i]);
        if (q + 1 < r->n)
            ctr_str_add(&s, "\n", 1);
        s.failed |= words.failed;
        ctr_str_free(&words);
        int rc = term_print(&s);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- JSON ---- */

static void json_pair(struct ctr_str *s, const char *key, const char *value)
{
    ctr_str_addf(s, ",\"%s\":", key);
    ctr_str_json(s, value);
}

static void json_hit(struct ctr_str *s, const struct search_result *r, struct ctr_hit hit)
{
    ctr_str_addf(s, "{\"row\":%" PRIu32 ",\"score\":", hit.row);
    ctr_str_json_num(s, hit.score);
    if (name_of(r, hit.row))
        json_pair(s, "path", name_of(r, hit.row));
    if (class_of(r, hit.row))
        json_pair(s, "class", class_of(r, hit.row));
    ctr_str_add(s, "}", 1);
}

static void json_query(struct ctr_str *s, const struct search_result *r, size_t q)
{
    static const char *const kinds[] = {"file", "row", "vector"};
    const struct search_query *query = &r->query[q];
    ctr_str_addf(s, "{\"kind\":\"%s\"", kinds[query->kind]);
    if (query->kind != SEARCH_FILE)
        ctr_str_addf(s, ",\"row\":%zu", query->row);
    if (*query->text)
        json_pair(s, "path", query->text);
    ctr_str_addf(s, ",\"hits\":[");
    for (size_t i = 0; i < r->k; i++) {
        ctr_str_addf(s, "%s", i ? "," : "");
        json_hit(s, r, r->hits[q * r->k + i]);
    }
    ctr_str_addf(s, "]}");
}

int search_print_json(const struct search_result *r)
{
    struct ctr_str s = {0};
    ctr_str_addf(&s, "{\"schema\":1,\"metric\":\"%s\",\"n\":%zu,\"dim\":%zu,\"k\":%zu",
                 ctr_metric_names[r->metric], r->index->n, r->index->D, r->k);
    json_pair(&s, "device", r->device);
    ctr_str_addf(&s, ",\"index_s\":");
    ctr_str_json_num(&s, r->index_s);
    ctr_str_addf(&s, ",\"search_s\":");
    ctr_str_json_num(&s, r->search_s);
    ctr_str_addf(&s, ",\"queries\":[");
    for (size_t q = 0; q < r->n; q++) {
        ctr_str_addf(&s, "%s", q ? "," : "");
        json_query(&s, r, q);
    }
    ctr_str_addf(&s, "]}\n");
    return term_print(&s);
}

/* ---- a gallery ---- */

struct gallery {
    const struct search_result *r;
    struct thumbs thumbs; /* of the index's images; without data: there are none */
    struct ctr_str page;
    size_t missing;
    unsigned side;
    uint8_t rgb[THUMB_BYTES];
};

/* One picture, or a frame when `rc` says that it could not be had. */
static int tile(struct gallery *g, int rc, const char *title, const char *note, int mark)
{
    g->missing += rc != 0;
    return ctr_html_tile(&g->page, &(struct ctr_html_tile){.rgb = rc == 0 ? g->rgb : NULL,
                                                           .width = g->side,
                                                           .height = g->side,
                                                           .title = title,
                                                           .note = note,
                                                           .mark = mark});
}

/* rgb of an image of the index. */
static int picture(struct gallery *g, const char *name)
{
    if (!g->thumbs.data || !name)
        return CTR_E_DATA;
    return thumbs_get(g->rgb, &g->side, &g->thumbs, name);
}

static int query_tile(struct gallery *g, const struct search_query *q)
{
    struct ctr_str words = {0};
    query_words(&words, q);
    int rc = q->kind == SEARCH_FILE  ? thumb_of_file(g->rgb, &g->side, q->text)
             : q->kind == SEARCH_ROW ? picture(g, q->text)
                                     : CTR_E_DATA;
    rc = tile(g, rc, words.s, "query", 1);
    ctr_str_free(&words);
    return rc;
}

static int hit_tile(struct gallery *g, struct ctr_hit hit)
{
    const char *name = name_of(g->r, hit.row), *class = class_of(g->r, hit.row);
    char row[32];
    struct ctr_str note = {0};
    snprintf(row, sizeof row, "row %" PRIu32, hit.row);
    ctr_str_addf(&note, "%.4f%s%s", hit.score, class ? " " : "", class ? class : "");
    int rc = tile(g, picture(g, name), name ? name : row, note.s, 0);
    ctr_str_free(&note);
    return rc;
}

static void facts(struct gallery *g)
{
    const struct search_result *r = g->r;
    char size[96];
    snprintf(size, sizeof size, "%zu vectors of %zu values, %s", r->index->n, r->index->D,
             r->metric == CTR_COSINE      ? "cosine similarity"
             : r->metric == CTR_EUCLIDEAN ? "Euclidean distance"
                                          : "inner product");
    ctr_str_addf(&g->page, "<table class=\"facts\">\n");
    ctr_html_fact(&g->page, "searched", size);
    ctr_html_fact(&g->page, "images", r->index->data);
    ctr_html_fact(&g->page, "model", r->index->model);
    ctr_str_addf(&g->page, "</table>\n");
}

static int fill_page(struct gallery *g)
{
    int rc = 0;
    const struct search_result *r = g->r;
    ctr_html_begin(&g->page, r->n == 1 ? "Nearest images" : "Nearest images of each query", NULL);
    facts(g);
    for (size_t q = 0; rc == 0 && q < r->n; q++) {
        ctr_html_row_begin(&g->page);
        rc = query_tile(g, &r->query[q]);
        for (size_t i = 0; rc == 0 && i < r->k; i++)
            rc = hit_tile(g, r->hits[q * r->k + i]);
        ctr_html_row_end(&g->page);
    }
    ctr_html_end(&g->page);
    return rc == 0 && g->page.failed ? ctr_fail(CTR_E_FAIL, "out of host memory for the page") : rc;
}

int search_write_html(const char *path, const struct search_result *r)
{
    static struct gallery g; /* large */
    g = (struct gallery){.r = r};
    if (r->index->data && r->index->name &&
        thumbs_open(&g.thumbs, r->index->data, r->index->split, THUMB_SIDE) != 0)
        term_warn("no pictures in '%s': %s", path, ctr_error_text());
    int rc = fill_page(&g);
    if (rc == 0)
        rc = ctr_file_write(path, g.page.s, g.page.n);
    if (rc == 0 && g.missing && g.thumbs.data)
        term_warn("%zu of the pictures in '%s' could not be had", g.missing, path);
    if (rc == 0)
        term_note("wrote %s", path);
    thumbs_close(&g.thumbs);
    ctr_str_free(&g.page);
    return rc;
}
