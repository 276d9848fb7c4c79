/* SPDX-License-Identifier: MIT */
#include "tidier.h"

#include "log.h"
#include <malloc.h>

void tidier_untidy(void *tidier)
{
    struct tidier *t = tidier;

    pthread_mutex_lock(&t->lock);
    t->wanted = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

static bool wait_for_work(struct tidier *t)
{
    bool stopping;

    pthread_mutex_lock(&t->lock);
    while (!t->wanted && !t->stopping)
        pthread_cond_wait(&t->wake, &t->lock);
    t->wanted = false;
    stopping = t->stopping;
    pthread_mutex_unlock(&t->lock);
    return !stopping;
}

static void *run(void *argument)
{
    struct tidier *t = argument;

    while (wait_for_work(t)) {
        log_store_tidy(t->store);
        malloc_trim(0); /* the list of all segments, however much else was allocated behind it meanwhile */
    }
    return NULL;
}

int tidier_start(struct tidier *t, struct log_store *store)
{
    int error;

    t->store = store;
    error = pthread_create(&t->thread, NULL, run, t);
    t->running = error == 0;
    if (t->running)
        pthread_setname_np(t->thread, "tidier");
    return -error;
}

void tidier_stop(struct tidier *t)
{
    if (!t->running)
        return;
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    t->running = false;
}
