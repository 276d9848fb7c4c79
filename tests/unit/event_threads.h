/* SPDX-License-Identifier: MIT */
/* event_threads.h: domains for the stresses of event channels: guests in this process, whose addresses are ours, and frames
 * that are pages of an array. Locks are mutexes, their order is checked (core's checker, one state a thread). */
#ifndef VCONS_TESTS_EVENT_THREADS_H
#define VCONS_TESTS_EVENT_THREADS_H
#include "stress.h"
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <vcons/atomic.h>
#include <vcons/events.h>

#define THREAD_VCPUS  8u
#define THREAD_FRAMES 32u

struct thread_domain {
    struct vc_shared_info shared;
    struct vc_events events;
    pthread_mutex_t lock, vcpu_locks[THREAD_VCPUS];
    uint8_t *frames; /* THREAD_FRAMES of 4096 bytes */
    void *shared_memory, *events_memory;
    uint32_t stop; /* nobody sleeps any more */
    struct thread_domain *others;
    uint32_t n_others;
};

static _Thread_local struct vc_lock_held thread_held;
static struct vc_lock_held *thread_locks_held(void) { return &thread_held; }
static void thread_wrong(const struct vc_lock_held *held, const void *lock, bool taking)
{
    fprintf(stderr, "lock order broken: %p %s with %u held\n", lock, taking ? "taken" : "dropped", held->n);
    abort();
}
static unsigned long thread_lock(void *lock)
{
    pthread_mutex_lock(lock);
    return 0;
}
static void thread_unlock(void *lock, unsigned long saved)
{
    (void)saved;
    pthread_mutex_unlock(lock);
}
static bool thread_copy_in(void *ctx, void *to, uint64_t from, uint32_t n)
{
    (void)ctx;
    require(thread_held.n == 0);
    memcpy(to, (const void *)(uintptr_t)from, n);
    return true;
}
static bool thread_copy_out(void *ctx, uint64_t to, const void *from, uint32_t n)
{
    (void)ctx;
    require(thread_held.n == 0);
    memcpy((void *)(uintptr_t)to, from, n);
    return true;
}
static int thread_map(void *domain, uint64_t gfn, uint8_t **page)
{
    struct thread_domain *d = domain;

    if (gfn >= THREAD_FRAMES)
        return VC_ENOENT;
    *page = d->frames + gfn * 4096;
    return VC_OK;
}
static void thread_sent(void *ctx, void *door)
{
    (void)ctx;
    (void)door;
    require(thread_held.n == 0);
}
static enum vc_wait thread_wait(void *ctx, const uint32_t *word, uint32_t value, uint64_t deadline_ns)
{
    struct thread_domain *d = ctx;
    struct timespec limit = {.tv_nsec = 1000000};

    require(thread_held.n == 0);
    if (vc_load_seq(&d->stop) != 0)
        return VC_WAIT_STOP;
    /* Without a deadline nothing but a wake ends it: an event that is lost is seen as a sleep for ever. */
    if (syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, deadline_ns ? &limit : NULL, NULL, 0) < 0 &&
        errno == ETIMEDOUT)
        return VC_WAIT_TIMEOUT;
    return vc_load_seq(&d->stop) != 0 ? VC_WAIT_STOP : VC_WAIT_WOKEN;
}
static void thread_wake(void *domain, const uint32_t *word)
{
    (void)domain;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}
static void thread_yield(void *ctx)
{
    (void)ctx;
    sched_yield();
}
static void thread_shutdown(void *ctx, uint32_t reason)
{
    (void)ctx;
    (void)reason;
}
static struct vc_events *thread_peer(void *domain, uint32_t domid)
{
    struct thread_domain *d = domain;

    require(thread_held.n == 0);
    return domid >= 1 && domid <= d->n_others ? &d->others[domid - 1].events : NULL;
}

static const struct vc_shared_info_env thread_shared_env = {
    .lock = {.lock = thread_lock, .unlock = thread_unlock, .held = thread_locks_held, .wrong = thread_wrong},
    .map = thread_map,
    .copy_in = thread_copy_in,
    .copy_out = thread_copy_out,
    .wake = thread_wake,
};
static const struct vc_events_env thread_events_env = {
    .copy_in = thread_copy_in,
    .copy_out = thread_copy_out,
    .sent = thread_sent,
    .wait = thread_wait,
    .yield = thread_yield,
    .shutdown = thread_shutdown,
    .peer = thread_peer,
};

static void thread_domain_init(struct thread_domain *d, uint32_t domid, uint32_t n_vcpus, uint32_t n_ports)
{
    void *locks[THREAD_VCPUS];
    struct vc_shared_info_config c = {.n_vcpus = n_vcpus,
                                      .domid = domid,
                                      .xen_version = XEN_VERSION_OF(4, 21),
                                      .lock = &d->lock,
                                      .vcpu_locks = locks};

    pthread_mutex_init(&d->lock, NULL);
    for (uint32_t i = 0; i < THREAD_VCPUS; i++) {
        pthread_mutex_init(&d->vcpu_locks[i], NULL);
        locks[i] = &d->vcpu_locks[i];
    }
    d->frames = aligned_alloc(4096, THREAD_FRAMES * 4096);
    d->shared_memory = aligned_alloc(64, vc_shared_info_bytes(n_vcpus));
    d->events_memory = aligned_alloc(64, vc_events_bytes(n_ports, n_vcpus));
    require(d->frames != NULL && d->shared_memory != NULL && d->events_memory != NULL);
    memset(d->frames, 0, THREAD_FRAMES * 4096);
    require(vc_shared_info_init(&d->shared, &thread_shared_env, d, &c, d->shared_memory) == VC_OK);
    require(vc_events_init(&d->events, &thread_events_env, d, &d->shared, n_ports, d->events_memory) == VC_OK);
}

static void thread_domain_finish(struct thread_domain *d)
{
    free(d->frames);
    free(d->shared_memory);
    free(d->events_memory);
}

/* Whoever sleeps in a call comes back. */
static inline void thread_domain_stop(struct thread_domain *d)
{
    vc_store_seq(&d->stop, 1);
    for (uint32_t i = 0; i < d->shared.n_vcpus; i++) {
        __atomic_fetch_add(&d->shared.vcpus[i].word, 1, __ATOMIC_SEQ_CST);
        thread_wake(d, &d->shared.vcpus[i].word);
    }
}

static inline int64_t thread_op(struct thread_domain *d, uint64_t cmd, void *arg)
{
    return vc_events_channel_op(&d->events, d, cmd, (uint64_t)(uintptr_t)arg);
}

#endif
