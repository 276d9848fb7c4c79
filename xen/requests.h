/* SPDX-License-Identifier: MIT */
/*
 * requests.h: what people ask by `vcons xen`: carried out by the module's thread, answered by the control thread.
 *
 * Owner: struct xen; a request belongs to its queue.
 * Lock:  the queues', held for moments. begin and answer are the control thread's, serve and released the module's.
 * Trust: who may ask is the service's to check; the words may be anything.
 */
#ifndef VCONS_XEN_REQUESTS_H
#define VCONS_XEN_REQUESTS_H
#include <pthread.h>
#include <stdint.h>

#include "service/plugin.h" /* struct plugin_request */

struct request;
struct ring;
struct xen;

struct requests {
    pthread_mutex_t lock;
    struct request *asked, *done;
    struct request *releasing; /* the thread's: waits for its rings */
};

void requests_open(struct xen *x);
void requests_close(struct xen *x);
int requests_begin(struct xen *x, uint32_t serial, const struct plugin_request *r); /* 0 or a negative errno */
void requests_answer(struct xen *x);
void requests_serve(struct xen *x);
void requests_released(struct xen *x,
                       struct ring *r); /* it is drained: tell its guest, while the page is still there */

#endif
