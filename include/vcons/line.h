/* SPDX-License-Identifier: MIT */
/*
 * line.h: the two ends of a line: the hypervisor's, which produces a guest's output, and the service's.
 *
 * Spec:  wire/line.h, for the layout, the wait words and the place of events.
 * Owner: the caller maps the memory, aligned to a page, and places the end; both stay until the caller drops them.
 *        Nothing here waits or kicks: functions say when the peer must be kicked (*kick is set to true, never to
 *        false), and the caller writes to the eventfd of that name.
 * Lock:  the caller's, one for each end. One producer and one consumer each way for the whole life of the line.
 * Trust: everything in the memory is the peer's to scribble on. Sizes and offsets are copied once and checked at
 *        open. An index or event that breaks the protocol gives VC_EPEER and changes nothing; the caller then takes
 *        this end for broken until it opens it anew.
 *
 * Sleep: arm, then look again; sleep only if there is still nothing:
 *
 *     for (;;) {
 *         take everything;
 *         vc_sink_arm_bytes(s);
 *         if (vc_sink_idle(s)) sleep on the eventfd OUT_BYTES;
 *     }
 *
 * An armed end that finds work need not disarm: at worst one kick comes without work. Whoever opens an end kicks the
 * peer once by both of its eventfds: what it was waiting for may have come while nobody was there to say so.
 */
#ifndef VCONS_LINE_H
#define VCONS_LINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/ring.h>
#include <vcons/wire/line.h>

/*
 * A line whose bytes travel in a page as Xen's PV console has it (wire/xencons.h): 2048 bytes out, 1024 in, no wait words, so that
 * *kick is set after each change of an index; events lie in a page behind that (wire/line.h). Everything below works on both.
 */
#define VC_LINE_RING_BYTES (2u * 4096u)
/* Lay out zeroed memory of that many bytes: empty rings, connection flag DISCONNECTED. Before anybody else sees it. */
void vc_line_format_ring(void *memory, const uint8_t id[VC_LINE_ID_BYTES]);

/* Bytes of memory that a line of these sizes needs; 0 if a size is no power of two within the limits. */
size_t vc_line_bytes(uint32_t out_size, uint32_t in_size);
/* Lay out zeroed memory of that many bytes. VC_EINVAL: sizes. Before anybody else sees it. */
int vc_line_format(void *memory, uint32_t out_size, uint32_t in_size, const uint8_t id[VC_LINE_ID_BYTES]);

struct vc_line_events { /* one direction of events, seen from one end; private to this file */
    struct vc_line_event *slots;
    uint32_t size, *prod, *cons, own;
};

/* The hypervisor's end. */
struct vc_source {
    struct vc_line_header *page;
    struct vc_producer out;
    struct vc_consumer in;
    struct vc_line_events out_events, in_events;
    bool always; /* no wait words */
};
/* VC_EINVAL: not a line of this version, or bytes too small for what it says; VC_EPEER: indices are not legal. */
int vc_source_open_ring(struct vc_source *s, void *memory, size_t bytes);
int vc_source_open(struct vc_source *s, void *memory, size_t bytes);
/* *room is 0 while the event ring is full, or after VC_EPEER. */
int vc_source_room(const struct vc_source *s, uint32_t *room);
/* As vc_producer_put, and nothing while the event ring is full; kick OUT_BYTES. */
int vc_source_put(struct vc_source *s, const void *bytes, uint32_t n, uint32_t *done, bool *kick);
/* Post an event here in the stream; kick OUT_BYTES. VC_ENOSPC: the event ring is full, treat the line as full. */
int vc_source_post(struct vc_source *s, enum vc_line_event_kind kind, uint64_t value, bool *kick);
/* Input, up to the next event only: take that first. Kick IN_ROOM. */
int vc_source_get(struct vc_source *s, void *bytes, uint32_t n, uint32_t *got, bool *kick);
/* The next event if the stream has reached it. *taken: *event holds a checked copy, and its slot is free;
 * kick IN_ROOM. */
int vc_source_event(struct vc_source *s, struct vc_line_event *event, bool *taken, bool *kick);
void vc_source_arm_room(struct vc_source *s);
void vc_source_arm_bytes(struct vc_source *s);
bool vc_source_idle(const struct vc_source *s); /* neither input nor events are there */

/* The service's end. */
struct vc_sink {
    struct vc_line_header *page;
    struct vc_consumer out;
    struct vc_producer in;
    struct vc_line_events out_events, in_events;
    uint8_t id[VC_LINE_ID_BYTES]; /* copied at open */
    bool always;
};
int vc_sink_open_ring(struct vc_sink *s, void *memory, size_t bytes);
int vc_sink_open(struct vc_sink *s, void *memory, size_t bytes);
/* What an index record keeps of an event to know it again after a crash; never 0. */
uint16_t vc_line_event_tag(uint32_t sequence);
/* After a crash: go on at this out index, and skip the events that stand before it, and those up to and with
 * the one that tag names (0: none). VC_EPEER: cons does not lie between the line's indices; the end stays as
 * it was opened. */
int vc_sink_resume(struct vc_sink *s, uint32_t cons, uint16_t tag);
/* Output as spans, up to the next event only. *n, the spans' sum, is 0 when an event is due, or there is nothing,
 * or after VC_EPEER. */
int vc_sink_peek(const struct vc_sink *s, struct vc_span spans[2], uint32_t *n);
/* Take n bytes that a peek showed; true: the guest waits for room, kick OUT_ROOM. */
bool vc_sink_commit(struct vc_sink *s, uint32_t n);
/* The event that stands at the out index now, if any; a checked copy. It stays until vc_sink_event_done. */
int vc_sink_event(const struct vc_sink *s, struct vc_line_event *event, bool *due);
bool vc_sink_event_done(struct vc_sink *s); /* true: kick OUT_ROOM */
/* The way in, as the source's way out; kick IN_BYTES. */
int vc_sink_room(const struct vc_sink *s, uint32_t *room);
int vc_sink_put(struct vc_sink *s, const void *bytes, uint32_t n, uint32_t *done, bool *kick);
int vc_sink_post(struct vc_sink *s, enum vc_line_event_kind kind, uint64_t value, bool *kick);
void vc_sink_arm_bytes(struct vc_sink *s);
void vc_sink_arm_room(struct vc_sink *s);
bool vc_sink_idle(const struct vc_sink *s); /* neither output nor events are there */

#endif
