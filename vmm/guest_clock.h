/* SPDX-License-Identifier: MIT */
/*
 * guest_clock.h: system time by the processor's counter, for guests whose engine has no clock of its own to show them.
 *
 * Spec:  struct vcpu_time_info (wire/shared_info.h): ns = system_time + (ticks since tsc_timestamp) * mul >> 32, shifted.
 * Owner: the caller's struct guest_clock, one a program.
 * Lock:  none: started before there are threads, then read only.
 *
 * The counter's rate is measured, against CLOCK_MONOTONIC, over the time since the start: some 50 ns of doubt in at least
 * 20 ms. It is told anew whenever the guest places shared_info; in between the guest's own clock may be off by that.
 */
#ifndef VCONS_VMM_GUEST_CLOCK_H
#define VCONS_VMM_GUEST_CLOCK_H
#include <stdint.h>
#include <vcons/wire/shared_info.h>

struct guest_clock {
    uint64_t ticks, ns; /* at the same moment, long enough ago */
};

void guest_clock_start(struct guest_clock *c);
/*
 * Now, when the guest's system time is CLOCK_MONOTONIC plus offset_ns. Sleeps for what is missing of 20 ms since the start.
 * Where there is no counter mul is 1 and nothing moves: a guest may divide by it, and no more.
 */
struct vcpu_time_info guest_clock_now(const struct guest_clock *c, uint64_t offset_ns);
/* ns / ticks as mul and shift: mul from 2^31 on, for the most digits. ticks is not 0. */
void guest_clock_rate(uint64_t ticks, uint64_t ns, uint32_t *mul, int8_t *shift);

#endif
