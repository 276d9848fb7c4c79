/* SPDX-License-Identifier: MIT */
/*
 * Three of the four functions that a freestanding compiler may call (memcmp.c). They run with the MMU off too, where an unaligned access is a
 * fault: words where both ends are aligned alike, bytes else.
 */
#include <stdint.h>
#include <string.h>

struct word {
    uint64_t v;
} __attribute__((may_alias));

static inline uintptr_t bits(const void *p) { return (uintptr_t)p; }

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    if (((bits(t) ^ bits(f)) & 7) == 0) {
        for (; n > 0 && (bits(t) & 7) != 0; n--)
            *t++ = *f++;
        for (; n >= 8; n -= 8, t += 8, f += 8)
            ((struct word *)(void *)t)->v = ((const struct word *)(const void *)f)->v;
    }
    for (; n > 0; n--)
        *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    if (bits(to) - bits(from) >= n) {
        for (; n > 0; n--)
            *t++ = *f++;
        return to;
    }
    while (n-- > 0)
        t[n] = f[n];
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    uint8_t *t = to;
    const uint64_t pattern = (uint8_t)byte * UINT64_C(0x0101010101010101);

    for (; n > 0 && (bits(t) & 7) != 0; n--)
        *t++ = (uint8_t)byte;
    for (; n >= 8; n -= 8, t += 8)
        ((struct word *)(void *)t)->v = pattern;
    for (; n > 0; n--)
        *t++ = (uint8_t)byte;
    return to;
}
