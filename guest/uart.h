/* SPDX-License-Identifier: MIT */
/*
 * uart.h: a UART as a console: PL011, SBSA or 16550, polled or with interrupts for what it receives.
 *
 * Spec:  Arm DDI 0183G (PL011), Arm SBSA 4.2 appendix B (generic UART), National's PC16550D; device ABI 1.1-1.9.
 * Owner: the caller places struct uart; io and its ctx outlive it.
 * Lock:  the caller's, as hvc.h says. uart_interrupt comes from the interrupt handler of the vCPU that reads, and from no other.
 * Trust: the device's word is bounded: no register is waited for here, an interrupt takes at most what the input holds,
 *        a device that interrupts for nothing is polled from then on, and one that stays full beyond `patience` has its
 *        output dropped, counted, until it says that it has room. What is no UART is refused by uart_begin.
 * Exits: the status is read once for each load of the transmit FIFO: where it says empty, all of it is filled.
 */
#ifndef GUEST_UART_H
#define GUEST_UART_H
#include "hvc.h"

#define UART_INPUT_BYTES    1024u                 /* received and not read yet, with interrupts; a power of two */
#define UART_PATIENCE_NS    UINT64_C(60000000000) /* a service that is restarted is back by then */
#define UART_PATIENCE_LOOKS (UINT32_C(1) << 26)   /* where there is no clock */
#define UART_IDLE_NS        10000000u             /* looked at so often where it cannot end a sleep */
#define UART_IDLE_MAX       1000u                 /* interrupts in a row for nothing */

/* How the registers of one UART are reached; width is in bytes. */
struct uart_io {
    uint64_t base; /* address or port, for read and write */
    uint32_t (*read)(const struct uart_io *io, uint32_t offset, uint32_t width);
    void (*write)(const struct uart_io *io, uint32_t offset, uint32_t width, uint32_t value);
};

/* What receive gives: a byte, and what was wrong with it. */
enum { UART_BYTE = 0xff, UART_ERROR = 0x100, UART_BREAK = 0x200, UART_OVERRUN = 0x400 };

struct uart;
struct uart_chip { /* what differs; none of these waits */
    const char *name;
    /* Is it there? Then set up, FIFOs on, no interrupt. */
    bool (*begin)(struct uart *u);
    /* Bytes that fit now. */
    size_t (*room)(struct uart *u);
    void (*send)(struct uart *u, uint8_t byte);
    /* False: nothing was received. */
    bool (*receive)(struct uart *u, uint32_t *got);
    /* Interrupts for what is received. */
    void (*listen)(struct uart *u, bool on);
    bool edge; /* its line tells of the rise alone: an interrupt need not be quieted to end */
};
extern const struct uart_chip uart_16550;            /* ns16550.c */
extern const struct uart_chip uart_pl011, uart_sbsa; /* pl011.c */

struct uart { /* for the caller to place, not to write */
    struct hvc hvc;
    const struct uart_chip *chip;
    struct uart_io io;
    uint32_t depth;  /* of its FIFOs, bytes */
    bool interrupts; /* they bring what is received; else each read looks */
    bool wakes;      /* and they end every wait of this kernel: for the owner to set */
    bool listening;  /* as the device was told; false with interrupts: until input is read */
    bool testing;    /* uart_interrupt only counts, and quiets what else would come for ever */
    uint32_t n_idle; /* interrupts for nothing, in a row */
    uint64_t n_interrupts, n_breaks, n_overruns, n_errors;
    uint64_t patience_ns, full_since;
    uint32_t patience_looks, n_full;
    uint32_t in_prod, in_cons; /* free-running; the handler's and the reader's */
    uint8_t input[UART_INPUT_BYTES];
};

/* False: no such device there. name is cut to HVC_NAME_BYTES. */
bool uart_begin(struct uart *u, const struct uart_chip *chip, const struct uart_io *io, const struct platform *platform,
                const char *name);
/* From now on uart_interrupt is called when its line is up. */
void uart_use_interrupts(struct uart *u);
/* On an interrupt; true: it had something to say. Once `interrupts` is false its line may be left alone. */
bool uart_interrupt(struct uart *u);

/* For a test of the device itself: uart_interrupt counts, and quiets a level. Afterwards it is set up as in uart_begin. */
void uart_begin_test(struct uart *u);
void uart_end_test(struct uart *u);

static inline uint32_t uart_read(const struct uart *u, uint32_t offset, uint32_t width)
{
    return u->io.read(&u->io, offset, width);
}

static inline void uart_write(const struct uart *u, uint32_t offset, uint32_t width, uint32_t value)
{
    u->io.write(&u->io, offset, width, value);
}

#endif
