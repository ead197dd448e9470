/* cl.c -- OpenCL: finding devices, opening one, waiting, error names.
 *
 * In: what the drivers say. Out: plain structs (device.h, dev.h); no OpenCL type leaves cl*.c.
 * Strings and numbers that a driver refuses to give stay empty or 0. */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS /* clCreateCommandQueue: the floor is OpenCL 1.2 */
#include "dev/cl_impl.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLATFORM_NOT_FOUND (-1001) /* the loader's code when there is no driver at all */
#define DRIVER_LOST        (-9999) /* NVIDIA: illegal access in a kernel */

/* ---- errors ---- */

const char *ctr_cl_error_name(cl_int err)
{
#define NAME(code)                                                                                 \
    case code:                                                                                     \
        return #code;
    switch (err) {
        NAME(CL_DEVICE_NOT_FOUND)
        NAME(CL_DEVICE_NOT_AVAILABLE)
        NAME(CL_COMPILER_NOT_AVAILABLE)
        NAME(CL_MEM_OBJECT_ALLOCATION_FAILURE)
        NAME(CL_OUT_OF_RESOURCES)
        NAME(CL_OUT_OF_HOST_MEMORY)
        NAME(CL_PROFILING_INFO_NOT_AVAILABLE)
        NAME(CL_MEM_COPY_OVERLAP)
        NAME(CL_BUILD_PROGRAM_FAILURE)
        NAME(CL_MISALIGNED_SUB_BUFFER_OFFSET)
        NAME(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST)
        NAME(CL_COMPILE_PROGRAM_FAILURE)
        NAME(CL_LINKER_NOT_AVAILABLE)
        NAME(CL_LINK_PROGRAM_FAILURE)
        NAME(CL_KERNEL_ARG_INFO_NOT_AVAILABLE)
        NAME(CL_INVALID_VALUE)
        NAME(CL_INVALID_DEVICE)
        NAME(CL_INVALID_CONTEXT)
        NAME(CL_INVALID_QUEUE_PROPERTIES)
        NAME(CL_INVALID_COMMAND_QUEUE)
        NAME(CL_INVALID_MEM_OBJECT)
        NAME(CL_INVALID_BINARY)
        NAME(CL_INVALID_BUILD_OPTIONS)
        NAME(CL_INVALID_PROGRAM)
        NAME(CL_INVALID_PROGRAM_EXECUTABLE)
        NAME(CL_INVALID_KERNEL_NAME)
        NAME(CL_INVALID_KERNEL_DEFINITION)
        NAME(CL_INVALID_KERNEL)
        NAME(CL_INVALID_ARG_INDEX)
        NAME(CL_INVALID_ARG_VALUE)
        NAME(CL_INVALID_ARG_SIZE)
        NAME(CL_INVALID_KERNEL_ARGS)
        NAME(CL_INVALID_WORK_DIMENSION)
        NAME(CL_INVALID_WORK_GROUP_SIZE)
        NAME(CL_INVALID_WORK_ITEM_SIZE)
        NAME(CL_INVALID_GLOBAL_OFFSET)
        NAME(CL_INVALID_EVENT_WAIT_LIST)
        NAME(CL_INVALID_EVENT)
        NAME(CL_INVALID_OPERATION)
        NAME(CL_INVALID_BUFFER_SIZE)
        NAME(CL_INVALID_GLOBAL_WORK_SIZE)
        NAME(CL_INVALID_PROPERTY)
    case PLATFORM_NOT_FOUND:
        return "CL_PLATFORM_NOT_FOUND_KHR";
    case DRIVER_LOST:
        return "illegal memory access in a kernel";
    default:
        return "unknown code";
    }
#undef NAME
}

static int is_fatal(cl_int err)
{
    return err == CL_OUT_OF_RESOURCES || err == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST ||
           err == CL_INVALID_CONTEXT || err == CL_INVALID_COMMAND_QUEUE || err == DRIVER_LOST;
}

int ctr_cl_fail(ctr_dev *dev, cl_int err, const char *call, const char *where)
{
    int code = err == CL_MEM_OBJECT_ALLOCATION_FAILURE ? CTR_E_DEVMEM : CTR_E_DEVICE;
    if (is_fatal(err) && !dev->lost) {
        dev->lost = 1;
        snprintf(dev->lost_by, sizeof dev->lost_by, "%s: %s (%d)%s%s", call,
                 ctr_cl_error_name(err), err, *where ? " " : "", where);
    }
    return ctr_fail(code, "%s: %s (%d)%s%s on '%s', driver %s", call, ctr_cl_error_name(err), err,
                    *where ? " " : "", where, dev->caps.name, dev->caps.driver);
}

/* ---- what the drivers say ---- */

/* Text without leading blanks, which some vendors put into names. */
static void device_text(char out[128], cl_device_id id, cl_device_info what)
{
    char text[1024] = "";
    size_t skip;
    if (clGetDeviceInfo(id, what, sizeof text - 1, text, NULL) != CL_SUCCESS)
        text[0] = '\0';
    skip = strspn(text, " \t");
    snprintf(out, 128, "%.127s", text + skip);
}

static void platform_text(char out[128], cl_platform_id id, cl_platform_info what)
{
    char text[1024] = "";
    if (clGetPlatformInfo(id, what, sizeof text - 1, text, NULL) != CL_SUCCESS)
        text[0] = '\0';
    snprintf(out, 128, "%.127s", text);
}

static uint64_t device_u64(cl_device_id id, cl_device_info what)
{
    cl_ulong v = 0;
    return clGetDeviceInfo(id, what, sizeof v, &v, NULL) == CL_SUCCESS ? v : 0;
}

static unsigned device_u32(cl_device_id id, cl_device_info what)
{
    cl_uint v = 0;
    return clGetDeviceInfo(id, what, sizeof v, &v, NULL) == CL_SUCCESS ? v : 0;
}

/* Whole word in the space-separated list of extensions. */
static int has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return 1;
    return 0;
}

static void read_extensions(struct ctr_device_info *info, cl_device_id id)
{
    size_t n = 0;
    if (clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, 0, NULL, &n) != CL_SUCCESS || n == 0)
        return;
    char *list = ctr_alloc(n + 1, 1);
    if (!list)
        return;
    if (clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, n, list, NULL) == CL_SUCCESS) {
        info->fp16 = has_word(list, "cl_khr_fp16");
        info->subgroups =
            has_word(list, "cl_khr_subgroups") || has_word(list, "cl_intel_subgroups");
    }
    free(list);
}

static void read_pci(struct ctr_device_info *info, cl_device_id id)
{
#ifdef CL_DEVICE_PCI_BUS_INFO_KHR
    cl_device_pci_bus_info_khr pci;
    if (clGetDeviceInfo(id, CL_DEVICE_PCI_BUS_INFO_KHR, sizeof pci, &pci, NULL) == CL_SUCCESS) {
        snprintf(info->pci, sizeof info->pci, "%04x:%02x:%02x.%x", pci.pci_domain, pci.pci_bus,
                 pci.pci_device, pci.pci_function);
        return;
    }
#endif
    /* NVIDIA drivers older than the extension: bus and slot in one query each. */
    unsigned bus = device_u32(id, 0x4008), slot = device_u32(id, 0x4009);
    if (strstr(info->vendor, "NVIDIA") && (bus || slot))
        snprintf(info->pci, sizeof info->pci, "0000:%02x:%02x.0", bus, slot >> 3);
}

static void read_device(struct ctr_device_info *info, cl_device_id id)
{
    cl_device_type type = device_u64(id, CL_DEVICE_TYPE);
    size_t group = 0;
    info->kind = type & CL_DEVICE_TYPE_CPU           ? CTR_DEVICE_CPU
                 : type & CL_DEVICE_TYPE_GPU         ? CTR_DEVICE_GPU
                 : type & CL_DEVICE_TYPE_ACCELERATOR ? CTR_DEVICE_ACCELERATOR
                                                     : CTR_DEVICE_OTHER;
    device_text(info->name, id, CL_DEVICE_NAME);
    device_text(info->vendor, id, CL_DEVICE_VENDOR);
    device_text(info->driver, id, CL_DRIVER_VERSION);
    device_text(info->version, id, CL_DEVICE_VERSION);
    device_text(info->c_version, id, CL_DEVICE_OPENCL_C_VERSION);
    info->global_bytes = device_u64(id, CL_DEVICE_GLOBAL_MEM_SIZE);
    info->max_alloc_bytes = device_u64(id, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    info->local_bytes = device_u64(id, CL_DEVICE_LOCAL_MEM_SIZE);
    (void)clGetDeviceInfo(id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof group, &group, NULL);
    info->max_group = group;
    info->align_bytes = device_u32(id, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
    if (info->align_bytes < 256)
        info->align_bytes = 256;
    info->compute_units = device_u32(id, CL_DEVICE_MAX_COMPUTE_UNITS);
    info->clock_mhz = device_u32(id, CL_DEVICE_MAX_CLOCK_FREQUENCY);
    info->unified = device_u32(id, CL_DEVICE_HOST_UNIFIED_MEMORY) != 0;
    info->fp64 = device_u64(id, CL_DEVICE_DOUBLE_FP_CONFIG) != 0;
    info->vector_floats = device_u32(id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    info->fma = (device_u64(id, CL_DEVICE_SINGLE_FP_CONFIG) & CL_FP_FMA) != 0;
    info->available = device_u32(id, CL_DEVICE_AVAILABLE) != 0 &&
                      device_u32(id, CL_DEVICE_COMPILER_AVAILABLE) != 0;
    read_extensions(info, id);
    read_pci(info, id);
}

static cl_uint count_devices(cl_platform_id platform)
{
    cl_uint n = 0;
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &n) != CL_SUCCESS)
        return 0;
    return n;
}

static void empty_hint(struct ctr_platform_info *platform)
{
    const char *hint = "its driver finds no device here; check permissions of /dev/dri and the "
                       "kernel driver";
    if (strcmp(platform->name, "rusticl") == 0)
        hint = "set RUSTICL_ENABLE=<driver>, e.g. RUSTICL_ENABLE=radeonsi, iris or llvmpipe";
    else if (strcmp(platform->name, "Portable Computing Language") == 0)
        hint = "its cache must be writable: set POCL_CACHE_DIR to an existing directory";
    snprintf(platform->hint, sizeof platform->hint, "%s", hint);
}

static int read_platform(struct ctr_device_list *list, size_t *cap, unsigned index,
                         cl_platform_id id)
{
    struct ctr_platform_info *p = &list->platforms[index];
    platform_text(p->name, id, CL_PLATFORM_NAME);
    platform_text(p->vendor, id, CL_PLATFORM_VENDOR);
    platform_text(p->version, id, CL_PLATFORM_VERSION);
    p->n_devices = count_devices(id);
    if (p->n_devices == 0) {
        empty_hint(p);
        return 0;
    }
    cl_device_id *ids = ctr_alloc(p->n_devices, sizeof *ids);
    if (!ids || ctr_grow((void **)&list->devices, cap, list->n_devices + p->n_devices,
                         sizeof *list->devices) != 0) {
        free(ids);
        return CTR_E_FAIL;
    }
    if (clGetDeviceIDs(id, CL_DEVICE_TYPE_ALL, p->n_devices, ids, NULL) != CL_SUCCESS)
        p->n_devices = 0;
    for (unsigned d = 0; d < p->n_devices; d++) {
        struct ctr_device_info *info = &list->devices[list->n_devices];
        info->index = list->n_devices++;
        info->platform = index;
        info->device = d;
        read_device(info, ids[d]);
    }
    free(ids);
    return 0;
}

static void note_aliases(struct ctr_device_list *list)
{
    for (unsigned i = 0; i < list->n_devices; i++) {
        list->devices[i].alias_of = -1;
        for (unsigned j = 0; j < i && list->devices[i].pci[0]; j++)
            if (strcmp(list->devices[i].pci, list->devices[j].pci) == 0) {
                list->devices[i].alias_of = (int)j;
                break;
            }
    }
}

int ctr_cl_discover(struct ctr_device_list **out)
{
    int rc = 0;
    cl_uint n = 0;
    size_t cap = 0;
    cl_platform_id *ids = NULL;
    struct ctr_device_list *list = ctr_alloc(1, sizeof *list);
    if (!list)
        return CTR_E_FAIL;
    cl_int err = clGetPlatformIDs(0, NULL, &n);
    if (err != CL_SUCCESS && err != PLATFORM_NOT_FOUND)
        CTR_TRY(ctr_fail(CTR_E_NODEVICE, "clGetPlatformIDs: %s (%d)", ctr_cl_error_name(err), err));
    if (err == PLATFORM_NOT_FOUND)
        n = 0;
    ids = ctr_alloc(n, sizeof *ids);
    list->platforms = ctr_alloc(n, sizeof *list->platforms);
    if (!ids || !list->platforms)
        CTR_TRY(CTR_E_FAIL);
    if (n && clGetPlatformIDs(n, ids, NULL) != CL_SUCCESS)
        n = 0;
    list->n_platforms = n;
    for (unsigned p = 0; p < n; p++)
        CTR_TRY(read_platform(list, &cap, p, ids[p]));
    note_aliases(list);
    for (unsigned d = 0; d < list->n_devices; d++)
        CTR_TRY(
            ctr_quirks_note(&list->devices[d], list->platforms[list->devices[d].platform].name));
    *out = list;
    list = NULL;
out:
    free(ids);
    ctr_devices_free(&list);
    return rc;
}

/* ---- opening ---- */

static int find_ids(struct cl_state *cl, const struct ctr_device_info *info)
{
    int rc = 0;
    cl_uint n_platforms = 0, n = 0;
    cl_device_id *devices = NULL;
    cl_platform_id *platforms = ctr_alloc(info->platform + 1, sizeof *platforms);
    if (!platforms)
        return CTR_E_FAIL;
    if (clGetPlatformIDs(info->platform + 1, platforms, &n_platforms) != CL_SUCCESS ||
        n_platforms <= info->platform)
        CTR_TRY(ctr_fail(CTR_E_NODEVICE, "OpenCL platform %u is gone", info->platform));
    cl->platform = platforms[info->platform];
    if (!(devices = ctr_alloc(info->device + 1, sizeof *devices)))
        CTR_TRY(CTR_E_FAIL);
    if (clGetDeviceIDs(cl->platform, CL_DEVICE_TYPE_ALL, info->device + 1, devices, &n) !=
            CL_SUCCESS ||
        n <= info->device)
        CTR_TRY(ctr_fail(CTR_E_NODEVICE, "OpenCL device '%s' is gone", info->name));
    cl->id = devices[info->device];
out:
    free(platforms);
    free(devices);
    return rc;
}

static void fill_caps(struct ctr_caps *caps, const struct ctr_device_info *info)
{
    _Static_assert(sizeof caps->name == sizeof info->name, "same length of names");
    memcpy(caps->name, info->name, sizeof caps->name);
    memcpy(caps->vendor, info->vendor, sizeof caps->vendor);
    memcpy(caps->driver, info->driver, sizeof caps->driver);
    caps->compute_units = info->compute_units ? info->compute_units : 1;
    caps->max_group = info->max_group ? (size_t)info->max_group : 1;
    caps->local_bytes = (size_t)info->local_bytes;
    caps->align_bytes = (size_t)info->align_bytes;
    caps->global_bytes = info->global_bytes;
    caps->max_alloc_bytes = info->max_alloc_bytes;
    caps->has_fp16 = info->fp16;
    caps->has_fp64 = info->fp64;
    caps->has_subgroups = info->subgroups;
    caps->unified_memory = info->unified;
}

static void cl_close(ctr_dev *dev)
{
    struct cl_state *cl = cl_of(dev);
    if (!cl)
        return;
    if (!dev->lost) {
        ctr_cl_blas_close(dev);
        if (cl->queue)
            clReleaseCommandQueue(cl->queue);
        if (cl->context)
            clReleaseContext(cl->context);
    }
    ctr_cl_staging_free(dev);
    free(cl);
    dev->impl = NULL;
}

int ctr_cl_finish(ctr_dev *dev)
{
    cl_int err = clFinish(cl_of(dev)->queue);
    if (err != CL_SUCCESS)
        return ctr_cl_fail(dev, err, "clFinish", "");
    ctr_cl_staging_reset(dev);
    return 0;
}

static const struct ctr_backend cl_backend = {
    .close = cl_close,
    .finish = ctr_cl_finish,
    .buf_create = ctr_cl_buf_create,
    .buf_view = ctr_cl_buf_view,
    .buf_destroy = ctr_cl_buf_destroy,
    .buf_write = ctr_cl_buf_write,
    .buf_read = ctr_cl_buf_read,
    .buf_fill = ctr_cl_buf_fill,
    .prog_build = ctr_cl_prog_build,
    .prog_destroy = ctr_cl_prog_destroy,
    .launch_bind = ctr_cl_launch_bind,
    .launch_run = ctr_cl_launch_run,
    .launch_destroy = ctr_cl_launch_destroy,
    .gemm_temp_bytes = ctr_cl_gemm_temp_bytes,
    .gemm_bind = ctr_cl_gemm_bind,
    .gemm_run = ctr_cl_gemm_run,
};

/* What cannot be read is given the benefit of the doubt. */
static int check_version(const struct ctr_device_info *info)
{
    int major, minor;
    if (sscanf(info->c_version, "OpenCL C %d.%d", &major, &minor) != 2 || major > 1 || minor >= 2)
        return 0;
    return ctr_fail(CTR_E_DEVICE, "'%s' offers OpenCL C %d.%d, 1.2 is needed", info->name, major,
                    minor);
}

int ctr_cl_open(ctr_dev *dev, const struct ctr_device_info *info)
{
    cl_int err;
    int rc = check_version(info);
    if (rc)
        return rc;
    struct cl_state *cl = ctr_alloc(1, sizeof *cl);
    if (!cl)
        return CTR_E_FAIL;
    fill_caps(&dev->caps, info);
    CTR_TRY(find_ids(cl, info));
    platform_text(dev->caps.platform, cl->platform, CL_PLATFORM_NAME);
    platform_text(dev->platform_version, cl->platform, CL_PLATFORM_VERSION);
    cl_context_properties props[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)cl->platform, 0};
    cl->context = clCreateContext(props, 1, &cl->id, NULL, NULL, &err);
    if (err != CL_SUCCESS)
        CTR_TRY(ctr_cl_fail(dev, err, "clCreateContext", ""));
    cl->queue = clCreateCommandQueue(cl->context, cl->id,
                                     dev->profile ? CL_QUEUE_PROFILING_ENABLE : 0, &err);
    if (err != CL_SUCCESS) {
        clReleaseContext(cl->context);
        CTR_TRY(ctr_cl_fail(dev, err, "clCreateCommandQueue", ""));
    }
    dev->backend = &cl_backend;
    dev->impl = cl;
    cl = NULL;
out:
    free(cl);
    return rc;
}
