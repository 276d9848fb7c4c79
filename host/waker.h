/* SPDX-License-Identifier: MIT */
/*
 * waker.h: any thread asks the loop to look, soon and once for all who asked meanwhile.
 *
 * It is uv_async_t without its busy wait: a loop that libuv wakes spins until the sender has left uv_async_send, and on a
 * machine with few processors the loop runs just because it took the processor from that sender. Here nobody waits.
 *
 * Owner: the caller places it; waker_init to waker_finish and the end of its handle.
 * Lock:  none; waker_ask from any thread, under any lock; the rest in the loop.
 * Order: who asks has written before what there is to do; asked is taken back before work looks.
 */
#ifndef VCONS_HOST_WAKER_H
#define VCONS_HOST_WAKER_H
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct waker {
    uv_poll_t poll;
    int fd;
    bool ready;
    atomic_bool asked; /* fd is readable, or will be, and work has not begun */
    void (*work)(void *ctx);
    void *ctx;
};

/* 0 or -errno; then nothing but waker_finish may follow. */
int waker_init(struct waker *w, uv_loop_t *loop, void (*work)(void *ctx), void *ctx);
/* Also of one that is zero. Nobody asks any more; the handle's end is the loop's next turn. */
void waker_finish(struct waker *w);
void waker_ask(struct waker *w);

#endif
