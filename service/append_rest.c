/* SPDX-License-Identifier: MIT */
/* Consoles that wait for a time: those that rest, and those whose last words are to be vouched for. */
#include <sys/epoll.h>

#include "append_private.h"
#include "console.h"
#include "viewer.h"

#define SETTLE_NS      UINT64_C(10000000) /* after output: then the index vouches for the last of it */
#define SETTLE_EACH_NS UINT64_C(1000000) /* later for each that was due last time: a thousand records a second in all */
#define BROKEN_NS      UINT64_C(1000000000) /* a broken source is tried again once a second (design §2) */
#define BROKEN_BY_PEER 1u                   /* the value of the BROKEN record: indices or events of the line */

void append_arm(struct append *a, struct console *c)
{
    struct epoll_event e = {.events = c->source->bytes_events | EPOLLET, .data.ptr = c};

    if (c->append.polled && (e.events & EPOLLONESHOT) != 0)
        epoll_ctl(a->epoll, EPOLL_CTL_MOD, c->source->bytes_fd, &e);
}

void append_poll(struct append *a, struct console *c, bool on)
{
    struct epoll_event e = {.events = c->source->bytes_events | EPOLLET, .data.ptr = c};

    if (c->append.polled == on || c->source->bytes_fd < 0)
        return;
    if (epoll_ctl(a->epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, c->source->bytes_fd, &e) == 0)
        c->append.polled = on;
}

void append_rest(struct append *a, struct console *c, uint64_t delay_ns)
{
    append_poll(a, c, false);
    c->append.wake_mono = a->now.mono_ns + delay_ns;
    if (c->append.resting)
        return;
    c->append.resting = true;
    c->append.next_resting = a->resting;
    a->resting = c;
}

void append_rest_no_more(struct append *a, struct console *c)
{
    struct console **at = &a->resting;

    if (!c->append.resting)
        return;
    while (*at != c)
        at = &(*at)->append.next_resting;
    *at = c->append.next_resting;
    c->append.resting = false;
}

void append_break(struct append *a, struct console *c)
{
    if (!c->append.broken) /* one record for each stretch of brokenness */
        log_mark(&c->log, VC_INDEX_BROKEN, BROKEN_BY_PEER, 0, &a->now);
    __atomic_store_n(&c->append.broken, 1, __ATOMIC_SEQ_CST);
    if (viewers_flow(c, APPENDED_MARK, NULL, 0, 0))
        append_tell(a, c, APPEND_OUTPUT);
    append_rest(a, c, BROKEN_NS);
}

/* What lies between is unknown: a gap. */
bool append_revive(struct append *a, struct console *c)
{
    if (c->source->ops->revive(c->source) != VC_OK)
        return false;
    log_mark(&c->log, VC_INDEX_GAP, UINT64_MAX, 0, &a->now);
    log_attach(&c->log, c->source->line_id, c->source->ops->index(c->source), &a->now);
    __atomic_store_n(&c->append.broken, 0, __ATOMIC_SEQ_CST);
    return true;
}

static void end_rest(struct append *a, struct console *c)
{
    append_rest_no_more(a, c);
    if (c->append.broken && !append_revive(a, c)) {
        append_rest(a, c, BROKEN_NS);
        return;
    }
    append_poll(a, c, true);
    append_wake(a, c);
}

/*
 * The last words of a console that falls silent are vouched for a little later, and together: a key's echo then does not
 * wait for the disk twice, and somebody who types costs a record each 10 ms at most (decisions, log).
 */
void append_settle_later(struct append *a, struct console *c)
{
    if (c->append.unsettled)
        return;
    c->append.unsettled = true;
    c->append.next_unsettled = a->unsettled;
    if (a->unsettled == NULL)
        a->settle_mono = a->now.mono_ns + SETTLE_NS + a->n_settled * SETTLE_EACH_NS;
    a->unsettled = c;
}

static void settle(struct append *a, struct console *c)
{
    if (log_settle(&c->log, &a->now) && viewers_flow(c, APPENDED_TIME, NULL, 0, 0))
        append_tell(a, c, APPEND_OUTPUT);
}

void append_settle_due(struct append *a)
{
    struct console *next, *c = a->unsettled;

    if (c == NULL || a->now.mono_ns < a->settle_mono)
        return;
    a->unsettled = NULL;
    a->n_settled = 0;
    for (; c != NULL; c = next, a->n_settled++) {
        next = c->append.next_unsettled;
        c->append.unsettled = false;
        if (c->append.queue == QUEUE_NONE) /* else it speaks again: log_append marks the time */
            settle(a, c);
    }
}

void append_unsettle(struct append *a, struct console *c)
{
    struct console **at = &a->unsettled;

    if (!c->append.unsettled)
        return;
    while (*at != c)
        at = &(*at)->append.next_unsettled;
    *at = c->append.next_unsettled;
    c->append.unsettled = false;
}

void append_retry_later(struct append *a, struct console *c)
{
    if (c->append.unsaved || !log_unsaved(&c->log))
        return;
    c->append.unsaved = true;
    c->append.next_unsaved = a->unsaved;
    if (a->unsaved == NULL)
        a->retry_mono = a->now.mono_ns + NS_A_SECOND;
    a->unsaved = c;
}

void append_retry_due(struct append *a)
{
    struct console *next, *c = a->unsaved;

    if (c == NULL || a->now.mono_ns < a->retry_mono)
        return;
    a->unsaved = NULL;
    for (; c != NULL; c = next) {
        next = c->append.next_unsaved;
        c->append.unsaved = false;
        log_retry(&c->log, &a->now);
        append_retry_later(a, c);
    }
}

void append_retry_no_more(struct append *a, struct console *c)
{
    struct console **at = &a->unsaved;

    if (!c->append.unsaved)
        return;
    while (*at != c)
        at = &(*at)->append.next_unsaved;
    *at = c->append.next_unsaved;
    c->append.unsaved = false;
}

uint64_t append_first_due(const struct append *a)
{
    uint64_t first = a->unsettled != NULL ? a->settle_mono : UINT64_MAX;

    if (a->unsaved != NULL && a->retry_mono < first)
        first = a->retry_mono;
    for (const struct console *c = a->resting; c != NULL; c = c->append.next_resting)
        if (c->append.wake_mono < first)
            first = c->append.wake_mono;
    return first;
}

void append_end_rests(struct append *a)
{
    struct console *next;

    for (struct console *c = a->resting; c != NULL; c = next) {
        next = c->append.next_resting;
        if (c->append.wake_mono <= a->now.mono_ns)
            end_rest(a, c);
    }
}
