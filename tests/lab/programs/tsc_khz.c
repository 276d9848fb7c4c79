/* SPDX-License-Identifier: MIT */
/*
 * tsc_khz: the frequency of this host's time stamp counter, which QEMU hands through to what it emulates. A kernel that finds it
 * out by itself, by a timer that is emulated too, gets it wrong by factors when the host is busy.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { TRIES = 200, PAUSE_US = 100000 };

struct moment {
    uint64_t ns, tsc;
};

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Of many tries the one with the least time around it, so that nothing came in between. */
static struct moment moment(void)
{
    struct moment best = {0, 0};
    uint64_t least = UINT64_MAX;

    for (int i = 0; i < TRIES; i++) {
        uint64_t before = now_ns(), tsc = __rdtsc(), after = now_ns();

        if (after - before < least) {
            least = after - before;
            best = (struct moment){before + least / 2, tsc};
        }
    }
    return best;
}

int main(void)
{
    struct moment a = moment(), b;

    usleep(PAUSE_US);
    b = moment();
    printf("%.0f\n", (double)(b.tsc - a.tsc) * 1e6 / (double)(b.ns - a.ns));
    return 0;
}
