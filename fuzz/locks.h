/* SPDX-License-Identifier: MIT */
/* locks.h: core's locks for targets with one thread: they only count, and must be given back in order. */
#ifndef VCONS_FUZZ_LOCKS_H
#define VCONS_FUZZ_LOCKS_H
#include "fuzz.h"

static uint32_t locks_held;

static unsigned long lock(void *which)
{
    (void)which;
    return locks_held++;
}
static void unlock(void *which, unsigned long saved)
{
    (void)which;
    require(--locks_held == saved);
}

#endif
