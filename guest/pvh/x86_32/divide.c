/* SPDX-License-Identifier: MIT */
/*
 * What compilers call to divide 64-bit numbers on a processor of 32: there is no libgcc here.
 *
 * Spec: GCC internals, "Routines for integer arithmetic": __udivdi3, __umoddi3. Division by 0 is the caller's fault.
 */
#include <stdint.h>

uint64_t __udivdi3(uint64_t n, uint64_t by);
uint64_t __umoddi3(uint64_t n, uint64_t by);

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
