/* SPDX-License-Identifier: MIT */
/*
 * ns16550.h: the 16550A UART of a PC.
 *
 * Spec:  National Semiconductor PC16550D (1995); bare section numbers are its own. Registers: wire/ns16550.h. Where it
 *        is not the hardware's twin:
 *        - a line has no speed: what is sent leaves in the write that sends it. LSR.THRE and TEMT are clear while the
 *          line takes nothing and bytes wait;
 *        - the divisor counts for the receive time-out alone; 0 is taken for that of 115200 baud;
 *        - the interrupt line is a level, high while IIR names a source, whatever MCR.OUT2 says: with an
 *          edge-triggered controller a driver reads IIR until it names none, as all do;
 *        - input is never overrun: what does not fit, or comes in loopback, is not taken; nor is any while MCR.DTR is set
 *          and MCR.RTS is not: a guest's flow control.
 * Owner: the caller places struct vc_16550; nothing here allocates or waits.
 * Lock, Trust, Line, Coalesced writes: uart.h. The zone is the data register, whatever LCR.DLAB makes of it.
 */
#ifndef VCONS_NS16550_H
#define VCONS_NS16550_H
#include <vcons/uart.h>
#include <vcons/wire/ns16550.h>

struct vc_16550 { /* for the caller to place; dropped may be read under the lock */
    const struct vc_uart_env *env;
    void *ctx;
    uint32_t ier, fcr, lcr, mcr, scr, divisor; /* fcr: ENABLE, DMA and TRIGGER only */
    uint32_t errors;                           /* LSR.OE, PE, FE, BI until LSR is read */
    uint32_t deltas;                           /* MSR[3:0] until MSR is read */
    uint32_t modem;                            /* the wires from outside, as in MSR[7:4] */
    uint32_t seen;                             /* as MSR showed them last */
    uint32_t timed;                            /* rx.head + rx.tail when the timer was last asked for */
    bool thre;                                 /* transmitter empty, not yet told by IIR */
    bool timeout;                              /* bytes waited too long */
    bool timing;                               /* env->timer has been asked */
    bool hungry;                               /* env->input_room is owed */
    bool level;                                /* as last told to env->irq */
    struct vc_uart_pace pace;
    struct vc_uart_rx rx;
    struct vc_uart_tx tx;
    /*
     * Bytes that the guest wrote where there was no room: lost, as on hardware. A caller that would rather have its
     * guest wait looks whether a write counted one here, and then makes the same write again when the line has room.
     */
    uint64_t dropped;
};

/* Reset state; CTS, DSR, DCD asserted; interrupt line low. env, all set, and ctx outlive the UART. */
void vc_16550_init(struct vc_16550 *u, const struct vc_uart_env *env, void *ctx);
/* As init, but the wires from outside stay, and env hears of what changes. */
void vc_16550_reset(struct vc_16550 *u);
/*
 * One guest access, width 1 at offset 0..7 from the base, before which coalesced writes were drained. False: anything
 * else: *value is 0, nothing changed. (A wider port access is so many of one byte, in rising order, of which the bus
 * makes one call each.)
 */
bool vc_16550_read(struct vc_16550 *u, uint64_t offset, uint32_t width, uint32_t *value);
bool vc_16550_write(struct vc_16550 *u, uint64_t offset, uint32_t width, uint32_t value);
/* n writes in order, as n times vc_16550_write; refused ones are skipped. 0: a drain brought none. */
void vc_16550_write_batch(struct vc_16550 *u, const struct vc_uart_write *writes, uint32_t n);
/* Whether the data register may be a zone of coalesced writes: as vc_pl011_zone. */
bool vc_16550_zone(const struct vc_16550 *u, bool is, uint32_t line_room, uint32_t ring_entries);

/* Offer n bytes to the guest. Returns how many were taken; if fewer than n, env->input_room tells when to offer again. */
uint32_t vc_16550_input(struct vc_16550 *u, const uint8_t *bytes, uint32_t n);
/* The other end sends a break, here in the stream. False: no room, nothing changed; env->input_room tells. */
bool vc_16550_break(struct vc_16550 *u);
/* Input was lost before it came here, and the guest is to know: an overrun. */
void vc_16550_overrun(struct vc_16550 *u);
/* The wires from outside: UART_MSR_CTS, DSR, RI, DCD, 1 = asserted. */
void vc_16550_modem(struct vc_16550 *u, uint32_t lines);
/* env->out may take bytes again. */
void vc_16550_output_room(struct vc_16550 *u);
/* The time asked for by env->timer has passed. One that comes late, after it was taken back, does nothing. */
void vc_16550_timer(struct vc_16550 *u);

#endif
