/* map_write.c -- a map as SVG, CSV, JSON, a page. In: points, names, classes. Out: text. Names are
 * anything that a file system permits: each form escapes them in its own way. */
#include "map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "io/html.h"
#include "io/scatter.h"
#include "io/svg.h"
#include "term.h"
#include "thumbs.h"

static const char *class_of(const struct map *m, size_t i)
{
    const struct ctr_vectors *v = m->of;
    return v->label && v->label[m->row[i]] >= 0 ? v->class_name[v->label[m->row[i]]] : NULL;
}

static const char *name_of(const struct map *m, size_t i)
{
    return m->of->name ? m->of->name[m->row[i]] : NULL;
}

/* ---- SVG ---- */

static void caption(char *text, size_t room, const struct map *m)
{
    const char *vectors =
        m->o.metric == MAP_COSINE ? "vectors of length one" : "vectors as they are";
    if (m->o.method == MAP_PCA)
        snprintf(text, room, "%s; the plane holds %.1f %% of their variance", vectors,
                 100 * (m->share[0] + m->share[1]));
    else
        snprintf(text, room,
                 "%s, perplexity %g, divergence %.3f; neighbours mean something, distances across "
                 "the plane do not",
                 vectors, m->o.perplexity, m->divergence);
}

static void title(char *text, size_t room, const struct map *m)
{
    int n = snprintf(text, room, "%s of %zu",
                     m->o.method == MAP_PCA ? "principal components" : "t-SNE", m->n);
    if (m->n < m->of->n)
        n += snprintf(text + n, room - (size_t)n, " of %zu", m->of->n);
    snprintf(text + n, room - (size_t)n, " images");
}

int map_svg(struct ctr_str *s, const struct map *m)
{
    int rc = 0;
    char above[96], below[192], x[64], y[64];
    int32_t *class = m->of->label ? ctr_alloc(m->n, sizeof *class) : NULL;
    const char **name = m->of->name ? ctr_alloc(m->n, sizeof *name) : NULL;
    if ((m->of->label && !class) || (m->of->name && !name))
        CTR_TRY(CTR_E_FAIL);
    for (size_t i = 0; i < m->n; i++) {
        if (class)
            class[i] = m->of->label[m->row[i]];
        if (name)
            name[i] = name_of(m, i);
    }
    title(above, sizeof above, m);
    caption(below, sizeof below, m);
    snprintf(x, sizeof x, "first component, %.1f %% of the variance", 100 * m->share[0]);
    snprintf(y, sizeof y, "second component, %.1f %%", 100 * m->share[1]);
    ctr_scatter_svg(s, &(struct ctr_scatter){.title = above,
                                             .caption = below,
                                             .x_label = m->o.method == MAP_PCA ? x : NULL,
                                             .y_label = m->o.method == MAP_PCA ? y : NULL,
                                             .xy = m->xy,
                                             .class = class,
                                             .class_name = m->of->class_name,
                                             .n_classes = m->of->n_classes,
                                             .name = name,
                                             .n = m->n});
out:
    free(name);
    free(class);
    return rc;
}

/* ---- tables ---- */

void map_csv(struct ctr_str *s, const struct map *m)
{
    ctr_str_addf(s, "row,x,y,class,path\r\n");
    for (size_t i = 0; i < m->n; i++) {
        ctr_str_addf(s, "%u,", (unsigned)m->row[i]);
        ctr_str_json_num(s, m->xy[2 * i]);
        ctr_str_add(s, ",", 1);
        ctr_str_json_num(s, m->xy[2 * i + 1]);
        ctr_str_add(s, ",", 1);
        if (class_of(m, i))
            ctr_str_csv(s, class_of(m, i));
        ctr_str_add(s, ",", 1);
        if (name_of(m, i))
            ctr_str_csv(s, name_of(m, i));
        ctr_str_add(s, "\r\n", 2);
    }
}

static void json_point(struct ctr_str *s, const struct map *m, size_t i)
{
    ctr_str_addf(s, "{\"row\":%u,\"x\":", (unsigned)m->row[i]);
    ctr_str_json_num(s, m->xy[2 * i]);
    ctr_str_addf(s, ",\"y\":");
    ctr_str_json_num(s, m->xy[2 * i + 1]);
    if (class_of(m, i)) {
        ctr_str_addf(s, ",\"class\":");
        ctr_str_json(s, class_of(m, i));
    }
    if (name_of(m, i)) {
        ctr_str_addf(s, ",\"path\":");
        ctr_str_json(s, name_of(m, i));
    }
    ctr_str_add(s, "}", 1);
}

void map_json(struct ctr_str *s, const struct map *m)
{
    ctr_str_addf(s, "{\"schema\":1,\"method\":\"%s\",\"metric\":\"%s\",\"seed\":%llu",
                 m->o.method == MAP_PCA ? "pca" : "tsne",
                 m->o.metric == MAP_COSINE ? "cosine" : "euclidean", (unsigned long long)m->o.seed);
    ctr_str_addf(s, m->o.method == MAP_PCA ? ",\"variance\":[" : ",\"perplexity\":");
    ctr_str_json_num(s, m->o.method == MAP_PCA ? m->share[0] : m->o.perplexity);
    ctr_str_addf(s, m->o.method == MAP_PCA ? "," : ",\"divergence\":");
    ctr_str_json_num(s, m->o.method == MAP_PCA ? m->share[1] : m->divergence);
    ctr_str_addf(s, "%s,\"vectors\":%zu,\"points\":[\n", m->o.method == MAP_PCA ? "]" : "",
                 m->of->n);
    for (size_t i = 0; i < m->n; i++) {
        json_point(s, m, i);
        ctr_str_addf(s, i + 1 < m->n ? ",\n" : "\n");
    }
    ctr_str_addf(s, "]}\n");
}

/* ---- the page ---- */

enum { CELLS = 24, SIDE = 48 }; /* pictures across the plane; pixels of one */

int map_html_drawing(struct ctr_str *s, const struct map *m)
{
    ctr_str_addf(s, "<div class=\"plot\">\n");
    int rc = map_svg(s, m);
    ctr_str_addf(s, "</div>\n");
    return rc;
}

/* The plane in squares as large as a picture: the point in each, plus one; two pictures that do not
 * overlap have their middles in different squares. */
struct plane {
    const struct map *m;
    struct ctr_scatter_frame frame;
    uint32_t taken[CELLS * CELLS];
};

/* Whether a picture around point i covers none that is there; then it is there. */
static int take(struct plane *p, size_t i)
{
    double at[2], other[2];
    ctr_scatter_place(at, &p->frame, p->m->xy + 2 * i);
    int x = (int)(at[0] * CELLS), y = (int)(at[1] * CELLS);
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) {
            int cx = x + dx, cy = y + dy;
            if (cx < 0 || cy < 0 || cx >= CELLS || cy >= CELLS || !p->taken[cy * CELLS + cx])
                continue;
            ctr_scatter_place(other, &p->frame, p->m->xy + 2 * (p->taken[cy * CELLS + cx] - 1));
            double gap_x = (at[0] - other[0]) * CELLS, gap_y = (at[1] - other[1]) * CELLS;
            if (gap_x < 1 && gap_x > -1 && gap_y < 1 && gap_y > -1)
                return 0;
        }
    p->taken[y * CELLS + x] = (uint32_t)i + 1;
    return 1;
}

static int picture(struct ctr_str *s, const struct plane *p, size_t i, const uint8_t *rgb,
                   unsigned side)
{
    double at[2];
    const char *class = class_of(p->m, i);
    ctr_scatter_place(at, &p->frame, p->m->xy + 2 * i);
    ctr_str_addf(s, "<img style=\"left:%.2f%%;top:%.2f%%", 100 * at[0],
                 100 * at[1] / p->frame.height);
    if (class)
        ctr_str_addf(s, ";border-color:%s", ctr_svg_colour((size_t)p->m->of->label[p->m->row[i]]));
    ctr_str_addf(s, "\" alt=\"\" title=\"");
    ctr_html_text(s, name_of(p->m, i));
    ctr_str_addf(s, "\" ");
    int rc = ctr_html_png(s, rgb, side, side);
    ctr_str_addf(s, ">\n");
    return rc;
}

/* Points in a random order, each where there is room. *shown of them. */
static int pictures(struct ctr_str *s, size_t *shown, struct plane *p, struct thumbs *thumbs)
{
    static uint8_t rgb[THUMB_BYTES];
    int rc = 0;
    size_t n = p->m->n, missing = 0;
    struct ctr_rng rng;
    uint32_t *order = ctr_alloc(n, sizeof *order);
    if (!order)
        return CTR_E_FAIL;
    ctr_rng_init(&rng, p->m->o.seed, CTR_RNG_MAP, 3, 0);
    ctr_rng_permutation(&rng, order, (uint32_t)n);
    for (size_t k = 0; rc == 0 && k < n; k++) {
        unsigned side = 0;
        if (!take(p, order[k]))
            continue;
        if (thumbs_get(rgb, &side, thumbs, name_of(p->m, order[k])) != 0) {
            missing++;
            continue;
        }
        rc = picture(s, p, order[k], rgb, side);
        ++*shown;
    }
    free(order);
    if (rc == 0 && missing)
        term_warn("%zu pictures of the map could not be had", missing);
    return rc;
}

int map_html_pictures(struct ctr_str *s, const struct map *m)
{
    struct thumbs thumbs = {0};
    struct plane plane = {.m = m, .frame = ctr_scatter_fit(m->xy, m->n)};
    size_t shown = 0;
    if (!m->of->data || !m->of->name) {
        ctr_str_addf(s, "<p class=\"note\">There are no pictures: the vectors do not say what "
                        "images they are of.</p>\n");
        return 0;
    }
    if (thumbs_open(&thumbs, m->of->data, m->of->split, SIDE) != 0) {
        term_warn("no pictures on the map: %s", ctr_error_text());
        ctr_str_addf(s, "<p class=\"note\">There are no pictures: ");
        ctr_html_text(s, ctr_error_text());
        ctr_str_addf(s, ".</p>\n");
        return 0;
    }
    ctr_str_addf(
        s,
        "<div class=\"plot\"><div class=\"plane\" style=\"--side:%.3f%%;aspect-ratio:1/%.4f\">\n",
        100.0 / CELLS, plane.frame.height);
    int rc = pictures(s, &shown, &plane, &thumbs);
    ctr_str_addf(s,
                 "</div></div>\n<p class=\"note\">%zu of the images, where there is room for them; "
                 "point at one for its "
                 "name.%s</p>\n",
                 shown, m->of->label ? " Frames have the colours of the classes." : "");
    thumbs_close(&thumbs);
    return rc;
}

int map_html(struct ctr_str *s, const struct map *m, const char *path)
{
    char size[96];
    snprintf(size, sizeof size, "%zu of %zu values", m->of->n, m->of->D);
    ctr_html_begin(s, "Map of images", NULL);
    ctr_str_addf(s, "<table class=\"facts\">\n");
    ctr_html_fact(s, "from", path);
    ctr_html_fact(s, "vectors", size);
    ctr_html_fact(s, "images", m->of->data);
    ctr_html_fact(s, "model", m->of->model);
    ctr_str_addf(s, "</table>\n");
    int rc = map_html_drawing(s, m);
    ctr_str_addf(s, "<h2>The images</h2>\n");
    if (rc == 0)
        rc = map_html_pictures(s, m);
    ctr_html_end(s);
    return rc;
}
