/* SPDX-License-Identifier: MIT */
/*
 * lock.h: how core takes a lock that it neither makes nor knows.
 *
 * Spec:  ours. A lock is a pointer that means something to the caller only: a mutex, a spinlock, nothing at all.
 * Order: a door's lock (the caller's), a domain's console lock, the console lock (focus.h); the event lock
 *        (events.h) is a leaf that may be taken under any of them. Core holds none while it waits, copies to
 *        or from a guest, or calls an env function whose contract does not say "under the lock".
 * Irqs:  lock() saves the interrupt state and masks, unlock() restores exactly what its lock() saved, so that
 *        every function of core may be called with interrupts on or off. In a process both have nothing to do.
 */
#ifndef VCONS_LOCK_H
#define VCONS_LOCK_H

struct vc_lock_env {
    unsigned long (*lock)(void *lock); /* never fails; returns what unlock restores */
    void (*unlock)(void *lock, unsigned long saved);
};

#endif
