/* A run directory belongs to one process, is never overwritten, and continues where it stopped. */
#include "train/run.h"
#include "base/os.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "../filefaults.h"
#include "../tempdir.h"

static const char config[] = "lr = 0.3\ndata = \"/data\"\n";

static void refuses(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_run *run = NULL, *second = NULL;
    tempdir_make(&t);
    char dir[64];
    snprintf(dir, sizeof dir, "%s/a/run", t.dir);
    assert_int_equal(ctr_run_open(&run, dir), CTR_E_MODEL); /* nothing there yet */
    assert_int_equal(ctr_run_check(dir), 0);
    assert_in_range(ctr_disk_room(dir), 1, UINT64_MAX - 1);
    assert_int_equal(access(dir, F_OK), -1);
    assert_int_equal(ctr_run_create(&run, dir, config), 0);
    assert_string_equal(ctr_run_dir(run), dir);
    assert_int_equal(access(ctr_run_checkpoint_dir(run), W_OK), 0);
    assert_int_equal(ctr_run_open(&second, dir), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "in use"));
    char pid[24];
    snprintf(pid, sizeof pid, "process, %d", (int)getpid());
    assert_non_null(strstr(ctr_error_text(), pid));
    assert_int_equal(ctr_run_create(&second, dir, config), CTR_E_USAGE);
    assert_null(second);
    assert_int_equal(ctr_run_check(dir), CTR_E_USAGE);
    ctr_run_close(&run);
    assert_null(run);
    assert_int_equal(ctr_run_check(dir), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "not empty"));
    assert_int_equal(ctr_run_create(&run, dir, config), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), "not empty"));
    assert_non_null(strstr(ctr_error_hint(), "--resume"));
    assert_int_equal(ctr_run_open(&run, dir), 0);
    void *text;
    size_t n;
    char path[80];
    snprintf(path, sizeof path, "%s/config.toml", dir);
    assert_int_equal(ctr_file_read(&text, &n, path, 1000), 0);
    assert_string_equal(text, config);
    free(text);
    ctr_run_close(&run);
    tempdir_put(tempdir_path(&t, "file"), "x", 1);
    assert_int_equal(ctr_run_create(&run, t.path, config), CTR_E_IO); /* a file */
    assert_int_equal(ctr_run_check(t.path), CTR_E_IO);
    assert_int_equal(ctr_run_create(&run, t.dir, config), CTR_E_USAGE);
    assert_int_equal(ctr_run_check(t.dir), CTR_E_USAGE);
    assert_int_equal(ctr_run_check(strcat(t.path, "/below")), CTR_E_IO); /* below a file */
    assert_int_equal(ctr_run_create(&run, "/proc/nowhere", config), CTR_E_IO);
    assert_int_equal(access(tempdir_path(&t, ".lock"), F_OK), -1); /* left nothing */
    tempdir_remove(&t);
}

/* What was made for a run that is not to be goes again; what was there stays. */
static void discarded(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_run *run = NULL;
    char dir[64];
    tempdir_make(&t);
    snprintf(dir, sizeof dir, "%s/a/b/run/", t.dir);
    assert_int_equal(ctr_run_create(&run, dir, config), 0);
    ctr_run_discard(&run);
    assert_null(run);
    assert_int_equal(access(tempdir_path(&t, "a"), F_OK), -1);
    assert_int_equal(ctr_run_create(&run, t.dir, config), 0);
    ctr_run_discard(&run);
    assert_int_equal(rmdir(t.dir), 0); /* there, and empty */
}

static void other_process(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_run *run = NULL;
    int ready[2], status;
    char c;
    tempdir_make(&t);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) { /* holds the run until it is killed */
        if (ctr_run_create(&run, t.dir, config) != 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(ctr_run_open(&run, t.dir), CTR_E_USAGE);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(ctr_run_open(&run, t.dir), 0); /* a dead process holds nothing */
    ctr_run_close(&run);
    close(ready[0]);
    close(ready[1]);
    tempdir_remove(&t);
}

/* metrics.jsonl without its times. */
static char *metrics_of(struct tempdir *t)
{
    size_t n;
    char *text = tempdir_get(tempdir_path(t, "metrics.jsonl"), &n), *w = text;
    for (char *p = text; *p;) {
        if (strncmp(p, ",\"ts\":", 6) == 0)
            p += strcspn(p, "}");
        *w++ = *p++;
    }
    *w = '\0';
    return text;
}

static void steps(struct ctr_run *run, uint64_t from, uint64_t to)
{
    for (uint64_t step = from; step <= to; step++) {
        const struct ctr_json_field fields[] = {ctr_json_int("epoch", (long long)step / 10),
                                                ctr_json_num("loss", 5.0 / (double)step),
                                                ctr_json_str("note", "x")};
        assert_int_equal(ctr_run_metrics(run, fields, step, 3), 0);
    }
}

static void resumes(void **state)
{
    (void)state;
    struct tempdir a, b;
    struct ctr_run *run = NULL;
    size_t n;
    tempdir_make(&a);
    tempdir_make(&b);
    assert_int_equal(ctr_run_create(&run, a.dir, config), 0);
    assert_int_equal(ctr_run_begin(run, 0), 0);
    steps(run, 1, 20);
    ctr_run_close(&run);
    assert_int_equal(ctr_run_create(&run, b.dir, config), 0);
    assert_int_equal(ctr_run_begin(run, 0), 0);
    ctr_run_log(run, CTR_LOG_WARN, "first\nline");
    steps(run, 1, 15); /* the last checkpoint was at 10 */
    assert_int_equal(ctr_run_sync(run), 0);
    ctr_run_close(&run);
    assert_int_equal(ctr_run_open(&run, b.dir), 0);
    assert_int_equal(ctr_run_begin(run, 10), 0);
    steps(run, 11, 20);
    ctr_run_log(run, CTR_LOG_INFO, "second");
    ctr_run_close(&run);
    char *x = metrics_of(&a), *y = metrics_of(&b);
    assert_string_equal(x, y);
    assert_non_null(strstr(x, "{\"step\":20,\"epoch\":2,\"loss\":0.25,\"note\":\"x\"}\n"));
    free(x);
    free(y);
    x = tempdir_get(tempdir_path(&b, "train.log"), &n);
    assert_non_null(strstr(x, "Z warn: first?line\n"));
    assert_non_null(strstr(x, "Z second\n"));
    free(x);
    tempdir_remove(&a);
    tempdir_remove(&b);
}

/* Whether the run's event file holds these bytes. */
static int in_events(struct tempdir *t, const char *bytes)
{
    glob_t found;
    size_t n;
    assert_int_equal(glob(tempdir_path(t, "events.out.*"), 0, NULL, &found), 0);
    char *data = tempdir_get(found.gl_pathv[0], &n);
    int there = memmem(data, n, bytes, strlen(bytes)) != NULL;
    free(data);
    globfree(&found);
    return there;
}

/* What a step does not have is null in metrics.jsonl and nothing for TensorBoard. */
static void leaves_out_what_is_not_there(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_run *run = NULL;
    const struct ctr_json_field fields[] = {ctr_json_num("loss", 1), ctr_json_num("rank", NAN)};
    tempdir_make(&t);
    assert_int_equal(ctr_run_create(&run, t.dir, config), 0);
    assert_int_equal(ctr_run_begin(run, 0), 0);
    assert_int_equal(ctr_run_metrics(run, fields, 1, 2), 0);
    filefaults_arm(0, 0, 0);
    assert_int_equal(ctr_run_sync(run), 0);
    filefaults_disarm();
    assert_string_equal(filefaults.lasting, "ss"); /* metrics and events */
    ctr_run_close(&run);
    char *metrics = metrics_of(&t);
    assert_non_null(strstr(metrics, "\"loss\":1,\"rank\":null"));
    assert_true(in_events(&t, "loss"));
    assert_false(in_events(&t, "rank"));
    free(metrics);
    tempdir_remove(&t);
}

/* Each file call of a creation fails once: the directory can be used afterwards all the same. */
static void failing_calls(void **state)
{
    (void)state;
    long at = 1, failures = 0;
    for (int done = 0; !done; at++) {
        struct tempdir t;
        struct ctr_run *run = NULL;
        tempdir_make(&t);
        filefaults_arm(at, ENOSPC, 0);
        int rc = ctr_run_create(&run, t.dir, config);
        done = !filefaults_disarm();
        assert_true(rc == 0 || rc == CTR_E_IO || rc == CTR_E_MODEL);
        if (rc != 0) {
            failures++;
            assert_null(run);
            assert_int_equal(ctr_run_create(&run, t.dir, config), 0);
        }
        assert_int_equal(ctr_run_begin(run, 0), 0);
        ctr_run_close(&run);
        tempdir_remove(&t);
    }
    assert_true(failures >= 4);
}

/* A log that cannot be written does not hide why the run ended. */
static void log_keeps_the_failure(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_run *run = NULL;
    tempdir_make(&t);
    assert_int_equal(ctr_run_create(&run, t.dir, config), 0);
    assert_int_equal(ctr_run_begin(run, 0), 0);
    ctr_hint(ctr_fail(CTR_E_DATA, "the reason"), "a hint");
    filefaults_arm(1, ENOSPC, 1);
    ctr_run_log(run, CTR_LOG_ERROR, ctr_error_text());
    assert_true(filefaults_disarm());
    assert_string_equal(ctr_error_text(), "the reason");
    assert_string_equal(ctr_error_hint(), "a hint");
    ctr_run_close(&run);
    tempdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),
        cmocka_unit_test(discarded),
        cmocka_unit_test(other_process),
        cmocka_unit_test(resumes),
        cmocka_unit_test(leaves_out_what_is_not_there),
        cmocka_unit_test(failing_calls),
        cmocka_unit_test(log_keeps_the_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
