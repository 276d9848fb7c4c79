/* SPDX-License-Identifier: MIT */
/*
 * tidier.h: the thread that keeps logs below their caps, asleep until an append thread passed one.
 *
 * Spec:  design §5: "compression and retention and fsync apart". log_store_tidy blocks on the disk and allocates.
 * Owner: struct tidier is the caller's.
 * Lock:  its own, held for moments.
 */
#ifndef VCONS_SERVICE_TIDIER_H
#define VCONS_SERVICE_TIDIER_H
#include <pthread.h>
#include <stdbool.h>

struct log_store;

struct tidier {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct log_store *store;
    bool wanted, stopping, running;
};

int tidier_start(struct tidier *t, struct log_store *store); /* 0 or a negative errno */
void tidier_stop(struct tidier *t);                          /* accepts a zeroed one */
void tidier_untidy(void *tidier);                            /* struct log_env's: any thread */

#endif
