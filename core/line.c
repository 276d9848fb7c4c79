/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include <vcons/atomic.h>
#include <vcons/line.h>
#include <vcons/xencons.h>

static bool size_ok(uint32_t size)
{
    return size >= VC_LINE_SIZE_MIN && size <= VC_LINE_SIZE_MAX && (size & (size - 1)) == 0;
}

size_t vc_line_bytes(uint32_t out_size, uint32_t in_size)
{
    if (!size_ok(out_size) || !size_ok(in_size))
        return 0;
    return (size_t)VC_LINE_HEADER_BYTES + out_size + in_size;
}

static struct vc_line_header *header_of_ring(void *memory)
{
    return (struct vc_line_header *)(void *)((uint8_t *)memory + XENCONS_PAGE_BYTES);
}

int vc_line_format(void *memory, uint32_t out_size, uint32_t in_size, const uint8_t id[VC_LINE_ID_BYTES])
{
    struct vc_line_header *page = memory;

    if (vc_line_bytes(out_size, in_size) == 0)
        return VC_EINVAL;
    memset(page, 0, sizeof *page);
    page->magic = VC_LINE_MAGIC;
    page->version = VC_LINE_VERSION;
    page->out_size = out_size;
    page->in_size = in_size;
    page->out_offset = VC_LINE_HEADER_BYTES;
    page->in_offset = VC_LINE_HEADER_BYTES + out_size;
    memcpy(page->id, id, sizeof page->id);
    return VC_OK;
}

void vc_line_format_ring(void *memory, const uint8_t id[VC_LINE_ID_BYTES])
{
    struct vc_line_header *page = header_of_ring(memory);

    vc_xencons_build(memory);
    memset(page, 0, sizeof *page);
    page->magic = VC_LINE_MAGIC;
    page->version = VC_LINE_VERSION;
    page->out_size = XENCONS_OUT_SIZE;
    page->in_size = XENCONS_IN_SIZE;
    page->out_offset = offsetof(struct xencons_interface, out);
    page->in_offset = offsetof(struct xencons_interface, in);
    memcpy(page->id, id, sizeof page->id);
}

struct beginning { /* how struct vc_line_header begins */
    uint64_t magic;
    uint32_t version, out_size, in_size, out_offset, in_offset;
};
_Static_assert(offsetof(struct vc_line_header, in_offset) == 24, "the same fields in the same places");

/* Read once. */
static int read_header(const struct vc_line_header *page, struct beginning *h)
{
    vc_copy_once(h, page, sizeof *h);
    return h->magic == VC_LINE_MAGIC && h->version == VC_LINE_VERSION ? VC_OK : VC_EINVAL;
}

/* Where the two directions lie, from a header that is read once and checked. */
static int locate(struct vc_line_header *page, size_t bytes, struct vc_ring *out, struct vc_ring *in)
{
    struct beginning h;

    if (bytes < sizeof *page || read_header(page, &h) != VC_OK)
        return VC_EINVAL;
    if (!size_ok(h.out_size) || !size_ok(h.in_size) || h.out_offset != VC_LINE_HEADER_BYTES ||
        h.in_offset != VC_LINE_HEADER_BYTES + h.out_size || bytes < vc_line_bytes(h.out_size, h.in_size))
        return VC_EINVAL;
    *out = (struct vc_ring){(uint8_t *)page + h.out_offset, h.out_size, &page->out_prod, &page->out_cons};
    *in = (struct vc_ring){(uint8_t *)page + h.in_offset, h.in_size, &page->in_prod, &page->in_cons};
    return VC_OK;
}

static int locate_ring(struct xencons_interface *ring, size_t bytes, struct vc_ring *out, struct vc_ring *in)
{
    struct beginning h;

    if (bytes < VC_LINE_RING_BYTES || read_header(header_of_ring(ring), &h) != VC_OK)
        return VC_EINVAL;
    if (h.out_size != XENCONS_OUT_SIZE || h.in_size != XENCONS_IN_SIZE ||
        h.out_offset != offsetof(struct xencons_interface, out) ||
        h.in_offset != offsetof(struct xencons_interface, in))
        return VC_EINVAL;
    *out = (struct vc_ring){ring->out, XENCONS_OUT_SIZE, &ring->out_prod, &ring->out_cons};
    *in = (struct vc_ring){ring->in, XENCONS_IN_SIZE, &ring->in_prod, &ring->in_cons};
    return VC_OK;
}

static int first_error(int a, int b) { return a != VC_OK ? a : b; }

/* After publishing: whether the peer sleeps and must be kicked. Pairs with its arm: one of the two sees the other. */
static void wake(bool always, uint32_t *word, bool *kick)
{
    if (always)
        *kick = true;
    else if (vc_load_seq(word) != 0 && vc_swap_seq(word, 0) != 0)
        *kick = true;
}

static int events_posted(const struct vc_line_events *e, uint32_t *n) /* for the producer: not yet taken */
{
    *n = e->own - vc_load_seq(e->cons);
    return *n > e->size ? VC_EPEER : VC_OK;
}

static int events_waiting(const struct vc_line_events *e, uint32_t *n) /* for the consumer */
{
    *n = vc_load_seq(e->prod) - e->own;
    return *n > e->size ? VC_EPEER : VC_OK;
}

/* Room for bytes; none while no event could be posted, so that one that stands in the stream never has to wait. */
static int room_of(const struct vc_producer *p, const struct vc_line_events *e, uint32_t *room)
{
    uint32_t posted;
    int error = first_error(vc_producer_room(p, room), events_posted(e, &posted));

    if (error || posted == e->size)
        *room = 0;
    return error;
}

static int put(struct vc_producer *p, const struct vc_line_events *e, const void *bytes, uint32_t n, uint32_t *done)
{
    uint32_t room;
    int error = room_of(p, e, &room);

    *done = 0;
    if (error || room == 0)
        return error;
    return vc_producer_put(p, bytes, n, done);
}

static int post(struct vc_line_events *e, uint32_t line_index, enum vc_line_event_kind kind, uint64_t value)
{
    uint32_t posted;
    int error = events_posted(e, &posted);

    if (error)
        return error;
    if (posted == e->size)
        return VC_ENOSPC;
    e->slots[e->own & (e->size - 1)] =
        (struct vc_line_event){.sequence = e->own, .line_index = line_index, .kind = kind, .value = value};
    e->own++;
    vc_store_seq(e->prod, e->own); /* pairs with the load in events_waiting: the slot before the index */
    return VC_OK;
}

/* A copy of the oldest event that was not taken. */
static int next_event(const struct vc_line_events *e, struct vc_line_event *event, bool *there)
{
    uint32_t waiting;
    int error = events_waiting(e, &waiting);

    *there = false;
    if (error || waiting == 0)
        return error;
    vc_copy_once(event, &e->slots[e->own & (e->size - 1)], sizeof *event);
    if (event->sequence != e->own)
        return VC_EPEER;
    *there = true;
    return VC_OK;
}

static void event_done(struct vc_line_events *e)
{
    e->own++;
    vc_store_seq(e->cons, e->own); /* pairs with the load in events_posted: copied before the slot is free */
}

static void cut(struct vc_span spans[2], uint32_t n)
{
    if (spans[0].n > n)
        spans[0].n = n;
    spans[1].n = n - spans[0].n;
}

/*
 * The next event and the bytes that stand before it, as one picture: bytes are looked at first, since an
 * event is published before what follows it; and once more after the event, since what stands before it is
 * published first too.
 */
static int look(const struct vc_consumer *c, const struct vc_line_events *e, struct vc_span spans[2], uint32_t *n,
                struct vc_line_event *event, bool *there)
{
    uint32_t before;
    int error = vc_consumer_peek(c, spans, &before);

    *there = false;
    if (error == VC_OK)
        error = next_event(e, event, there);
    *n = before;
    if (*there) {
        error = vc_consumer_peek(c, spans, &before);
        *n = event->line_index - c->cons;
        if (*n > before)
            error = VC_EPEER;
    }
    if (error) {
        *n = 0;
        *there = false;
    }
    cut(spans, *n);
    return error;
}

static struct vc_line_events out_events_of(struct vc_line_header *page)
{
    return (struct vc_line_events){page->out_events, VC_LINE_OUT_EVENTS, &page->out_event_prod, &page->out_event_cons,
                                   0};
}

static struct vc_line_events in_events_of(struct vc_line_header *page)
{
    return (struct vc_line_events){page->in_events, VC_LINE_IN_EVENTS, &page->in_event_prod, &page->in_event_cons, 0};
}

static int open_source(struct vc_source *s, struct vc_line_header *page, const struct vc_ring *out,
                       const struct vc_ring *in, bool always)
{
    uint32_t n;
    int error;

    *s = (struct vc_source){.page = page, .always = always};
    s->out_events = out_events_of(page);
    s->in_events = in_events_of(page);
    s->out_events.own = vc_load_seq(&page->out_event_prod);
    s->in_events.own = vc_load_seq(&page->in_event_cons);
    error = first_error(vc_producer_attach(&s->out, out), vc_consumer_attach(&s->in, in));
    error = first_error(error, events_posted(&s->out_events, &n));
    return first_error(error, events_waiting(&s->in_events, &n));
}

int vc_source_open(struct vc_source *s, void *memory, size_t bytes)
{
    struct vc_ring out, in;

    *s = (struct vc_source){.page = memory};
    return locate(memory, bytes, &out, &in) == VC_OK ? open_source(s, memory, &out, &in, false) : VC_EINVAL;
}

int vc_source_open_ring(struct vc_source *s, void *memory, size_t bytes)
{
    struct vc_ring out, in;

    *s = (struct vc_source){0};
    return locate_ring(memory, bytes, &out, &in) == VC_OK ? open_source(s, header_of_ring(memory), &out, &in, true)
                                                          : VC_EINVAL;
}

int vc_source_room(const struct vc_source *s, uint32_t *room) { return room_of(&s->out, &s->out_events, room); }

int vc_source_put(struct vc_source *s, const void *bytes, uint32_t n, uint32_t *done, bool *kick)
{
    int error = put(&s->out, &s->out_events, bytes, n, done);

    if (*done > 0)
        wake(s->always, &s->page->out_bytes_wait, kick);
    return error;
}

int vc_source_post(struct vc_source *s, enum vc_line_event_kind kind, uint64_t value, bool *kick)
{
    int error = post(&s->out_events, s->out.prod, kind, value);

    if (error == VC_OK)
        wake(s->always, &s->page->out_bytes_wait, kick);
    return error;
}

int vc_source_get(struct vc_source *s, void *bytes, uint32_t n, uint32_t *got, bool *kick)
{
    struct vc_span spans[2];
    struct vc_line_event event;
    uint32_t ready;
    bool there;
    int error = look(&s->in, &s->in_events, spans, &ready, &event, &there);

    *got = 0;
    if (error || ready == 0)
        return error;
    error = vc_consumer_get(&s->in, bytes, n < ready ? n : ready, got);
    if (*got > 0)
        wake(s->always, &s->page->in_room_wait, kick);
    return error;
}

int vc_source_event(struct vc_source *s, struct vc_line_event *event, bool *taken, bool *kick)
{
    struct vc_span spans[2];
    uint32_t ready;
    int error = look(&s->in, &s->in_events, spans, &ready, event, taken);

    *taken = *taken && error == VC_OK && ready == 0;
    if (*taken) {
        event_done(&s->in_events);
        wake(s->always, &s->page->in_room_wait, kick);
    }
    return error;
}

void vc_source_arm_room(struct vc_source *s) { vc_store_seq(&s->page->out_room_wait, 1); }
void vc_source_arm_bytes(struct vc_source *s) { vc_store_seq(&s->page->in_bytes_wait, 1); }

bool vc_source_idle(const struct vc_source *s)
{
    return vc_load_seq(s->in.ring.prod) == s->in.cons && vc_load_seq(s->in_events.prod) == s->in_events.own;
}

static int open_sink(struct vc_sink *s, struct vc_line_header *page, const struct vc_ring *out,
                     const struct vc_ring *in, bool always)
{
    uint32_t n;
    int error;

    *s = (struct vc_sink){.page = page, .always = always};
    memcpy(s->id, page->id, sizeof s->id);
    s->out_events = out_events_of(page);
    s->in_events = in_events_of(page);
    s->out_events.own = vc_load_seq(&page->out_event_cons);
    s->in_events.own = vc_load_seq(&page->in_event_prod);
    error = first_error(vc_consumer_attach(&s->out, out), vc_producer_attach(&s->in, in));
    error = first_error(error, events_waiting(&s->out_events, &n));
    return first_error(error, events_posted(&s->in_events, &n));
}

int vc_sink_open(struct vc_sink *s, void *memory, size_t bytes)
{
    struct vc_ring out, in;

    *s = (struct vc_sink){.page = memory};
    return locate(memory, bytes, &out, &in) == VC_OK ? open_sink(s, memory, &out, &in, false) : VC_EINVAL;
}

int vc_sink_open_ring(struct vc_sink *s, void *memory, size_t bytes)
{
    struct vc_ring out, in;

    *s = (struct vc_sink){0};
    return locate_ring(memory, bytes, &out, &in) == VC_OK ? open_sink(s, header_of_ring(memory), &out, &in, true)
                                                          : VC_EINVAL;
}

uint16_t vc_line_event_tag(uint32_t sequence)
{
    uint16_t tag = (uint16_t)(sequence + 1);

    return tag != 0 ? tag : 0x8000; /* far enough from its other owner: a ring never holds both */
}

/* How many of the waiting events a crash left recorded but not taken: up to the tag's, and all that stand
 * before cons. */
static int events_recorded(const struct vc_sink *s, uint32_t waiting, uint32_t passed, uint16_t tag, uint32_t *n)
{
    struct vc_line_events e = s->out_events;
    struct vc_line_event event;
    bool there;
    int error;

    *n = 0;
    for (uint32_t i = 0; i < waiting; i++, e.own++) {
        error = next_event(&e, &event, &there);
        if (error)
            return error;
        if (vc_line_event_tag(e.own) == tag || (there && event.line_index - s->out.cons < passed))
            *n = i + 1;
    }
    return VC_OK;
}

int vc_sink_resume(struct vc_sink *s, uint32_t cons, uint16_t tag)
{
    uint32_t passed = cons - s->out.cons, waiting, recorded, used;
    struct vc_span spans[2];
    int error = first_error(vc_consumer_peek(&s->out, spans, &used), events_waiting(&s->out_events, &waiting));

    if (error || passed > used || events_recorded(s, waiting, passed, tag, &recorded))
        return VC_EPEER;
    vc_consumer_commit(&s->out, passed);
    s->out_events.own += recorded;
    vc_store_seq(s->out_events.cons, s->out_events.own);
    return VC_OK;
}

int vc_sink_peek(const struct vc_sink *s, struct vc_span spans[2], uint32_t *n)
{
    struct vc_line_event event;
    bool there;

    return look(&s->out, &s->out_events, spans, n, &event, &there);
}

bool vc_sink_commit(struct vc_sink *s, uint32_t n)
{
    bool kick = false;

    vc_consumer_commit(&s->out, n);
    wake(s->always, &s->page->out_room_wait, &kick);
    return kick;
}

int vc_sink_event(const struct vc_sink *s, struct vc_line_event *event, bool *due)
{
    struct vc_span spans[2];
    uint32_t n;
    int error = look(&s->out, &s->out_events, spans, &n, event, due);

    *due = *due && error == VC_OK && n == 0;
    return error;
}

bool vc_sink_event_done(struct vc_sink *s)
{
    bool kick = false;

    event_done(&s->out_events);
    wake(s->always, &s->page->out_room_wait, &kick);
    return kick;
}

int vc_sink_room(const struct vc_sink *s, uint32_t *room) { return room_of(&s->in, &s->in_events, room); }

int vc_sink_put(struct vc_sink *s, const void *bytes, uint32_t n, uint32_t *done, bool *kick)
{
    int error = put(&s->in, &s->in_events, bytes, n, done);

    if (*done > 0)
        wake(s->always, &s->page->in_bytes_wait, kick);
    return error;
}

int vc_sink_post(struct vc_sink *s, enum vc_line_event_kind kind, uint64_t value, bool *kick)
{
    int error = post(&s->in_events, s->in.prod, kind, value);

    if (error == VC_OK)
        wake(s->always, &s->page->in_bytes_wait, kick);
    return error;
}

void vc_sink_arm_bytes(struct vc_sink *s) { vc_store_seq(&s->page->out_bytes_wait, 1); }
void vc_sink_arm_room(struct vc_sink *s) { vc_store_seq(&s->page->in_room_wait, 1); }

bool vc_sink_idle(const struct vc_sink *s)
{
    return vc_load_seq(s->out.ring.prod) == s->out.cons && vc_load_seq(s->out_events.prod) == s->out_events.own;
}
