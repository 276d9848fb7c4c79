/* SPDX-License-Identifier: MIT */
/*
 * announce.h: whose turn it is to be made known to a guest as a console: across all virtio-console devices of a domain one
 * port at a time, in the order of their places, the next only after the guest opened the one before.
 *
 * Why:   Linux before 6.2 (Debian 12 among them) numbers consoles by a counter that its devices' work items read and
 *        increment without a lock: two that are announced at once, by two devices, may become one hvc. And with any Linux
 *        hvcN is given in the order in which the guest comes to it.
 * Spec:  ours. A place is expected (there is a port, the guest does not know it), ready (the guest made the port, and may be
 *        told that it is a console), in turn (it may be told now), or done. The turn goes to the first place that is not done
 *        once that is ready. It is waited for, while others are ready behind it, and then for being opened, limit_ns each
 *        time: a guest that drives only some of its devices, or opens no console by itself, gets the others all the same.
 *        What comes later than that takes its turn when it comes. What is plugged while the guest runs takes it behind
 *        all that are there: its place is one that another has left, or not, and says nothing of when. Together, if so
 *        asked: nobody is waited for to open, and all get their turns at once, as soon as none is expected any more.
 * Owner: the caller places struct vc_announce and its places, one for each console port, numbered as the guest shall.
 * Lock:  one leaf lock (VC_RANK_ANNOUNCE) through env->lock, taken inside. Any thread, under any device's lock. env's turn and
 *        timer run under both: they may not call back.
 * Trust: places are the caller's; how long a guest takes, and in what order it does things, is not.
 */
#ifndef VCONS_ANNOUNCE_H
#define VCONS_ANNOUNCE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/lock.h>

#define VC_ANNOUNCE_LIMIT_NS                                                                                           \
    UINT64_C(10000000000) /* a fair limit_ns: a booting Linux takes milliseconds, an emulated one seconds */

struct vc_announce_env {
    struct vc_lock_env lock;
    /* It is owner's turn, as vc_announce_expect named it: soon, under that device's lock, vc_virtio_console_serve. */
    void (*turn)(void *ctx, void *owner);
    /* One call of vc_announce_timer in so many ns, instead of any asked before; 0: none. */
    void (*timer)(void *ctx, uint64_t ns);
};

enum vc_announced {
    VC_ANNOUNCED_NOT = 0,  /* no port, or none that is announced */
    VC_ANNOUNCED_EXPECTED, /* waited for */
    VC_ANNOUNCED_LATE,     /* not waited for any more */
    VC_ANNOUNCED_READY,
    VC_ANNOUNCED_TURN,
    VC_ANNOUNCED_DONE,
};
struct vc_announce_place { /* private */
    void *owner;
    enum vc_announced state;
    uint32_t turn;  /* its number in the order */
    uint32_t whose; /* the place whose number in the order is this one's index */
};
struct vc_announce { /* for the caller to place, not to read, but for late */
    const struct vc_announce_env *env;
    void *ctx, *lock;
    uint64_t limit_ns;
    struct vc_announce_place *places;
    uint32_t n, first; /* turns; all before first are done, or not */
    bool timing, together, by_time;
    uint32_t late; /* times that the limit has passed */
};

/* No place is expected. */
void vc_announce_init(struct vc_announce *a, const struct vc_announce_env *env, void *ctx, void *lock,
                      struct vc_announce_place *places, uint32_t n, uint64_t limit_ns);
/* From now on all get their turns together: for guests that need no order, and to see what others make of that. */
void vc_announce_together(struct vc_announce *a);
/* Those that are there from the start have been named, in the order of their places: who comes from now on is the last. */
void vc_announce_from_now_on(struct vc_announce *a);
/* There is a port at place (below n) that the guest does not know, or not any more. */
void vc_announce_expect(struct vc_announce *a, uint32_t place, void *owner);
/* The guest has made that port. Nothing, if the place is in turn or done already. */
void vc_announce_ready(struct vc_announce *a, uint32_t place);
/* Whether it may be told that it is a console: it is in turn, or done. */
bool vc_announce_may(struct vc_announce *a, uint32_t place);
/* The guest has opened it, or will never: the next. */
void vc_announce_done(struct vc_announce *a, uint32_t place);
/* The port is gone. */
void vc_announce_leave(struct vc_announce *a, uint32_t place);
/* The time asked for by env->timer has passed. One that was taken back does nothing. */
void vc_announce_timer(struct vc_announce *a);

#endif
