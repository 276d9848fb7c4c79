/* SPDX-License-Identifier: MIT */
/* ids: with 10^6 live numbers, free one anywhere and allocate: the lowest free one, so the same comes back. */
#include "bench.h"
#include <vcons/ids.h>

enum { LIVE = 1000000, PAIRS = 4000000 };

int main(void)
{
    struct vc_ids ids;
    void *memory = malloc(vc_ids_bytes(LIVE + 1000));
    uint64_t began, cpu, random = 88172645463325252u, wrong = 0;
    uint32_t id;

    require(memory != NULL && vc_ids_init(&ids, 1, LIVE + 1000, memory) == VC_OK);
    for (uint32_t i = 1; i <= LIVE; i++)
        require(vc_ids_alloc(&ids, &id) == VC_OK && id == i);
    cpu = thread_cpu_ns();
    began = now_ns();
    for (uint32_t i = 0; i < PAIRS; i++) {
        uint32_t any;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        any = 1 + (uint32_t)((random >> 32) * LIVE >> 32);
        wrong += (uint64_t)(vc_ids_free(&ids, any) != VC_OK || vc_ids_alloc(&ids, &id) != VC_OK || id != any);
    }
    began = now_ns() - began;
    cpu = thread_cpu_ns() - cpu;
    require(wrong == 0);
    printf("{\"value\": %.3f, \"cpu_ns\": %llu}\n", (double)began / PAIRS, (unsigned long long)cpu);
    free(memory);
    return 0;
}
