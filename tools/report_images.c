/* report_images.c -- the parts of a report that need the images: what training sees of them, which
 * the encoder takes to be alike, and a map. */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/search.h"
#include "io/html.h"
#include "map.h"
#include "term.h"
#include "thumbs.h"
#include "views.h"

enum { VIEW_ROWS = 6, VIEWS = 7, LOCAL_VIEWS = 3, QUERIES = 8, NEIGHBOURS = 8 };

/* ---- views ---- */

static void add_line(struct ctr_str *s, const struct ctr_augment_params *augment, size_t size,
                     uint64_t channels)
{
    struct ctr_str line = {0};
    struct ctr_augment_params settled = ctr_augment_settled(augment, size, channels ? channels : 3);
    ctr_augment_text(&line, &settled);
    ctr_str_addf(s, "at %zux%zu pixels: <code>", size, size);
    ctr_html_text(s, line.s ? line.s : "");
    ctr_str_addf(s, "</code>");
    ctr_str_free(&line);
}

int report_views(struct report *r)
{
    int rc = 0;
    struct ctr_augment_params augment, local;
    struct views picture = {0};
    const struct ctr_train_settings *c = &r->config.o.s;
    const uint64_t n_local = c->local_views < LOCAL_VIEWS ? c->local_views : LOCAL_VIEWS;
    struct views_params how = {.path = r->o->data ? r->o->data : c->data,
                               .split = "train",
                               .device = r->o->device,
                               .rows = VIEW_ROWS,
                               .size = c->image_size,
                               .channels = c->channels,
                               .bits = 8 * (uint64_t)CTR_SETTING_PLACE(c, bits),
                               .seed = c->seed,
                               .max_bad = 1,
                               .views = {VIEWS - n_local, c->view_size, &augment},
                               .local = {n_local, c->local_size, &local}};
    CTR_TRY(augment_params(&augment, &r->config.augment));
    CTR_TRY(ctr_augment_parse(&local, c->local_augment));
    local.cubic = augment.cubic;
    term_progress("drawing views");
    CTR_TRY(views_draw(&picture, &how));
    ctr_str_addf(&r->s, "<img class=\"wide\" alt=\"Images and random views of them\" ");
    CTR_TRY(ctr_html_png(&r->s, picture.rgb, picture.width, picture.height));
    ctr_str_addf(&r->s,
                 ">\n<p class=\"note\">The images on the left, %zux%zu pixels, random views of "
                 "them beside, ",
                 picture.size, picture.size);
    add_line(&r->s, &augment, picture.view_size, c->channels);
    if (n_local) {
        ctr_str_addf(&r->s, "; then %s of the %llu local views, ",
                     n_local < c->local_views ? "some" : "all", (unsigned long long)c->local_views);
        add_line(&r->s, &local, picture.local_size, c->channels);
    }
    ctr_str_addf(&r->s, ".</p>\n");
out:
    free(picture.rgb);
    return rc;
}

/* ---- neighbours ---- */

struct gallery {
    const struct ctr_vectors *v;
    struct thumbs thumbs;
    struct ctr_str *s;
    uint8_t rgb[THUMB_BYTES];
    size_t alike, of; /* neighbours of the query's class */
};

static const char *class_of(const struct ctr_vectors *v, uint32_t row)
{
    return v->label && v->label[row] >= 0 ? v->class_name[v->label[row]] : NULL;
}

static int tile(struct gallery *g, uint32_t row, const char *note, int mark)
{
    unsigned side = 0;
    const char *name = g->v->name[row];
    int there = thumbs_get(g->rgb, &side, &g->thumbs, name) == 0;
    return ctr_html_tile(g->s, &(struct ctr_html_tile){.rgb = there ? g->rgb : NULL,
                                                       .width = side,
                                                       .height = side,
                                                       .title = name,
                                                       .note = note,
                                                       .mark = mark});
}

/* A query and those nearest to it, itself left out. */
static int gallery_row(struct gallery *g, uint32_t query, const struct ctr_hit *hits, size_t k)
{
    const char *class = class_of(g->v, query);
    ctr_html_row_begin(g->s);
    int rc = tile(g, query, class ? class : "query", 1);
    for (size_t i = 0, shown = 0; rc == 0 && i < k && shown + 1 < k; i++) {
        const char *of = class_of(g->v, hits[i].row);
        struct ctr_str note = {0};
        if (hits[i].row == query)
            continue;
        shown++;
        g->alike += class && of && strcmp(class, of) == 0;
        g->of += class && of;
        ctr_str_addf(&note, "%.3f%s%s", hits[i].score, of ? " " : "", of ? of : "");
        rc = tile(g, hits[i].row, note.s, 0);
        ctr_str_free(&note);
    }
    ctr_html_row_end(g->s);
    return rc;
}

static int search(struct ctr_hit **hits, struct report *r, const uint32_t *row, size_t n, size_t k)
{
    int rc = 0;
    const struct ctr_vectors *v = &r->given.vectors;
    ctr_index *index = NULL;
    float *x = ctr_alloc(n, v->D * sizeof *x);
    *hits = ctr_alloc(n * k, sizeof **hits);
    if (!x || !*hits)
        CTR_TRY(CTR_E_FAIL);
    for (size_t i = 0; i < n; i++)
        memcpy(x + i * v->D, v->x + row[i] * v->D, v->D * sizeof *x);
    CTR_TRY(ctr_index_create(&index, r->given.dev, v->x, v->n, v->D, CTR_COSINE, 0));
    CTR_TRY(ctr_index_search(*hits, index, x, n, k));
out:
    ctr_index_destroy(&index);
    free(x);
    return rc;
}

int report_neighbours(struct report *r)
{
    static struct gallery g; /* large */
    int rc = 0;
    const struct ctr_vectors *v = &r->given.vectors;
    struct ctr_hit *hits = NULL;
    uint32_t query[QUERIES];
    size_t n = v->n < QUERIES ? v->n : QUERIES, k = v->n < NEIGHBOURS + 1 ? v->n : NEIGHBOURS + 1;
    g = (struct gallery){.v = v, .s = &r->s};
    if (v->n < 2)
        return ctr_fail(CTR_E_DATA, "there are no two images");
    for (size_t i = 0; i < n; i++) /* from all over the data set, so of many classes */
        query[i] = (uint32_t)((2 * i + 1) * v->n / (2 * n));
    term_progress("searching neighbours");
    CTR_TRY(thumbs_open(&g.thumbs, v->data, v->split, THUMB_SIDE));
    CTR_TRY(search(&hits, r, query, n, k));
    ctr_str_addf(&r->s,
                 "<p>The %zu images nearest to %zu of them among %zu, by the cosine of their "
                 "features.</p>\n",
                 k - 1, n, v->n);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = gallery_row(&g, query[i], hits + i * k, k);
    if (g.of)
        ctr_str_addf(
            &r->s, "<p class=\"note\">%zu of the %zu neighbours shown are of the same class.</p>\n",
            g.alike, g.of);
out:
    thumbs_close(&g.thumbs);
    free(hits);
    return rc;
}

/* ---- the map ---- */

int report_map(struct report *r)
{
    int rc = 0;
    struct map m = {0};
    size_t all = r->given.vectors.n, n = r->o->points < all ? (size_t)r->o->points : all;
    double most = floor(((double)n - 1) / 3); /* few images: no warning for that */
    const struct map_options how = {.method = most < 2 ? MAP_PCA : MAP_TSNE,
                                    .points = r->o->points,
                                    .seed = r->o->seed,
                                    .perplexity =
                                        r->o->perplexity < most ? r->o->perplexity : most};
    CTR_TRY(map_make(&m, &r->given.vectors, &how));
    CTR_TRY(map_html_drawing(&r->s, &m));
    ctr_str_addf(&r->s, "<h3>The same with pictures</h3>\n");
    CTR_TRY(map_html_pictures(&r->s, &m));
out:
    map_free(&m);
    return rc;
}
