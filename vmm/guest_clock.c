/* SPDX-License-Identifier: MIT */
#include "guest_clock.h"
#include "host/clock.h"
#include <math.h>
#include <time.h>

#define LEAST_NS 20000000u

#if defined(__x86_64__)
static uint64_t ticks_now(void) { return __builtin_ia32_rdtsc(); }
#else
static uint64_t ticks_now(void) { return 0; }
#endif

/* Both at one moment: the middle of the narrowest of some tries. */
static void sample(uint64_t *ticks, uint64_t *ns)
{
    uint64_t narrowest = UINT64_MAX;

    *ticks = *ns = 0;
    for (unsigned i = 0; i < 5; i++) {
        uint64_t before = clock_ns(), middle = ticks_now(), after = clock_ns();

        if (after - before < narrowest) {
            narrowest = after - before;
            *ticks = middle;
            *ns = before + narrowest / 2;
        }
    }
}

void guest_clock_start(struct guest_clock *c) { sample(&c->ticks, &c->ns); }

void guest_clock_rate(uint64_t ticks, uint64_t ns, uint32_t *mul, int8_t *shift)
{
    int exponent;
    double mantissa = frexp((double)ns / (double)ticks, &exponent); /* from 1/2 up to, but without, 1 */

    *mul = (uint32_t)(mantissa * 4294967296.0);
    *shift = (int8_t)exponent;
    if (*mul == 0 || exponent < -31 || exponent > 31) {
        *mul = 1; /* no counter has such a rate */
        *shift = 0;
    }
}

struct vcpu_time_info guest_clock_now(const struct guest_clock *c, uint64_t offset_ns)
{
    struct vcpu_time_info time = {.tsc_to_system_mul = 1};
    uint64_t now = clock_ns(), ticks, ns;

    if (now - c->ns < LEAST_NS)
        nanosleep(&(struct timespec){.tv_nsec = (long)(LEAST_NS - (now - c->ns))}, NULL);
    sample(&ticks, &ns);
    time.tsc_timestamp = ticks;
    time.system_time = ns + offset_ns;
    if (ticks > c->ticks)
        guest_clock_rate(ticks - c->ticks, ns - c->ns, &time.tsc_to_system_mul, &time.tsc_shift);
    return time;
}
