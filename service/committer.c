/* SPDX-License-Identifier: MIT */
#include "committer.h"

#include <errno.h>
#include <time.h>

#include "host/thread.h"
#include "log.h"

#define NS_PER_S UINT64_C(1000000000)

void committer_init(struct committer *c)
{
    *c = (struct committer){.store = NULL};
    sem_init(&c->wake, 0, 0);
}

void committer_dirty(struct committer *c)
{
    if (__atomic_exchange_n(&c->dirty, 1, __ATOMIC_ACQ_REL) == 0)
        (void)sem_post(&c->wake);
}

static uint64_t ns_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Until that time, or until there is news if UINT64_MAX; always until it is to stop. */
static void await(struct committer *c, uint64_t mono_ns)
{
    const struct timespec until = {(time_t)(mono_ns / NS_PER_S), (long)(mono_ns % NS_PER_S)};

    if (mono_ns == UINT64_MAX)
        while (sem_wait(&c->wake) != 0 && errno == EINTR)
            ;
    else
        while (sem_clockwait(&c->wake, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR)
            ;
}

static void *run(void *argument)
{
    struct committer *c = argument;

    while (__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE) == 0) {
        struct log_time now = {ns_of(CLOCK_REALTIME), ns_of(CLOCK_MONOTONIC)};
        uint64_t next;

        __atomic_store_n(&c->dirty, 0, __ATOMIC_RELEASE); /* what comes from here on wakes us */
        next = log_store_sync(c->store, &now);
        if (next > 0)
            await(c, next == UINT64_MAX ? next : now.mono_ns + next);
    }
    return NULL;
}

int committer_start(struct committer *c, struct log_store *store)
{
    int error;

    c->store = store;
    error = thread_start(&c->thread, "commit", run, c);
    c->running = error == 0;
    return error;
}

void committer_stop(struct committer *c)
{
    struct log_time end = {ns_of(CLOCK_REALTIME), UINT64_MAX / 2}; /* whatever waits is due then */

    if (!c->running)
        return;
    __atomic_store_n(&c->stop, 1, __ATOMIC_RELEASE);
    (void)sem_post(&c->wake);
    pthread_join(c->thread, NULL);
    (void)log_store_sync(c->store, &end);
    c->running = false;
}
