/* SPDX-License-Identifier: MIT */
#include "tidier.h"

#include "log.h"
#include <errno.h>
#include <malloc.h>
#include <sched.h>

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

static void *tidy(void *argument)
{
    struct tidier *t = argument;
    bool more = true;

    log_compress_init(&t->segment, t->store);
    while (__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE) == 0) {
        if (asked(&t->untidy))
            log_store_tidy(t->store);
        if (asked(&t->done)) {
            (void)log_compress_end(t->store, &t->segment); /* what stays raw is looked at again with its next */
            t->busy = false;
            more = true;
        }
        more = asked(&t->closed) || more;
        if (more && !t->busy) {
            more = false;
            next_segment(t);
        }
        malloc_trim(0); /* the list of all segments, however much else was allocated behind it meanwhile */
        await(&t->wake);
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
    error = pthread_create(&t->tidy, NULL, tidy, t);
    if (error != 0)
        return -error;
    pthread_setname_np(t->tidy, "tidier");
    error = pthread_create(&t->compress, NULL, compress, t);
    if (error != 0) {
        __atomic_store_n(&t->stop, 1, __ATOMIC_RELEASE);
        (void)sem_post(&t->wake);
        pthread_join(t->tidy, NULL);
        return -error;
    }
    pthread_setname_np(t->compress, "compress");
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
