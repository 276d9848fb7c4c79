/* SPDX-License-Identifier: MIT */
/*
 * uart.h: what the two UARTs, pl011.h and ns16550.h, have in common: what they need from the world, their FIFOs, and
 * writes that come in batches.
 *
 * Spec:  Arm DDI 0183G (PL011) and PC16550D (16550A) where they agree; ours for env and batches.
 * Owner: the caller places the UART that embeds these.
 * Lock:  the door's, the caller's, around every call. env functions run under it: no calls back into the same UART.
 * Trust: the guest's accesses may be anything at all. Bytes taken from the guest are handed on as they are.
 * Line:  a byte that the guest sends leaves in the same call if env->out takes it. What it does not take waits in the
 *        transmit FIFO, and its flags say so: the guest sees "full" (never "busy"), until vc_..._output_room is
 *        called, or the guest writes again. Who has env->out take less therefore calls output_room when it would take
 *        more, from a thread that does not wait for this guest.
 *
 * Coalesced writes. A hypervisor may have the guest's writes to the data register recorded instead of stopping the
 * vCPU for each (KVM: REGISTER_COALESCED_MMIO with a zone of the data register alone; other registers are never in a
 * zone), and hand them over later, in order, by vc_..._write_batch. Whoever does so keeps to this:
 *   - the zone is registered only while vc_..._zone says so: then every write that the recording ring can hold finds
 *     room on the line, so that none of them is lost, however the driver behaves, and the guest does write. A ring that
 *     several UARTs share (KVM has one for each VM) counts in full for each of them;
 *   - what was recorded is drained, and the zone asked for again, before any other access of the guest to this UART is
 *     served (a read of the flag or line status register is then as true as if each write had been served on its own),
 *     before anything else is written to the same line (console_io of that domain), before input is offered, a break
 *     or a modem change is made known, a timer is served, the UART is saved or reset, and once in a millisecond while
 *     the zone is registered: the line, and the transmit interrupt, are late by no more than that. A drain that brings
 *     nothing is a batch of none: after some of them the zone is not wanted any more, and with it goes the timer;
 *   - when vc_..._zone says no, the zone is unregistered and then drained once more: what was recorded until
 *     then still finds room.
 * The result is that of the same writes one by one; interrupts between two writes of a batch, which nobody could have
 * seen, are left out.
 */
#ifndef VCONS_UART_H
#define VCONS_UART_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VC_UART_FIFO 32u /* slots, a power of two; a device may use fewer */
/* A receive time-out is as many bit times as the manual says, but never longer than this: the line is not that slow. */
#define VC_UART_TIMEOUT_MAX_NS UINT64_C(20000000)

struct vc_uart_env {
    /* Output, n in 1..VC_UART_BATCH, a copy that nobody changes. Returns how many were taken, 0..n. */
    uint32_t (*out)(void *ctx, const uint8_t *bytes, uint32_t n);
    void (*irq)(void *ctx, bool level); /* the interrupt line has changed to level */
    void (*timer)(void *ctx,
                  uint64_t ns);    /* one call of vc_..._timer in so many ns, instead of any asked before; 0: none */
    void (*input_room)(void *ctx); /* once after an offer of input was not taken in full: offer again, later */
    void (*send_break)(void *ctx); /* the guest has begun a break */
};

/*
 * Whether it pays that writes are recorded, so that a guest that is silent costs no flush timer: after so many that
 * were served one by one, until so many drains in a row brought none.
 */
#define VC_UART_BUSY_WRITES  16u
#define VC_UART_EMPTY_DRAINS 16u
struct vc_uart_pace { /* private, not saved */
    uint32_t writes, empty;
};
struct vc_uart_rx {      /* private: data in [7:0], what came with it in [11:8], by the device */
    uint32_t head, tail; /* free-running; tail - head wait */
    uint16_t at[VC_UART_FIFO];
};
struct vc_uart_tx { /* private */
    uint32_t head, tail;
    uint8_t at[VC_UART_FIFO];
};

/* One write of the guest, as recorded: any offset from the UART's base, width and value. */
struct vc_uart_write {
    uint64_t offset;
    uint32_t width; /* bytes */
    uint32_t value; /* the first four at most */
};
#define VC_UART_BATCH 64u /* bytes of a batch that are handed to env->out together, at most */

#endif
