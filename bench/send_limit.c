/* SPDX-License-Identifier: MIT */
/* The limit of send: the three atomic changes that Xen's ABI wants of each, uncontended, and the guest's stores after. */
#include "bench.h"

enum { SENDS = 4000000 };

static _Alignas(64) uint64_t pending;
static _Alignas(64) uint64_t info[8]; /* upcall_pending, selector: one cache line, as in vcpu_info */

int main(int argc, char **argv)
{
    uint64_t began, cpu, missed = 0;

    require(argc == 2);
    pin_to(atoi(argv[1]));
    cpu = thread_cpu_ns();
    began = now_ns();
    for (uint32_t i = 0; i < SENDS; i++) {
        missed += __atomic_exchange_n(&pending, 2, __ATOMIC_SEQ_CST) != 0;
        missed += __atomic_exchange_n(&info[1], 1, __ATOMIC_SEQ_CST) != 0;
        missed += __atomic_exchange_n(&info[0], 1, __ATOMIC_SEQ_CST) != 0;
        __atomic_store_n(&info[0], 0, __ATOMIC_RELAXED);
        __atomic_store_n(&info[1], 0, __ATOMIC_RELAXED);
        __atomic_store_n(&pending, 0, __ATOMIC_RELAXED);
    }
    began = now_ns() - began;
    cpu = thread_cpu_ns() - cpu;
    require(missed == 0);
    printf("{\"value\": %.3f, \"wall_ns\": %.3f}\n", (double)cpu / SENDS, (double)began / SENDS);
    return 0;
}
