/* pocl_version.c -- the version of the PoCL that is installed, "3.1", or nothing: for meson.build. */
#include <stdio.h>
#include <string.h>

#include <CL/cl.h>

int main(void)
{
    cl_platform_id platforms[16];
    cl_uint n = 0;
    char text[256] = "";
    if (clGetPlatformIDs(16, platforms, &n) != CL_SUCCESS)
        return 0;
    for (cl_uint i = 0; i < n && i < 16; i++) {
        const char *version;
        if (clGetPlatformInfo(platforms[i], CL_PLATFORM_VERSION, sizeof text, text, NULL) == CL_SUCCESS &&
            (version = strstr(text, "PoCL ")) != NULL)
            return printf("%.*s\n", (int)strspn(version + 5, "0123456789."), version + 5) < 0;
    }
    return 0;
}
