/* cl_prog.c -- OpenCL programs and launches: compile or load, bind, enqueue.
 *
 * One cl_kernel a launch, so that arguments are bound once. Global offsets are always zero: drivers
 * that compile at the first enqueue compile once per kernel and local size then. */
#include "dev/cl_impl.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LOG_LINES 200

/* ---- programs ---- */

static struct ctr_cache_key cache_key(const struct ctr_prog *prog)
{
    const ctr_dev *dev = prog->dev;
    return (struct ctr_cache_key){.text = prog->text,
                                  .options = prog->full_options,
                                  .device = dev->caps.name,
                                  .driver = dev->caps.driver,
                                  .platform = dev->platform_version};
}

/* The first line of a compiler's log that says "error", else the first line. */
static const char *telling_line(const char *log)
{
    const char *first = NULL;
    for (const char *p = log; *p;) {
        size_t n = strcspn(p, "\n");
        const char *word = strstr(p, "error");
        if (n && !first)
            first = p;
        if (word && word < p + n)
            return p;
        p += n + (p[n] == '\n');
    }
    return first ? first : "the compiler said nothing";
}

/* "cl/FILE:LINE: " of physical line `line` of a flattened text, for compilers that do not follow
 * #line (Oclgrind); "" when there is none. */
static void place_of(char out[160], const char *text, unsigned long line)
{
    char file[128] = "";
    unsigned long at = 1, next = 1;
    out[0] = '\0';
    for (const char *p = text; *p && at < line; at++) {
        if (sscanf(p, "#line %lu \"%127[^\"]", &next, file) != 2)
            next++;
        p += strcspn(p, "\n");
        p += *p == '\n';
    }
    if (at == line && file[0])
        snprintf(out, 160, "%s:%lu: ", file, next);
}

/* Where a message of the form "NAME:LINE:COLUMN: ..." points when it names no kernel file itself.
 */
static void find_place(char out[160], const struct ctr_prog *prog, const char *told, size_t n)
{
    const char *slash = strstr(told, "cl/"), *colon = memchr(told, ':', n);
    out[0] = '\0';
    if (colon && (!slash || slash >= told + n))
        place_of(out, prog->text, strtoul(colon + 1, NULL, 10));
}

/* The log goes to the log line by line; its most telling line into the failure. */
static int build_failed(struct ctr_prog *prog, cl_program program, cl_int err)
{
    ctr_dev *dev = prog->dev;
    size_t n = 0;
    char *log = NULL;
    (void)clGetProgramBuildInfo(program, cl_of(dev)->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &n);
    if (n && (log = ctr_alloc(n + 1, 1)))
        (void)clGetProgramBuildInfo(program, cl_of(dev)->id, CL_PROGRAM_BUILD_LOG, n, log, NULL);
    const char *p = log ? log : "";
    for (unsigned line = 0; *p && line < MAX_LOG_LINES; line++) {
        size_t len = strcspn(p, "\n");
        ctr_log(dev->probing ? CTR_LOG_DEBUG : CTR_LOG_ERROR, "%.*s", (int)len, p);
        p += len + (p[len] == '\n');
    }
    const char *told = telling_line(log ? log : "");
    size_t told_n = strcspn(told, "\n");
    char place[160];
    find_place(place, prog, told, told_n);
    int rc = ctr_fail(CTR_E_DEVICE, "cl/%s does not compile on '%s' (driver %s; %s; %s): %s%.*s",
                      prog->file, dev->caps.name, dev->caps.driver, prog->full_options,
                      ctr_cl_error_name(err), place, (int)told_n, told);
    if (log && strstr(log, "undeclared") && dev->caps.quirks & CTR_Q_OWN_BUILTINS)
        ctr_hint(rc, "cl/lib/builtins.clh declares the built-in functions that kernels call");
    free(log);
    return rc;
}

static cl_program load_binary(struct ctr_prog *prog)
{
    struct cl_state *cl = cl_of(prog->dev);
    struct ctr_cache_key key = cache_key(prog);
    size_t bytes;
    cl_int err, status = CL_SUCCESS;
    unsigned char *data = ctr_cache_load(&bytes, &key);
    if (!data)
        return NULL;
    const unsigned char *const binary = data;
    cl_program p = clCreateProgramWithBinary(cl->context, 1, &cl->id, &bytes,
                                             (const unsigned char **)&binary, &status, &err);
    if (err == CL_SUCCESS && status == CL_SUCCESS)
        err = clBuildProgram(p, 1, &cl->id, prog->full_options, NULL, NULL);
    if ((err != CL_SUCCESS || status != CL_SUCCESS) && p) {
        clReleaseProgram(p);
        p = NULL;
    }
    if (!p)
        ctr_cache_drop(&key);
    free(data);
    return p;
}

static void save_binary(struct ctr_prog *prog, cl_program program)
{
    struct ctr_cache_key key = cache_key(prog);
    size_t bytes = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) !=
            CL_SUCCESS ||
        bytes == 0)
        return;
    unsigned char *data = malloc(bytes);
    if (data &&
        clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof data, &data, NULL) == CL_SUCCESS)
        ctr_cache_store(&key, data, bytes);
    free(data);
}

int ctr_cl_prog_build(struct ctr_prog *prog)
{
    ctr_dev *dev = prog->dev;
    struct cl_state *cl = cl_of(dev);
    int cacheable = !(dev->caps.quirks & CTR_Q_NO_BINARY_CACHE);
    cl_int err;
    cl_program p = cacheable ? load_binary(prog) : NULL;
    prog->cached = p != NULL;
    if (!p) {
        p = clCreateProgramWithSource(cl->context, 1, (const char **)&prog->text, NULL, &err);
        if (err != CL_SUCCESS)
            return ctr_cl_fail(dev, err, "clCreateProgramWithSource", prog->file);
        err = clBuildProgram(p, 1, &cl->id, prog->full_options, NULL, NULL);
        if (err != CL_SUCCESS) {
            int rc = build_failed(prog, p, err);
            clReleaseProgram(p);
            return rc;
        }
        if (cacheable)
            save_binary(prog, p);
    }
    prog->impl = p;
    return 0;
}

void ctr_cl_prog_destroy(struct ctr_prog *prog)
{
    if (prog->impl && !prog->dev->lost)
        clReleaseProgram(prog->impl);
    prog->impl = NULL;
}

/* ---- binding ---- */

static int arg_fail(ctr_launch *l, unsigned i, cl_int err)
{
    char where[160];
    snprintf(where, sizeof where, "argument %u of '%s'", i, l->name);
    return ctr_cl_fail(l->dev, err, "clSetKernelArg", where);
}

#ifndef NDEBUG
/* Bytes of a scalar argument by its OpenCL C type name, 0 when not one of ours. */
static size_t scalar_bytes(const char *type)
{
    static const struct {
        const char *name;
        size_t bytes;
    } types[] = {{"int", 4},   {"uint", 4}, {"unsigned int", 4},  {"float", 4},
                 {"ulong", 8}, {"long", 8}, {"unsigned long", 8}, {"size_t", 8}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, type) == 0)
            return types[i].bytes;
    return 0;
}

/* Says what a mismatch is before the driver says CL_INVALID_ARG_SIZE, or worse nothing. Silent
 * where the driver keeps no argument information. */
static int check_kind(ctr_launch *l, cl_kernel kernel, unsigned i)
{
    cl_kernel_arg_address_qualifier space;
    char type[128] = "", arg_name[64] = "?";
    const struct ctr_arg *a = &l->spec.args[i];
    if (clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof space, &space,
                           NULL) != CL_SUCCESS ||
        clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_TYPE_NAME, sizeof type - 1, type, NULL) !=
            CL_SUCCESS)
        return 0;
    (void)clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_NAME, sizeof arg_name - 1, arg_name, NULL);
    int is_buf = a->kind == CTR_ARG_BUF, is_local = a->kind == CTR_ARG_LOCAL;
    int wants_buf =
        space == CL_KERNEL_ARG_ADDRESS_GLOBAL || space == CL_KERNEL_ARG_ADDRESS_CONSTANT;
    int wants_local = space == CL_KERNEL_ARG_ADDRESS_LOCAL;
    size_t bytes = a->kind == CTR_ARG_U64 ? 8 : 4, want = scalar_bytes(type);
    int wrong = is_buf != wants_buf || is_local != wants_local;
    if (!is_buf && !is_local && want) {
        wrong |= bytes != want;
        wrong |= (a->kind == CTR_ARG_F32) != (strcmp(type, "float") == 0);
    }
    return wrong ? ctr_fail(CTR_E_USAGE, "'%s' in cl/%s: argument %u is not what '%s %s' wants",
                            l->name, l->spec.file, i, type, arg_name)
                 : 0;
}
#endif

static int bind_arg(ctr_launch *l, cl_kernel kernel, unsigned i)
{
    const struct ctr_arg *a = &l->spec.args[i];
    const void *value = &a->v;
    size_t bytes = a->kind == CTR_ARG_U64 ? 8 : 4;
    cl_mem mem;
    if (a->kind == CTR_ARG_BUF) {
        mem = a->v.buf->impl;
        value = &mem;
        bytes = sizeof mem;
    } else if (a->kind == CTR_ARG_LOCAL) {
        value = NULL;
        bytes = a->v.local_bytes;
    }
    cl_int err = clSetKernelArg(kernel, i, bytes, value);
    return err == CL_SUCCESS ? 0 : arg_fail(l, i, err);
}

static int check_group(ctr_launch *l, cl_kernel kernel)
{
    const size_t *local = l->spec.local;
    size_t most = 0, reqd[3] = {0};
    cl_device_id id = cl_of(l->dev)->id;
    /* A size written into the kernel was accepted when it was compiled; what is reported of such a
     * kernel may be less (Mesa 22.3: the width of a sub-group for every kernel). */
    if (clGetKernelWorkGroupInfo(kernel, id, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof reqd, reqd,
                                 NULL) == CL_SUCCESS &&
        reqd[0]) {
        if (memcmp(reqd, local, sizeof reqd) == 0)
            return 0;
        return ctr_fail(CTR_E_USAGE,
                        "'%s': a work-group of %zux%zux%zu, its code wants %zux%zux%zu", l->name,
                        local[0], local[1], local[2], reqd[0], reqd[1], reqd[2]);
    }
    if (clGetKernelWorkGroupInfo(kernel, id, CL_KERNEL_WORK_GROUP_SIZE, sizeof most, &most, NULL) ==
            CL_SUCCESS &&
        most && local[0] * local[1] * local[2] > most)
        return ctr_fail(CTR_E_USAGE, "'%s': a work-group of %zux%zux%zu, '%s' allows %zu for it",
                        l->name, local[0], local[1], local[2], l->dev->caps.name, most);
    return 0;
}

int ctr_cl_launch_bind(ctr_launch *l)
{
    int rc = 0;
    cl_int err;
    cl_uint n = 0;
    if (l->impl)
        return 0;
    cl_kernel kernel = clCreateKernel(l->prog->impl, l->spec.kernel, &err);
    if (err != CL_SUCCESS)
        return ctr_cl_fail(l->dev, err, "clCreateKernel", l->name);
    err = clGetKernelInfo(kernel, CL_KERNEL_NUM_ARGS, sizeof n, &n, NULL);
    if (err != CL_SUCCESS)
        CTR_TRY(ctr_cl_fail(l->dev, err, "clGetKernelInfo", l->name));
    if (n != l->spec.n_args)
        CTR_TRY(ctr_fail(CTR_E_USAGE, "'%s' in cl/%s takes %u arguments, %u given", l->name,
                         l->spec.file, n, l->spec.n_args));
    CTR_TRY(check_group(l, kernel));
    for (unsigned i = 0; i < n; i++) {
#ifndef NDEBUG
        CTR_TRY(check_kind(l, kernel, i));
#endif
        CTR_TRY(bind_arg(l, kernel, i));
    }
    l->impl = kernel;
    kernel = NULL;
out:
    if (kernel)
        clReleaseKernel(kernel);
    return rc;
}

void ctr_cl_launch_destroy(ctr_launch *l)
{
    if (l->impl && !l->is_gemm && !l->dev->lost)
        clReleaseKernel(l->impl);
    l->impl = NULL;
}

/* ---- running ---- */

static int launch_fail(ctr_launch *l, cl_int err, const char *call)
{
    char where[128];
    snprintf(where, sizeof where, "in '%s'", l->name);
    return ctr_cl_fail(l->dev, err, call, where);
}

/* Device time of a finished command; host time where the driver's clock stands still. */
static int event_seconds(double *seconds, ctr_launch *l, cl_event event, double host_seconds)
{
    cl_ulong t0 = 0, t1 = 0;
    cl_int status = 0, err = clWaitForEvents(1, &event);
    if (err == CL_SUCCESS)
        err =
            clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL);
    if (err == CL_SUCCESS && status < 0)
        err = status;
    if (err != CL_SUCCESS)
        return launch_fail(l, err, "clWaitForEvents");
    host_seconds = ctr_now() - host_seconds;
    (void)clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof t0, &t0, NULL);
    (void)clGetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof t1, &t1, NULL);
    *seconds = t1 > t0 ? 1e-9 * (double)(t1 - t0) : host_seconds;
    return 0;
}

int ctr_cl_launch_run(ctr_launch *l, double *seconds)
{
    cl_event event = NULL;
    const struct ctr_launch_spec *s = &l->spec;
    cl_uint dims = s->global[2] > 1 ? 3 : s->global[1] > 1 ? 2 : 1;
    double start = seconds ? ctr_now() : 0.0;
    cl_int err = clEnqueueNDRangeKernel(cl_of(l->dev)->queue, l->impl, dims, NULL, s->global,
                                        s->local, 0, NULL, seconds ? &event : NULL);
    if (err != CL_SUCCESS)
        return launch_fail(l, err, "clEnqueueNDRangeKernel");
    if (!seconds)
        return 0;
    int rc = event_seconds(seconds, l, event, start);
    if (!l->dev->lost)
        clReleaseEvent(event);
    return rc;
}
