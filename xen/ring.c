/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vcons/atomic.h>

static struct ring *ring_of(const struct source *s) { return (struct ring *)(uintptr_t)s; }

static void notify(struct ring *r) { ports_notify(r->ports, vc_load_seq(&r->port)); }

/* The control thread waits for room, and the guest has taken something since. */
static void tell_room(struct ring *r)
{
    const uint64_t one = 1;

    if (vc_load_seq(&r->armed) == 0 || vc_load_seq(r->in.ring.cons) == vc_load_seq(&r->full_at))
        return;
    vc_store_seq(&r->armed, 0);
    (void)!write(r->source.room_fd, &one, sizeof one); /* ours alone: it is neither full nor blocking */
}

/* Nothing to read: the guest took input, or kicks for nothing. The reader is not woken, and has no turn to lose for it. */
static bool ring_event(struct port_user *u)
{
    struct ring *r = ring_of(u->source);
    struct vc_span spans[2];
    uint32_t n;
    bool waited = vc_load_seq(&r->armed) != 0;

    tell_room(r);
    if (!waited || vc_consumer_peek(&r->out, spans, &n) != VC_OK || n > 0)
        return true;
    ports_unmask(r->ports, vc_load_seq(&r->port));
    return false;
}

/* append */

static int ring_peek(struct source *s, struct vc_span spans[2], uint32_t *n)
{
    struct ring *r = ring_of(s);
    int error = vc_consumer_peek(&r->out, spans, n);

    if (r->boot_owed)
        *n = 0; /* its mark comes first */
    return error;
}

static void ring_commit(struct source *s, uint32_t n)
{
    struct ring *r = ring_of(s);

    vc_consumer_commit(&r->out, n);
    notify(r);
    tell_room(r); /* its port may stay masked as long as it prints */
}

static int ring_due(struct source *s, struct source_event *event, bool *due)
{
    *due = ring_of(s)->boot_owed;
    *event = (struct source_event){VC_INDEX_BOOT, RING_BOOT_TAG, 1};
    return VC_OK;
}

static void ring_due_done(struct source *s) { ring_of(s)->boot_owed = false; }

static bool ring_rest(struct source *s)
{
    struct ring *r = ring_of(s);
    struct vc_span spans[2];
    uint32_t n;

    if (!r->greeted) {
        r->greeted = true;
        vc_store8_seq(&r->page->connection, XENCONSOLE_CONNECTED); /* drained before: who sees it has lost nothing */
        notify(r);
    }
    ports_unmask(r->ports, vc_load_seq(&r->port));
    return vc_consumer_peek(&r->out, spans, &n) != VC_OK || n == 0;
}

static uint32_t ring_index(const struct source *s) { return ring_of(s)->out.cons; }

static int ring_revive(struct source *s)
{
    struct ring *r = ring_of(s);
    struct vc_consumer again;
    int error = vc_consumer_attach(&again, &r->out.ring);

    if (error == VC_OK)
        r->out = again;
    return error;
}

/* control, before that */

static int ring_resume(struct source *s, uint32_t cons, uint16_t event)
{
    struct ring *r = ring_of(s);
    uint32_t passed = cons - r->out.cons, used;
    struct vc_span spans[2];

    if (vc_consumer_peek(&r->out, spans, &used) != VC_OK || passed > used)
        return VC_EPEER;
    if (passed > 0)
        vc_consumer_commit(&r->out, passed);
    r->boot_owed = event != RING_BOOT_TAG;
    return VC_OK;
}

static bool ring_used(const struct source *s) { return ring_of(s)->out.cons != 0; }

/* control */

/* What its peer broke is opened anew when somebody types: nothing else depends on it. */
static int in_checked(struct ring *r, int error)
{
    struct vc_producer again;

    if (error == VC_EPEER && vc_producer_attach(&again, &r->in.ring) == VC_OK)
        r->in = again;
    return error;
}

static int ring_room(struct source *s, uint32_t *room)
{
    struct ring *r = ring_of(s);

    return in_checked(r, vc_producer_room(&r->in, room));
}

static int ring_put(struct source *s, const void *bytes, uint32_t n, uint32_t *put)
{
    struct ring *r = ring_of(s);
    int error = in_checked(r, vc_producer_put(&r->in, bytes, n, put));

    if (*put > 0)
        notify(r);
    return error;
}

static bool ring_room_rest(struct source *s)
{
    struct ring *r = ring_of(s);
    uint32_t room;

    vc_store_seq(&r->full_at, vc_load_seq(r->in.ring.cons));
    vc_store_seq(&r->armed, 1); /* the guest frees room, then notifies: collect looks at armed behind that */
    return vc_producer_room(&r->in, &room) != VC_OK || room == 0;
}

static void ring_destroy(struct source *s)
{
    struct ring *r = ring_of(s);

    r->gone(r->ctx, r);
}

static const struct source_ops ring_ops = {
    .type = "ring",
    .resume = ring_resume,
    .used = ring_used,
    .peek = ring_peek,
    .commit = ring_commit,
    .event = ring_due,
    .event_done = ring_due_done,
    .rest = ring_rest,
    .index = ring_index,
    .revive = ring_revive,
    .room = ring_room,
    .put = ring_put,
    .room_rest = ring_room_rest,
    .destroy = ring_destroy,
};

int ring_open(struct ring *r)
{
    struct vc_xencons_back back;
    int error = vc_xencons_back_attach(&back, r->page);

    if (error)
        return error;
    r->out = back.out;
    r->in = back.in;
    r->boot_owed = true;
    r->user = (struct port_user){&r->source, ring_event};
    r->source.ops = &ring_ops;
    r->source.bytes_fd = -1;
    r->source.room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->source.room_events = EPOLLIN;
    r->source.holds = XENCONS_OUT_SIZE;
    r->source.hub = &r->ports->hub;
    return r->source.room_fd >= 0 ? VC_OK : VC_ENOSPC;
}
