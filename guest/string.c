/* SPDX-License-Identifier: MIT */
/*
 * Three of the four functions that a freestanding compiler may call (memcmp.c). String instructions: on some KVM each iteration
 * of a loop is an exit of its own, while `rep movsq` moves eight bytes for less than one instruction's price.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Unaligned, of any type. */
struct any32 {
    uint32_t v;
} __attribute__((packed, may_alias));
struct any64 {
    uint64_t v;
} __attribute__((packed, may_alias));

static inline uint32_t load32(const void *p) { return ((const struct any32 *)p)->v; }
static inline uint64_t load64(const void *p) { return ((const struct any64 *)p)->v; }
static inline void store32(void *p, uint32_t v) { ((struct any32 *)p)->v = v; }
static inline void store64(void *p, uint64_t v) { ((struct any64 *)p)->v = v; }

/* Fewer than 8: two pieces that overlap where they must. */
static void copy_few(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n >= 4) {
        uint32_t first = load32(from), last = load32(from + n - 4);

        store32(to, first);
        store32(to + n - 4, last);
    } else if (n > 0) {
        uint8_t first = from[0], middle = from[n / 2], last = from[n - 1];

        to[0] = first;
        to[n / 2] = middle;
        to[n - 1] = last;
    }
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    void *at = to;
    size_t words = n / 8;

    if (n < 8) {
        copy_few(to, from, n);
        return to;
    }
    /* The last 8 bytes first, whole: what the words leave over is then there. */
    store64((uint8_t *)to + n - 8, load64((const uint8_t *)from + n - 8));
    __asm__ volatile("rep movsq" : "+D"(at), "+S"(from), "+c"(words) : : "memory");
    return to;
}

/* Towards lower addresses from the front, else from the back; rare and short here. */
void *memmove(void *to, const void *from, size_t n)
{
    void *at = to;

    if ((uintptr_t)to - (uintptr_t)from >= n) {
        __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
        return to;
    }
    at = (uint8_t *)to + n - 1;
    from = (const uint8_t *)from + n - 1;
    __asm__ volatile("std; rep movsb; cld" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    return to;
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
