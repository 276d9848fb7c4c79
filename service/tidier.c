/* SPDX-License-Identifier: MIT */
#include "tidier.h"

#include "host/thread.h"
#include "log.h"
#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <time.h>

#define NS_PER_S  UINT64_C(1000000000)
#define BEGIN_NS  NS_PER_S
#define LATEST_NS (3600 * NS_PER_S) /* while something gets old: the wall clock may be set */

/* Something to do for whoever waits for it; from any thread, and without a lock that one of them could hold for long. */
static void ask(uint32_t *what, sem_t *whom)
{
    if (__atomic_exchange_n(what, 1, __ATOMIC_ACQ_REL) == 0)
        (void)sem_post(whom);
}

static bool asked(uint32_t *what) { return __atomic_exchange_n(what, 0, __ATOMIC_ACQ_REL) != 0; }

static void await(sem_t *s)
{
    while (sem_wait(s) != 0 && errno == EINTR)
        ;
}

/* For so long at most. */
static void await_ns(sem_t *s, uint64_t ns)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    ns += (uint64_t)until.tv_nsec;
    until.tv_sec += (time_t)(ns / NS_PER_S);
    until.tv_nsec = (long)(ns % NS_PER_S);
    while (sem_clockwait(s, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR)
        ;
}

static uint64_t ns_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void tidier_init(struct tidier *t)
{
    *t = (struct tidier){.store = NULL};
    sem_init(&t->wake, 0, 0);
    sem_init(&t->go, 0, 0);
}

void tidier_untidy(void *tidier)
{
    struct tidier *t = tidier;

    ask(&t->untidy, &t->wake);
}

void tidier_closed(void *tidier)
{
    struct tidier *t = tidier;

    ask(&t->closed, &t->wake);
}

/* Hand the next closed segment over. */
static void next_segment(struct tidier *t)
{
    t->busy = log_compress_next(t->store, &t->segment);
    if (t->busy)
        ask(&t->work, &t->go);
}

/* What is to be done now. */
static void look(struct tidier *t)
{
    struct log_time now = {ns_of(CLOCK_REALTIME), ns_of(CLOCK_MONOTONIC)};
    bool more = asked(&t->closed);

    if (asked(&t->untidy) || now.mono_ns >= t->due_mono) {
        uint64_t due = log_store_tidy(t->store, &now);

        t->due_mono = due == UINT64_MAX ? due : now.mono_ns + (due < LATEST_NS ? due : LATEST_NS);
    }
    if (asked(&t->done)) {
        (void)log_compress_end(t->store, &t->segment); /* what stays raw is looked at again with its next */
        t->busy = false;
        more = true;
    }
    if (more && !t->busy)
        next_segment(t);
    malloc_trim(0); /* the list of all segments, however much else was allocated behind it meanwhile */
}

static void *tidy(void *argument)
{
    struct tidier *t = argument;

    await_ns(&t->wake, BEGIN_NS); /* whoever starts us has better to do than to wait for the disk */
    log_compress_init(&t->segment, t->store);
    ask(&t->closed, &t->wake);
    while (__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE) == 0) {
        uint64_t mono = ns_of(CLOCK_MONOTONIC);

        look(t);
        if (t->due_mono == UINT64_MAX)
            await(&t->wake);
        else
            await_ns(&t->wake, t->due_mono > mono ? t->due_mono - mono : 0);
    }
    return NULL;
}

static void *compress(void *argument)
{
    struct tidier *t = argument;

    for (await(&t->go); asked(&t->work); await(&t->go)) {
        log_compress_run(&t->segment, &t->stop);
        ask(&t->done, &t->wake);
    }
    return NULL;
}

int tidier_start(struct tidier *t, struct log_store *store)
{
    const struct sched_param idle = {0};
    int error;

    t->store = store;
    error = -thread_start(&t->tidy, "tidier", tidy, t);
    if (error != 0)
        return -error;
    error = -thread_start(&t->compress, "compress", compress, t);
    if (error != 0) {
        __atomic_store_n(&t->stop, 1, __ATOMIC_RELEASE);
        (void)sem_post(&t->wake);
        pthread_join(t->tidy, NULL);
        return -error;
    }
    (void)pthread_setschedparam(t->compress, SCHED_IDLE, &idle); /* else it is only as any other */
    t->running = true;
    return 0;
}

void tidier_stop(struct tidier *t)
{
    if (!t->running)
        return;
    __atomic_store_n(&t->stop, 1, __ATOMIC_RELEASE);
    (void)sem_post(&t->wake);
    pthread_join(t->tidy, NULL);
    (void)sem_post(&t->go);
    pthread_join(t->compress, NULL);
    if (t->busy)
        (void)log_compress_end(t->store, &t->segment);
    log_compress_finish(&t->segment);
    t->running = false;
}
