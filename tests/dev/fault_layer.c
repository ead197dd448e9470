/* An OpenCL layer (OPENCL_LAYERS) that makes the N-th call of a function fail:
 * FAULT="clCreateBuffer 3 -4" in the environment, read at every call, so that a test may change it;
 * counting starts anew when it changes. FAULT_CALLS receives the number of calls of any function
 * after the fault. With FAULT_SIGNAL the process gets that signal first. */
#include <CL/cl_layer.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cl_icd_dispatch ours;
static const cl_icd_dispatch *next;
static char current[64];
static atomic_int countdown; /* programs are built by several threads */

/* The error that this call of `name` shall give, CL_SUCCESS for none. */
static cl_int fault(const char *name)
{
    char which[48];
    int n, code;
    const char *env = getenv("FAULT");
    if (!env)
        current[0] = '\0';
    if (!env || sscanf(env, "%47s %d %d", which, &n, &code) != 3)
        return CL_SUCCESS;
    if (strcmp(env, current) != 0) {
        snprintf(current, sizeof current, "%s", env);
        countdown = n;
    }
    if (countdown == 0) { /* after the fault: leave a trace of every call */
        const char *calls = getenv("FAULT_CALLS");
        char text[16];
        snprintf(text, sizeof text, "%d", calls ? atoi(calls) + 1 : 1);
        setenv("FAULT_CALLS", text, 1);
        return CL_SUCCESS;
    }
    if (strcmp(which, name) != 0)
        return CL_SUCCESS;
    if (--countdown != 0)
        return CL_SUCCESS;
    env = getenv("FAULT_SIGNAL");
    if (env)
        raise(atoi(env));
    return code;
}

static cl_mem CL_API_CALL create_buffer(cl_context context, cl_mem_flags flags, size_t size,
                                        void *host, cl_int *err)
{
    cl_int code = fault("clCreateBuffer");
    if (code == CL_SUCCESS)
        return next->clCreateBuffer(context, flags, size, host, err);
    if (err)
        *err = code;
    return NULL;
}

static cl_int CL_API_CALL build_program(cl_program program, cl_uint n, const cl_device_id *devices,
                                        const char *options,
                                        void(CL_CALLBACK *done)(cl_program, void *), void *user)
{
    cl_int code = fault("clBuildProgram");
    return code ? code : next->clBuildProgram(program, n, devices, options, done, user);
}

static cl_int CL_API_CALL enqueue_kernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
                                         const size_t *offset, const size_t *global,
                                         const size_t *local, cl_uint n, const cl_event *wait,
                                         cl_event *event)
{
    cl_int code = fault("clEnqueueNDRangeKernel");
    return code ? code
                : next->clEnqueueNDRangeKernel(queue, kernel, dims, offset, global, local, n, wait,
                                               event);
}

static cl_int CL_API_CALL finish(cl_command_queue queue)
{
    cl_int code = fault("clFinish");
    return code ? code : next->clFinish(queue);
}

static cl_int CL_API_CALL release_mem(cl_mem mem)
{
    cl_int code = fault("clReleaseMemObject");
    return code ? code : next->clReleaseMemObject(mem);
}

static cl_int CL_API_CALL release_queue(cl_command_queue queue)
{
    cl_int code = fault("clReleaseCommandQueue");
    return code ? code : next->clReleaseCommandQueue(queue);
}

CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t room, void *out,
                                               size_t *need)
{
    cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    if (what != CL_LAYER_API_VERSION)
        return CL_INVALID_VALUE;
    if (need)
        *need = sizeof version;
    if (out && room >= sizeof version)
        memcpy(out, &version, sizeof version);
    return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL clInitLayer(cl_uint n, const cl_icd_dispatch *target,
                                            cl_uint *n_ours, const cl_icd_dispatch **out)
{
    next = target;
    ours.clCreateBuffer = create_buffer;
    ours.clBuildProgram = build_program;
    ours.clEnqueueNDRangeKernel = enqueue_kernel;
    ours.clFinish = finish;
    ours.clReleaseMemObject = release_mem;
    ours.clReleaseCommandQueue = release_queue;
    *n_ours = sizeof ours / sizeof(void *);
    *out = &ours;
    return CL_SUCCESS;
}

/* Khronos's loader from 3.1 on asks for these instead; Debian 12's headers do not know them. */
CL_API_ENTRY cl_int CL_API_CALL clInitLayerWithProperties(cl_uint n, const cl_icd_dispatch *target,
                                                          cl_uint *n_ours, const cl_icd_dispatch **out,
                                                          const cl_properties *properties);
cl_int CL_API_CALL clInitLayerWithProperties(cl_uint n, const cl_icd_dispatch *target,
                                             cl_uint *n_ours, const cl_icd_dispatch **out,
                                             const cl_properties *properties)
{
    (void)properties;
    return clInitLayer(n, target, n_ours, out);
}

CL_API_ENTRY cl_int CL_API_CALL clDeinitLayer(void);
cl_int CL_API_CALL clDeinitLayer(void)
{
    return CL_SUCCESS;
}
