/* SPDX-License-Identifier: MIT */
/*
 * virtio_bell.h: the doorbell of one virtio-console: notifications that the loop takes, in place of the vCPU that makes them.
 *
 * Which queues: those that send for ports that are no consoles. Linux has up to 64 writes in such a queue, and waits for none of
 * them but when it is full; for a console it spins with its interrupts off until its bytes are used, which the vCPU's own
 * thread does at once and the loop some time. Receive queues have none: while no input waits, the event index keeps the
 * guest from notifying at all.
 *
 * Spec:  engine.h, doorbell.
 * Owner: part of struct virtio_device.
 * Lock:  functions marked [locked] want the device's; the others are the loop's.
 */
#ifndef VCONS_VMM_VIRTIO_BELL_H
#define VCONS_VMM_VIRTIO_BELL_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include <vcons/virtio_console.h>

struct virtio_device;
struct virtio_bell {
    int fd; /* -1: the engine has none */
    bool has_handle;
    uv_poll_t poll;

    uint64_t ports[VC_VIRTIO_WORDS]; /* whose notifications come by it */
    bool missed;                     /* it rang while nothing may move */
};

/* Without one the device has everything by its registers. */
void virtio_bell_init(struct virtio_device *v);
void virtio_bell_finish(struct virtio_device *v);
void virtio_bell_free(struct virtio_device *v);
/* [locked] A new run: the engine knows of none. */
void virtio_bell_reset(struct virtio_device *v);
/* [locked] The notifications of this port, which sends and is no console, come by it from now on, or no longer. */
void virtio_bell_add(struct virtio_device *v, uint32_t port);
void virtio_bell_remove(struct virtio_device *v, uint32_t port);
/* [locked] It rang while nothing moved; now it does. */
void virtio_bell_catch_up(struct virtio_device *v);

#endif
