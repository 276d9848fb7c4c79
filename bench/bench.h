/* SPDX-License-Identifier: MIT */
/*
 * bench.h: what every measuring program shares: clocks, placement, its one result line.
 *
 * A program runs one round of one workload and prints one JSON object; bench.py starts ours and the limit in turn and
 * compares. Limits include this and <vcons/wire/...> (layouts only), and link nothing of the project.
 */
#ifndef VCONS_BENCH_H
#define VCONS_BENCH_H
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define require(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static inline uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Nanoseconds that the calling thread has run, as the scheduler counted them. */
static inline uint64_t thread_cpu_ns(void)
{
    char text[64] = "";
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);

    require(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    close(fd);
    return strtoull(text, NULL, 10);
}

static inline void pin_to(int cpu) /* below 0: anywhere */
{
    cpu_set_t set;

    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    require(sched_setaffinity(0, sizeof set, &set) == 0);
}

/* Byte i of a stream that both sides can compute; not periodic in any ring size. */
static inline uint8_t stream_byte(uint64_t i) { return (uint8_t)((i * UINT64_C(0x9e3779b97f4a7c15)) >> 56); }

#endif
