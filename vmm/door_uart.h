/* SPDX-License-Identifier: MIT */
/*
 * door_uart.h: the UART in front of a console's line: where it is for the guest, what waits in it, and its timer.
 *
 * Spec:  vcons/uart.h, vcons/pl011.h; design §3.3, §4 (a full line is a full FIFO, never a busy UART).
 * Owner: part of struct door.
 * Lock:  console.lock, the door's: functions marked [locked] want it held. Accesses come from vCPU threads, all else from the
 *        loop, which serves the timer.
 * Trust: accesses are the guest's: any place, width and value.
 */
#ifndef VCONS_VMM_DOOR_UART_H
#define VCONS_VMM_DOOR_UART_H
#include "config.h"
#include "engine.h"
#include <vcons/pl011.h>

struct door;

struct door_uart {
    struct engine_uart place; /* constant */
    struct vc_pl011 pl011;
    bool open;                   /* between door_open and door_close: the engine is there */
    bool out_waits;              /* the line took less than was offered: the rest is in the FIFO */
    bool wants_input;            /* it can take what it refused before */
    bool break_waits;            /* a break of a viewer's that found no room: it comes before further input */
    uint64_t due_ms;             /* its timer, vmm_now_ms; UINT64_MAX: none */
    uint8_t input[VC_UART_FIFO]; /* taken from the line, not yet by the UART: n_input from at_input on */
    uint32_t n_input, at_input;
};

bool door_is_uart(enum config_door type);
/* Once, at the door's creation: as number n of the domain's UARTs. */
void uart_place(struct door *door, uint32_t n);
/* [locked] Reset state, for a run that starts; the end of that run. */
void uart_open(struct door *door);
void uart_close(struct door *door);
/* [locked] Move what can move. False: output waits in the FIFO. */
bool uart_serve(struct door *door);
/* [locked] The loop: what is due by now; when to come again at the latest, UINT64_MAX: no need. */
void uart_tick(struct door *door);
uint64_t uart_deadline(const struct door *door);
/* [locked] A viewer sent a break. */
void uart_break(struct door *door);

#endif
