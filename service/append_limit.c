/* SPDX-License-Identifier: MIT */
#include "append_limit.h"

#define NS_A_SECOND UINT64_C(1000000000)
#define PART_HELD   32u /* of a second's bytes: so much at once for one that waits */
#define PART_DROP   4u  /* of it: so much has to be there before one that lost bytes is stored again */

_Static_assert(2 * LIMIT_MAX * NS_A_SECOND / LIMIT_MAX == 2 * NS_A_SECOND, "a full bucket and a second's more fit");

static uint64_t rate_of(const struct append_limit *l) { return __atomic_load_n(&l->rate, __ATOMIC_RELAXED); }

static bool drops(const struct append_limit *l) { return __atomic_load_n(&l->drop, __ATOMIC_RELAXED) != 0; }

static void count(uint64_t *at, uint64_t n) { __atomic_fetch_add(at, n, __ATOMIC_RELAXED); }

void append_limit_set(struct append_limit *l, uint64_t rate, bool drop)
{
    __atomic_store_n(&l->drop, drop, __ATOMIC_RELAXED);
    __atomic_store_n(&l->rate, rate < LIMIT_MAX ? rate : LIMIT_MAX, __ATOMIC_RELAXED);
}

/* What fits into the bucket by now: its unit is so small that no time is lost by rounding. How many bytes that are. */
static uint64_t fill(struct append_limit *l, uint64_t rate, uint64_t now_ns)
{
    uint64_t passed = now_ns - l->since_ns, full = rate * NS_A_SECOND;

    if (l->since_ns == 0 || passed >= NS_A_SECOND || l->bucket + passed * rate > full)
        l->bucket = full;
    else
        l->bucket += passed * rate;
    l->since_ns = now_ns;
    return l->bucket / NS_A_SECOND;
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint32_t append_limit_take(struct append_limit *l, uint32_t n, uint64_t now_ns)
{
    uint64_t rate = rate_of(l);

    return rate == 0 || drops(l) ? n : (uint32_t)least(fill(l, rate, now_ns), n);
}

uint32_t append_limit_store(struct append_limit *l, uint32_t n, uint64_t now_ns)
{
    uint64_t rate = rate_of(l), tokens, stored;

    if (rate == 0)
        return n;
    tokens = fill(l, rate, now_ns);
    stored = least(tokens, n);
    if (drops(l) && l->dropping && tokens < rate / PART_DROP)
        stored = 0;
    l->bucket -= stored * NS_A_SECOND;
    if (!drops(l))
        return n; /* it was taken because it may be */
    l->dropping = stored < n;
    count(&l->dropped, n - stored);
    return (uint32_t)stored;
}

uint64_t append_limit_wait_ns(struct append_limit *l, uint64_t now_ns)
{
    uint64_t rate = rate_of(l), wanted = rate / PART_HELD * NS_A_SECOND, wait;

    if (rate == 0)
        return 0;
    (void)fill(l, rate, now_ns);
    wait = l->bucket < wanted ? (wanted - l->bucket + rate - 1) / rate : 0;
    count(&l->held_ns, wait);
    return wait;
}
