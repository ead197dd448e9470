/* An OpenCL driver with one device that misbehaves as BAD_DRIVER says: "abort-discover" and
 * "exit-discover" when its devices are asked for, "abort-context" and "fail-context" when one is
 * opened. Loaded by way of bad_driver.icd, whose directory CTR_BAD_DRIVER names. */
#include <CL/cl_icd.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct _cl_platform_id {
    const cl_icd_dispatch *dispatch;
};
struct _cl_device_id {
    const cl_icd_dispatch *dispatch;
};

static cl_icd_dispatch table;
static struct _cl_platform_id platform = {&table};
static struct _cl_device_id device = {&table};

static int is(const char *how)
{
    const char *env = getenv("BAD_DRIVER");
    return env && strcmp(env, how) == 0;
}

static cl_int give(const void *data, size_t bytes, size_t room, void *out, size_t *need)
{
    if (need)
        *need = bytes;
    if (out && room < bytes)
        return CL_INVALID_VALUE;
    if (out)
        memcpy(out, data, bytes);
    return CL_SUCCESS;
}

static cl_int CL_API_CALL get_platforms(cl_uint room, cl_platform_id *out, cl_uint *n)
{
    if (out && room)
        *out = &platform;
    if (n)
        *n = 1;
    return CL_SUCCESS;
}

static cl_int CL_API_CALL platform_info(cl_platform_id id, cl_platform_info what, size_t room,
                                        void *out, size_t *need)
{
    const char *text = what == CL_PLATFORM_EXTENSIONS       ? "cl_khr_icd"
                       : what == CL_PLATFORM_ICD_SUFFIX_KHR ? "BAD"
                       : what == CL_PLATFORM_VERSION        ? "OpenCL 1.2 bad"
                       : what == CL_PLATFORM_PROFILE        ? "FULL_PROFILE"
                                                            : "bad platform";
    return give(text, strlen(text) + 1, room, out, need);
}

static cl_int CL_API_CALL get_devices(cl_platform_id id, cl_device_type type, cl_uint room,
                                      cl_device_id *out, cl_uint *n)
{
    if (is("abort-discover"))
        abort();
    if (is("exit-discover"))
        exit(3);
    if (out && room)
        *out = &device;
    if (n)
        *n = 1;
    return CL_SUCCESS;
}

static cl_int CL_API_CALL device_info(cl_device_id id, cl_device_info what, size_t room, void *out,
                                      size_t *need)
{
    cl_device_type type = CL_DEVICE_TYPE_GPU;
    cl_bool yes = CL_TRUE;
    switch (what) {
    case CL_DEVICE_TYPE:
        return give(&type, sizeof type, room, out, need);
    case CL_DEVICE_NAME:
        return give("bad device", 11, room, out, need);
    case CL_DEVICE_AVAILABLE:
    case CL_DEVICE_COMPILER_AVAILABLE:
        return give(&yes, sizeof yes, room, out, need);
    default:
        return CL_INVALID_VALUE;
    }
}

static cl_context CL_API_CALL create_context(
    const cl_context_properties *props, cl_uint n, const cl_device_id *devices,
    void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *), void *user, cl_int *err)
{
    if (is("abort-context")) {
        fprintf(stderr, "compiling\nthe linker is missing\n");
        abort();
    }
    if (err)
        *err = CL_OUT_OF_HOST_MEMORY;
    return NULL;
}

CL_API_ENTRY void *CL_API_CALL clGetExtensionFunctionAddress(const char *name)
{
    table.clGetPlatformIDs = get_platforms;
    table.clGetPlatformInfo = platform_info;
    table.clGetDeviceIDs = get_devices;
    table.clGetDeviceInfo = device_info;
    table.clCreateContext = create_context;
    if (strcmp(name, "clIcdGetPlatformIDsKHR") == 0)
        return (void *)get_platforms;
    return NULL;
}

CL_API_ENTRY cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id id, cl_platform_info what,
                                                  size_t room, void *out, size_t *need)
{
    return platform_info(id, what, room, out, need);
}
