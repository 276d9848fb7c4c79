/* SPDX-License-Identifier: MIT */
/* From a source into its log, and to the viewers who are live: the append thread's. */
#include <string.h>

#include "append_private.h"
#include "console.h"
#include "viewer.h"

#define COPIED_BYTES VIEWER_DIRECT_MAX
#define ECHO_BYTES   128u /* what a guest answers to a key, not what it prints */

static uint32_t clip(struct vc_span spans[2], uint32_t n)
{
    if (spans[0].n > n)
        spans[0].n = n;
    if (spans[1].n > n - spans[0].n)
        spans[1].n = n - spans[0].n;
    return spans[0].n + spans[1].n;
}

/* Few bytes are copied first: viewers are sent what was stored, whatever the peer does to its memory meanwhile. */
static void copy(uint8_t *to, struct vc_span spans[2])
{
    memcpy(to, spans[0].bytes, spans[0].n);
    memcpy(to + spans[0].n, spans[1].bytes, spans[1].n);
    spans[0] = (struct vc_span){to, spans[0].n + spans[1].n};
    spans[1].n = 0;
}

static void note_output(struct append *a, struct console *c, const struct vc_span *stored, uint32_t n, uint32_t total)
{
    bool small = total <= COPIED_BYTES && n == total;

    __atomic_store_n(&c->append.written, a->now.real_ns, __ATOMIC_RELAXED);
    if (viewers_flow(c, APPENDED_BYTES, small ? stored->bytes : NULL, n, log_end(&c->log)))
        append_tell(a, c, APPEND_OUTPUT);
}

static void move_bytes(struct append *a, struct console *c, struct vc_span spans[2], uint32_t n)
{
    uint8_t small[COPIED_BYTES];
    struct vc_span stored[2];
    uint32_t done, keep = a->draining ? n : append_limit_store(&c->append.limit, n, a->now.mono_ns);

    if (n <= COPIED_BYTES)
        copy(small, spans);
    memcpy(stored, spans, sizeof stored);
    done = clip(stored, keep) > 0 ? log_append(&c->log, stored, &a->now) : 0; /* what the disk refuses is a gap there */
    if (keep < n)
        log_skip(&c->log, n - keep, &a->now);
    /* models/append_kill.pml: append, then advance. Who waits for a key's echo has it before the guest is told of room,
     * which takes a system call, and on a Xen the guest may have the processor then. */
    if (n > ECHO_BYTES)
        c->source->ops->commit(c->source, n);
    note_output(a, c, n <= COPIED_BYTES ? &stored[0] : NULL, done, n);
    if (n <= ECHO_BYTES)
        c->source->ops->commit(c->source, n);
}

static void note_guest(struct console *c, uint16_t kind)
{
    if (kind == VC_INDEX_OPEN)
        __atomic_store_n(&c->append.guest, VC_GUEST_OPEN | APPEND_GUEST_SEEN, __ATOMIC_RELAXED);
    else if (kind == VC_INDEX_CLOSE || kind == VC_INDEX_BOOT || kind == VC_INDEX_RESET)
        __atomic_store_n(&c->append.guest, VC_GUEST_CLOSED | APPEND_GUEST_SEEN, __ATOMIC_RELAXED);
}

/* The event that is due, into the index; then, and only then, it is done. */
static int move_event(struct append *a, struct console *c, bool *due)
{
    struct source_event event;
    int error;

    *due = false;
    if (c->source->ops->event == NULL)
        return VC_OK;
    error = c->source->ops->event(c->source, &event, due);
    if (error || !*due)
        return error;
    log_mark(&c->log, event.kind, event.value, event.event, &a->now);
    note_guest(c, event.kind);
    c->source->ops->event_done(c->source);
    if (viewers_flow(c, APPENDED_MARK, NULL, 0, 0))
        append_tell(a, c, APPEND_OUTPUT);
    return VC_OK;
}

int append_move(struct append *a, struct console *c, uint32_t bytes, uint32_t events, uint32_t *moved)
{
    struct vc_span spans[2];
    uint32_t n;
    bool due, sated = false;
    int error;

    *moved = 0;
    while (*moved < bytes && events > 0) {
        if (sated && c->source->ops->more != NULL)
            return c->source->ops->more(c->source) ? VC_OK : VC_ENOSPC;
        c->source->most = bytes - *moved;
        error = c->source->ops->peek(c->source, spans, &n);
        if (error)
            return error;
        if (n > 0 && sated)
            return VC_OK; /* came while we wrote: for the next turn, or who refills fastest would get most */
        if (n > 0) {
            n = clip(spans, bytes - *moved < n ? bytes - *moved : n);
            move_bytes(a, c, spans, n);
            *moved += n;
            sated = true;
            continue;
        }
        error = move_event(a, c, &due);
        if (error || !due)
            return error ? error : VC_ENOSPC;
        events--;
        sated = false;
        c->append.fruitless = 0;
    }
    return VC_OK;
}
