/* SPDX-License-Identifier: MIT */
/*
 * The four functions that a freestanding compiler may call. String instructions: on some KVM each iteration
 * of a loop is an exit of its own, while `rep movsq` moves eight bytes for less than one instruction's price.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    void *start = to;
    size_t words = n / 8, rest = n % 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
    return start;
}

void *memmove(void *to, const void *from, size_t n)
{
    void *start = to;

    if ((uintptr_t)to - (uintptr_t)from >= n)
        return memcpy(to, from, n);
    to = (uint8_t *)to + n - 1;
    from = (const uint8_t *)from + n - 1;
    __asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return start;
}

void *memset(void *to, int byte, size_t n)
{
    void *start = to;
    size_t words = n / 8, rest = n % 8;
    uint64_t pattern = (uint8_t)byte * UINT64_C(0x0101010101010101);

    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < n; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}
