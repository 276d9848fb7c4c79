/* SPDX-License-Identifier: MIT */
/* stress.h: what the tests with threads share: a stream that both sides can compute, and delays that move
 * races about. */
#ifndef VCONS_TESTS_STRESS_H
#define VCONS_TESTS_STRESS_H
#include "random.h"
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Byte i of the stream. Not periodic in any ring size, so that a byte from another lap differs. */
static inline uint8_t stream_byte(uint64_t i) { return (uint8_t)((i * UINT64_C(0x9e3779b97f4a7c15)) >> 56); }

/* Mostly nothing, else from some cycles to a time slice. */
static inline void random_delay(uint64_t *seed)
{
    uint32_t kind = random_below(seed, 256);

    if (kind < 64)
        for (volatile uint32_t n = random_below(seed, 200); n > 0; n = n - 1)
            ;
    else if (kind < 66)
        sched_yield();
}

#define require(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

#endif
