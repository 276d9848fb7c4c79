/* SPDX-License-Identifier: MIT */
/*
 * door_uart.h: the UART in front of a console's line: where it is for the guest, what waits in it, and its timer.
 *
 * Spec:  vcons/uart.h, vcons/pl011.h, vcons/ns16550.h; design §3.3, §4 (a full line is a full FIFO, never a busy UART).
 *        In a domain with a PV console a UART has what a PV console has, for its own: a ring page, which is its line, and an event
 *        channel, named in XenStore under xen-console (domain_nodes.h), where the backend alone can read it. Both are private: the
 *        page is not in the guest's memory, and the port is none that the guest can use.
 * Owner: part of struct door.
 * Lock:  console.lock, the door's: functions marked [locked] want it held. Accesses come from vCPU threads, all else from the
 *        loop, which serves the timer.
 * Trust: accesses are the guest's: any place, width and value.
 */
#ifndef VCONS_VMM_DOOR_UART_H
#define VCONS_VMM_DOOR_UART_H
#include "config.h"
#include "engine.h"
#include "uart_zone.h"
#include <vcons/ns16550.h>
#include <vcons/pl011.h>
#include <vcons/save.h>

struct door;
struct uart_chip; /* uart_chip.h */

struct door_uart {
    struct engine_device place; /* constant */
    uint32_t number;            /* among the domain's UARTs; constant */
    bool has_ring;              /* its line is a ring page of Xen's, private: the domain has a PV console; constant */
    const struct uart_chip *chip;
    union {
        struct vc_pl011 pl011;
        struct vc_16550 ns16550;
    };
    struct uart_zone zone;
    bool open;                   /* between door_open and door_close: the engine is there */
    bool out_waits;              /* the line took less than was offered: the rest is in the FIFO */
    bool wants_input;            /* it can take what it refused before */
    bool break_waits;            /* a break of a viewer's that found no room: it comes before further input */
    uint64_t due_ms;             /* its timer, vmm_now_ms; UINT64_MAX: none */
    uint64_t looked_ms;          /* when the loop will look at that by itself, at the latest */
    uint8_t input[VC_UART_FIFO]; /* taken from the line, not yet by the UART: n_input from at_input on */
    uint32_t n_input, at_input;
};

/* Once, at the door's creation: as number n of the domain's UARTs. */
void uart_place(struct door *door, uint32_t n);
/* [locked] Reset state, for a run that starts; -1: there is no event channel. The end of that run. */
int uart_open(struct door *door, struct problem *problem);
void uart_close(struct door *door);
/* [locked] Move what can move. False: output waits in the FIFO. */
bool uart_serve(struct door *door);
/* [locked] The loop: what is due by now; when to come again at the latest, UINT64_MAX: no need. */
void uart_tick(struct door *door);
uint64_t uart_deadline(struct door *door);
/* [locked] A viewer sent a break. */
void uart_break(struct door *door);

/* Whether this frame's number names the ring of a UART of d's (boot.h). */
bool uart_names_frame(const struct domain *d, uint64_t gfn);
/* [locked] Its state, while the door is frozen. Input that it has not taken goes back to what the door keeps. -1: no
 * memory, or writes of its guest's are recorded for which its line has no room; *problem says which. */
int uart_save(struct door *door, struct vc_writer *w, struct problem *problem);
/* [locked] Instead of uart_open. False: no state of such a UART. */
bool uart_restore(struct door *door, struct vc_reader *r);

#endif
