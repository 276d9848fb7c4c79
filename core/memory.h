/* SPDX-License-Identifier: MIT */
/*
 * memory.h: the four functions that core takes from outside: those that a freestanding compiler may call by itself
 * anyway, so that whoever links core has them. Declared here, for a bare target has no string.h. Private to core/.
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
