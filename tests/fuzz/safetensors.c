/* libFuzzer: any bytes as a safetensors file. What is accepted must be readable to its last byte,
 * must be found by its names, and must be written back to a file with the same tensors. */
#include "io/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(const struct ctr_st *st)
{
    unsigned sum = 0;
    for (size_t i = 0; i < ctr_st_count(st); i++) {
        const struct ctr_st_tensor *t = ctr_st_at(st, i);
        if (ctr_st_find(st, t->name) != t)
            abort();
        for (size_t k = 0; k < t->bytes; k++)
            sum += ((const unsigned char *)t->data)[k];
    }
    for (size_t i = 0; i < ctr_st_meta_count(st); i++)
        if (ctr_st_meta_value(st, ctr_st_meta_at(st, i)->key) != ctr_st_meta_at(st, i)->value)
            abort();
    if (sum == 0x12345678u) /* keeps the loop */
        putchar('!');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char path[64];
    struct ctr_st *st = NULL;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (ctr_st_open(&st, path, 0) == 0)
        check(st);
    ctr_st_close(&st);
    close(fd);
    return 0;
}
