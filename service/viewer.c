/* SPDX-License-Identifier: MIT */
#include "viewer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit.h"
#include "connector.h"
#include "console.h"
#include "copy.h"
#include "pty.h"
#include "service.h"
#include "viewer_input.h"
#include "viewer_private.h"

#define PUMP_BYTES (512u * 1024) /* to one viewer before the others have their turn */

static struct viewer *viewer_of(struct watch *w) { return (struct viewer *)(void *)w; }

/* Life. */

static void update_watch(struct viewer *v)
{
    uint32_t events = v->stuck ? EPOLLOUT : 0;

    if (!v->deaf && !(v->pending & PENDING_SYNC)) /* one sync at a time is kept */
        events |= v->blocked ? EPOLLRDHUP : EPOLLIN;
    watch_set(&v->console->service->watches, &v->watch, events);
}

/* Out of the append thread's hands. */
static void take_back(struct viewer *v)
{
    pthread_mutex_lock(&v->console->live);
    v->state = VIEWER_BEHIND;
    pthread_mutex_unlock(&v->console->live);
}

static void viewer_destroy(struct viewer *v)
{
    struct console *c = v->console;
    struct viewer **at = &c->viewers;

    pthread_mutex_lock(&c->live);
    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    c->n_viewers--;
    pthread_mutex_unlock(&c->live);
    c->service->n_viewers--;
    connector_viewers(c);
    audit_detached(v);
    token_release(c, v);
    watch_end(&c->service->watches, &v->watch);
    if (v->pty != NULL)
        pty_left(v->pty, v->cursor.offset);
    else
        close(v->watch.fd);
    clients_leave(c->service, v->uid);
    log_cursor_close(&v->cursor);
    free(v);
    service_idle_check(c->service);
}

/* Its client takes no more. What it typed before it left, or still types, is not lost by that. */
static bool still_typing(const struct viewer *v)
{
    return v->mute && !(v->pending & PENDING_END) && !v->closing && (v->blocked || !v->deaf);
}

/* Send while the socket takes it. v may be gone afterwards. */
static void pump(struct viewer *v)
{
    uint64_t limit;
    enum viewer_step s;

    take_back(v);
    limit = v->cursor.offset + PUMP_BYTES;
    do {
        s = v->mute ? STEP_DEAD : viewer_step(v);
    } while (s == STEP_ON && v->cursor.offset < limit);
    if (s == STEP_DEAD && still_typing(v)) {
        v->pending = 0;
        v->stuck = false;
        update_watch(v);
        return;
    }
    if (s == STEP_DEAD) {
        viewer_destroy(v);
        return;
    }
    v->stuck = s != STEP_LIVE; /* also when the limit was reached: the socket will poll writable at once */
    update_watch(v);
}

static bool is_behind(struct viewer *v)
{
    bool behind;

    pthread_mutex_lock(&v->console->live);
    behind = v->state == VIEWER_BEHIND;
    pthread_mutex_unlock(&v->console->live);
    return behind;
}

void viewers_pump(struct console *c)
{
    struct viewer *next;

    for (struct viewer *v = c->viewers; v != NULL; v = next) {
        next = v->next;
        if (!v->stuck && v->watch.on && is_behind(v))
            pump(v);
    }
}

/* Something else than output is to be said. */
static void announce(struct viewer *v, uint32_t pending)
{
    v->pending |= pending;
    if (!v->stuck && v->watch.on)
        pump(v);
}

/* By the loop, not here: whoever changes the token may stand in the middle of a viewer of the list. */
static void announce_later(struct viewer *v, uint32_t pending)
{
    if (!v->frames)
        return;
    v->pending |= pending;
    take_back(v);
    if (v->watch.on) {
        v->stuck = true;
        update_watch(v);
    }
}

void viewers_tell_token(struct console *c)
{
    for (struct viewer *v = c->viewers; v != NULL; v = v->next) {
        if (v->blocked && c->token.holder != v) { /* refused from here on: it need not wait, or stay if it left */
            v->blocked = v->deaf = v->orphan = false;
            update_watch(v);
        }
        announce_later(v, PENDING_TOKEN);
    }
}

void viewers_tell_lease(struct console *c)
{
    for (struct viewer *v = c->viewers; v != NULL; v = v->next)
        announce_later(v, PENDING_LEASE);
}

void viewer_tell_asked(struct viewer *v) { announce_later(v, PENDING_ASKED); }

void viewers_end(struct console *c)
{
    struct viewer *next;

    for (struct viewer *v = c->viewers; v != NULL; v = next) {
        next = v->next;
        if (v->pty != NULL)
            continue; /* a cable stays in its socket when the machine is off */
        v->end_reason = VC_CONTROL_END_CONSOLE;
        announce(v, PENDING_END);
    }
}

void viewers_orphans(struct console *c)
{
    struct viewer *next;

    for (struct viewer *v = c->viewers; v != NULL; v = next) {
        next = v->next;
        if (v->orphan)
            viewer_destroy(v);
    }
}

void viewers_drop(struct console *c)
{
    while (c->viewers != NULL) {
        struct viewer *v = c->viewers;

        take_back(v);
        if (v->frames && v->frame_left == 0 && v->small_done == v->small_n) {
            v->end_reason = VC_CONTROL_END_SERVICE;
            viewer_small_end(v);
            (void)viewer_send_small(v);
        }
        viewer_destroy(v);
    }
    viewer_pieces_forget(&c->log);
}

/* Receiving. */

static void read_input(struct viewer *v)
{
    enum input result = input_read(v);

    if (result == INPUT_END && v->frames) {
        viewer_destroy(v);
        return;
    }
    v->blocked = result == INPUT_BLOCKED;
    v->deaf = result == INPUT_END || result == INPUT_BAD;
    if (result == INPUT_END) /* `echo word | socat`: half closed, and still waiting for the answer */
        token_release(v->console, v);
    if (result == INPUT_BAD)
        v->end_reason = VC_CONTROL_END_BAD;
    update_watch(v);
    if (result == INPUT_BAD || result == INPUT_ANSWER || result == INPUT_SYNC)
        announce(v, result == INPUT_BAD ? PENDING_END : result == INPUT_ANSWER ? PENDING_TOKEN : PENDING_SYNC);
}

static void ready(struct watch *w, uint32_t events)
{
    struct viewer *v = viewer_of(w);
    bool over = (events & (EPOLLHUP | EPOLLERR)) != 0;

    if (over && v->blocked && v->console->source == NULL) {
        viewer_destroy(v); /* as viewers_orphans */
        return;
    }
    if (over && v->blocked) {
        v->orphan = true; /* what it typed is not lost because it left: viewer_room */
        watch_end(&v->console->service->watches, &v->watch);
        return;
    }
    if (over && v->deaf) {
        viewer_destroy(v);
        return;
    }
    if (v->blocked && (events & EPOLLRDHUP)) {
        v->deaf = true; /* what it wrote before is still read when there is room */
        update_watch(v);
    }
    if ((events & EPOLLOUT) && !over) {
        v->stuck = false;
        pump(v); /* v may be gone: its input, if any, is reported again */
        return;
    }
    if (!v->blocked && !v->deaf && (over || (events & EPOLLIN)))
        read_input(v);
}

void viewer_room(struct console *c)
{
    struct viewer *next;

    for (struct viewer *v = c->viewers; v != NULL; v = next) {
        next = v->next;
        if (!v->blocked)
            continue;
        v->blocked = v->deaf = v->orphan = false;
        read_input(v);
    }
}

/* Making. */

struct viewer *viewer_newest(struct console *c) { return c->viewers; }

int viewer_create(struct console *c, int fd, const struct viewer_wish *wish)
{
    struct viewer *v = calloc(1, sizeof *v);
    int error;

    if (v == NULL)
        return -ENOMEM;
    error = log_cursor_open(&v->cursor, &c->log, wish->offset, wish->kinds);
    if (error) {
        free(v);
        return error;
    }
    v->watch = (struct watch){.ready = ready, .fd = fd};
    v->console = c;
    v->end = wish->end;
    v->frames = wish->frames;
    v->pty = wish->pty;
    v->marks = wish->kinds != 0;
    v->times = (wish->kinds & LOG_KIND(VC_INDEX_TIME)) != 0;
    v->may_write = wish->may_write;
    v->may_break = wish->may_break;
    v->uid = wish->uid;
    v->pid = wish->pid;
    snprintf(v->who, sizeof v->who, "%s", wish->who);
    if (c->gone && c->source == NULL && v->end == UINT64_MAX && v->pty == NULL &&
        !uv_is_active((uv_handle_t *)&c->service->returning)) {
        v->pending = PENDING_END;
        v->end_reason = VC_CONTROL_END_CONSOLE;
    }
    pthread_mutex_lock(&c->live);
    v->next = c->viewers;
    c->viewers = v;
    c->n_viewers++;
    pthread_mutex_unlock(&c->live);
    c->service->n_viewers++;
    connector_viewers(c);
    audit_attached(v);
    return 0;
}

void viewer_begin(struct viewer *v)
{
    if (v->frames)
        v->pending |= PENDING_TOKEN | (token_leased(v->console) != NULL ? PENDING_LEASE : 0u);
    v->stuck = true; /* its socket will poll writable */
    update_watch(v);
}

void viewer_reopened(struct viewer *v)
{
    v->orphan = v->deaf = false; /* who closed it was the last when we looked, and is not any more */
    update_watch(v);
}

uint64_t viewer_offset(const struct viewer *v)
{
    uint64_t offset;

    pthread_mutex_lock(&v->console->live);
    offset = v->cursor.offset;
    pthread_mutex_unlock(&v->console->live);
    return offset;
}

/* The append thread. */

bool viewers_flow(struct console *c, enum appended what, const void *bytes, uint32_t n, uint64_t end)
{
    unsigned direct = 0;
    bool behind = false;

    pthread_mutex_lock(&c->live);
    for (struct viewer *v = c->viewers; v != NULL; v = v->next) {
        if (v->state != VIEWER_LIVE || (what == APPENDED_MARK && !v->marks) || (what == APPENDED_TIME && !v->times))
            continue;
        if (what == APPENDED_BYTES && v->cursor.offset == end)
            continue; /* it went live behind these bytes */
        if (what == APPENDED_BYTES && bytes != NULL && !v->times && v->cursor.offset == end - n &&
            direct++ < VIEWER_DIRECT_COUNT && viewer_send_direct(v, bytes, n, end - n))
            continue;
        v->state = VIEWER_BEHIND;
        behind = true;
    }
    pthread_mutex_unlock(&c->live);
    if (what == APPENDED_BYTES)
        copy_due(c);
    return behind;
}
