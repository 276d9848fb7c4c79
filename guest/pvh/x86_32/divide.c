/* SPDX-License-Identifier: MIT */
/*
 * What compilers call for numbers of 64 bits on a processor of 32: there is no libgcc here.
 *
 * Spec: GCC internals, "Routines for integer arithmetic": __udivdi3, __umoddi3, __ctzdi2. Division by 0 is the caller's fault, as is
 *       the number of zeros below a one that is not there.
 */
#include <stdint.h>

uint64_t __udivdi3(uint64_t n, uint64_t by);
uint64_t __umoddi3(uint64_t n, uint64_t by);
int __ctzdi2(uint64_t n);

static uint64_t divide(uint64_t n, uint64_t by, uint64_t *rest)
{
    uint64_t quotient = 0, left = 0;

    for (int bit = 63; bit >= 0; bit--) { /* as on paper, in binary */
        uint64_t carry = left >> 63;

        left = left << 1 | (n >> bit & 1);
        quotient <<= 1;
        if (carry != 0 || left >= by) {
            left -= by;
            quotient |= 1;
        }
    }
    *rest = left;
    return quotient;
}

uint64_t __udivdi3(uint64_t n, uint64_t by)
{
    uint64_t rest;

    return divide(n, by, &rest);
}

uint64_t __umoddi3(uint64_t n, uint64_t by)
{
    uint64_t rest;

    divide(n, by, &rest);
    return rest;
}

int __ctzdi2(uint64_t n)
{
    uint32_t low = (uint32_t)n;

    return low != 0 ? __builtin_ctz(low) : 32 + __builtin_ctz((uint32_t)(n >> 32));
}
