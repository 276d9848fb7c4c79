/* SPDX-License-Identifier: MIT */
#include "console.h"
#include "console_tail.h"
#include <errno.h>
#include <string.h>
#include <time.h>
#include <vcons/atomic.h>

void console_lock(struct console *c) { pthread_mutex_lock(c->lock); }
void console_unlock(struct console *c) { pthread_mutex_unlock(c->lock); }

static void open_line(struct console *c)
{
    if (c->memory.geometry == VC_LINK_GEOMETRY_XEN)
        vc_source_open_ring(&c->source, c->memory.base, c->memory.bytes);
    else
        vc_source_open(&c->source, c->memory.base, c->memory.bytes);
    vc_source_arm_bytes(&c->source);
    c->broken = false;
    c->outage = false;
    c->kick_owed = false;
}

int console_kicks_init(struct console_kicks *kicks, struct problem *problem)
{
    pthread_mutex_init(&kicks->lock, NULL);
    if (kicker_open(&kicks->kicker) != 0)
        return problem_set(problem, -1, "no memory for kicks");
    return 0;
}

void console_kicks_finish(struct console_kicks *kicks)
{
    kicker_close(&kicks->kicker);
    pthread_mutex_destroy(&kicks->lock);
}

int console_init_as(struct console *c, const struct console_env *env, void *ctx, struct console_kicks *kicks,
                    int hold_ms, enum vc_link_geometry geometry, struct problem *problem)
{
    pthread_condattr_t monotonic;

    *c = (struct console){.env = env, .ctx = ctx, .kicks = kicks, .hold_ms = hold_ms};
    if (line_memory_create(&c->memory, geometry, problem) != 0)
        return -1;
    open_line(c);
    pthread_mutex_init(&c->own_lock, NULL);
    c->lock = &c->own_lock;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&c->room, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return 0;
}

int console_init(struct console *c, const struct console_env *env, void *ctx, struct console_kicks *kicks, int hold_ms,
                 struct problem *problem)
{
    return console_init_as(c, env, ctx, kicks, hold_ms, VC_LINK_GEOMETRY_LINE, problem);
}

void console_finish(struct console *c)
{
    if (c->memory.base == NULL)
        return;
    line_memory_destroy(&c->memory);
    tail_finish(&c->tail);
    pthread_cond_destroy(&c->room);
    pthread_mutex_destroy(&c->own_lock);
}

void console_share_lock(struct console *c, pthread_mutex_t *lock) { c->lock = lock; }

/* The line does what no service may do to it: from now on it is full for good. */
static int checked(struct console *c, int error)
{
    if (error == VC_EPEER)
        c->broken = true;
    return error;
}

static void kick_now(struct console *c, enum vc_link_fd fd)
{
    pthread_mutex_lock(&c->kicks->lock);
    kick(&c->kicks->kicker, c->memory.fds[fd]);
    pthread_mutex_unlock(&c->kicks->lock);
}

static void kick_if(struct console *c, bool wanted, enum vc_link_fd fd)
{
    if (wanted)
        kick_now(c, fd);
}

void console_quiet(struct console *c, bool quiet)
{
    c->quiet = quiet;
    kick_if(c, c->kick_owed, VC_LINK_FD_OUT_BYTES);
    c->kick_owed = false;
}

/* The service sleeps, or is on its way to. Its wait word is taken already: nobody else will wake it. */
static void tell_of_bytes(struct console *c, bool wanted, uint32_t room)
{
    c->kick_owed |= wanted;
    if (!c->kick_owed || (c->quiet && room > c->source.out.ring.size / 2))
        return;
    kick_now(c, VC_LINK_FD_OUT_BYTES);
    c->kick_owed = false;
}

static uint32_t put(struct console *c, const void *bytes, uint32_t n)
{
    uint32_t room, done = 0;
    bool wanted = false;

    if (c->broken || n == 0 || checked(c, vc_source_room(&c->source, &room)) != VC_OK || room == 0)
        return 0; /* a full event ring is a full line, whatever room there is for bytes */
    checked(c, vc_source_put(&c->source, bytes, n, &done, &wanted));
    tell_of_bytes(c, wanted, room - done);
    return done;
}

static bool post(struct console *c, enum vc_line_event_kind kind, uint64_t value)
{
    bool wanted = false;
    int error;

    if (c->broken)
        return false;
    error = checked(c, vc_source_post(&c->source, kind, value, &wanted));
    kick_if(c, wanted, VC_LINK_FD_OUT_BYTES);
    return error == VC_OK;
}

static bool has_room(struct console *c)
{
    uint32_t room;

    return !c->broken && checked(c, vc_source_room(&c->source, &room)) == VC_OK && room > 0;
}

/* One step of what waits in front of new output; false: the line is full, or nothing waits. */
static bool flush_step(struct console *c)
{
    const struct console_event *event = tail_due(&c->tail);
    const uint8_t *bytes;
    uint32_t n;

    if (c->tail.lost > 0) { /* told with what comes behind it: until that has room there may be more to tell of */
        if (!has_room(c) || !post(c, VC_LINE_GAP, c->tail.lost))
            return false;
        c->tail.lost = 0;
        return true;
    }
    if (event != NULL) {
        if (!post(c, event->kind, event->value))
            return false;
        tail_event_done(&c->tail);
        return true;
    }
    n = tail_peek(&c->tail, &bytes);
    n = put(c, bytes, n);
    c->tail.head += n;
    return n > 0;
}

/* True: the line took at least something. */
static bool flush(struct console *c)
{
    bool moved = false;

    while (flush_step(c))
        moved = true;
    return moved;
}

/* Everything that the line takes now, in order. */
static uint32_t forward(struct console *c, const uint8_t *bytes, uint32_t n)
{
    flush(c);
    return tail_empty(&c->tail) ? put(c, bytes, n) : 0;
}

static uint32_t service_index(const struct console *c) { return vc_load_seq(c->source.out.ring.cons); }

static uint64_t now(const struct console *c) { return c->env->now_ms(c->ctx); }

/* A line that fills again without progress in between is still the same outage: hold counts once. */
static bool progress(struct console *c)
{
    uint32_t cons = service_index(c);

    if (c->outage && (c->broken || cons - c->held_cons < c->source.out.ring.size / 16))
        return false;
    c->outage = true;
    c->held_cons = cons;
    c->held_since_ms = now(c);
    return true;
}

static bool hold_is_over(struct console *c)
{
    if (!c->served || c->hold_ms == 0)
        return true;
    if (c->hold_ms == CONSOLE_HOLD_FOREVER)
        return false;
    return now(c) - c->held_since_ms >= (uint64_t)c->hold_ms;
}

static void enter_held(struct console *c)
{
    c->flow = CONSOLE_HELD;
    if (console_deadline(c) != UINT64_MAX && !c->deadline_known && c->env->held != NULL) {
        c->deadline_known = true;
        c->env->held(c->ctx);
    }
}

static void to_tail(struct console *c, const uint8_t *bytes, uint32_t n)
{
    c->flow = CONSOLE_TAILS;
    c->dropped += tail_append(&c->tail, bytes, n);
}

static uint32_t offer(struct console *c, const uint8_t *bytes, uint32_t n)
{
    uint32_t done;

    if (c->flow == CONSOLE_TAILS) {
        to_tail(c, bytes, n);
        return n;
    }
    done = forward(c, bytes, n);
    if (done < n) { /* full: ask for a kick, then look again, for it may have got room just before */
        vc_source_arm_room(&c->source);
        done += forward(c, bytes + done, n - done);
    }
    if (done == n) {
        c->flow = CONSOLE_FLOWS;
        return n;
    }
    progress(c);
    if (!hold_is_over(c)) {
        enter_held(c);
        return done;
    }
    to_tail(c, bytes + done, n - done);
    return n;
}

uint32_t console_put(struct console *c, const void *bytes, uint32_t n)
{
    uint32_t taken = n == 0 ? 0 : offer(c, bytes, n);

    if (taken > 0 && c->env->taken != NULL)
        c->env->taken(c->ctx, bytes, taken);
    return taken;
}

bool console_put_now(struct console *c, const void *bytes, uint32_t n)
{
    const uint8_t *from = bytes;
    bool was_held = c->flow == CONSOLE_HELD;
    uint32_t done = c->flow == CONSOLE_TAILS ? 0 : forward(c, from, n);

    if (done < n && c->flow != CONSOLE_TAILS) { /* as in offer */
        vc_source_arm_room(&c->source);
        done += forward(c, from + done, n - done);
    }
    if (done < n) {
        progress(c);
        to_tail(c, from + done, n - done);
    }
    if (c->env->taken != NULL)
        c->env->taken(c->ctx, bytes, n);
    return was_held && c->flow != CONSOLE_HELD;
}

void console_post(struct console *c, enum vc_line_event_kind kind, uint64_t value)
{
    tail_event(&c->tail, kind, value);
    if (c->flow == CONSOLE_TAILS)
        return;
    flush(c);
    if (!tail_empty(&c->tail)) {
        vc_source_arm_room(&c->source);
        flush(c);
    }
}

uint32_t console_room(struct console *c)
{
    uint32_t room;

    if (c->broken || c->flow != CONSOLE_FLOWS || !tail_empty(&c->tail) ||
        checked(c, vc_source_room(&c->source, &room)) != VC_OK)
        return 0;
    return room;
}

void console_wait(struct console *c, unsigned slice_ms)
{
    struct timespec t;

    if (has_room(c))
        return; /* it came between the put that found none and this lock */
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += (long)slice_ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&c->room, c->lock, &t);
}

void console_move(struct console *c)
{
    flush(c);
    if (!tail_empty(&c->tail) || c->flow != CONSOLE_FLOWS) {
        vc_source_arm_room(&c->source);
        flush(c);
    }
    if (c->flow != CONSOLE_FLOWS && tail_empty(&c->tail) && has_room(c))
        c->flow = CONSOLE_FLOWS;
    else if (c->flow == CONSOLE_TAILS && progress(c))
        enter_held(c); /* the service is back: what is left of the tail goes before new output, which waits */
    else if (c->flow == CONSOLE_HELD)
        progress(c);
    pthread_cond_broadcast(&c->room);
}

uint64_t console_deadline(struct console *c)
{
    if (c->flow != CONSOLE_HELD || c->hold_ms == CONSOLE_HOLD_FOREVER || hold_is_over(c)) {
        c->deadline_known = false;
        return UINT64_MAX;
    }
    return c->held_since_ms + (uint64_t)c->hold_ms;
}

bool console_delivered(const struct console *c)
{
    return c->broken || (tail_empty(&c->tail) && service_index(c) == c->source.out.prod &&
                         vc_load_seq(c->source.out_events.cons) == c->source.out_events.own);
}

uint32_t console_get(struct console *c, void *bytes, uint32_t n)
{
    uint32_t got = 0;
    bool wanted = false;

    if (c->broken)
        return 0;
    checked(c, vc_source_get(&c->source, bytes, n, &got, &wanted));
    kick_if(c, wanted, VC_LINK_FD_IN_ROOM);
    return got;
}

bool console_event(struct console *c, struct vc_line_event *event)
{
    bool taken = false, wanted = false;

    if (c->broken)
        return false;
    checked(c, vc_source_event(&c->source, event, &taken, &wanted));
    kick_if(c, wanted, VC_LINK_FD_IN_ROOM);
    return taken && !c->broken;
}

void console_attached(struct console *c)
{
    c->served = true;
    c->outage = false;
    kick_now(c, VC_LINK_FD_OUT_BYTES);
    vc_source_arm_bytes(&c->source);
    console_move(c);
}

int console_renew(struct console *c, struct problem *problem)
{
    if (!c->broken)
        return 0;
    if (line_memory_replace(&c->memory, problem) != 0)
        return -1;
    open_line(c);
    post(c, VC_LINE_GAP, UINT64_MAX); /* how much of the broken line was stored, only its service knows */
    return 0;
}
