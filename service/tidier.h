/* SPDX-License-Identifier: MIT */
/*
 * tidier.h: two threads behind the logs. One keeps them below their caps and puts compressed segments in the place of raw
 * ones; the other compresses, whenever nothing else wants the processor.
 *
 * Spec:  design §5: "compression and retention and fsync apart". log_store_tidy and log_compress_next block on the disk and
 *        allocate. The thread that compresses takes no lock and allocates nothing: nobody ever waits for it.
 * Owner: struct tidier is the caller's.
 * Lock:  none: flags and semaphores.
 */
#ifndef VCONS_SERVICE_TIDIER_H
#define VCONS_SERVICE_TIDIER_H
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "log_compress.h"

struct log_store;

struct tidier {
    pthread_t tidy, compress;
    sem_t wake, go; /* of the one, of the other */
    struct log_store *store;
    struct log_compress segment;   /* the one's; while work and until done the other's */
    uint64_t due_mono;             /* the one's: when to look for what is too old; UINT64_MAX: never */
    uint32_t untidy, closed, done; /* atomic: what the one is asked */
    uint32_t work, stop;           /* atomic: the other; both */
    bool busy;                     /* the other has the segment */
    bool running;
};

void tidier_init(struct tidier *t); /* before the store is opened: from then on it may be asked */
int tidier_start(struct tidier *t, struct log_store *store); /* 0 or a negative errno */
void tidier_stop(struct tidier *t);                          /* accepts one that was not started */
void tidier_untidy(void *tidier);                            /* struct log_env's: any thread */
void tidier_closed(void *tidier);                            /* the same */

#endif
