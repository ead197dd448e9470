/* outside.c -- a program that has only the installed headers and pkg-config: outside RUN IMAGES
 * SCRATCH. What the library refuses and how it says so, stopping and resuming, vectors by three
 * ways, threads. library.py builds and runs it; RUN was trained on IMAGES, SCRATCH holds nothing but torn, a
 * copy of RUN whose newest checkpoint is cut. */
#include <clcontrast/data.h>
#include <clcontrast/device.h>
#include <clcontrast/log.h>
#include <clcontrast/model.h>
#include <clcontrast/search.h>
#include <clcontrast/status.h>
#include <clcontrast/train.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            printf("%s:%d: %s: %s\n", __FILE__, __LINE__, #what, ctr_error_text());                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static const char *run, *images;
static char out[4096];

static struct ctr_train_settings settings(const char *scratch, const char *name)
{
    struct ctr_train_settings s;
    snprintf(out, sizeof out, "%s/%s", scratch, name);
    ctr_train_defaults(&s);
    s.data = images;
    s.out = out;
    s.batch = 8;
    s.epochs = 2;
    return s;
}

/* ---- what is refused ---- */

static void refused(const struct ctr_train_settings *s, int code, const char *words)
{
    struct ctr_train_result result = {.step = 77};
    CHECK(ctr_train(&result, s, NULL) == code);
    CHECK(strstr(ctr_error_text(), words));
    CHECK(result.step == 77);
    CHECK(s->out != out || !fopen(out, "r")); /* nothing is left behind */
}

#define REFUSED(member, value, code, words)                                                        \
    do {                                                                                           \
        struct ctr_train_settings s = settings(scratch, "refused");                                \
        s.member = value;                                                                          \
        refused(&s, code, words);                                                                  \
    } while (0)

static void test_refused(const char *scratch)
{
    REFUSED(batch, 1, CTR_E_USAGE, "batch: 1 is not between 2 and 1000000");
    REFUSED(batch, 1000, CTR_E_USAGE, "a batch of 1000 is more than the 24 images");
    REFUSED(epochs, 0, CTR_E_USAGE, "epochs");
    REFUSED(width, NAN, CTR_E_USAGE, "width");
    REFUSED(encoder, "vgg", CTR_E_USAGE, "there is no encoder 'vgg'");
    REFUSED(encoder, NULL, CTR_E_USAGE, "encoder is NULL");
    REFUSED(method, "magic", CTR_E_USAGE, "there is no method 'magic'");
    REFUSED(optimizer, "newton", CTR_E_USAGE, "there is no optimizer 'newton'");
    REFUSED(schedule, "cos", CTR_E_USAGE, "schedule: 'cos' is none of cosine|constant|step");
    REFUSED(stem, NULL, CTR_E_USAGE, "stem: '(null)' is none of");
    REFUSED(options, "temperature", CTR_E_USAGE, "'temperature' is not NAME=NUMBER");
    REFUSED(options, "temperature=hot", CTR_E_USAGE, "'hot' of temperature is no number");
    REFUSED(options, "temperature=100", CTR_E_USAGE, "100 is not between 0.01 and 10");
    REFUSED(options, "beta1=0.5, prior=1", CTR_E_USAGE, "neither simclr nor adamw has 'prior'");
    REFUSED(augment, "crop(2", CTR_E_USAGE, "augment");
    REFUSED(normalize, "often", CTR_E_USAGE, "normalize");
    REFUSED(labels, "few", CTR_E_USAGE, "labels");
    REFUSED(tune, "-1", CTR_E_USAGE, "tune: '-1'");
    REFUSED(device, "no such device", CTR_E_USAGE, "no such device");
    REFUSED(data, "/no/such/images", CTR_E_DATA, "/no/such/images");
    REFUSED(init, "/no/such/model", CTR_E_MODEL, "/no/such/model");
    REFUSED(resume, 1, CTR_E_MODEL, "holds no run");
    REFUSED(out, NULL, CTR_E_USAGE, "out is NULL");
    REFUSED(out, run, CTR_E_USAGE, run);
}

/* ---- stopping, resuming ---- */

struct told {
    unsigned prepared, progress, epochs;
    int stop;
};

static void prepare(void *user, const char *what, size_t done, size_t total)
{
    struct told *t = user;
    t->prepared += *what && done <= total;
}

static void progress(void *user, const struct ctr_train_progress *p)
{
    struct told *t = user;
    CHECK(p->step > 0 && p->step <= p->steps && p->steps == 6 && isfinite(p->loss));
    t->progress++;
    t->stop = 1;
}

static void epoch(void *user, const struct ctr_train_progress *p)
{
    struct told *t = user;
    CHECK(p->epochs == 2 && isfinite(p->loss) && p->chance > 0 &&
          isfinite(p->validation.loss) == 0);
    t->epochs++;
}

static int stop(void *user)
{
    return ((struct told *)user)->stop;
}

static int stop_at_once(void *user)
{
    (void)user;
    return 1;
}

static void test_stopping(const char *scratch)
{
    struct told told = {0};
    struct ctr_train_events events = {&told, prepare, progress, epoch, stop};
    struct ctr_train_settings s = settings(scratch, "stopped");
    struct ctr_train_result r = {0};
    CHECK(ctr_train(&r, &s, &events) == 0);
    CHECK(r.stopped && r.step >= 1 && r.step < 6 && r.steps == 6 && isfinite(r.loss));
    CHECK(told.prepared && told.progress);
    s.resume = 1;
    events.stop = NULL;
    CHECK(ctr_train(&r, &s, &events) == 0);
    CHECK(!r.stopped && r.step == 6 && told.epochs == 2 && r.n_skipped == 0);
    CHECK(ctr_train(&r, &s, NULL) == 0 && r.step == 6 && isnan(r.loss));
    s = settings(scratch, "never");
    events = (struct ctr_train_events){.stop = stop_at_once};
    CHECK(ctr_train(NULL, &s, &events) == CTR_E_FAIL);
    CHECK(strstr(ctr_error_text(), "stopped before training began"));
}

/* A run goes on with the mean and deviation that it took from the model it started from. */
static void test_going_on_as_begun(const char *scratch)
{
    struct told told = {0};
    struct ctr_train_events events = {&told, prepare, progress, epoch, stop};
    struct ctr_train_result whole = {0}, r = {0};
    char init[sizeof out];
    struct ctr_train_settings s = settings(scratch, "toned");
    s.normalize = "0.4,0.5,0.6/0.2,0.3,0.2";
    CHECK(ctr_train(NULL, &s, NULL) == 0);
    memcpy(init, out, sizeof init);
    s = settings(scratch, "undisturbed");
    s.init = init;
    CHECK(ctr_train(&whole, &s, NULL) == 0);
    s = settings(scratch, "disturbed");
    s.init = init;
    CHECK(ctr_train(&r, &s, &events) == 0 && r.stopped);
    s.resume = 1;
    events.stop = NULL;
    CHECK(ctr_train(&r, &s, &events) == 0);
    CHECK(!r.stopped && r.step == whole.step && r.loss == whole.loss);
}

/* ---- vectors ---- */

static float largest_gap(const float *a, const float *b, size_t n)
{
    float gap = 0;
    for (size_t i = 0; i < n; i++)
        gap = a[i] - b[i] > gap ? a[i] - b[i] : b[i] - a[i] > gap ? b[i] - a[i] : gap;
    return gap;
}

/* As a data set, as files, as pixels in memory, with an opacity that is dropped: the same. */
static void compare_ways(ctr_model *model, ctr_data *data, const struct ctr_embedding *e)
{
    const struct ctr_data_info *info = ctr_data_info(data);
    const size_t each = ctr_data_image_bytes(info), n = 5;
    uint32_t index[5], used[5];
    char path[5][4096];
    const char *paths[5];
    uint8_t *pixels = malloc(n * each), *rgba = malloc(n * each / 3 * 4);
    float *x = malloc(n * e->D * sizeof *x);
    CHECK(pixels && rgba && x && info->channels == 3);
    for (uint32_t i = 0; i < n; i++) {
        index[i] = i;
        snprintf(path[i], sizeof path[i], "%s/%s", images, e->name[i]);
        paths[i] = path[i];
    }
    CHECK(ctr_model_embed_files(x, model, paths, n, 0) == 0);
    CHECK(largest_gap(x, e->x, n * e->D) < 1e-5f);
    CHECK(ctr_data_read(data, pixels, used, index, n) == 0 && used[4] == 4);
    struct ctr_pixels p = {.values = pixels, .n = n, .height = info->height, .width = info->width};
    CHECK(ctr_model_embed_pixels(x, model, &p, 0) == 0);
    CHECK(largest_gap(x, e->x, n * e->D) < 1e-5f);
    for (size_t i = 0; i < n * each / 3; i++) {
        memcpy(rgba + 4 * i, pixels + 3 * i, 3);
        rgba[4 * i + 3] = (uint8_t)i;
    }
    p.values = rgba;
    p.channels = 4;
    CHECK(ctr_model_embed_pixels(x, model, &p, 0) == 0);
    CHECK(largest_gap(x, e->x, n * e->D) < 1e-5f);
    p.channels = 5;
    CHECK(ctr_model_embed_pixels(x, model, &p, 0) == CTR_E_DATA);
    p.channels = 3;
    p.width = 0;
    CHECK(ctr_model_embed_pixels(x, model, &p, 0) == CTR_E_USAGE);
    free(x);
    free(rgba);
    free(pixels);
}

static void test_search(ctr_dev *dev, const struct ctr_embedding *e)
{
    ctr_index *index = NULL;
    struct ctr_hit hit[3];
    CHECK(ctr_index_create(&index, dev, e->x, e->n, e->D, CTR_EUCLIDEAN, 0) == 0);
    CHECK(ctr_index_search(hit, index, e->x + 7 * e->D, 1, 3) == 0);
    CHECK(hit[0].row == 7 && hit[0].score == 0 && hit[1].score <= hit[2].score);
    CHECK(ctr_index_search(hit, index, e->x, 1, e->n + 1) == CTR_E_USAGE);
    ctr_index_destroy(&index);
    CHECK(!index);
    CHECK(ctr_index_create(&index, dev, e->x, 0, e->D, CTR_COSINE, 0) == CTR_E_USAGE && !index);
}

/* A device, a model and a data set of its own. */
static struct ctr_embedding embed(int others)
{
    ctr_dev *dev = NULL;
    ctr_model *model = NULL;
    ctr_data *data = NULL;
    struct ctr_embedding e;
    CHECK(ctr_dev_open(&dev, NULL, NULL) == 0 && *ctr_dev_name(dev));
    CHECK(ctr_model_open(&model, dev, images, NULL) == CTR_E_MODEL && !model);
    CHECK(ctr_model_open(&model, dev, run, &(struct ctr_model_params){.batch = 8}) == 0);
    CHECK(ctr_model_data(&data, model, &(struct ctr_model_data_params){0}) ==
          0); /* the run's own */
    CHECK(ctr_data_info(data)->n == 24 && ctr_data_info(data)->n_classes == 2);
    CHECK(ctr_model_embed(&e, model, data, 0, NULL, NULL) == 0);
    CHECK(e.n == 24 && e.D == ctr_model_info(model)->D && e.label[0] == 0 && e.label[23] == 1);
    if (others) {
        compare_ways(model, data, &e);
        test_search(dev, &e);
    }
    ctr_data_close(&data);
    ctr_model_close(&model);
    ctr_dev_destroy(&dev);
    CHECK(!data && !model && !dev);
    return e;
}

/* ---- what is said beside results ---- */

struct said {
    int n;
    char line[256];
};

static void hear(void *user, enum ctr_log_level level, const char *line)
{
    struct said *said = user;
    CHECK(level == CTR_LOG_WARN);
    said->n++;
    snprintf(said->line, sizeof said->line, "%s", line);
}

/* library.py has put a run there whose newest checkpoint is cut. */
static void test_log(const char *scratch)
{
    struct said said = {0};
    char torn[512];
    ctr_dev *dev = NULL;
    snprintf(torn, sizeof torn, "%s/torn", scratch);
    CHECK(ctr_dev_open(&dev, "null", NULL) == 0);
    for (int heard = 1; heard >= 0; heard--) {
        ctr_model *model = NULL;
        ctr_log_set(heard ? hear : NULL, &said, CTR_LOG_WARN);
        CHECK(ctr_model_open(&model, dev, torn, NULL) == 0 && ctr_model_info(model)->step == 3);
        CHECK(said.n == 1 && strstr(said.line, "passing over a checkpoint") && strstr(said.line, torn));
        ctr_model_close(&model);
    }
    ctr_dev_destroy(&dev);
    struct ctr_train_settings s = settings(scratch, "torn");
    struct ctr_train_result r = {0};
    s.resume = 1;
    ctr_log_set(hear, &said, CTR_LOG_WARN);
    CHECK(ctr_train(&r, &s, NULL) == 0 && r.step == 6);
    CHECK(said.n == 2 && strstr(said.line, "passing over a checkpoint")); /* once for each time it is opened */
    ctr_log_set(NULL, NULL, CTR_LOG_WARN);
}

/* ---- NULL where something must be ---- */

static void test_nulls(void)
{
    ctr_dev *dev = NULL;
    ctr_data *data = NULL;
    ctr_model *model = NULL;
    ctr_index *index = NULL;
    struct ctr_embedding e;
    struct ctr_hit hit;
    const float x[4] = {1};
    const struct ctr_data_params drawn = {.limit = 4};
    CHECK(ctr_dev_open(&dev, "null", NULL) == 0);
    CHECK(ctr_data_open(&data, &drawn) == 0);
    const int codes[] = {ctr_data_open(NULL, &drawn),
                         ctr_data_open(&data, NULL),
                         ctr_data_read_all(data, NULL, NULL, NULL),
                         ctr_dev_open(NULL, NULL, NULL),
                         ctr_devices_list(NULL, 0),
                         ctr_model_open(&model, NULL, run, NULL),
                         ctr_model_open(&model, dev, NULL, NULL),
                         ctr_model_data(&data, NULL, NULL),
                         ctr_model_embed(&e, NULL, data, 0, NULL, NULL),
                         ctr_model_embed_files(NULL, NULL, &run, 1, 0),
                         ctr_model_embed_pixels(NULL, NULL, NULL, 0),
                         ctr_index_create(&index, NULL, x, 1, 4, CTR_COSINE, 0),
                         ctr_index_create(&index, dev, NULL, 1, 4, CTR_COSINE, 0),
                         ctr_index_search(&hit, NULL, x, 1, 1),
                         ctr_train(NULL, NULL, NULL)};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        CHECK(codes[i] == CTR_E_USAGE);
    CHECK(strcmp(ctr_error_text(), "ctr_train: settings is NULL") == 0);
    CHECK(!model && !index);
    for (int twice = 0; twice < 2; twice++) {
        ctr_data_close(&data);
        ctr_dev_destroy(&dev);
    }
    ctr_data_close(NULL);
    ctr_dev_destroy(NULL);
    ctr_model_close(NULL);
    ctr_index_destroy(NULL);
    ctr_devices_free(NULL);
    ctr_embedding_free(NULL);
}

/* ---- threads ---- */

static void *in_thread(void *to)
{
    ctr_data *data = NULL;
    CHECK(!*ctr_error_text());
    *(struct ctr_embedding *)to = embed(0);
    CHECK(ctr_data_open(&data, &(struct ctr_data_params){.path = "/not/there"}) == CTR_E_DATA);
    CHECK(strstr(ctr_error_text(), "/not/there"));
    return NULL;
}

/* Both at the same time compute what one alone does; failures are each thread's own. */
static void test_threads(const struct ctr_embedding *alone)
{
    pthread_t thread[2];
    struct ctr_embedding e[2];
    ctr_data *data = NULL;
    CHECK(ctr_data_open(&data, &(struct ctr_data_params){.path = "/nowhere"}) == CTR_E_DATA);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&thread[i], NULL, in_thread, &e[i]) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(pthread_join(thread[i], NULL) == 0);
        CHECK(memcmp(e[i].x, alone->x, alone->n * alone->D * sizeof *alone->x) == 0);
        ctr_embedding_free(&e[i]);
    }
    CHECK(strstr(ctr_error_text(), "/nowhere"));
}

int main(int argc, char **argv)
{
    CHECK(argc == 4);
    run = argv[1];
    images = argv[2];
    test_nulls();
    test_log(argv[3]);
    test_refused(argv[3]);
    test_stopping(argv[3]);
    test_going_on_as_begun(argv[3]);
    struct ctr_embedding alone = embed(1);
    test_threads(&alone);
    ctr_embedding_free(&alone);
    ctr_dev *null = NULL;
    CHECK(ctr_dev_open(&null, "null", NULL) == 0);
    ctr_dev_destroy(&null);
    puts("ok");
    return 0;
}
