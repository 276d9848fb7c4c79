/* SPDX-License-Identifier: MIT */
/*
 * wire/line.h: a line, the memory in which one console's bytes travel between hypervisor and service.
 *
 * One memfd, sealed against resizing (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL):
 *
 *     0      header page: this struct
 *     4096   out bytes, out_size of them: from the guest
 *     then   in bytes, in_size of them: to the guest
 *
 * Indices run freely modulo 2^32, slot = index & (size - 1), used = prod - cons, full when used == size; more than
 * size is a violation. The hypervisor writes out_prod, in_cons, out_event_prod, in_event_cons; the service the others.
 *
 * Wait words: whoever is about to sleep stores 1 into its word, looks again at the index it waits for, and sleeps
 * on its eventfd if there is still nothing. The other side publishes its index, then looks at the word; if it is
 * not 0, stores 0 and kicks. All of these accesses are sequentially consistent: with less, both sides may read the
 * old value and one sleeps for ever (models/line_wait.pml).
 *
 * Events have a place in the stream: line_index is out_prod (in_prod for events to the guest) at the moment of
 * posting, and an event is published before any byte that follows it. A producer whose event ring is full treats
 * the line as full.
 *
 * Geometry XEN (wire/link.h): two pages. The first is a ring page of Xen's (wire/xencons.h), with its sizes, indices and connection flag,
 * and without wait words: each side kicks after each change. The second is this header, of which magic, version, id, the event rings and
 * their indices are used; out_size and in_size are the ring page's, out_offset and in_offset where it has the bytes.
 *
 * Byte order: the machine's; a line never leaves the machine.
 */
#ifndef VCONS_WIRE_LINE_H
#define VCONS_WIRE_LINE_H
#include <stddef.h>
#include <stdint.h>
#include <vcons/wire/state.h>

#define VC_LINE_MAGIC        UINT64_C(0x656e696c736e6376) /* "vcnsline" in memory, little-endian */
#define VC_LINE_VERSION      1u
#define VC_LINE_ID_BYTES     16u
#define VC_LINE_HEADER_BYTES 4096u
#define VC_LINE_OUT_DEFAULT  (256u * 1024)
#define VC_LINE_IN_DEFAULT   (4u * 1024)
#define VC_LINE_SIZE_MIN     4096u
#define VC_LINE_SIZE_MAX     (64u * 1024 * 1024)
#define VC_LINE_OUT_EVENTS   64u
#define VC_LINE_IN_EVENTS    32u

/* Kinds of events. "out" is from the hypervisor, "in" to it. */
enum vc_line_event_kind {
    VC_LINE_BOOT = 1,    /* out: the domain starts; value is its boot number, from 1 */
    VC_LINE_RESET = 2,   /* out: the domain was reset; a boot follows */
    VC_LINE_GAP = 3,     /* out: value bytes of the guest's are lost here */
    VC_LINE_RESIZE = 4,  /* in or out: value is rows << 16 | columns */
    VC_LINE_BREAK = 5,   /* in or out: a serial break */
    VC_LINE_OPEN = 6,    /* out: the guest opened its end */
    VC_LINE_CLOSE = 7,   /* out: the guest closed its end, or ended; value is an enum vc_domain_state */
    VC_LINE_BROKEN = 8,  /* out: the guest broke its door's protocol; value is the door's reason */
    VC_LINE_RESTORE = 9, /* out: the domain goes on from a saved state */
};

struct vc_line_event {
    uint32_t sequence;   /* the free-running number of this event in its ring */
    uint32_t line_index; /* out_prod or in_prod when it was posted */
    uint32_t kind;       /* enum vc_line_event_kind */
    uint32_t reserved;
    uint64_t value;
    uint64_t reserved2;
};

struct vc_line_header {
    uint64_t magic;
    uint32_t version;
    uint32_t out_size, in_size;     /* powers of two, VC_LINE_SIZE_MIN..VC_LINE_SIZE_MAX */
    uint32_t out_offset, in_offset; /* from the start of the memory */
    uint32_t reserved;
    uint8_t id[VC_LINE_ID_BYTES]; /* random, for the life of this memory */

    /* Each on a cache line of its own: who writes one does not slow the reader of another. */
    _Alignas(64) uint32_t out_prod;
    _Alignas(64) uint32_t out_cons;
    _Alignas(64) uint32_t out_bytes_wait; /* the service sleeps until there are bytes or events */
    _Alignas(64) uint32_t out_room_wait;  /* the hypervisor sleeps until there is room */
    _Alignas(64) uint32_t in_prod;
    _Alignas(64) uint32_t in_cons;
    _Alignas(64) uint32_t in_bytes_wait; /* the hypervisor sleeps until there are bytes or events */
    _Alignas(64) uint32_t in_room_wait;  /* the service sleeps until there is room */
    _Alignas(64) uint32_t out_event_prod;
    _Alignas(64) uint32_t out_event_cons;
    _Alignas(64) uint32_t in_event_prod;
    _Alignas(64) uint32_t in_event_cons;

    _Alignas(1024) struct vc_line_event out_events[VC_LINE_OUT_EVENTS];
    struct vc_line_event in_events[VC_LINE_IN_EVENTS];
};

_Static_assert(sizeof(struct vc_line_event) == 32, "wire layout");
_Static_assert(offsetof(struct vc_line_header, version) == 8, "wire layout");
_Static_assert(offsetof(struct vc_line_header, out_size) == 12, "wire layout");
_Static_assert(offsetof(struct vc_line_header, out_offset) == 20, "wire layout");
_Static_assert(offsetof(struct vc_line_header, id) == 32, "wire layout");
_Static_assert(offsetof(struct vc_line_header, out_prod) == 64, "wire layout");
_Static_assert(offsetof(struct vc_line_header, in_prod) == 320, "wire layout");
_Static_assert(offsetof(struct vc_line_header, in_event_cons) == 768, "wire layout");
_Static_assert(offsetof(struct vc_line_header, out_events) == 1024, "wire layout");
_Static_assert(offsetof(struct vc_line_header, in_events) == 3072, "wire layout");
_Static_assert(sizeof(struct vc_line_header) == VC_LINE_HEADER_BYTES, "one page");

#endif
