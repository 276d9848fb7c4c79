/* SPDX-License-Identifier: MIT */
/*
 * virtio_mmio.h: the MMIO transport of virtio, version 2, the driver's side: finding a device, features, queues, interrupts.
 *
 * Spec:  VIRTIO 1.2, 3.1.1 (order of a start), 4.2.2, 4.2.3; device ABI 2.4. Registers: wire/virtio.h.
 * Owner: the caller places struct virtio_mmio; io's context outlives it.
 * Lock:  the caller's, one for each device; but virtio_mmio_notify and virtio_mmio_interrupt may be called at any time.
 * Trust: a register may say anything, and something else the next time: each answer is checked, no wait is without a bound, and
 *        what is no device, or none that keeps to the spec, is left alone.
 */
#ifndef GUEST_VIRTIO_MMIO_H
#define GUEST_VIRTIO_MMIO_H
#include "virtqueue.h"

/* How the registers of one device are reached; width is 1, 2 or 4 bytes. What was stored before a write is seen by the device. */
struct virtio_io {
    uint64_t base;
    uint32_t (*read)(const struct virtio_io *io, uint32_t offset, uint32_t width);
    void (*write)(const struct virtio_io *io, uint32_t offset, uint32_t width, uint32_t value);
};

struct virtio_mmio { /* for the caller to place, not to write */
    struct virtio_io io;
    uint64_t features; /* negotiated */
};

/* Its kind, VIRTIO_ID_CONSOLE or another; 0: no device there, or none of this version. */
uint32_t virtio_mmio_id(const struct virtio_io *io);
/*
 * Reset the device, and take those of its features that are in wanted; VERSION_1 always. VC_ENOENT: there is none; VC_EPEER: it does
 * not reset, has no VERSION_1, or does not agree. After a failure it was told so.
 */
int virtio_mmio_begin(struct virtio_mmio *m, const struct virtio_io *io, uint64_t wanted);
static inline bool virtio_mmio_has(const struct virtio_mmio *m, unsigned feature)
{
    return (m->features & VIRTIO_FEATURE(feature)) != 0;
}
/*
 * A queue of at most size_max buffers in memory of virtqueue_bytes(size_max), aligned to 16, which the device finds at gpa. Between
 * begin and go. VC_ENOENT: it has no such queue; VC_EPEER: it is in use, or does not become ready.
 */
int virtio_mmio_queue(struct virtio_mmio *m, uint32_t index, uint32_t size_max, struct virtqueue *q, void *memory,
                      uint64_t gpa);
/* DRIVER_OK. */
void virtio_mmio_go(struct virtio_mmio *m);
/* Give it up: FAILED, and a reset, after which it touches no queue. VC_EPEER: it does not say that it is reset. */
int virtio_mmio_end(struct virtio_mmio *m);
void virtio_mmio_notify(const struct virtio_mmio *m, uint32_t queue);
/* What it interrupted for, enum virtio_mmio_interrupt, and acknowledged; 0: nothing. */
uint32_t virtio_mmio_interrupt(const struct virtio_mmio *m);
bool virtio_mmio_needs_reset(const struct virtio_mmio *m);

/* Its configuration: offset from the configuration's begin. Fields that belong together: read until the generation stays. */
uint32_t virtio_mmio_config(const struct virtio_mmio *m, uint32_t offset, uint32_t width);
void virtio_mmio_set_config(const struct virtio_mmio *m, uint32_t offset, uint32_t width, uint32_t value);
uint32_t virtio_mmio_generation(const struct virtio_mmio *m);

#endif
