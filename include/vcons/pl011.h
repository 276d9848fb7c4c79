/* SPDX-License-Identifier: MIT */
/*
 * pl011.h: Arm's PL011 UART, r1p5 with FIFOs of 32, and the generic UART of SBSA, its subset.
 *
 * Spec:  Arm DDI 0183G; bare section numbers are its own. BSA 1.0 appendix B. Registers: wire/pl011.h. Where it is not
 *        the hardware's twin:
 *        - a line has no speed: what is sent leaves in the write that sends it, also while UARTEN or TXE is 0 (guests
 *          print on UARTs that firmware should have enabled), and BUSY is always 0. Who reads UARTFR before each byte sees
 *          the FIFO full once in as many bytes as it holds, and may wait for the interrupt then, or just look again;
 *        - RIS.RX follows the FIFO's level: clearing it by UARTICR while the level is at the trigger has no effect.
 *          RIS.TX is a latch as in 2.8.2: set whenever sending leaves the FIFO at or below its trigger;
 *        - RIS.RT comes by env->timer, 32 bit times after the last byte, and again so long after it was cleared with
 *          bytes still waiting: input never lies in the FIFO without an interrupt pending or a timer running;
 *        - input is never overrun: what does not fit, or comes while RXE or UARTEN is 0 or in loopback, is not taken;
 *        - no DMA, IrDA or integration test: the first two are storage, the last reads as 0.
 * Owner: the caller places struct vc_pl011; nothing here allocates or waits.
 * Lock, Trust, Line, Coalesced writes: uart.h.
 */
#ifndef VCONS_PL011_H
#define VCONS_PL011_H
#include <vcons/uart.h>
#include <vcons/wire/pl011.h>

enum vc_pl011_type {
    VC_PL011_FULL = 0,
    VC_PL011_SBSA =
        1, /* FIFOs and both directions always on, triggers at half, no modem lines; the rest reads 0, ignores writes */
};

struct vc_pl011 { /* for the caller to place; dropped may be read under the lock */
    const struct vc_uart_env *env;
    void *ctx;
    enum vc_pl011_type type;
    uint32_t cr, lcr_h, ibrd, fbrd, ifls, imsc, ilpr, dmacr, rsr; /* as written, their width */
    uint32_t divisor;                                             /* IBRD << 6 | FBRD, as of the last write of LCR_H */
    uint32_t latched;                                             /* UARTRIS but for RX, which is computed */
    uint32_t modem;                                               /* the wires from outside, as in UARTFR */
    uint32_t seen;   /* as UARTFR showed them last: what differs now is latched */
    uint32_t timed;  /* rx.tail when the timer was last asked for */
    bool timing;     /* it has been asked for */
    uint32_t sent;   /* bytes written since UARTFR was read last */
    uint32_t polled; /* how often in a row that was one */
    bool owes_tx;    /* TXFF was shown: TX is set again once it is cleared */
    bool tx_above;   /* the transmit FIFO was above its trigger */
    bool overrun;    /* the next byte that fits carries OE */
    bool hungry;     /* env->input_room is owed */
    bool level;      /* as last told to env->irq */
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
void vc_pl011_init(struct vc_pl011 *u, enum vc_pl011_type type, const struct vc_uart_env *env, void *ctx);
/* As init, but the wires from outside stay, and env hears of what changes. */
void vc_pl011_reset(struct vc_pl011 *u);
/*
 * One guest access of width bytes at offset from the base, before which coalesced writes were drained. False: 8 bytes
 * wide, no width at all, or past the frame: *value is 0, nothing changed. What lies in the frame but is no register
 * reads 0 and ignores writes. *value has width bytes; a narrow write is extended with zeros (there are no byte lanes,
 * 2.2).
 */
bool vc_pl011_read(struct vc_pl011 *u, uint64_t offset, uint32_t width, uint32_t *value);
bool vc_pl011_write(struct vc_pl011 *u, uint64_t offset, uint32_t width, uint32_t value);
/* n writes in order, as n times vc_pl011_write; refused ones are skipped. 0: a drain brought none. */
void vc_pl011_write_batch(struct vc_pl011 *u, const struct vc_uart_write *writes, uint32_t n);
/*
 * Whether UARTDR may be a zone of coalesced writes, and should: nothing waits in the transmit FIFO, no loopback, CTS
 * does not hold it back, line_room bytes on the line hold a whole recording ring of so many entries (twice that to
 * begin with, lest it goes on and off all the time), and the guest does write. is: whether it is one now.
 */
bool vc_pl011_zone(const struct vc_pl011 *u, bool is, uint32_t line_room, uint32_t ring_entries);

/* Offer n bytes to the guest. Returns how many were taken; if fewer than n, env->input_room tells when to offer again. */
uint32_t vc_pl011_input(struct vc_pl011 *u, const uint8_t *bytes, uint32_t n);
/* The other end sends a break, here in the stream. False: no room, nothing changed; env->input_room tells. */
bool vc_pl011_break(struct vc_pl011 *u);
/* Input was lost before it came here, and the guest is to know: an overrun. The next byte carries OE. */
void vc_pl011_overrun(struct vc_pl011 *u);
/* The wires from outside: UARTFR_CTS, DSR, DCD, RI, 1 = asserted. Ignored by an SBSA UART. */
void vc_pl011_modem(struct vc_pl011 *u, uint32_t lines);
/* env->out may take bytes again. */
void vc_pl011_output_room(struct vc_pl011 *u);
/* The time asked for by env->timer has passed. One that comes late, after it was taken back, does nothing. */
void vc_pl011_timer(struct vc_pl011 *u);

#endif
