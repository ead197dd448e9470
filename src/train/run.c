/* run.c -- the run directory. In: a path, a configuration, metrics over steps. Out: files that
 * other tools can read at any time. Invariant: config.toml is written last, so a directory either
 * is a run or can be made one. */
#include "train/run.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/outfile.h"
#include "base/status.h"
#include "data/job.h"
#include "io/jsonl.h"
#include "io/tfevents.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

struct ctr_run {
    char *dir, *checkpoint_dir, *config_path, *lock_path;
    char *found; /* dir, or what was there above it before this run: directories below are the run's own */
    int lock_fd;
    struct ctr_append metrics, log;
    struct ctr_tfevents *events;
};

const char *ctr_run_dir(const struct ctr_run *run)
{
    return run->dir;
}

const char *ctr_run_checkpoint_dir(const struct ctr_run *run)
{
    return run->checkpoint_dir;
}

static int run_alloc(struct ctr_run **out, const char *dir)
{
    struct ctr_run *run = ctr_alloc(1, sizeof *run);
    if (!run)
        return CTR_E_FAIL;
    run->lock_fd = -1;
    run->dir = ctr_strdup(dir);
    run->checkpoint_dir = ctr_path_join(dir, "checkpoints");
    run->config_path = ctr_path_join(dir, "config.toml");
    run->lock_path = ctr_path_join(dir, ".lock");
    run->found = ctr_path_existing(dir);
    if (run->dir && run->checkpoint_dir && run->config_path && run->lock_path && run->found) {
        *out = run;
        return 0;
    }
    ctr_run_close(&run);
    return CTR_E_FAIL;
}

void ctr_run_close(struct ctr_run **run)
{
    struct ctr_run *r = *run;
    if (!r)
        return;
    ctr_tfevents_close(&r->events);
    ctr_append_close(&r->metrics);
    ctr_append_close(&r->log);
    if (r->lock_fd >= 0)
        close(r->lock_fd); /* the file stays: removing it would let two processes lock two files */
    free(r->dir);
    free(r->checkpoint_dir);
    free(r->config_path);
    free(r->lock_path);
    free(r->found);
    free(r);
    *run = NULL;
}

/* The directories that were made for it, as far as they are empty. Its path is cut as ctr_path_existing does. */
static void remove_dirs(struct ctr_run *run)
{
    for (char *slash = run->dir; slash && strcmp(run->dir, run->found) != 0;) {
        rmdir(run->dir);
        if ((slash = strrchr(run->dir, '/')) != NULL)
            slash[slash == run->dir] = '\0';
    }
}

void ctr_run_discard(struct ctr_run **run)
{
    struct ctr_run *r = *run;
    if (!r)
        return;
    char *kernels = ctr_path_join(r->dir, CTR_RUN_KERNELS);
    if (kernels)
        unlink(kernels);
    free(kernels);
    unlink(r->config_path);
    rmdir(r->checkpoint_dir);
    unlink(r->lock_path);
    remove_dirs(r);
    ctr_run_close(run);
}

static int in_use(const struct ctr_run *run)
{
    char pid[24] = "";
    ssize_t n = pread(run->lock_fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
    ctr_fail(CTR_E_USAGE, "'%s' is in use by another process%s%s", run->dir, *pid ? ", " : "", pid);
    return ctr_hint(CTR_E_USAGE, "wait for it to end, or choose another --out");
}

/* Who holds the lock is written into it, for the message above. */
static int take_lock(struct ctr_run *run)
{
    char pid[24];
    run->lock_fd = open(run->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (run->lock_fd < 0)
        return ctr_fail(CTR_E_IO, "cannot create '%s': %s", run->lock_path, strerror(errno));
    if (flock(run->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return in_use(run);
        ctr_log(CTR_LOG_WARN, "cannot lock '%s' (%s): see that only one process uses it", run->dir,
                strerror(errno));
        return 0;
    }
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(run->lock_fd, 0) != 0 || pwrite(run->lock_fd, pid, (size_t)n, 0) != n)
        ctr_log(CTR_LOG_DEBUG, "cannot write '%s'", run->lock_path);
    return 0;
}

/* Empty but for the lock file, which one who failed to create the run may have left. */
static int check_empty(const char *dir)
{
    int empty = 1;
    DIR *d = opendir(dir);
    if (!d)
        return ctr_fail(CTR_E_IO, "cannot read directory '%s': %s", dir, strerror(errno));
    for (struct dirent *e; empty && (e = readdir(d)) != NULL;)
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
                strcmp(e->d_name, ".lock") == 0;
    closedir(d);
    if (empty)
        return 0;
    ctr_fail(CTR_E_USAGE, "'%s' exists and is not empty", dir);
    return ctr_hint(CTR_E_USAGE, "go on with the run in it by --resume %s, or choose another --out",
                    dir);
}

int ctr_run_create(struct ctr_run **out, const char *dir, const char *config)
{
    struct ctr_run *run = NULL;
    int mine = 0;
    int rc = run_alloc(&run, dir);
    if (rc != 0)
        return rc;
    CTR_TRY(ctr_mkdirs(dir));
    CTR_TRY(check_empty(dir));
    CTR_TRY(take_lock(run));
    CTR_TRY(check_empty(dir)); /* another process may have come and gone before the lock */
    mine = 1;
    CTR_TRY(ctr_mkdirs(run->checkpoint_dir));
    CTR_TRY(ctr_file_write(run->config_path, config, strlen(config)));
    *out = run;
    return 0;
out:
    if (mine)
        ctr_run_discard(&run);
    else
        remove_dirs(run);
    ctr_run_close(&run);
    return rc;
}

/* Somebody holds the lock: seen by asking for a share of it. */
static int check_unused(struct ctr_run *run)
{
    run->lock_fd = open(run->lock_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (run->lock_fd >= 0 && flock(run->lock_fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return in_use(run);
    return 0;
}

int ctr_run_check(const char *dir)
{
    struct ctr_run *run = NULL;
    int rc = run_alloc(&run, dir);
    if (rc != 0)
        return rc;
    if (strcmp(run->found, dir) == 0)
        CTR_TRY(check_empty(dir));
    CTR_TRY(check_unused(run));
    if (access(run->found, W_OK | X_OK) != 0)
        CTR_TRY(ctr_fail(CTR_E_IO, "cannot write to '%s': %s", run->found, strerror(errno)));
out:
    ctr_run_close(&run);
    return rc;
}

int ctr_run_open(struct ctr_run **out, const char *dir)
{
    struct ctr_run *run = NULL;
    int rc = run_alloc(&run, dir);
    if (rc != 0)
        return rc;
    if (access(run->config_path, F_OK) != 0) {
        ctr_fail(CTR_E_MODEL, "'%s' holds no run: there is no config.toml in it", dir);
        CTR_TRY(ctr_hint(CTR_E_MODEL, "name the directory that was given as --out"));
    }
    CTR_TRY(take_lock(run));
    CTR_TRY(ctr_mkdirs(run->checkpoint_dir));
    *out = run;
    return 0;
out:
    ctr_run_close(&run);
    return rc;
}

int ctr_run_begin(struct ctr_run *run, uint64_t step)
{
    int rc = 0;
    char *metrics = ctr_path_join(run->dir, "metrics.jsonl");
    char *log = ctr_path_join(run->dir, "train.log");
    if (!metrics || !log)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(ctr_jsonl_open(&run->metrics, metrics, (int64_t)step));
    CTR_TRY(ctr_append_open(&run->log, log, 0));
    CTR_TRY(ctr_tfevents_open(&run->events, run->dir, step ? step + 1 : 0));
out:
    free(metrics);
    free(log);
    return rc;
}

int ctr_run_metrics(struct ctr_run *run, const struct ctr_json_field *fields, uint64_t step,
                    size_t n)
{
    struct ctr_json_field *line = ctr_alloc(n + 2, sizeof *line);
    if (!line)
        return CTR_E_FAIL;
    line[0] = ctr_json_int("step", (long long)step);
    if (n > 0)
        memcpy(line + 1, fields, n * sizeof *line);
    line[n + 1] = ctr_json_int("ts", (long long)ctr_wall_time()); /* 9 digits would not do */
    int rc = ctr_jsonl_write(&run->metrics, line, n + 2);
    for (size_t i = 0; i < n && rc == 0; i++)
        if (fields[i].kind == CTR_JSON_INT ||
            (fields[i].kind == CTR_JSON_NUM && !isnan(fields[i].num))) /* NaN: there is none */
            rc = ctr_tfevents_scalar(run->events, fields[i].key, step,
                                     fields[i].kind == CTR_JSON_NUM ? (float)fields[i].num
                                                                    : (float)fields[i].whole);
    free(line);
    return rc;
}

void ctr_run_log(void *run, enum ctr_log_level level, const char *line)
{
    static const char *const names[] = {"error: ", "warn: ", "", "debug: "};
    struct ctr_run *r = run;
    struct ctr_job_error told = {0};
    struct ctr_str s = {0};
    char when[32] = "";
    time_t now = (time_t)ctr_wall_time();
    struct tm utc;
    if (!r->log.path)
        return;
    if (gmtime_r(&now, &utc))
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    ctr_str_addf(&s, "%s %s", when, (unsigned)level < 4 ? names[level] : "");
    for (const char *p = line; *p; p++) /* one line, whatever a file name holds */
        ctr_str_add(&s, (unsigned char)*p < 0x20 ? "?" : p, 1);
    ctr_str_add(&s, "\n", 1);
    ctr_job_error_keep(&told, CTR_E_IO);
    if (!s.failed && ctr_append_write(&r->log, s.s, s.n) != 0)
        ctr_job_error_raise(&told); /* the failure that is logged is the one to be told */
    ctr_str_free(&s);
}

int ctr_run_sync(struct ctr_run *run)
{
    int rc = ctr_append_sync(&run->metrics);
    return rc == 0 ? ctr_tfevents_flush(run->events) : rc;
}
