/* SPDX-License-Identifier: MIT */
/*
 * committer.h: the thread that has logs flushed to the disk, for the consoles whose settings say fsync; asleep while none of
 * these has anything new.
 *
 * Spec:  design §5; vcons-log-format(5), WHAT STORED MEANS; rule R49, workload W11. No append thread ever waits for it.
 * Owner: struct committer is the caller's.
 * Lock:  none: a flag and a semaphore; log_store_sync takes the store's.
 */
#ifndef VCONS_SERVICE_COMMITTER_H
#define VCONS_SERVICE_COMMITTER_H
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

struct log_store;

struct committer {
    pthread_t thread;
    sem_t wake;
    struct log_store *store;
    uint32_t dirty, stop; /* atomic */
    bool running;
};

void committer_init(struct committer *c);                          /* before the store is opened */
int committer_start(struct committer *c, struct log_store *store); /* 0 or a negative errno */
void committer_stop(struct committer *c);                          /* flushes what waits; accepts one not started */
void committer_dirty(struct committer *c);                         /* for struct log_env's: any thread */

#endif
