/* SPDX-License-Identifier: MIT */
#include "waker.h"
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void asked(uv_poll_t *poll, int status, int events)
{
    struct waker *w = poll->data;
    eventfd_t count;

    (void)status, (void)events;
    (void)!eventfd_read(w->fd, &count);
    /* Pairs with waker_ask: either it finds this false and writes again, or work sees what it had done before. */
    atomic_exchange(&w->asked, false);
    w->work(w->ctx);
}

int waker_init(struct waker *w, uv_loop_t *loop, void (*work)(void *ctx), void *ctx)
{
    int error;

    *w = (struct waker){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .work = work, .ctx = ctx};
    if (w->fd < 0)
        return -errno;
    error = uv_poll_init(loop, &w->poll, w->fd);
    if (error != 0) {
        close(w->fd);
        return error;
    }
    w->poll.data = w;
    w->ready = true;
    uv_poll_start(&w->poll, UV_READABLE, asked);
    return 0;
}

void waker_finish(struct waker *w)
{
    if (!w->ready)
        return;
    uv_close((uv_handle_t *)&w->poll, NULL);
    close(w->fd); /* the handle no longer looks at it */
    w->ready = false;
}

void waker_ask(struct waker *w)
{
    if (!atomic_exchange(&w->asked, true))
        (void)!eventfd_write(w->fd, 1); /* of a counter that is 0, or was left at 1: it does not fill */
}
