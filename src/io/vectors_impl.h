/* vectors_impl.h -- what vectors.c and vectors_read.c share. */
#ifndef CTR_IO_VECTORS_IMPL_H
#define CTR_IO_VECTORS_IMPL_H

/* STEM and the ending in a new string, or NULL (failure recorded). */
char *ctr_vectors_beside(const char *path, const char *ending);

#endif
