/* SPDX-License-Identifier: MIT */
/* virtio_console.h: what the files of the console device share. Private to core/. */
#ifndef CORE_VIRTIO_CONSOLE_H
#define CORE_VIRTIO_CONSOLE_H
#include "virtio.h"
#include <vcons/virtio_console.h>

enum { /* messages that a port is owed, in the order in which they go out */
       OWED_REMOVE = 1 << 0,
       OWED_ADD = 1 << 1,
       OWED_CONSOLE = 1 << 2,
       OWED_NAME = 1 << 3,
       OWED_OPEN = 1 << 4,
       OWED_RESIZE = 1 << 5,
       OWED_ALL = (1 << 6) - 1,
};

static inline bool bit_is_set(const uint64_t *words, uint32_t i) { return (words[i / 64] >> i % 64 & 1) != 0; }
static inline void bit_set(uint64_t *words, uint32_t i) { words[i / 64] |= UINT64_C(1) << i % 64; }
static inline void bit_clear(uint64_t *words, uint32_t i) { words[i / 64] &= ~(UINT64_C(1) << i % 64); }
/* The first bit from `from` on, then from the beginning; false: none is set. */
bool vc_virtio_next_bit(const uint64_t words[VC_VIRTIO_WORDS], uint32_t from, uint32_t *i);

static inline bool multiport(const struct vc_virtio_console *c)
{
    return vc_virtio_negotiated(&c->mmio, VIRTIO_CONSOLE_F_MULTIPORT);
}

/*
 * The next chain of one of the device's queues, into c->chain, and all of it of the one direction. False: there is none, or
 * the queue is broken now, of which env was told.
 */
bool vc_virtio_console_next(struct vc_virtio_console *c, uint32_t queue, bool writable);

/* The port is plugged, and owes this to the guest once it can. */
void vc_virtio_control_owe(struct vc_virtio_console *c, uint32_t port, uint32_t owed);
/* After any change of what a port owes, or of what it may send. */
void vc_virtio_control_note(struct vc_virtio_console *c, uint32_t port);
/* The guest knows nothing (any more) of any port. */
void vc_virtio_control_forget(struct vc_virtio_console *c);
/* The port was unplugged. */
void vc_virtio_control_removed(struct vc_virtio_console *c, uint32_t port);
/* Read what the guest sent; then send what is owed, as far as there are buffers. */
void vc_virtio_control_serve(struct vc_virtio_console *c);
void vc_virtio_control_send(struct vc_virtio_console *c);
/* The guest has opened or closed the port. */
void vc_virtio_console_opened(struct vc_virtio_console *c, uint32_t port, bool open);

/* To the domain's announce, if the port is a console: there is one that the guest does not know; it need not be waited for. */
void vc_virtio_console_expected(struct vc_virtio_console *c, uint32_t port);
void vc_virtio_console_announced(struct vc_virtio_console *c, uint32_t port);
/* env->input_room, if that is owed and the guest would take input. */
void vc_virtio_console_offer_room(struct vc_virtio_console *c, uint32_t port);

#endif
