/* SPDX-License-Identifier: MIT */
/*
 * pump.h: the loop's side of one console: its service's kicks and its deadline, which move a held door on.
 *
 * Owner: the console's owner places it.
 * Lock:  loop thread only. work runs there, with no lock held.
 * Trust: a service may kick without work as often as it likes; each costs one look.
 */
#ifndef VCONS_VMM_PUMP_H
#define VCONS_VMM_PUMP_H
#include "console.h"
#include <uv.h>

struct pump {
    struct console *console;
    void (*work)(void *ctx); /* look at everything: room, input, clock; then pump_until */
    void *ctx;
    uv_poll_t room, input;
    uv_timer_t timer;
    bool ready;
    unsigned closing; /* handles whose end is awaited, for: */
    void (*done)(void *ctx);
};

/* 0, or libuv's error. */
int pump_init(struct pump *p, uv_loop_t *loop, struct console *console, void (*work)(void *ctx), void *ctx);
/* Around console_renew, which replaces what the descriptors stand for. pump_init starts. */
void pump_start(struct pump *p);
void pump_stop(struct pump *p);
/* Call work at this time at the latest (vmm_now_ms); UINT64_MAX: only for kicks. */
void pump_until(struct pump *p, uint64_t deadline_ms);
/* Close its handles; the loop must run once more. */
void pump_finish(struct pump *p);
/* The same while the loop goes on: done(ctx) when it has let go of them. Until then p and its console stay. */
void pump_finish_then(struct pump *p, void (*done)(void *ctx));

#endif
