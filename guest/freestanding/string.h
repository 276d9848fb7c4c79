/* SPDX-License-Identifier: MIT */
/*
 * string.h: as much of C's as a freestanding program may count on: compilers call these four by themselves.
 *
 * Spec: C11 7.24; string.c has them. Before any libc's on the include path of a tiny, so that none is needed.
 */
#ifndef GUEST_FREESTANDING_STRING_H
#define GUEST_FREESTANDING_STRING_H
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
