/* SPDX-License-Identifier: MIT */
/*
 * virtio_parts.h: what the parts of the driver, virtio_console.c, virtio_messages.c and virtio_port.c, want from each other.
 *
 * Spec, owner, lock, trust: virtio_console.h.
 */
#ifndef GUEST_VIRTIO_PARTS_H
#define GUEST_VIRTIO_PARTS_H
#include "virtio_console.h"

/* Before DRIVER_OK: its queues. As virtio_mmio_queue. */
int virtio_port_init(struct virtio_console *c, uint32_t id);
/* It is there now: nothing is known of it, what came for one of that id before is discarded, and its input has buffers. */
void virtio_port_make(struct virtio_port *p);
/* What came until now is discarded: nobody had opened it. */
void virtio_port_discard(struct virtio_port *p);

/* Before DRIVER_OK: the control queues; after it: tell the device that messages may come. */
int virtio_messages_init(struct virtio_console *c);
void virtio_messages_begin(struct virtio_console *c);
/* As virtio_console_work. */
bool virtio_messages_serve(struct virtio_console *c);
/* A port turns out to be a console. False: no number, or no terminal is left. */
bool virtio_console_open(struct virtio_console *c, struct virtio_port *p);
void virtio_resized(struct virtio_port *p, uint16_t cols, uint16_t rows);
/* It has gone: nothing that anybody still writes may come to the next of its id. */
void virtio_hang_up(struct virtio_port *p);

static inline uint64_t virtio_gpa(const struct virtio_console *c, const void *at)
{
    return c->setup.platform->gpa(c->setup.platform->ctx, at);
}

#endif
