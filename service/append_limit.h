/* SPDX-License-Identifier: MIT */
/*
 * append_limit.h: how many bytes a second of one console are stored, where the configuration sets a limit.
 *
 * Spec:  vconsd.conf(5), limit and over_limit. A bucket that holds one second's bytes and is filled as time goes by: a console
 *        that was quiet may say so much at once. Above it the rest waits in its ring, so that its guest does, too; or it is
 *        thrown away and counted, in stretches of a quarter of a second and more, each of them one gap in the log.
 * Owner: the caller places it; nothing is allocated. The clock is the caller's.
 * Lock:  set and status any thread; the others the append thread's.
 * Trust: the peer writes as fast as it likes, and pays with its own bytes or its own time.
 */
#ifndef VCONS_SERVICE_APPEND_LIMIT_H
#define VCONS_SERVICE_APPEND_LIMIT_H
#include <stdbool.h>
#include <stdint.h>

#define LIMIT_MIN UINT64_C(1024) /* bytes a second: a screenful each two */
#define LIMIT_MAX (UINT64_C(1) << 32)

struct append_limit {
    uint64_t rate;    /* atomic: bytes a second; 0: no limit */
    uint32_t drop;    /* atomic: what is above it is thrown away, else it waits */
    uint64_t dropped; /* atomic: bytes */
    uint64_t held_ns; /* atomic: how long it had to wait, in all */
    uint64_t bucket;  /* 10^-9 bytes that may be stored, at ... */
    uint64_t since_ns;
    bool dropping;
};

/* A new limit, or 0 for none; what was counted stays. The bucket is full at first. */
void append_limit_set(struct append_limit *l, uint64_t rate, bool drop);
/* How many of n bytes may be taken out of the source now; n where they may be thrown away. */
uint32_t append_limit_take(struct append_limit *l, uint32_t n, uint64_t now_ns);
/* How many of n bytes that were taken are stored: the others are counted as dropped. They are used up. */
uint32_t append_limit_store(struct append_limit *l, uint32_t n, uint64_t now_ns);
/* After take gave less than was asked for: how long to wait; counted. */
uint64_t append_limit_wait_ns(struct append_limit *l, uint64_t now_ns);

#endif
