/* SPDX-License-Identifier: MIT */
/* The limit of uart: the byte's store and the index's update that a reader can rely on (plain), or that it can sleep on (seq). */
#include "bench.h"

enum { WRITES = 20000000, RING = 65536 };

static uint8_t ring[RING];
static uint32_t prod, cons, wait;

int main(int argc, char **argv)
{
    uint64_t began = now_ns(), kicks = 0;

    require(argc == 2);
    if (strcmp(argv[1], "plain") == 0)
        for (uint32_t i = 0; i < WRITES; i++) {
            uint32_t at = __atomic_load_n(&prod, __ATOMIC_RELAXED);

            ring[at % RING] = stream_byte(i);
            __atomic_store_n(&prod, at + 1, __ATOMIC_RELEASE);
        }
    else
        for (uint32_t i = 0; i < WRITES; i++) {
            uint32_t at = __atomic_load_n(&prod, __ATOMIC_RELAXED);

            if (at - __atomic_load_n(&cons, __ATOMIC_SEQ_CST) == RING)
                __atomic_store_n(&cons, at, __ATOMIC_SEQ_CST);
            ring[at % RING] = stream_byte(i);
            __atomic_store_n(&prod, at + 1, __ATOMIC_SEQ_CST);
            kicks += __atomic_load_n(&wait, __ATOMIC_SEQ_CST);
        }
    began = now_ns() - began;
    require(prod == WRITES && kicks == 0);
    for (uint64_t i = WRITES - RING; i < WRITES; i++)
        require(ring[i % RING] == stream_byte(i));
    printf("{\"value\": %.3f}\n", (double)began / WRITES);
    return 0;
}
