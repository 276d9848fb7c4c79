/* SPDX-License-Identifier: MIT */
/*
 * lock.h: how core takes a lock that it neither makes nor knows, and the order in which locks are taken.
 *
 * Spec:  ours. A lock is a pointer that means something to the caller only: a mutex, a spinlock, nothing at all.
 * Order: enum vc_lock_rank, from the outermost: with one held, only locks of a higher rank may be taken, or of the same
 *        rank and a higher order (two domains' event locks: the lower domid first; vCPU locks: one at a time). Core holds
 *        none while it waits, copies to or from a guest, or calls an env function whose contract does not say "under
 *        the lock".
 * Irqs:  lock() saves the interrupt state and masks, unlock() restores exactly what its lock() saved, so that
 *        every function of core may be called with interrupts on or off. In a process both have nothing to do.
 * Check: with held set, each lock that core takes is compared with those that its thread holds already; wrong() is
 *        called before a deadlock could come of it. Meant for debug builds and tests: it costs a few loads a lock.
 */
#ifndef VCONS_LOCK_H
#define VCONS_LOCK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vc_lock_rank {
    VC_RANK_DOOR = 1,       /* a door's own, the caller's; core never takes one */
    VC_RANK_DOMAIN_CONSOLE, /* a domain's console (focus.h) */
    VC_RANK_CONSOLE,        /* the console (focus.h) */
    VC_RANK_EVENTS,         /* a domain's event lock: port table, where shared pages lie; order is its domid */
    VC_RANK_VCPU,           /* a leaf: one vCPU's shared pages, and the ports that notify it */
    VC_RANK_ANNOUNCE,       /* a leaf: whose turn it is to become a console (announce.h) */
};

#define VC_LOCKS_HELD_MAX 8u
struct vc_lock_held { /* one a thread, zeroed; for the caller to place, not to read */
    uint32_t n;
    struct {
        const void *lock;
        uint32_t rank, order;
    } at[VC_LOCKS_HELD_MAX];
};

struct vc_lock_env {
    unsigned long (*lock)(void *lock); /* never fails; returns what unlock restores */
    void (*unlock)(void *lock, unsigned long saved);
    struct vc_lock_held *(*held)(void); /* NULL: nothing is checked. Else the calling thread's */
    /* That thread breaks the order by taking lock now (taking), or gives back what it does not hold. Better not return. */
    void (*wrong)(const struct vc_lock_held *held, const void *lock, bool taking);
};

/* What core calls around each lock when held is set; a caller may, for locks of its own. */
void vc_lock_taking(const struct vc_lock_env *env, const void *lock, enum vc_lock_rank rank, uint32_t order);
void vc_lock_dropping(const struct vc_lock_env *env, const void *lock);

static inline unsigned long vc_lock_take(const struct vc_lock_env *env, void *lock, enum vc_lock_rank rank,
                                         uint32_t order)
{
    if (env->held != NULL)
        vc_lock_taking(env, lock, rank, order);
    return env->lock(lock);
}

static inline void vc_lock_drop(const struct vc_lock_env *env, void *lock, unsigned long saved)
{
    if (env->held != NULL)
        vc_lock_dropping(env, lock);
    env->unlock(lock, saved);
}

#endif
