/* Event files, read back by a small parser of their own. */
#include "io/tfevents.h"
#include "base/os.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "../tempdir.h"

static void crc_vectors(void **state)
{
    (void)state;
    unsigned char v[32];
    assert_int_equal(ctr_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(ctr_crc32c("", 0), 0);
    memset(v, 0, 32); /* RFC 3720, appendix B.4 */
    assert_int_equal(ctr_crc32c(v, 32), 0x8a9136aa);
    memset(v, 0xff, 32);
    assert_int_equal(ctr_crc32c(v, 32), 0x62a8ab43);
    for (unsigned i = 0; i < 32; i++)
        v[i] = (unsigned char)i;
    assert_int_equal(ctr_crc32c(v, 32), 0x46dd794e);
}

struct view {
    const unsigned char *p;
    size_t n;
};

static uint64_t varint(struct view *v)
{
    uint64_t out = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(v->n > 0 && shift < 64);
        unsigned char c = *v->p++;
        v->n--;
        out |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return out;
    }
}

static struct view take(struct view *v, size_t n)
{
    struct view out = {v->p, n};
    assert_true(n <= v->n);
    v->p += n;
    v->n -= n;
    return out;
}

/* The content of field `number` of a message, p == NULL when it is not there. */
static struct view field(struct view message, unsigned number, uint64_t *value)
{
    while (message.n > 0) {
        uint64_t key = varint(&message), v = 0;
        struct view body = {message.p, 0};
        if ((key & 7) == 0)
            v = varint(&message);
        else if ((key & 7) == 1)
            body = take(&message, 8);
        else if ((key & 7) == 2)
            body = take(&message, (size_t)varint(&message));
        else if ((key & 7) == 5)
            body = take(&message, 4);
        else
            fail_msg("wire type %u", (unsigned)(key & 7));
        if (key >> 3 == number) {
            if (value)
                *value = v;
            return body;
        }
    }
    return (struct view){NULL, 0};
}

/* Next record's Event; both checksums checked. */
static struct view record(struct view *file)
{
    uint64_t n;
    uint32_t crc[2], want[2];
    struct view head = take(file, 8);
    memcpy(&n, head.p, 8);
    memcpy(&crc[0], take(file, 4).p, 4);
    struct view event = take(file, (size_t)n);
    memcpy(&crc[1], take(file, 4).p, 4);
    want[0] = ctr_crc32c(head.p, 8);
    want[1] = ctr_crc32c(event.p, event.n);
    for (int i = 0; i < 2; i++)
        assert_int_equal(crc[i], (uint32_t)((want[i] >> 15 | want[i] << 17) + 0xa282ead8u));
    return event;
}

static uint64_t number(struct view message, unsigned which)
{
    uint64_t v = 0;
    assert_non_null(field(message, which, &v).p);
    return v;
}

static int is(struct view v, const char *text)
{
    return v.n == strlen(text) && memcmp(v.p, text, v.n) == 0;
}

static void records(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_tfevents *ev = NULL;
    size_t n;
    float x;
    double wall;
    tempdir_make(&t);
    assert_int_equal(ctr_tfevents_open(&ev, t.dir, 0), 0);
    assert_non_null(strstr(ctr_tfevents_path(ev), "/events.out.tfevents."));
    assert_int_equal(ctr_tfevents_scalar(ev, "loss/train", 300, 5.25f), 0);
    assert_int_equal(ctr_tfevents_scalar(ev, "std", 1ull << 40, -0.0f), 0);
    assert_int_equal(ctr_tfevents_flush(ev), 0);
    char *data = tempdir_get(ctr_tfevents_path(ev), &n);
    struct view file = {(unsigned char *)data, n}, event = record(&file);
    assert_true(is(field(event, 3, NULL), "brain.Event:2"));
    memcpy(&wall, field(event, 1, NULL).p, 8);
    assert_true(wall > 1.6e9 && wall <= ctr_wall_time());
    event = record(&file);
    assert_int_equal(number(event, 2), 300);
    struct view value = field(field(event, 5, NULL), 1, NULL);
    assert_true(is(field(value, 1, NULL), "loss/train"));
    memcpy(&x, field(value, 2, NULL).p, 4);
    assert_true(x == 5.25f);
    event = record(&file);
    assert_true(number(event, 2) == 1ull << 40);
    assert_int_equal(file.n, 0);
    free(data);
    ctr_tfevents_close(&ev);
    tempdir_remove(&t);
}

/* Two files of one process do not meet; a resumed run says where it starts. */
static void resumed(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_tfevents *first = NULL, *second = NULL;
    size_t n;
    tempdir_make(&t);
    assert_int_equal(ctr_tfevents_open(&first, t.dir, 0), 0);
    assert_int_equal(ctr_tfevents_open(&second, t.dir, 300), 0);
    assert_string_not_equal(ctr_tfevents_path(first), ctr_tfevents_path(second));
    char *data = tempdir_get(ctr_tfevents_path(second), &n);
    struct view file = {(unsigned char *)data, n};
    record(&file);
    struct view event = record(&file);
    assert_int_equal(number(event, 2), 300);
    assert_int_equal(number(field(event, 7, NULL), 1), 1);
    free(data);
    ctr_tfevents_close(&first);
    ctr_tfevents_close(&second);
    assert_int_equal(ctr_tfevents_open(&first, "/proc/nowhere", 0), CTR_E_IO);
    assert_null(first);
    tempdir_remove(&t);
}

/* A disk that is full in the middle of a record leaves whole records only. */
static void full_disk(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_tfevents *ev = NULL;
    struct rlimit old, small;
    size_t n;
    tempdir_make(&t);
    assert_int_equal(ctr_tfevents_open(&ev, t.dir, 0), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 200, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = 0, written = 0;
    while (rc == 0 && written < 100)
        if ((rc = ctr_tfevents_scalar(ev, "loss", (uint64_t)written, 1)) == 0)
            written++;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, CTR_E_IO);
    assert_true(written > 0);
    assert_int_equal(ctr_tfevents_scalar(ev, "loss", 77, 2), 0); /* space again */
    char *data = tempdir_get(ctr_tfevents_path(ev), &n);
    struct view file = {(unsigned char *)data, n};
    uint64_t step = 0;
    for (int i = 0; i < written + 2; i++)
        step = number(record(&file), 2);
    assert_int_equal(file.n, 0);
    assert_int_equal(step, 77);
    free(data);
    ctr_tfevents_close(&ev);
    tempdir_remove(&t);
}

/* TensorBoard's own reader (PyPI) finds scalars, and of a run that was gone on with what came
 * after that. */
static void tensorboard(void **state)
{
    (void)state;
    static const char program[] =
        "python3 -c 'import sys\n"
        "try: from tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n"
        "except ImportError: sys.exit(77)\n"
        "a = EventAccumulator(\".\", {\"scalars\": 0})\n"
        "a.Reload()\n"
        "print(a.Tags()[\"scalars\"])\n"
        "for e in a.Scalars(\"loss\"): print(e.step, e.value)'";
    struct tempdir t;
    struct ctr_tfevents *ev = NULL;
    char line[1024];
    size_t n;
    tempdir_make(&t);
    for (uint64_t first = 0; first <= 3; first += 3) {
        assert_int_equal(ctr_tfevents_open(&ev, t.dir, first), 0);
        for (uint64_t step = first; step < first + 5; step++)
            assert_int_equal(ctr_tfevents_scalar(ev, "loss", step, (float)(step + first) / 2), 0);
        ctr_tfevents_close(&ev);
    }
    snprintf(line, sizeof line, "cd '%s' && %s > read", t.dir, program);
    int rc = system(line);
    if (WIFEXITED(rc) && (WEXITSTATUS(rc) == 77 || WEXITSTATUS(rc) == 127)) { /* 127: no python3 */
        tempdir_remove(&t);
        print_message("no tensorboard in this python3: the events were not read\n");
        skip();
    }
    assert_int_equal(rc, 0);
    char *text = tempdir_get(tempdir_path(&t, "read"), &n);
    assert_string_equal(text, "['loss']\n0 0.0\n1 0.5\n2 1.0\n3 3.0\n4 3.5\n5 4.0\n6 4.5\n"
                              "7 5.0\n");
    free(text);
    tempdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_vectors),
        cmocka_unit_test(records),
        cmocka_unit_test(resumed),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(tensorboard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
