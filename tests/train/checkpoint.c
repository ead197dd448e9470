/* Checkpoints survive full disks, failing calls, damage and kill -9. */
#include "train/checkpoint.h"
#include "base/log.h"
#include "base/os.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include "../filefaults.h"
#include "../tempdir.h"

enum { FLOATS = 3000 };

static unsigned warnings;

static void count_warnings(void *user, enum ctr_log_level level, const char *line)
{
    (void)user, (void)line;
    warnings += level == CTR_LOG_WARN;
}

/* Weights that tell which step they belong to. */
static int save(const char *dir, uint64_t step, unsigned keep)
{
    static float w[FLOATS];
    int64_t n = (int64_t)step;
    for (size_t i = 0; i < FLOATS; i++)
        w[i] = (float)(step * 7 + i);
    const struct ctr_st_tensor tensors[] = {{"conv1.weight", CTR_ST_F32, 2, {30, 100}, w, sizeof w},
                                            {"count", CTR_ST_I64, 0, {0}, &n, 8}};
    const struct ctr_st_meta meta[] = {{"epoch", "3"}, {"seed", "1"}};
    return ctr_checkpoint_save(dir, tensors, meta, step, keep, 2, 2);
}

/* The newest checkpoint's step, its content checked; -1 when there is none. */
static int64_t newest(const char *dir)
{
    struct ctr_st *st = NULL;
    uint64_t step = 0;
    int rc = ctr_checkpoint_open_newest(&st, &step, dir);
    if (rc != 0) {
        assert_int_equal(rc, CTR_E_MODEL);
        assert_null(st);
        return -1;
    }
    const struct ctr_st_tensor *w = ctr_st_find(st, "conv1.weight");
    assert_non_null(w);
    for (size_t i = 0; i < FLOATS; i++)
        assert_true(((const float *)w->data)[i] == (float)(step * 7 + i));
    assert_int_equal(*(const int64_t *)ctr_st_find(st, "count")->data, step);
    assert_string_equal(ctr_st_meta_value(st, "epoch"), "3");
    ctr_st_close(&st);
    return (int64_t)step;
}

static unsigned count_files(const char *dir, const char *part)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strstr(e->d_name, part) != NULL;
    closedir(d);
    return n;
}

static void keeps_newest(void **state)
{
    (void)state;
    struct tempdir t;
    char target[64] = "";
    tempdir_make(&t);
    assert_int_equal(newest(t.dir), -1);
    for (uint64_t step = 100; step <= 600; step += 100)
        assert_int_equal(save(t.dir, step, 3), 0);
    assert_int_equal(count_files(t.dir, ".safetensors"), 3);
    assert_int_equal(newest(t.dir), 600);
    assert_int_equal(access(tempdir_path(&t, "step-00000400.safetensors"), F_OK), 0);
    assert_true(readlink(tempdir_path(&t, "last"), target, sizeof target - 1) > 0);
    assert_string_equal(target, "step-00000600.safetensors");
    assert_int_equal(save(t.dir, 450, 3), 0); /* resumed from 400: 500 and 600 are of the past */
    assert_int_equal(newest(t.dir), 450);
    assert_int_equal(count_files(t.dir, ".safetensors"), 2);
    assert_int_equal(save(t.dir, 450, 1), 0); /* the same step again */
    assert_int_equal(count_files(t.dir, ".safetensors"), 1);
    assert_int_equal(save(t.dir, 123456789012, 0), 0); /* more than 8 digits; 0 keeps all */
    assert_int_equal(newest(t.dir), 123456789012);
    assert_int_equal(count_files(t.dir, ".safetensors"), 2);
    tempdir_remove(&t);
}

static void odd_names(void **state)
{
    (void)state;
    static const char *const names[] = {"step-1.safetensors",
                                        "step-.safetensors",
                                        "step-00000009",
                                        "step-000000009.safetensors",
                                        "step--0000009.safetensors",
                                        "Step-00000009.safetensors",
                                        "step-99999999999999999999.safetensors"};
    struct tempdir t;
    struct ctr_st *st = NULL;
    uint64_t *steps = NULL;
    size_t n = 9;
    tempdir_make(&t);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        tempdir_put(tempdir_path(&t, names[i]), "x", 1);
    assert_int_equal(ctr_checkpoint_list(&steps, &n, t.dir), 0);
    assert_int_equal(n, 0);
    free(steps);
    assert_int_equal(save(t.dir, 5, 3), 0);
    char to[64];
    snprintf(to, sizeof to, "%s/step-00000007.safetensors", t.dir);
    assert_int_equal(rename(tempdir_path(&t, "step-00000005.safetensors"), to), 0);
    assert_int_equal(ctr_checkpoint_open(&st, t.dir, 7), CTR_E_MODEL); /* holds step 5 */
    assert_non_null(strstr(ctr_error_text(), "renamed"));
    assert_int_equal(ctr_checkpoint_open(&st, t.dir, 5), CTR_E_MODEL);
    assert_int_equal(ctr_checkpoint_open_newest(&st, &(uint64_t){0}, "/nonexistent"), CTR_E_MODEL);
    tempdir_remove(&t);
}

/* The newest cut off at every 1/64, and one bit flipped in every 1/64: the one before is taken. */
static void falls_back(void **state)
{
    (void)state;
    struct tempdir t;
    size_t n;
    tempdir_make(&t);
    assert_int_equal(save(t.dir, 10, 3), 0);
    assert_int_equal(save(t.dir, 20, 3), 0);
    const char *path = tempdir_path(&t, "step-00000020.safetensors");
    char *data = tempdir_get(path, &n);
    ctr_log_set(count_warnings, NULL, CTR_LOG_WARN);
    for (size_t i = 0; i < 64; i++) {
        size_t at = n * i / 64;
        warnings = 0;
        tempdir_put(path, data, at);
        assert_int_equal(newest(t.dir), 10);
        assert_int_equal(warnings, 1);
        data[at] ^= (char)(1 << i % 8);
        tempdir_put(path, data, n);
        assert_int_equal(newest(t.dir), 10);
        assert_int_equal(warnings, 2);
        data[at] ^= (char)(1 << i % 8);
    }
    tempdir_put(path, data, n);
    assert_int_equal(newest(t.dir), 20);
    tempdir_put(path, data, n - 1);
    tempdir_put(tempdir_path(&t, "step-00000010.safetensors"), "", 0);
    assert_int_equal(newest(t.dir), -1); /* both */
    ctr_log_set(NULL, NULL, CTR_LOG_WARN);
    free(data);
    tempdir_remove(&t);
}

static void stale_files(void **state)
{
    (void)state;
    struct tempdir t;
    char name[64];
    tempdir_make(&t);
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    waitpid(dead, NULL, 0);
    snprintf(name, sizeof name, "step-00000001.safetensors.tmp-%d", (int)dead);
    tempdir_put(tempdir_path(&t, name), "half", 4);
    snprintf(name, sizeof name, "last.tmp-%d", (int)dead);
    tempdir_put(tempdir_path(&t, name), "half", 4);
    snprintf(name, sizeof name, "step-00000001.safetensors.tmp-%d", (int)getpid());
    tempdir_put(tempdir_path(&t, name), "half", 4);
    snprintf(name, sizeof name, "step-00000002.safetensors.tmp-%d", (int)getppid());
    tempdir_put(tempdir_path(&t, name), "half", 4);
    tempdir_put(tempdir_path(&t, "mine.tmp-notes"), "keep", 4);
    assert_int_equal(save(t.dir, 3, 3), 0);
    assert_int_equal(count_files(t.dir, ".tmp-"), 2); /* of the living process, and the notes */
    assert_int_equal(access(tempdir_path(&t, name), F_OK), 0);
    tempdir_remove(&t);
}

/* Call after call of a save fails, alone or with all after it, until a save gets through. */
static void failing_calls(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EIO, EDQUOT};
    for (int mode = 0; mode < 6; mode++) {
        struct tempdir t;
        uint64_t step = 10;
        long at = 1, failures = 0;
        tempdir_make(&t);
        assert_int_equal(save(t.dir, step, 2), 0);
        for (int done = 0; !done; at++) {
            filefaults_arm(at, errors[mode % 3], mode / 3);
            int rc = save(t.dir, step + 1, 2);
            done = !filefaults_disarm();
            assert_true(rc == 0 || rc == CTR_E_IO);
            if (rc == 0)
                assert_int_equal(newest(t.dir), step + 1);
            else
                assert_in_range(newest(t.dir), step, step + 1);
            failures += rc != 0;
            step = (uint64_t)newest(t.dir);
            assert_int_equal(save(t.dir, ++step, 2), 0); /* and afterwards all is well */
            assert_int_equal(newest(t.dir), step);
            assert_int_equal(count_files(t.dir, ".tmp-"), 0);
            assert_int_equal(count_files(t.dir, ".safetensors"), 2);
        }
        assert_true(failures >= 8); /* the seam was there at all */
        tempdir_remove(&t);
    }
}

/* A disk that keeps a wrong bit without a word: what does not read back the same does not count as saved. */
static void lying_disk(void **state)
{
    (void)state;
    struct tempdir t;
    long at = 1, found = 0;
    uint64_t step = 1;
    tempdir_make(&t);
    assert_int_equal(save(t.dir, step, 2), 0);
    for (int done = 0; !done; at++) {
        filefaults_arm(at, 0, 0);
        int rc = save(t.dir, step + 1, 2);
        done = !filefaults_disarm();
        if (rc != 0) {
            assert_int_equal(rc, CTR_E_IO);
            assert_non_null(strstr(ctr_error_text(), "not read back"));
        }
        found += rc != 0;
        step += rc == 0;
        assert_int_equal(newest(t.dir), step);
        assert_int_equal(count_files(t.dir, ".safetensors"), step < 2 ? 1 : 2);
    }
    assert_true(found >= 2); /* of the header, of the data */
    tempdir_remove(&t);
}

/* A disk that takes only so many bytes, a directory that takes no files. */
static void no_space(void **state)
{
    (void)state;
    struct tempdir t;
    struct rlimit old, small;
    tempdir_make(&t);
    assert_int_equal(save(t.dir, 1, 2), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    for (rlim_t size = 0; size < 12000; size += 1000) {
        small = (struct rlimit){.rlim_cur = size, .rlim_max = old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        int rc = save(t.dir, 2, 2);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(rc, CTR_E_IO);
        assert_non_null(strstr(ctr_error_text(), "step-00000002"));
        assert_int_equal(newest(t.dir), 1);
        assert_int_equal(count_files(t.dir, ".tmp-"), 0);
    }
    assert_int_equal(save("/proc/self", 2, 2), CTR_E_IO);
    assert_int_equal(save("/nonexistent", 2, 2), CTR_E_IO);
    tempdir_remove(&t);
}

static void save_for_ever(const char *dir, uint64_t step)
{
    for (;; step++)
        if (save(dir, step, 2) != 0)
            _exit(1);
}

/* 50 processes killed while they save: each time the newest checkpoint loads and none is lost. */
static void killed(void **state)
{
    (void)state;
    struct tempdir t;
    int64_t step = 1, first = 1;
    uint32_t random = 1, max_ns = 20000000;
    tempdir_make(&t);
    assert_int_equal(save(t.dir, 1, 2), 0);
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            save_for_ever(t.dir, (uint64_t)step + 1);
        random = random * 1664525 + 1013904223;
        nanosleep(&(struct timespec){.tv_nsec = random % max_ns}, NULL);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status)); /* it had not failed before */
        int64_t now = newest(t.dir);
        assert_true(now >= step);
        if (now == step && max_ns < 400000000)
            max_ns *= 2; /* a slow machine: give the next one time to finish a save */
        step = now;
        assert_true(count_files(t.dir, ".tmp-") <= 2); /* what the last one left, no more */
    }
    assert_true(step > first + 10); /* and they were not all killed before they began */
    assert_int_equal(save(t.dir, (uint64_t)step + 1, 2), 0);
    assert_int_equal(count_files(t.dir, ".tmp-"), 0);
    tempdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_newest),  cmocka_unit_test(odd_names),
        cmocka_unit_test(falls_back),    cmocka_unit_test(stale_files),
        cmocka_unit_test(failing_calls), cmocka_unit_test(lying_disk),
        cmocka_unit_test(no_space),
        cmocka_unit_test(killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
