/* SPDX-License-Identifier: MIT */
/*
 * clock.h: the clock for deadlines and for guests: CLOCK_MONOTONIC, which never jumps.
 *
 * Lock:  none: any thread.
 */
#ifndef HOST_CLOCK_H
#define HOST_CLOCK_H
#include <stdint.h>

uint64_t clock_ns(void);
uint64_t clock_ms(void);

#endif
