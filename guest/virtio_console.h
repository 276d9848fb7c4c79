/* SPDX-License-Identifier: MIT */
/*
 * virtio_console.h: the console device of virtio, the driver's side: ports that come and go, some of them consoles.
 *
 * Spec:  VIRTIO 1.2, 5.3; device ABI 3; numbers of consoles: vterm.h. Layouts: wire/virtio_console.h.
 * Owner: the caller places the device and its ports, in memory that the device reaches by platform->gpa: each is contiguous there.
 *        A port of the device for which there is none here is answered that it cannot be made.
 * Lock:  the caller's, one for each device, around every call and around put and get of its ports; but virtio_console_interrupt
 *        needs none. The terminals' env runs under it.
 * Work:  what the device says is read in virtio_console_work, and in put and get of its ports, which call it: so whoever writes to a
 *        port learns that it has gone. Nothing here waits, but for a full port's patience: as uart.h, what nobody takes for so long is
 *        dropped, counted, until there is room again.
 * Gone:  a port that the device takes away while somebody uses it drops what is written, counted, and gives nothing, until
 *        virtio_port_release; only then can one of the same id be made. What came before a port was opened is discarded.
 * Trust: every message, length, id, used element and register may be anything. A message is taken only when there is room for
 *        its answer, so that none needs to be kept; one call takes at most VIRTIO_CONSOLE_BATCH. What is against the spec counts in
 *        violations, and breaks at most the queue that it came by.
 */
#ifndef GUEST_VIRTIO_CONSOLE_H
#define GUEST_VIRTIO_CONSOLE_H
#include "virtio_mmio.h"
#include "vterm.h"
#include <vcons/wire/virtio_console.h>

#define VIRTIO_CONSOLE_BATCH         64u  /* messages a call, 2.3's bound the other way round */
#define VIRTIO_CONSOLE_MESSAGES      16u  /* of control queues, each way; a power of two */
#define VIRTIO_CONSOLE_MESSAGE_BYTES 128u /* towards us: a message and a name */
#define VIRTIO_CONSOLE_PORTS_MAX     8000u /* more than any device has: as Linux, for what max_nr_ports may say, in hex */
#define VIRTIO_PORT_BUFFERS          16u   /* of a port's queues, each way; a power of two */
#define VIRTIO_PORT_IN_BYTES         128u /* of a buffer for what is typed */
#define VIRTIO_PORT_OUT_BYTES        512u
#define VIRTIO_PORT_NAME_BYTES       32u /* with its end; longer ones are cut */
#define VIRTIO_CONSOLE_PATIENCE_NS   UINT64_C(60000000000)
#define VIRTIO_CONSOLE_LOOKS         (UINT32_C(1) << 26) /* where there is no clock */
#define VIRTIO_CONSOLE_IDLE_NS       10000000u           /* looked at so often where nothing tells of input */

#define VIRTIO_RING_BYTES(n)                                                                                           \
    ((VIRTQ_DESC_BYTES(n) + VIRTQ_AVAIL_BYTES(n) + VIRTQ_USED_BYTES(n) + VIRTQ_USED_ALIGN + 15u) & ~15u)

struct virtio_console;
struct virtio_port { /* for the caller to place, not to write */
    struct hvc hvc;  /* its name is vportNpM */
    struct virtio_console *device;
    uint32_t id;
    bool added, console, guest_open, host_open;
    bool held;  /* somebody uses it, or has not let go of it yet */
    bool again; /* the device adds it anew, and has no answer yet */
    bool owes_answer, owes_open;
    bool filled;         /* its input has had buffers since the device began */
    uint32_t number;     /* of a console: vterm.h; 0: none */
    uint16_t cols, rows; /* 0: not known */
    uint32_t n_resizes;
    char name[VIRTIO_PORT_NAME_BYTES];
    uint64_t sent, received, discarded;
    uint64_t full_since;
    uint32_t n_full;
    uint32_t in_at, in_n, in_slot; /* of the buffer that is being read */
    uint32_t free_out;             /* buffers, as bits */
    struct virtqueue in, out;
    _Alignas(16) uint8_t in_ring[VIRTIO_RING_BYTES(VIRTIO_PORT_BUFFERS)];
    _Alignas(16) uint8_t out_ring[VIRTIO_RING_BYTES(VIRTIO_PORT_BUFFERS)];
    uint8_t in_bytes[VIRTIO_PORT_BUFFERS][VIRTIO_PORT_IN_BYTES];
    uint8_t out_bytes[VIRTIO_PORT_BUFFERS][VIRTIO_PORT_OUT_BYTES];
};

struct virtio_console_setup {
    const struct platform *platform; /* with gpa */
    struct vterms *terms;
    uint32_t number; /* N of vportNpM */
    struct virtio_port *ports;
    uint32_t n_ports; /* at least 1 */
    bool single;      /* as a driver that does not know MULTIPORT */
};
struct virtio_console { /* for the caller to place, not to write but where it says so */
    struct hvc control; /* no console: what the control queue and a sleep by hvc_idle have to do with each other */
    struct virtio_mmio mmio;
    struct virtio_console_setup setup;
    bool running, multiport, working;
    bool interrupts;     /* for the owner to set: virtio_console_interrupt is called for its interrupts */
    bool wakes;          /* … and they end every wait of this kernel */
    uint32_t event_port; /* … or this event channel tells of them; 0: none does */
    uint32_t max_ports;  /* as the device says, with MULTIPORT */
    uint32_t n_interrupts, n_config, seen_config;
    bool owes; /* a port does, maybe */
    uint64_t violations, refused;
    uint64_t patience_ns; /* of a full port, see above; the owner may set both */
    uint32_t patience_looks;
    uint32_t free_out; /* messages, as bits */
    struct virtqueue in, out;
    _Alignas(16) uint8_t in_ring[VIRTIO_RING_BYTES(VIRTIO_CONSOLE_MESSAGES)];
    _Alignas(16) uint8_t out_ring[VIRTIO_RING_BYTES(VIRTIO_CONSOLE_MESSAGES)];
    uint8_t in_bytes[VIRTIO_CONSOLE_MESSAGES][VIRTIO_CONSOLE_MESSAGE_BYTES];
    struct virtio_console_control out_bytes[VIRTIO_CONSOLE_MESSAGES];
};

/*
 * Start the device behind io: from here on it may interrupt, and its ports come. Without MULTIPORT, port 0 is a console at once.
 * VC_ENOENT: it is no console; VC_EPEER: it does not keep to the spec; VC_ENOSPC: no number for its only console. After a
 * failure it is reset, and *c may be placed anew. *c is all zero before the first time.
 */
int virtio_console_begin(struct virtio_console *c, const struct virtio_io *io,
                         const struct virtio_console_setup *setup);
/* All its ports go; what it may still do to memory ends. False: some are held, call it again once they are released. */
bool virtio_console_end(struct virtio_console *c);
/* True: something happened; there may be more. */
bool virtio_console_work(struct virtio_console *c);
/* On an interrupt. True: it was the device's; virtio_console_work, get of its ports. */
bool virtio_console_interrupt(struct virtio_console *c);
/* A byte that needs no driver, also before begin: 5.3.4. False: it does not take such. */
bool virtio_console_emergency(const struct virtio_io *io, uint8_t byte);

/* The port of that id; NULL: the device has none now. */
struct virtio_port *virtio_console_port(struct virtio_console *c, uint32_t id);
/* Open or close one that is no console; the device hears of it. A console is open for as long as it has a number. */
void virtio_port_open(struct virtio_port *p, bool open);
/* Its user, told by vterm_env.end, has let go of it. */
void virtio_port_release(struct virtio_port *p);
static inline struct virtio_port *virtio_port_of(struct hvc *hvc) { return (struct virtio_port *)(void *)hvc; }

#endif
