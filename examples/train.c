/* train.c -- learns an encoder from a directory of images, with progress; Ctrl-C saves and ends.
 *
 *     cc train.c -o train $(pkg-config --cflags --libs clcontrast)
 *     ./train photos run 20        images, new directory for the run, epochs
 *     ./train - run 20             the built-in shapes instead of images */
#include <clcontrast/train.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static int stop(void *user)
{
    (void)user;
    return interrupted;
}

static void prepare(void *user, const char *what, size_t done, size_t total)
{
    (void)user;
    if (done == total)
        fprintf(stderr, "%s: %zu\n", what, total);
}

/* progress would come several times a second */
static void epoch(void *user, const struct ctr_train_progress *p)
{
    unsigned *epochs = user;
    ++*epochs;
    printf("epoch %llu of %llu: loss %.4f (guessing: %.4f), %.0f images/s, %.0f s left\n",
           (unsigned long long)p->epoch, (unsigned long long)p->epochs, p->loss, p->chance,
           p->images_per_s, p->eta_s);
    if (ctr_verdict_text(p->verdict))
        printf("  %s\n", ctr_verdict_text(p->verdict));
}

int main(int argc, char **argv)
{
    unsigned epochs = 0;
    struct ctr_train_settings settings;
    struct ctr_train_result result;
    const struct ctr_train_events events = {
        .user = &epochs, .prepare = prepare, .epoch = epoch, .stop = stop};
    if (argc != 4) {
        fprintf(stderr, "usage: train IMAGES RUN EPOCHS\n");
        return CTR_E_USAGE;
    }
    signal(SIGINT, interrupt);
    ctr_train_defaults(&settings);
    settings.data = strcmp(argv[1], "-") == 0 ? NULL : argv[1];
    settings.out = argv[2];
    settings.epochs = strtoull(argv[3], NULL, 10);
    settings.batch = 8; /* for a few images; 256 and more are usual */
    settings.options = "temperature=0.2";
    int rc = ctr_train(&result, &settings, &events);
    if (rc != 0) {
        fprintf(stderr, "error: %s\n", ctr_error_text());
        if (*ctr_error_hint())
            fprintf(stderr, "hint: %s\n", ctr_error_hint());
        return rc;
    }
    printf("%s after %u epochs and %llu of %llu steps, loss %.4f, %llu images skipped; in %s\n",
           result.stopped ? "stopped" : "done", epochs, (unsigned long long)result.step,
           (unsigned long long)result.steps, result.loss, (unsigned long long)result.n_skipped,
           settings.out);
    return 0;
}
