/* SPDX-License-Identifier: MIT */
/*
 * door_virtio.h: a port of a virtio-console in front of a console's line.
 *
 * Spec:  virtio_device.h. The log is at the other end of every port, so that its host end is always open. A guest whose console is
 *        held spins with its interrupts off: for a second at most, whatever `hold` says. Whoever writes to a port that is no
 *        console sleeps, as long as `hold` says. What is written to emerg_wr is never held.
 * Owner: part of struct door.
 * Lock:  console.lock, which is the device's: all functions are [locked].
 * Trust: see virtio_device.h.
 */
#ifndef VCONS_VMM_DOOR_VIRTIO_H
#define VCONS_VMM_DOOR_VIRTIO_H
#include "virtio_device.h"
#include <vcons/save.h>

#define DOOR_VIRTIO_HOLD_MS 1000
#define DOOR_VIRTIO_INPUT   512u

struct door_virtio {
    struct virtio_device *device;     /* constant while there is a console */
    bool plugged;                     /* the guest may have it */
    bool out_waits;                   /* the line took less than was offered: the rest is in the guest's buffers */
    bool took;                        /* … and took some, of the last call */
    uint16_t rows, columns;           /* of who types, as last told; 0: nobody's terminal */
    uint8_t input[DOOR_VIRTIO_INPUT]; /* taken from the line, not yet by the guest: n_input from at_input on */
    uint32_t n_input, at_input;
};

int virtio_hold_ms(enum config_door door, int hold_ms);
/* Once for each console, before its door is opened: its device and port, which is free, are the configuration's. Takes the lock. */
void virtio_place(struct door *door);
/* The device is open: the guest gets it. And, at any time, it loses it for good: the port is free. */
void virtio_plug(struct door *door);
void virtio_unplug(struct door *door);
/* Move what can move. False: output waits in the guest's buffers. */
bool virtio_serve(struct door *door);
/* The terminal of who types has another size. */
void virtio_resize(struct door *door, unsigned rows, unsigned columns);
/* What core says of this port. */
uint32_t virtio_out(struct door *door, const uint8_t *bytes, uint32_t n);
void virtio_emergency(struct door *door, uint8_t byte);
/* The guest has it, and has opened it. */
bool virtio_is_open(struct door *door);
/* The guest would take input. */
void virtio_offer_input(struct door *door);
/* Input that the guest has not taken goes back to what the door keeps. -1: no memory. */
int virtio_put_back(struct door *door);

#endif
