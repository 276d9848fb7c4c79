/* SPDX-License-Identifier: MIT */
/*
 * watch.h: many descriptors beside a uv loop, at 24 bytes each where a uv_poll_t has 160: an epoll set of its own, which
 * polls the loop as one descriptor more. So a key that is typed costs one epoll_wait, and the loop keeps timers, signals
 * and messages between threads.
 *
 * Spec:  epoll(7). Events are EPOLL…, level-triggered unless EPOLLET is among them; EPOLLHUP and EPOLLERR always come.
 * Owner: the caller places struct watch beside what it watches and calls watch_end before closing the descriptor or
 *        freeing the memory; both may happen in any ready function, also another watch's.
 * Lock:  none, the loop's thread.
 */
#ifndef VCONS_SERVICE_WATCH_H
#define VCONS_SERVICE_WATCH_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <uv.h>

struct watch {
    void (*ready)(struct watch *w, uint32_t events);
    int fd;
    uint32_t events; /* as set; 0 with on: only hang-ups */
    bool on;
};

#define WATCH_BATCH 64
struct watches {
    int epoll, n, at;
    uv_loop_t *loop;
    struct watch loop_ready;
    bool loop_is_due;
    struct epoll_event batch[WATCH_BATCH];
};

int watches_open(struct watches *ws, uv_loop_t *loop); /* 0 or a negative errno */
void watches_close(struct watches *ws);                /* after all watches */
/* Wait once and handle what came, in the loop as well. False: nothing lives in the loop any more. */
bool watches_run(struct watches *ws);
/* Begin or change; 0 or a negative errno (begin only). fd and ready are set by the caller. */
int watch_set(struct watches *ws, struct watch *w, uint32_t events);
void watch_end(struct watches *ws, struct watch *w); /* accepts one that never began */

#endif
