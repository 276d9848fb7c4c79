/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

bool watches_run(struct watches *ws)
{
    int timeout = uv_backend_timeout(ws->loop);
    bool timers = timeout >= 0;

    ws->n = epoll_wait(ws->epoll, ws->batch, WATCH_BATCH, timeout);
    for (ws->at = 0; ws->at < ws->n; ws->at++) {
        struct watch *w = ws->batch[ws->at].data.ptr;

        if (w != NULL)
            w->ready(w, ws->batch[ws->at].events);
    }
    ws->n = 0;
    if (timers || ws->loop_is_due || !uv_loop_alive(ws->loop)) {
        ws->loop_is_due = false;
        uv_run(ws->loop, UV_RUN_NOWAIT);
    }
    return uv_loop_alive(ws->loop) != 0;
}

/* Run after this batch: its callbacks may end anything. */
static void loop_ready(struct watch *w, uint32_t events)
{
    struct watches *ws = (struct watches *)((char *)w - offsetof(struct watches, loop_ready));

    (void)events;
    ws->loop_is_due = true;
}

int watches_open(struct watches *ws, uv_loop_t *loop)
{
    *ws = (struct watches){.epoll = epoll_create1(EPOLL_CLOEXEC), .loop = loop};
    if (ws->epoll < 0)
        return -errno;
    uv_run(loop, UV_RUN_NOWAIT); /* the loop's own descriptors go into its set */
    ws->loop_ready = (struct watch){.ready = loop_ready, .fd = uv_backend_fd(loop)};
    return watch_set(ws, &ws->loop_ready, EPOLLIN);
}

void watches_close(struct watches *ws)
{
    watch_end(ws, &ws->loop_ready);
    close(ws->epoll);
    ws->epoll = -1;
}

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
