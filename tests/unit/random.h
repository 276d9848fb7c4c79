/* SPDX-License-Identifier: MIT */
/* random.h: repeatable numbers (xorshift64*, Vigna 2016) for tests, fuzz targets and benches. A failing test
 * prints its seed. */
#ifndef VCONS_TESTS_RANDOM_H
#define VCONS_TESTS_RANDOM_H
#include <stdint.h>

static inline uint64_t random_next(uint64_t *state) /* *state is not 0 */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static inline uint32_t random_below(uint64_t *state, uint32_t n) /* n is not 0 */
{
    return (uint32_t)((random_next(state) >> 32) * n >> 32);
}

#endif
