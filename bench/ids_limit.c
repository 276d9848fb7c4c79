/* SPDX-License-Identifier: MIT */
/* The limit of ids: a bitmap that fits one cache line, 512 numbers, all live; free one, scan for the lowest free one. */
#include "bench.h"

enum { LIVE = 512, WORDS = 8, PAIRS = 4000000 };

static _Alignas(64) uint64_t bitmap[WORDS];

static uint32_t allocate(void)
{
    for (uint32_t i = 0; i < WORDS; i++)
        if (~bitmap[i] != 0) {
            uint32_t bit = (uint32_t)__builtin_ctzll(~bitmap[i]);

            bitmap[i] |= UINT64_C(1) << bit;
            return i * 64 + bit;
        }
    return LIVE;
}

int main(void)
{
    uint64_t began, cpu, random = 88172645463325252u, wrong = 0;

    memset(bitmap, 0xff, sizeof bitmap);
    cpu = thread_cpu_ns();
    began = now_ns();
    for (uint32_t i = 0; i < PAIRS; i++) {
        uint32_t any;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        any = (uint32_t)((random >> 32) * LIVE >> 32);
        bitmap[any / 64] &= ~(UINT64_C(1) << any % 64);
        wrong += allocate() != any;
    }
    began = now_ns() - began;
    cpu = thread_cpu_ns() - cpu;
    require(wrong == 0);
    printf("{\"value\": %.3f, \"cpu_ns\": %llu}\n", (double)began / PAIRS, (unsigned long long)cpu);
    return 0;
}
