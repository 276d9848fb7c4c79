/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <errno.h>
#include <unistd.h>

static void some_ready(uv_poll_t *poll, int status, int events)
{
    struct watches *ws = poll->data;

    (void)status;
    (void)events;
    ws->n = epoll_wait(ws->epoll, ws->batch, WATCH_BATCH, 0);
    for (ws->at = 0; ws->at < ws->n; ws->at++) {
        struct watch *w = ws->batch[ws->at].data.ptr;

        if (w != NULL)
            w->ready(w, ws->batch[ws->at].events);
    }
    ws->n = 0;
}

int watches_open(struct watches *ws, uv_loop_t *loop)
{
    *ws = (struct watches){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    if (ws->epoll < 0)
        return -errno;
    ws->poll.data = ws;
    if (uv_poll_init(loop, &ws->poll, ws->epoll) != 0)
        return -ENOMEM;
    return uv_poll_start(&ws->poll, UV_READABLE, some_ready);
}

static void closed(uv_handle_t *handle)
{
    struct watches *ws = handle->data;

    close(ws->epoll);
}

void watches_close(struct watches *ws) { uv_close((uv_handle_t *)&ws->poll, closed); }

int watch_set(struct watches *ws, struct watch *w, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = w};

    if (w->on && w->events == events)
        return 0;
    if (epoll_ctl(ws->epoll, w->on ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, w->fd, &e) < 0)
        return -errno;
    w->on = true;
    w->events = events;
    return 0;
}

void watch_end(struct watches *ws, struct watch *w)
{
    if (!w->on)
        return;
    epoll_ctl(ws->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    w->on = false;
    for (int i = ws->at + 1; i < ws->n; i++) /* what was reported and not yet handled */
        if (ws->batch[i].data.ptr == w)
            ws->batch[i].data.ptr = NULL;
}
