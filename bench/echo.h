/* SPDX-License-Identifier: MIT */
/*
 * echo.h: times round trips one after another and prints what the middle one took, once for each line of standard input:
 * a tenth of them for "warm". Ours and the limit live equally long so: where the kernel puts whom is part of an echo, and
 * has a memory.
 */
#ifndef VCONS_BENCH_ECHO_H
#define VCONS_BENCH_ECHO_H
#include "bench.h"
#include <poll.h>

static inline int echo_compare(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* As `vcons attach` waits. Who sleeps in read(2) instead is woken for nothing whenever the other end takes what he sent. */
static inline void echo_wait(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    require(poll(&p, 1, -1) == 1);
}

#define ECHO_ROUND_NS UINT64_C(2000000000) /* a round ends then, though fewer have been timed */

static inline void echo_round(uint32_t *took, uint32_t most, void (*round_trip)(uint32_t i))
{
    uint64_t first = now_ns(), began = first;
    uint32_t n = 0;

    for (; n < most && (n < 10 || began - first < ECHO_ROUND_NS); n++) {
        uint32_t i = n;

        began = now_ns();
        round_trip(i);
        took[i] = (uint32_t)(now_ns() - began);
        usleep(took[i] % 64); /* a key comes when everybody sleeps; and not in step with any timer */
    }
    qsort(took, n, sizeof *took, echo_compare);
    printf("{\"value\": %.2f, \"p99\": %.2f, \"max\": %.2f}\n", took[n / 2] / 1000.0, took[n * 99 / 100] / 1000.0,
           took[n - 1] / 1000.0);
    fflush(stdout);
}

static inline void echo_measure(uint32_t n, void (*round_trip)(uint32_t i))
{
    uint32_t *took = calloc(n, sizeof *took);
    char line[16];

    require(took != NULL && n >= 10);
    while (fgets(line, sizeof line, stdin) != NULL)
        echo_round(took, *line == 'w' ? n / 10 : n, round_trip);
    free(took);
}

#endif
