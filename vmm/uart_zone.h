/* SPDX-License-Identifier: MIT */
/*
 * uart_zone.h: writes of a UART's data register that the engine records (engine.h, zone), so that not each of them is an exit.
 *
 * Spec:  vcons/uart.h, "Coalesced writes", whose rules are kept here.
 * Owner: part of struct door_uart.
 * Lock:  console.lock, the door's: all functions are [locked]. Whoever has it takes what was recorded, nobody else, so that it
 *        reaches the UART in the guest's order.
 * Room:  the zone is on only while the line has room for whatever can be recorded, and for what else may be written to it before
 *        that is looked at again. If the line should be full all the same (a service that broke it, events that nobody
 *        takes), what finds no room stays where it was recorded: it is late, but neither lost nor out of order.
 */
#ifndef VCONS_VMM_UART_ZONE_H
#define VCONS_VMM_UART_ZONE_H
#include <stdbool.h>
#include <stdint.h>

struct door;

struct uart_zone {
    bool on;           /* the engine records */
    bool kept;         /* there may be recorded writes: it is on, or some found no room */
    bool some;         /* the last look found any */
    uint64_t flush_ms; /* when it has to be looked at again, on or before */
};

/*
 * What was recorded goes to the UART, and recording goes on, ends or begins as the UART then says. Before whatever vcons/uart.h
 * lists. False: the line has no room for all of it; try again after `room`.
 */
bool uart_zone_take(struct door *door);
/* The run is over, and nobody is interested any more. */
void uart_zone_close(struct door *door);
/* When the loop is to call uart_zone_take at the latest: in a millisecond, or UINT64_MAX: no need. */
uint64_t uart_zone_deadline(const struct door *door);

#endif
