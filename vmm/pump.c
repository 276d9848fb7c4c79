/* SPDX-License-Identifier: MIT */
#include "pump.h"
#include "vmm.h"

static void kicked(uv_poll_t *poll, int status, int events)
{
    struct pump *p = poll->data;

    (void)status, (void)events;
    line_unkick(p->console->memory.fds[poll == &p->room ? VC_LINK_FD_OUT_ROOM : VC_LINK_FD_IN_BYTES]);
    p->work(p->ctx);
}

static void due(uv_timer_t *timer)
{
    struct pump *p = timer->data;

    p->work(p->ctx);
}

static int init_poll(struct pump *p, uv_loop_t *loop, uv_poll_t *poll, enum vc_link_fd fd)
{
    poll->data = p;
    return uv_poll_init(loop, poll, p->console->memory.fds[fd]);
}

int pump_init(struct pump *p, uv_loop_t *loop, struct console *console, void (*work)(void *ctx), void *ctx)
{
    int error;

    *p = (struct pump){.console = console, .work = work, .ctx = ctx};
    error = init_poll(p, loop, &p->room, VC_LINK_FD_OUT_ROOM);
    if (error != 0)
        return error;
    error = init_poll(p, loop, &p->input, VC_LINK_FD_IN_BYTES);
    uv_timer_init(loop, &p->timer);
    p->timer.data = p;
    p->ready = true;
    if (error == 0)
        pump_start(p);
    return error;
}

void pump_start(struct pump *p)
{
    uv_poll_start(&p->room, UV_READABLE, kicked);
    uv_poll_start(&p->input, UV_READABLE, kicked);
}

void pump_stop(struct pump *p)
{
    uv_poll_stop(&p->room);
    uv_poll_stop(&p->input);
}

void pump_until(struct pump *p, uint64_t deadline_ms)
{
    uint64_t now = vmm_now_ms();

    if (deadline_ms == UINT64_MAX)
        uv_timer_stop(&p->timer);
    else
        uv_timer_start(&p->timer, due, deadline_ms > now ? deadline_ms - now : 0, 0);
}

static void closed(uv_handle_t *handle)
{
    struct pump *p = handle->data;

    if (--p->closing == 0 && p->done != NULL)
        p->done(p->ctx);
}

void pump_finish_then(struct pump *p, void (*done)(void *ctx))
{
    if (!p->ready)
        return;
    p->ready = false;
    p->closing = 3;
    p->done = done;
    uv_close((uv_handle_t *)&p->room, closed);
    uv_close((uv_handle_t *)&p->input, closed);
    uv_close((uv_handle_t *)&p->timer, closed);
}

void pump_finish(struct pump *p) { pump_finish_then(p, NULL); }
