/* SPDX-License-Identifier: MIT */
/*
 * door_locks.h: locks for the doors' tests, which check what a hypervisor's would suffer from: order, interrupt state,
 * unlocking what another holds, and env functions that run under a lock although they may sleep.
 *
 * Order: DOOR, DOMAIN, CONSOLE, EVENT, VCPU; each thread takes upwards only. As in Xen's check_lock, a lock that is ever taken
 * with interrupts off must never be taken with them on: every lock here masks, and must restore what it found.
 */
#ifndef VCONS_TESTS_DOOR_LOCKS_H
#define VCONS_TESTS_DOOR_LOCKS_H
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <vcons/lock.h>

enum door_lock_class { LOCK_DOOR = 1, LOCK_DOMAIN, LOCK_CONSOLE, LOCK_EVENT, LOCK_VCPU };
struct door_lock {
    enum door_lock_class class;
    unsigned order; /* among those of its class; equal ones are never held together */
    pthread_mutex_t mutex;
};
#define DOOR_LOCK(c)                                                                                                   \
    {                                                                                                                  \
        .class = (c), .mutex = PTHREAD_MUTEX_INITIALIZER                                                               \
    }

static _Thread_local struct door_lock *door_held[8];
static _Thread_local unsigned n_door_held;
static _Thread_local unsigned long door_irqs = 1; /* 1: on */

#define DOOR_CHECK(what)                                                                                               \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: lock rule broken: %s\n", __FILE__, __LINE__, #what);                               \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static unsigned long door_lock(void *lock)
{
    struct door_lock *l = lock;
    unsigned long saved = door_irqs;

    DOOR_CHECK(n_door_held == 0 || door_held[n_door_held - 1]->class < l->class ||
               (door_held[n_door_held - 1]->class == l->class && door_held[n_door_held - 1]->order < l->order));
    door_irqs = 0;
    pthread_mutex_lock(&l->mutex);
    door_held[n_door_held++] = l;
    return saved;
}

static void door_unlock(void *lock, unsigned long saved)
{
    struct door_lock *l = lock;

    DOOR_CHECK(n_door_held > 0 && door_held[n_door_held - 1] == l);
    DOOR_CHECK(saved == (n_door_held == 1 ? 1 : 0)); /* this file's threads start with interrupts on */
    n_door_held--;
    pthread_mutex_unlock(&l->mutex);
    door_irqs = saved;
}

/* First line of every env function that may sleep, copy or call back. */
static inline void door_may_sleep(void) { DOOR_CHECK(n_door_held == 0 && door_irqs == 1); }
static inline void door_under(enum door_lock_class class)
{
    DOOR_CHECK(n_door_held > 0 && door_held[n_door_held - 1]->class == class);
}
static inline void door_holds(enum door_lock_class class)
{
    bool any = false;

    for (unsigned i = 0; i < n_door_held; i++)
        any |= door_held[i]->class == class;
    DOOR_CHECK(any);
}
static const struct vc_lock_env door_locks = {.lock = door_lock, .unlock = door_unlock};

#endif
