/* driver.c -- the list of drivers, and which of them reads a path. In: a path as a user gives it, the
 * name of a split. Out: driver, directory and split of a source. */
#include "base/str.h"
#include "data/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Probed in this order; folder takes what no other wants. */
static const struct ctr_data_driver *const drivers[] = {
    &ctr_driver_folder, &ctr_driver_shapes, &ctr_driver_cifar10, &ctr_driver_cifar100,
    &ctr_driver_idx,    &ctr_driver_stl10,  &ctr_driver_packed,
};
#define N_DRIVERS (sizeof drivers / sizeof *drivers)

const char *ctr_data_driver_name(size_t i)
{
    return i < N_DRIVERS ? drivers[i]->name : NULL;
}

const char *ctr_data_driver_text(size_t i)
{
    return i < N_DRIVERS ? drivers[i]->text : NULL;
}

static const struct ctr_data_driver *driver_named(const char *name, size_t n)
{
    for (size_t i = 0; i < N_DRIVERS; i++)
        if (strlen(drivers[i]->name) == n && memcmp(drivers[i]->name, name, n) == 0)
            return drivers[i];
    return NULL;
}

char *ctr_data_absolute(const char *path)
{
    const char *colon = strchr(path, ':'), *at = path;
    char *real = realpath(path, NULL);
    struct ctr_str full = {0};
    if (!real && colon && colon[1] && (real = realpath(colon + 1, NULL)) != NULL)
        at = colon + 1;
    ctr_str_add(&full, path, (size_t)(at - path));
    ctr_str_addf(&full, "%s", real ? real : at);
    free(real);
    if (full.failed)
        ctr_str_free(&full);
    return full.s;
}

static const struct ctr_data_driver *driver_probed(const char *path)
{
    for (size_t i = 0; i < N_DRIVERS; i++)
        if (drivers[i]->probe && drivers[i]->probe(path))
            return drivers[i];
    return NULL;
}

static int unknown_driver(const char *path, size_t n)
{
    struct ctr_str list = {0};
    for (size_t i = 0; i < N_DRIVERS; i++)
        ctr_str_addf(&list, "%s%s", i ? ", " : "", drivers[i]->name);
    ctr_fail(CTR_E_USAGE, "no data driver '%.*s' and no directory '%s'", (int)n, path, path);
    ctr_hint(CTR_E_USAGE, "drivers: %s", list.s ? list.s : "");
    ctr_str_free(&list);
    return CTR_E_USAGE;
}

static int need_directory(const char *path)
{
    static const char *const packed[] = {".tar", ".gz", ".tgz", ".zip", ".xz", ".bz2", ".zst"};
    struct stat st;
    if (stat(path, &st) != 0)
        return ctr_fail(CTR_E_DATA, "cannot open '%s': %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return 0;
    ctr_fail(CTR_E_DATA, "'%s' is not a directory", path);
    for (size_t i = 0; i < sizeof packed / sizeof *packed; i++) {
        size_t n = strlen(path), m = strlen(packed[i]);
        if (n > m && strcmp(path + n - m, packed[i]) == 0)
            return ctr_hint(CTR_E_DATA, "unpack the archive and give the directory");
    }
    return ctr_hint(CTR_E_DATA, "give the directory that holds the images");
}

static int choose_driver(struct ctr_source *s, const char *path)
{
    if (!path || strcmp(path, "shapes") == 0)
        path = "shapes:";
    const char *colon = strchr(path, ':');
    s->path = path;
    if (colon && (s->driver = driver_named(path, (size_t)(colon - path))) != NULL) {
        if (s->driver == &ctr_driver_shapes) {
            s->path = "shapes";
            return colon[1] ? ctr_fail(CTR_E_USAGE, "'%s': shapes takes no directory", path) : 0;
        }
        s->path = colon + 1;
        return s->driver->sealed ? 0 : need_directory(s->path);
    }
    struct stat st;
    if (colon && !memchr(path, '/', (size_t)(colon - path)) && stat(path, &st) != 0)
        return unknown_driver(path, (size_t)(colon - path));
    if ((s->driver = driver_probed(path)) != NULL)
        return 0;
    s->driver = &ctr_driver_folder;
    return need_directory(path);
}

int ctr_data_is_file(const char *path)
{
    const struct ctr_data_driver *driver = driver_probed(path);
    return driver && driver->sealed;
}

static const struct {
    const char *name;
    enum ctr_split split;
} splits[] = {{"train", CTR_SPLIT_TRAIN},
              {"test", CTR_SPLIT_TEST},
              {"val", CTR_SPLIT_TEST},
              {"all", CTR_SPLIT_ALL},
              {"unlabeled", CTR_SPLIT_UNLABELED}};
enum { SPLITS = sizeof splits / sizeof *splits };

const char *ctr_data_split(size_t i)
{
    return i < SPLITS ? splits[i].name : NULL;
}

static int choose_split(struct ctr_source *s, const char *name)
{
    if (!name)
        name = "train";
    for (size_t i = 0; i < SPLITS; i++)
        if (strcmp(name, splits[i].name) == 0) {
            s->split = splits[i].split;
            s->split_name = splits[i].name;
            return 0;
        }
    ctr_fail(CTR_E_USAGE, "unknown split '%s'", name);
    return ctr_hint(CTR_E_USAGE, "train, test, all, unlabeled");
}

int ctr_source_find(struct ctr_source *s, const char *path, const char *split)
{
    int rc = choose_driver(s, path);
    return rc == 0 ? choose_split(s, split) : rc;
}
