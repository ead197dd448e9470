/* Files appear whole or not at all; threads visit each index once. */
#include "base/os.h"
#include "base/outfile.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../filefaults.h"
#include "../tempdir.h"

static void atomic_file(void **state)
{
    (void)state;
    char dir[] = "/tmp/ctr-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char *path = ctr_path_join(dir, "f");
    assert_int_equal(ctr_file_write(path, "old", 3), 0);
    struct ctr_outfile file;
    assert_int_equal(ctr_outfile_open(&file, path), 0);
    assert_int_equal(ctr_outfile_write(&file, "newer", 5), 0);
    ctr_outfile_abort(&file);
    void *data;
    size_t n;
    assert_int_equal(ctr_file_read(&data, &n, path, 100), 0);
    assert_int_equal(n, 3);
    assert_string_equal(data, "old");
    free(data);
    assert_int_equal(ctr_file_read(&data, &n, path, 2), CTR_E_IO);
    assert_non_null(strstr(ctr_error_text(), "too large"));
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(ctr_file_read(&data, &n, path, 100), CTR_E_IO);
    unlink(path);
    free(path);
    assert_int_equal(rmdir(dir), 0); /* nothing left behind */
}

/* Each call of a write fails, alone or with all after it: the old file stays, the message names it. */
static void failing_calls(void **state)
{
    (void)state;
    static const int errors[] = {EIO, ENOSPC};
    struct tempdir t;
    long failures = 0;
    size_t n;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "f");
    for (int mode = 0; mode < 4; mode++)
        for (long at = 1, done = 0; !done; at++) {
            tempdir_put(path, "old", 3);
            filefaults_arm(at, errors[mode % 2], mode / 2);
            int rc = ctr_file_write(path, "newer", 5);
            done = !filefaults_disarm();
            char *data = tempdir_get(path, &n);
            assert_string_equal(data, rc == 0 ? "newer" : "old");
            free(data);
            failures += rc != 0;
            if (rc == 0)
                continue;
            assert_int_equal(rc, CTR_E_IO);
            assert_non_null(strstr(ctr_error_text(), path));
            assert_non_null(strstr(ctr_error_text(), strerror(errors[mode % 2])));
        }
    assert_true(failures >= 4 * 4); /* open, write, fsync, rename */
    tempdir_remove(&t);
}

/* The bytes are on the disk before the name is, and the name before the call returns. */
static void outlasts_a_crash(void **state)
{
    (void)state;
    struct tempdir t;
    tempdir_make(&t);
    filefaults_arm(0, 0, 0);
    assert_int_equal(ctr_file_write(tempdir_path(&t, "f"), "new", 3), 0);
    filefaults_disarm();
    assert_string_equal(filefaults.lasting, "srd");
    tempdir_remove(&t);
}

static char cleared[512]; /* is removed as the next lock is taken */

int flock(int fd, int how)
{
    if (*cleared)
        assert_int_equal(unlink(cleared), 0);
    *cleared = '\0';
    return (int)syscall(SYS_flock, fd, how);
}

/* Until the file has its name nobody takes it for left: not between sync and commit, nor another thread. */
static void atomic_file_holds(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_outfile file, other;
    char name[64];
    size_t n;
    tempdir_make(&t);
    snprintf(name, sizeof name, "f.tmp-%d", (int)getpid());
    snprintf(cleared, sizeof cleared, "%s", tempdir_path(&t, name));
    assert_int_equal(ctr_outfile_open(&file, tempdir_path(&t, "f")), 0);
    assert_string_equal(cleared, "");
    assert_int_equal(ctr_outfile_write(&file, "new", 3), 0);
    assert_int_equal(ctr_outfile_sync(&file), 0);
    assert_int_equal(ctr_outfile_open(&other, tempdir_path(&t, "f")), CTR_E_IO);
    assert_non_null(strstr(ctr_error_text(), name));
    ctr_outfile_clear(t.dir, NULL);
    assert_int_equal(access(tempdir_path(&t, name), F_OK), 0);
    assert_int_equal(ctr_outfile_commit(&file), 0);
    char *data = tempdir_get(tempdir_path(&t, "f"), &n);
    assert_string_equal(data, "new");
    free(data);
    assert_int_equal(access(tempdir_path(&t, name), F_OK), -1);
    tempdir_remove(&t);
}

/* What a dead process left of the file goes; not a living one's, nor what is held, nor what looks alike. */
static void atomic_file_clears(void **state)
{
    (void)state;
    struct tempdir t;
    tempdir_make(&t);
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    waitpid(dead, NULL, 0);
    const struct {
        const char *name;
        pid_t pid;
        int stays;
    } left[] = {{"f.tmp-%d", dead, 0},      {"f.tmp-%d", getpid(), 0}, {"f.tmp-%d", getppid(), 1}, {"g.tmp-%d", dead, 1},
                {"f.tmp-%d.txt", dead, 1}, {"f.tmp-x%d", dead, 1}};
    enum { N = sizeof left / sizeof *left };
    char name[N][64];
    for (int i = 0; i < N; i++) {
        snprintf(name[i], sizeof name[i], left[i].name, (int)left[i].pid);
        tempdir_put(tempdir_path(&t, name[i]), "half", 4);
    }
    int held = open(tempdir_path(&t, name[0]), O_RDONLY);
    assert_int_equal(flock(held, LOCK_EX), 0); /* as its maker does */
    assert_int_equal(ctr_file_write(tempdir_path(&t, "f"), "new", 3), 0);
    assert_int_equal(access(tempdir_path(&t, name[0]), F_OK), 0);
    close(held);
    assert_int_equal(ctr_file_write(tempdir_path(&t, "f"), "new", 3), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(access(tempdir_path(&t, name[i]), F_OK), left[i].stays ? 0 : -1);
    assert_int_equal(symlink("nowhere", tempdir_path(&t, name[0])), 0);
    assert_int_equal(ctr_file_write(tempdir_path(&t, "f"), "new", 3), 0);
    assert_int_equal(unlink(tempdir_path(&t, name[0])), 0);
    tempdir_remove(&t);
}

/* What is no regular file is never replaced by one; a link's file is. */
static void atomic_file_spares(void **state)
{
    (void)state;
    struct ctr_outfile file;
    char dir[] = "/tmp/ctr-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char *path = ctr_path_join(dir, "f"), *link = ctr_path_join(dir, "l");
    assert_int_equal(symlink("f", link), 0);
    assert_int_equal(ctr_file_write(link, "x", 1), CTR_E_IO);
    assert_non_null(strstr(ctr_error_text(), "leads nowhere"));
    assert_int_equal(ctr_file_write(path, "old", 3), 0);
    assert_int_equal(ctr_file_write(link, "newer", 5), 0);
    struct stat st;
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 5);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    const char *const not_these[] = {dir, path, link, "/dev/null"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(ctr_file_write(not_these[i], "x", 1), CTR_E_USAGE);
        assert_int_equal(ctr_outfile_resume(&file, not_these[i]), CTR_E_USAGE);
    }
    unlink(link);
    unlink(path);
    free(link);
    free(path);
    assert_int_equal(rmdir(dir), 0);
}

static void directories(void **state)
{
    (void)state;
    char dir[] = "/tmp/ctr-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char *a = ctr_path_join(dir, "a"), *b = ctr_path_join(a, "b/"), *f = ctr_path_join(b, "f");
    assert_int_equal(ctr_mkdirs(b), 0);
    assert_int_equal(ctr_mkdirs(b), 0);
    assert_int_equal(ctr_file_write(f, "", 0), 0);
    assert_int_equal(ctr_mkdirs(f), CTR_E_IO);
    assert_int_equal(ctr_mkdirs(""), CTR_E_IO);
    unlink(f);
    rmdir(b);
    rmdir(a);
    assert_int_equal(rmdir(dir), 0);
    free(f);
    free(b);
    free(a);
}

static void count(void *ctx, size_t i)
{
    __atomic_fetch_add(&((int *)ctx)[i], 1, __ATOMIC_RELAXED);
}

static void parallel(void **state)
{
    (void)state;
    static int seen[10000];
    ctr_parallel(4, 10000, count, seen);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(seen[i], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(atomic_file),
        cmocka_unit_test(failing_calls),
        cmocka_unit_test(outlasts_a_crash),
        cmocka_unit_test(atomic_file_holds),
        cmocka_unit_test(atomic_file_clears),
        cmocka_unit_test(atomic_file_spares),
        cmocka_unit_test(directories),
        cmocka_unit_test(parallel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
