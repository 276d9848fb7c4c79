/* SPDX-License-Identifier: MIT */
/*
 * post.h: rings between the module's thread and the control thread: a box each way, with what is to be done.
 *
 * Owner: the caller places struct post; the boxes hold rings and own none. Nothing is allocated.
 * Lock:  each box its own, held for moments.
 *
 * A ring is in a box once, with a set of things that are done in the order of their numbers.
 */
#ifndef VCONS_XEN_POST_H
#define VCONS_XEN_POST_H
#include <pthread.h>
#include <stdint.h>

#include "ring.h"

enum post_box { POST_CONTROL, POST_THREAD };
enum {                      /* to the control thread */
       RING_ATTACH = 1,     /* it is finished: take it */
       RING_STATE = 2,      /* its domain's state is another */
       RING_DETACH = 4,     /* drain it, it will be back */
       RING_DETACH_END = 8, /* drain it, its domain is no more */
};
enum {                   /* to the module's thread */
       RING_TAKEN = 1,   /* with tty */
       RING_REFUSED = 2, /* not now: it is the thread's again, but for a DETACH under way */
       RING_GONE = 4,    /* the service has let go of it */
};

struct post {
    struct post_side {
        pthread_mutex_t lock;
        struct ring *first, **last;
        int fd; /* an eventfd: readable while somebody should take */
    } side[2];
};

int post_open(struct post *p); /* 0 or a negative errno */
void post_close(struct post *p);
void post_send(struct post *p, enum post_box box, struct ring *r, uint32_t what);
/* The next ring and what is to be done with it; NULL: none, and fd is quiet. */
struct ring *post_take(struct post *p, enum post_box box, uint32_t *what);
void post_wake(struct post *p, enum post_box box); /* for something that is not in the box */

#endif
