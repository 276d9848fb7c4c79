/* SPDX-License-Identifier: MIT */
/*
 * tiny_virtio.h: tiny's virtio-console devices: started at boot, each console port a command line for as long as it is there.
 *
 * Spec:  virtio_console.h, vterm.h.
 * Owner: all of it lies in struct tiny.
 * Lock:  none: vCPU 0 alone, but for the interrupt handler's call of virtio_console_interrupt.
 * Trust: as the driver. How many devices and ports there are is the machine's to say; what is more than fits is left out.
 */
#ifndef GUEST_TINY_VIRTIO_H
#define GUEST_TINY_VIRTIO_H
#include "virtio_console.h"

#define TINY_VIRTIO_DEVICES 8u
#define TINY_VIRTIO_PORTS   40u /* of all devices together, each has an equal share */

struct tiny;
struct tiny_console;
struct tiny_virtio_place { /* where a device may be, of whatever kind */
    struct virtio_io io;
    uint32_t irq; /* as the machine numbers them */
};

struct tiny_virtio {
    bool old, single; /* asked for: numbers by the counter; a driver that does not know MULTIPORT */
    uint32_t n_devices;
    uint32_t n_gaps; /* times that somebody was between read and increment of the counter */
    struct vterms terms;
    uint64_t terms_memory[(TINY_VIRTIO_PORTS * sizeof(struct vterm) + 64) / sizeof(uint64_t)];
    struct virtio_console devices[TINY_VIRTIO_DEVICES];
    struct virtio_port ports[TINY_VIRTIO_PORTS];
};

/* Start what there is at the machine's places; their consoles come by and by. */
void tiny_virtio_begin(struct tiny *t);
/* Until a console is there, for a moment at most. */
void tiny_virtio_await(struct tiny *t);
/* What the devices have to say. True: there was something; look again before a sleep. */
bool tiny_virtio_look(struct tiny *t);
/* The consoles that are no consoles, of which a sleep must know; returns how many, at most TINY_VIRTIO_DEVICES. */
size_t tiny_virtio_waiters(struct tiny *t, struct hvc **hvcs);
/* Its user has let go of a console whose port has gone. */
void tiny_virtio_release(struct hvc *hvc);
/* The port that this console is, or NULL. */
const struct virtio_port *tiny_virtio_of(const struct tiny *t, const struct hvc *hvc);
/* For `consoles`: a line for each device, and for each port. */
void tiny_virtio_print(struct tiny_console *c);
/* As words[] of tiny_words.c. */
bool tiny_run_port(struct tiny_console *c, char *rest);
bool tiny_run_await(struct tiny_console *c, char *rest);
bool tiny_run_virtio_test(struct tiny_console *c, char *rest); /* tiny_virtio_test.c */
bool tiny_run_virtio_pry(struct tiny_console *c, char *rest);  /* tiny_virtio_pry.c */

#endif
