/* SPDX-License-Identifier: MIT */
/*
 * virtio_console.h: the console device of virtio, with up to 511 ports that come and go.
 *
 * Spec:  VIRTIO 1.2, 5.3; bare section numbers are its own. Layouts: wire/virtio_console.h. Registers: virtio_mmio.h. SIZE,
 *        MULTIPORT and EMERG_WRITE are offered, indirect descriptors and the event index too. What the spec leaves open:
 *        - control messages wait in the device, one bit for each port and kind: what they say is derived when there is a
 *          buffer for them, so that none is lost and what is overtaken (a second resize) is not sent. Of one port they go
 *          out in the order REMOVE, ADD, and once the guest is ready CONSOLE_PORT, NAME, OPEN, RESIZE. A name or size
 *          that does not fit into the guest's buffer is left out;
 *        - input is held back until the guest has opened the port (Linux discards what comes before);
 *        - what the guest sends on a port that is not there, or not any more, is used and thrown away: its driver spins;
 *        - messages of the guest for a port that is not there are ignored, but a PORT_READY is answered by REMOVE: a guest that
 *          resumes says so of ports that went meanwhile. Those that are too short, or of unknown kind, are ignored;
 *        - a guest that says PORT_READY without DEVICE_READY (Linux, when it resumes) knows its ports;
 *        - without MULTIPORT there is port 0, a console, open from DRIVER_OK on; its size is in the configuration.
 * Owner: the caller places struct vc_virtio_console and gives vc_virtio_console_bytes() of memory aligned to 8.
 * Lock:  the caller's, one for each device, around every call. env functions run under it: no calls back into this device.
 *        A vc_announce is shared by the devices of a domain and has a lock of its own.
 * Trust: registers, rings and messages are the guest's and may be anything. A queue with something in it that is against the
 *        spec is not looked at any more until reset: env->broken, once, and NEEDS_RESET; the others go on. One call takes at
 *        most VC_VIRTIO_BATCH_BYTES of output, each buffer counted as VC_VIRTIO_BUFFER_COST at least, and reads at most
 *        VC_VIRTIO_QUEUE messages.
 * Hold:  env->out may take less than it is offered: the buffer is not given back, and the guest waits (Linux: spinning, with
 *        interrupts off). vc_virtio_console_output_room goes on. No byte is dropped here but as above.
 */
#ifndef VCONS_VIRTIO_CONSOLE_H
#define VCONS_VIRTIO_CONSOLE_H
#include <vcons/announce.h>
#include <vcons/virtio_mmio.h>
#include <vcons/wire/virtio_console.h>

#define VC_VIRTIO_PORTS_MAX   511u
#define VC_VIRTIO_QUEUE       64u /* QueueSizeMax: Linux fills a receive queue with a page for each */
#define VC_VIRTIO_BATCH_BYTES (256u * 1024)
#define VC_VIRTIO_BUFFER_COST 64u
#define VC_VIRTIO_NAME_BYTES  64u
#define VC_VIRTIO_MUCH_BYTES  4096u /* of one look: whoever waits for an answer sends less */
#define VC_VIRTIO_TRIES       4u    /* looks in a while at a driver that may be one which waits for its buffers */

enum vc_virtio_reason { /* the value of a VC_LINE_BROKEN event */
                        VC_VIRTIO_BROKEN_OUT = 16,
                        VC_VIRTIO_BROKEN_IN = 17,
                        VC_VIRTIO_BROKEN_CONTROL = 18, /* of the device: told of no port */
};
#define VC_VIRTIO_NO_PORT UINT32_MAX

struct vc_virtio_console_env {
    struct vc_virtio_env bus;
    /*
     * Output of a port that is plugged, n not 0. bytes lie in the guest's memory, which may change meanwhile: each is read
     * once. Returns how many were taken, 0..n.
     */
    uint32_t (*out)(void *ctx, uint32_t port, const uint8_t *bytes, uint32_t n);
    /* A byte that no driver is needed for, of the first console port (or none): never waits. */
    void (*emergency)(void *ctx, uint32_t port, uint8_t byte);
    void (*input_room)(void *ctx, uint32_t port); /* once after an offer was not taken in full: offer again, later */
    void (*guest_open)(void *ctx, uint32_t port, bool open); /* a change */
    void (*broken)(void *ctx, uint32_t port, enum vc_virtio_reason reason);
    /* There is more to do than one call may: vc_virtio_console_serve, soon, by a thread that is not this guest's. */
    void (*later)(void *ctx);
    /*
     * A port that is no console sends much: vc_virtio_console_serve in some milliseconds, not at once. Until then the guest notifies
     * only of half a queue. One whose driver was seen to send on while it had buffers lent has them back by half queues, too, or when
     * a look finds little; one that was looked at so VC_VIRTIO_TRIES times, and had never sent on, waits for each: it is heard each
     * time. Called once or more for it. NULL: each buffer is taken as it comes.
     */
    void (*in_a_while)(void *ctx);
};

struct vc_virtio_console_config {
    uint32_t ports;    /* max_nr_ports: ids from 0 to one less; 1..VC_VIRTIO_PORTS_MAX. Each costs the guest memory */
    uint64_t withheld; /* features not to be offered, as bits */
    bool rows_first;   /* of RESIZE: for Linux before 6.15 (6.1: before 6.1.160) */
    struct vc_announce *announce; /* NULL: consoles are announced as soon as the guest is ready */
};

struct vc_virtio_port_config {
    const char *name;    /* copied; at most VC_VIRTIO_NAME_BYTES, NULL: none */
    bool console;        /* else a port of the name, /dev/virtio-ports/NAME */
    bool host_open;      /* somebody is at the other end */
    uint16_t cols, rows; /* 0: not known */
    uint32_t place;      /* a console's, in the announce */
};

struct vc_virtio_port {                  /* private */
    uint8_t plugged, console, host_open; /* the caller's doing */
    uint8_t told, ready, open; /* the guest knows it (or shall hear that it is gone), has made it, has opened it */
    uint8_t hungry;            /* env->input_room is owed */
    uint8_t streams, tries; /* its driver sends on while buffers are not back; looks in a while that did not show it */
    uint8_t owed;           /* messages, as bits */
    uint8_t n_name;
    uint16_t cols, rows;
    uint32_t answers; /* PORT_READYs that are still to come for earlier ADDs */
    uint32_t place;
    uint32_t at; /* bytes taken of the output chain that is next */
    char name[VC_VIRTIO_NAME_BYTES];
};

#define VC_VIRTIO_WORDS ((VC_VIRTIO_PORTS_MAX + 63) / 64)
struct vc_virtio_console { /* for the caller to place; dropped may be read under the lock */
    struct vc_virtio_mmio mmio;
    const struct vc_virtio_console_env *env;
    void *ctx;
    struct vc_virtio_console_config config;
    struct vc_virtio_port *ports;
    bool ready;                        /* DEVICE_READY, or what implies it */
    bool control_later;                /* more messages of the guest than one call may read */
    uint32_t next_sender, next_later;  /* whose turn it is among ports */
    uint64_t senders[VC_VIRTIO_WORDS]; /* ports with a message owed that may be sent */
    uint64_t later[VC_VIRTIO_WORDS];   /* ports with output that one call may not take */
    uint64_t lazy[VC_VIRTIO_WORDS];    /* ports that env->in_a_while was called for */
    uint64_t dropped;                  /* bytes thrown away: of ports that are not there */
    struct vc_chain chain;             /* what is worked on: too large for a stack */
};

/* 0: not a number of ports. */
size_t vc_virtio_console_bytes(uint32_t ports);
/* Reset state, no port plugged, line low. env, all set, ctx, memory and config->announce outlive the device. VC_EINVAL: config. */
int vc_virtio_console_init(struct vc_virtio_console *c, const struct vc_virtio_console_config *config,
                           const struct vc_virtio_console_env *env, void *ctx, void *memory);

/* ---- Ports. At any time; the guest hears of it when it can. ---- */

/* VC_EINVAL: no such id, or its name is too long; VC_EBUSY: is plugged. */
int vc_virtio_console_add(struct vc_virtio_console *c, uint32_t port, const struct vc_virtio_port_config *config);
/* Output that waits is thrown away. VC_ENOENT: is not plugged. */
int vc_virtio_console_remove(struct vc_virtio_console *c, uint32_t port);
/* The size of the terminal at the other end, 0: not known any more; VC_ENOENT. */
int vc_virtio_console_resize(struct vc_virtio_console *c, uint32_t port, uint16_t cols, uint16_t rows);
/* Somebody is there, or nobody. Consoles do not care. VC_ENOENT. */
int vc_virtio_console_host(struct vc_virtio_console *c, uint32_t port, bool open);
bool vc_virtio_console_guest_open(const struct vc_virtio_console *c, uint32_t port);

/* ---- Bytes. ---- */

/* Offer n bytes to the guest. Returns how many were taken; if fewer than n, env->input_room tells when to offer again. */
uint32_t vc_virtio_console_input(struct vc_virtio_console *c, uint32_t port, const uint8_t *bytes, uint32_t n);
/* env->out may take bytes of port again. */
void vc_virtio_console_output_room(struct vc_virtio_console *c, uint32_t port);
/* Go on with what was put off: after env->later, an announce's turn, a restore. */
void vc_virtio_console_serve(struct vc_virtio_console *c);

#endif
