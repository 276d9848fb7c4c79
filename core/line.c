/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <vcons/atomic.h>
#include <vcons/line.h>

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

/* Where the two directions lie, from a header that is read once and checked. */
static int locate(struct vc_line_header *page, size_t bytes, struct vc_ring *out, struct vc_ring *in)
{
    struct vc_line_header h;

    if (bytes < sizeof h)
        return VC_EINVAL;
    memcpy(&h, page, offsetof(struct vc_line_header, out_prod));
    if (h.magic != VC_LINE_MAGIC || h.version != VC_LINE_VERSION)
        return VC_EINVAL;
    if (!size_ok(h.out_size) || !size_ok(h.in_size) || h.out_offset != VC_LINE_HEADER_BYTES ||
        h.in_offset != VC_LINE_HEADER_BYTES + h.out_size || bytes < vc_line_bytes(h.out_size, h.in_size))
        return VC_EINVAL;
    *out = (struct vc_ring){(uint8_t *)page + h.out_offset, h.out_size, &page->out_prod, &page->out_cons};
    *in = (struct vc_ring){(uint8_t *)page + h.in_offset, h.in_size, &page->in_prod, &page->in_cons};
    return VC_OK;
}

static struct vc_line_events events_of(struct vc_line_event *slots, uint32_t size, uint32_t *prod, uint32_t *cons,
                                       const uint32_t *own)
{
    return (struct vc_line_events){slots, size, prod, cons, vc_load_seq(own)};
}

static int events_check(const struct vc_line_events *e)
{
    return vc_load_seq(e->prod) - vc_load_seq(e->cons) > e->size ? VC_EPEER : VC_OK;
}

static int first_error(int a, int b) { return a != VC_OK ? a : b; }

/* After publishing: whether the peer sleeps and must be kicked. Pairs with its arm: one of the two sees the other. */
static void wake(uint32_t *word, bool *kick)
{
    if (vc_load_seq(word) != 0 && vc_swap_seq(word, 0) != 0)
        *kick = true;
}

static int events_used(const struct vc_line_events *e, bool producer, uint32_t *used)
{
    *used = producer ? e->own - vc_load_seq(e->cons) : vc_load_seq(e->prod) - e->own;
    return *used > e->size ? VC_EPEER : VC_OK;
}

static int post(struct vc_line_events *e, uint32_t line_index, enum vc_line_event_kind kind, uint64_t value)
{
    uint32_t used;
    int error = events_used(e, true, &used);

    if (error)
        return error;
    if (used == e->size)
        return VC_ENOSPC;
    e->slots[e->own & (e->size - 1)] =
        (struct vc_line_event){.sequence = e->own, .line_index = line_index, .kind = kind, .value = value};
    e->own++;
    vc_store_seq(e->prod, e->own); /* pairs with the load in next_event: the slot before the index */
    return VC_OK;
}

/* A copy of the oldest event not taken. used bytes wait at cons; an event must stand among them or right behind. */
static int next_event(const struct vc_line_events *e, uint32_t cons, uint32_t used, struct vc_line_event *event,
                      bool *there)
{
    uint32_t waiting;
    int error = events_used(e, false, &waiting);

    *there = false;
    if (error || waiting == 0)
        return error;
    memcpy(event, &e->slots[e->own & (e->size - 1)], sizeof *event);
    if (event->sequence != e->own || event->line_index - cons > used)
        return VC_EPEER;
    *there = true;
    return VC_OK;
}

/*
 * The next event and the bytes that stand before it, as one picture: bytes are looked at first, since an event is
 * published before what follows it; and once more after the event, since what stands before it is published first too.
 */
static int look(const struct vc_consumer *c, const struct vc_line_events *e, struct vc_span spans[2], uint32_t *n,
                struct vc_line_event *event, bool *there)
{
    uint32_t before;
    int error = vc_consumer_peek(c, spans, &before);

    *n = 0;
    *there = false;
    if (error)
        return error;
    error = next_event(e, c->cons, c->ring.size, event, there);
    if (error)
        return error;
    *n = before;
    if (!*there)
        return VC_OK;
    error = vc_consumer_peek(c, spans, n);
    if (error || event->line_index - c->cons > *n) {
        *n = 0;
        return VC_EPEER;
    }
    *n = event->line_index - c->cons;
    if (spans[0].n > *n)
        spans[0].n = *n;
    spans[1].n = *n - spans[0].n;
    return VC_OK;
}

int vc_source_open(struct vc_source *s, void *memory, size_t bytes)
{
    struct vc_line_header *page = memory;
    struct vc_ring out, in;
    int error = locate(page, bytes, &out, &in);

    *s = (struct vc_source){.page = page};
    if (error)
        return error;
    s->out_events = events_of(page->out_events, VC_LINE_OUT_EVENTS, &page->out_event_prod, &page->out_event_cons,
                              &page->out_event_prod);
    s->in_events = events_of(page->in_events, VC_LINE_IN_EVENTS, &page->in_event_prod, &page->in_event_cons,
                             &page->in_event_cons);
    error = first_error(vc_producer_attach(&s->out, &out), vc_consumer_attach(&s->in, &in));
    error = first_error(error, events_check(&s->out_events));
    return first_error(error, events_check(&s->in_events));
}

int vc_source_room(const struct vc_source *s, uint32_t *room)
{
    uint32_t used;
    int error = first_error(vc_producer_room(&s->out, room), events_used(&s->out_events, true, &used));

    if (error || used == s->out_events.size)
        *room = 0;
    return error;
}

int vc_source_put(struct vc_source *s, const void *bytes, uint32_t n, uint32_t *put, bool *kick)
{
    int error = vc_producer_put(&s->out, bytes, n, put);

    if (*put > 0)
        wake(&s->page->out_bytes_wait, kick);
    return error;
}

int vc_source_post(struct vc_source *s, enum vc_line_event_kind kind, uint64_t value, bool *kick)
{
    int error = post(&s->out_events, s->out.prod, kind, value);

    if (error == VC_OK)
        wake(&s->page->out_bytes_wait, kick);
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
        wake(&s->page->in_room_wait, kick);
    return error;
}

int vc_source_event(struct vc_source *s, struct vc_line_event *event, bool *taken)
{
    struct vc_span spans[2];
    uint32_t ready;
    int error = look(&s->in, &s->in_events, spans, &ready, event, taken);

    *taken = *taken && error == VC_OK && ready == 0;
    if (*taken)
        vc_store_seq(s->in_events.cons, ++s->in_events.own); /* pairs with the load in post: the slot is free */
    return error;
}

void vc_source_arm_room(struct vc_source *s) { vc_store_seq(&s->page->out_room_wait, 1); }
void vc_source_arm_bytes(struct vc_source *s) { vc_store_seq(&s->page->in_bytes_wait, 1); }

bool vc_source_idle(const struct vc_source *s)
{
    return vc_load_seq(s->in.ring.prod) == s->in.cons && vc_load_seq(s->in_events.prod) == s->in_events.own;
}

int vc_sink_open(struct vc_sink *s, void *memory, size_t bytes)
{
    struct vc_line_header *page = memory;
    struct vc_ring out, in;
    int error = locate(page, bytes, &out, &in);

    *s = (struct vc_sink){.page = page};
    if (error)
        return error;
    memcpy(s->id, page->id, sizeof s->id);
    s->out_events = events_of(page->out_events, VC_LINE_OUT_EVENTS, &page->out_event_prod, &page->out_event_cons,
                              &page->out_event_cons);
    s->in_events = events_of(page->in_events, VC_LINE_IN_EVENTS, &page->in_event_prod, &page->in_event_cons,
                             &page->in_event_prod);
    error = first_error(vc_consumer_attach(&s->out, &out), vc_producer_attach(&s->in, &in));
    error = first_error(error, events_check(&s->out_events));
    return first_error(error, events_check(&s->in_events));
}

int vc_sink_resume(struct vc_sink *s, uint32_t cons, uint16_t event)
{
    uint32_t behind = cons - s->out.cons, waiting, skip;
    struct vc_span spans[2];
    uint32_t used;
    int error = first_error(vc_consumer_peek(&s->out, spans, &used), events_used(&s->out_events, false, &waiting));

    if (error || behind > used)
        return VC_EPEER;
    /* Sequence + 1 in 16 bits: the ring holds few enough for that to name one of them. */
    skip = event == 0 ? 0 : (uint16_t)(event - (uint16_t)s->out_events.own);
    if (skip > waiting)
        skip = 0; /* that event was taken before the crash, or is not this line's */
    vc_consumer_commit(&s->out, behind);
    s->out_events.own += skip;
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
    wake(&s->page->out_room_wait, &kick);
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

    vc_store_seq(s->out_events.cons, ++s->out_events.own); /* pairs with the load in post: the slot is free */
    wake(&s->page->out_room_wait, &kick);
    return kick;
}

int vc_sink_room(const struct vc_sink *s, uint32_t *room) { return vc_producer_room(&s->in, room); }

int vc_sink_put(struct vc_sink *s, const void *bytes, uint32_t n, uint32_t *put, bool *kick)
{
    int error = vc_producer_put(&s->in, bytes, n, put);

    if (*put > 0)
        wake(&s->page->in_bytes_wait, kick);
    return error;
}

int vc_sink_post(struct vc_sink *s, enum vc_line_event_kind kind, uint64_t value, bool *kick)
{
    int error = post(&s->in_events, s->in.prod, kind, value);

    if (error == VC_OK)
        wake(&s->page->in_bytes_wait, kick);
    return error;
}

void vc_sink_arm_bytes(struct vc_sink *s) { vc_store_seq(&s->page->out_bytes_wait, 1); }
void vc_sink_arm_room(struct vc_sink *s) { vc_store_seq(&s->page->in_room_wait, 1); }

bool vc_sink_idle(const struct vc_sink *s)
{
    return vc_load_seq(s->out.ring.prod) == s->out.cons && vc_load_seq(s->out_events.prod) == s->out_events.own;
}
