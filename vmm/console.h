/* SPDX-License-Identifier: MIT */
/*
 * console.h: one console of the VMM: a line to the service, the door's lock, hold and tail.
 *
 * Spec:  design §4 (hold, tail, gap), decisions "Line, link"; wire/line.h.
 *
 * Whatever way a guest writes (PV ring, hypercall, port, pty), its bytes come here, in its order, under the one
 * lock of this console; so that vCPUs, tail and I/O thread together are the one producer that a line may have.
 *
 *     FLOWS   bytes go into the line
 *     HELD    the line is full: nothing is taken, the guest's door stays full, for at most `hold` without progress
 *     TAILS   hold is over: everything is taken, into a private tail that overwrites its oldest bytes and counts
 *             them; when the line has room again: one gap event with that count, then the tail, then FLOWS
 *
 * Progress means a sixteenth of the line: a service that is merely slow holds a guest back as any full ring does
 * and loses nothing, one that takes a byte now and then cannot stretch `hold` for ever.
 *
 * Owner: the caller places it; memory, descriptors and tail are its own from console_init to console_finish.
 * Lock:  console->lock. Functions marked [locked] want it held, others take it. Lock order: this lock (the
 *        door's), then those of focus.h; the event lock is a leaf. Nothing waits under it but console_wait,
 *        which drops it.
 * Trust: the line's memory and event descriptors are shared with the service, which may scribble on all of it: a
 *        broken line is treated as a full one, and replaced when a service next attaches. A kick never blocks.
 */
#ifndef VCONS_VMM_CONSOLE_H
#define VCONS_VMM_CONSOLE_H
#include "host/kick.h"
#include "host/message.h"
#include "line_memory.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/line.h>
#include <vcons/wire/link.h>

#define CONSOLE_TAIL_BYTES   262144u
#define CONSOLE_TAIL_EVENTS  32u
#define CONSOLE_HOLD_FOREVER (-1)

enum console_flow { CONSOLE_FLOWS, CONSOLE_HELD, CONSOLE_TAILS };

struct console_env {               /* ctx is the console's owner; both are called under the lock */
    uint64_t (*now_ms)(void *ctx); /* a clock that never goes back */
    /* These bytes were taken, for a person to see; NULL: nobody looks. */
    void (*taken)(void *ctx, const uint8_t *bytes, uint32_t n);
    /* There is a deadline now, and the last console_deadline said there was none. NULL: the owner looks by itself. */
    void (*held)(void *ctx);
};

struct console_kicks {    /* the way to wake services that never waits; one for all consoles of a VMM */
    pthread_mutex_t lock; /* a leaf */
    struct kicker kicker;
};
int console_kicks_init(struct console_kicks *kicks, struct problem *problem);
void console_kicks_finish(struct console_kicks *kicks);

struct console_event { /* an event that could not be posted yet */
    uint64_t at;       /* stands before the tail's byte of this number */
    uint64_t value;
    enum vc_line_event_kind kind;
};
struct console_tail {   /* the newest bytes, oldest overwritten, and the events among them */
    uint8_t *bytes;     /* CONSOLE_TAIL_BYTES, from the first outage that needs them on */
    uint64_t head, end; /* free-running: end - head bytes wait */
    uint64_t lost;      /* overwritten since the last gap event */
    struct console_event events[CONSOLE_TAIL_EVENTS]; /* in order; the oldest are forgotten when they are too many */
    uint32_t n_events;
};

struct console {
    /* Constant after console_init. */
    const struct console_env *env;
    void *ctx;
    struct console_kicks *kicks;

    pthread_mutex_t *lock; /* own_lock, or one that several share */
    pthread_mutex_t own_lock;
    pthread_cond_t room; /* some state changed for the better, or wait must end */

    /* Everything below under lock. */
    int hold_ms;
    struct vc_source source;
    struct line_memory memory;
    enum console_flow flow;
    bool served;         /* a service took a line of ours at least once: only then a guest is held */
    bool broken;         /* the service broke the line's protocol */
    bool deadline_known; /* to the owner, who will call console_move */
    bool quiet;          /* kicks for bytes may wait for console_quiet(false), while the line is less than half full */
    bool kick_owed;      /* one does */
    bool outage;         /* held_cons and held_since_ms stand for one that may still last */
    uint32_t held_cons;  /* where the service stood when progress was last seen */
    uint64_t held_since_ms;
    struct console_tail tail;
    uint64_t dropped; /* bytes of the guest's that no log will hold, ever */
};

/* A fresh line. hold_ms as in the configuration. env, ctx and kicks outlive it. */
int console_init(struct console *c, const struct console_env *env, void *ctx, struct console_kicks *kicks, int hold_ms,
                 struct problem *problem);
/* The same with a line of that geometry; console_init's is LINE. */
int console_init_as(struct console *c, const struct console_env *env, void *ctx, struct console_kicks *kicks,
                    int hold_ms, enum vc_link_geometry geometry, struct problem *problem);
void console_finish(struct console *c);
/* Before anybody else uses it: lock, which outlives it, is this console's and others'. A line of one is the others' only to wait for. */
void console_share_lock(struct console *c, pthread_mutex_t *lock);

/* [locked] Offer n bytes; how many were taken, 0..n. Never waits. Less than n: held; offer the rest after `room`. */
uint32_t console_put(struct console *c, const void *bytes, uint32_t n);
/* [locked] The same, but takes all and holds nobody: what the line has no room for waits in the tail. True: it was held, and is no
 * longer, so that all who wait may offer again. */
bool console_put_now(struct console *c, const void *bytes, uint32_t n);
/*
 * [locked] Somebody will look at this console soon, and call this again: until then the service need not be told of each
 * put. Not: it is told now of what it was not told of; every later put tells it.
 */
void console_quiet(struct console *c, bool quiet);
/* [locked] How many bytes a put would take into the line now; 0 also where it would take them into the tail. */
uint32_t console_room(struct console *c);
/* [locked] Something that has its place here in the stream. Never fails: it waits in line with the tail. */
void console_post(struct console *c, enum vc_line_event_kind kind, uint64_t value);
/* [locked] After a put that was held: wait until it is worth another try, at most slice_ms; the lock is dropped. */
void console_wait(struct console *c, unsigned slice_ms);
/* [locked] Up to n typed bytes from the line. */
uint32_t console_get(struct console *c, void *bytes, uint32_t n);
/* [locked] The next event towards the guest (resize, break) if the stream has reached it. */
bool console_event(struct console *c, struct vc_line_event *event);

/*
 * [locked] Look at the line and the clock and go on: gap, tail, HELD to TAILS. True: the door may offer
 * again. Called by the loop when the service says there is room, when the deadline has come, and when a
 * service attached.
 */
void console_move(struct console *c);
/* [locked] When console_move must be called at the latest, on env's clock; UINT64_MAX: no need. */
uint64_t console_deadline(struct console *c);
/* [locked] Nothing taken waits in the tail, and the service has all of the line. */
bool console_delivered(const struct console *c);
/* [locked] A service took the line (OK). Acts as if kicked, kicks it once. */
void console_attached(struct console *c);
/* [locked] Before a line is offered to a service: replace it if the last one broke it. -1: no memory. */
int console_renew(struct console *c, struct problem *problem);

void console_lock(struct console *c);
void console_unlock(struct console *c);

#endif
