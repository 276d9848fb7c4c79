/* SPDX-License-Identifier: MIT */
/* As guest/string.c, for a processor that moves four bytes at once. Lower addresses first, but where both overlap. */
#include <stdint.h>
#include <string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    void *at = to;
    size_t words = n / 4, rest = n % 4;

    __asm__ volatile("rep movsl" : "+D"(at), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(rest) : : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    void *at = (uint8_t *)to + n - 1;

    if ((uintptr_t)to - (uintptr_t)from >= n)
        return memcpy(to, from, n);
    from = (const uint8_t *)from + n - 1;
    __asm__ volatile("std; rep movsb; cld" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    void *start = to;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(byte) : "memory");
    return start;
}
