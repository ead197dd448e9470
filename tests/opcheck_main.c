/* opcheck_main.c -- `test-op [-v] [OP ...]`: the cases of the named ops, or all (`-l` lists them), on the device that
 * CTR_TEST_DEVICE selects (default: the first usable). Exit 0 when all pass, 77 (skip) when there
 * is no device and CTR_REQUIRE_DEVICE is not set, else 1. CTR_TEST_SLOW=1 adds the slow cases;
 * CTR_TEST_MAX=N leaves out cases with more than N input elements (for simulators),
 * CTR_TEST_CASE=TEXT those without TEXT in their name; CTR_TEST_CONFIGS=own tries variants in their
 * own configurations only, CTR_TEST_FORCE=CHOICES (as for --kernel) nothing but these, which must run,
 * with none what the device has by default;
 * CTR_TEST_PRECISION=fp32 stores nothing as fp16 or bf16; CTR_TEST_ONCE=1 runs each once, not twice;
 * CTR_TEST_MATH=tf32 permits tf32. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opcheck.h"

struct tally {
    unsigned passed, failed;
    int verbose;
};

static void report(void *user, const struct opcase *c, const struct opcheck_result *r, int failed,
                   const char *why)
{
    struct tally *t = user;
    t->passed += !failed;
    t->failed += failed != 0;
    if (failed || t->verbose)
        printf("%s %-40s %-28s forward %.1e backward %.1e%s%s\n", failed ? "FAIL" : "ok  ", c->name,
               r->variant, r->fwd_error, r->bwd_error, failed ? ": " : "", failed ? why : "");
    fflush(stdout);
}

static int wanted(const char *name, int argc, char **argv)
{
    int named = 0;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-')
            continue;
        named = 1;
        if (strcmp(argv[i], name) == 0)
            return 1;
    }
    return !named;
}

static size_t elements(const struct opcase *c)
{
    size_t sum = 0;
    for (unsigned i = 0; i < c->n_in; i++) {
        size_t n = 1;
        for (unsigned k = 0; k < c->in[i].rank; k++)
            n *= c->in[i].dim[k];
        sum += n;
    }
    return sum;
}

static int skipped(const struct opcase *c)
{
    const char *slow = getenv("CTR_TEST_SLOW"), *max = getenv("CTR_TEST_MAX");
    const char *text = getenv("CTR_TEST_CASE");
    return (text && !strstr(c->name, text)) || (c->slow && !(slow && *slow == '1')) ||
           (max && elements(c) > strtoull(max, NULL, 10));
}

int main(int argc, char **argv)
{
    struct tally t = {.verbose = argc > 1 && strcmp(argv[1], "-v") == 0};
    ctr_dev *dev = NULL;
    const char *must = getenv("CTR_REQUIRE_DEVICE"), *math = getenv("CTR_TEST_MATH");
    const struct ctr_dev_params params = {.tf32 = math && strcmp(math, "tf32") == 0};
    if (argc > 1 && strcmp(argv[1], "-l") == 0) {
        for (const struct opcheck_op *op = opcheck_ops; op->name; op++)
            puts(op->name);
        return 0;
    }
    if (ctr_dev_open(&dev, getenv("CTR_TEST_DEVICE"), &params) != 0) {
        fprintf(stderr, "no device: %s\n", ctr_error_text());
        return must && *must == '1' ? 1 : 77;
    }
    for (const struct opcheck_op *op = opcheck_ops; op->name; op++)
        for (const struct opcase *c = op->cases; wanted(op->name, argc, argv) && c->name; c++)
            if (!skipped(c))
                opcheck_case(dev, c, report, &t);
    printf("%s: %u passed, %u failed\n", ctr_dev_caps(dev)->name, t.passed, t.failed);
    ctr_dev_destroy(&dev);
    return t.failed || !t.passed ? 1 : 0;
}
