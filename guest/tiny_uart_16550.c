/* SPDX-License-Identifier: MIT */
/* The 16550A as its manual has it, and drivers need it. Bare section numbers are PC16550D's. */
#include "tiny_uart_test.h"
#include <vcons/wire/ns16550.h>

enum { FIFOS = UART_FCR_ENABLE, TRIGGER_14 = 0xc0, LOOPING = UART_MCR_LOOP | UART_MCR_OUT2, SOURCE = 0x0f };
enum { EMPTY = UART_LSR_THRE | UART_LSR_TEMT, MODEM = 0xf0, DELTAS = 0x0f };
enum { DIVISOR = 1 };

static uint32_t in(const struct uart *u, uint32_t offset) { return uart_read(u, offset, 1); }
static void out(const struct uart *u, uint32_t offset, uint32_t value) { uart_write(u, offset, 1, value); }
static void set_fcr(const struct uart *u, uint32_t value) { out(u, UART_IIR, value); }

static bool soon(const struct uart *u, uint32_t offset, uint32_t mask, uint32_t value)
{
    return uart_soon(u, offset, 1, mask, value);
}

static void set_up(struct uart *u)
{
    soon(u, UART_LSR, EMPTY, EMPTY);
    out(u, UART_LCR, UART_LCR_LENGTH);
    out(u, UART_IER, 0);
    out(u, UART_MCR, LOOPING);
    set_fcr(u, 0);
    set_fcr(u, FIFOS | UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX | TRIGGER_14);
    in(u, UART_LSR);
    in(u, UART_MSR);
    in(u, UART_IIR);
}

/* At most as many as the FIFO holds, and until the last has left. */
static void send(const struct uart *u, uint32_t n, uint32_t first)
{
    for (uint32_t i = 0; i < n; i++) {
        if (i % UART_FIFO_BYTES == 0 && !soon(u, UART_LSR, UART_LSR_THRE, UART_LSR_THRE))
            return;
        out(u, UART_DATA, (first + i) & 0xff);
    }
}

/* Without a look at LSR, which would clear errors: the divisor is 1, so that takes no millisecond. */
static void send_blind(const struct uart *u, uint32_t n, uint32_t first)
{
    send(u, n, first);
    for (uint32_t i = 0; i < 1000; i++)
        in(u, UART_SCR);
}

static bool loops(struct uart *u)
{
    send(u, 1, '\r');
    return soon(u, UART_LSR, UART_LSR_DR, UART_LSR_DR) && in(u, UART_DATA) == '\r';
}

static bool returns(const struct uart *u, uint32_t n, uint32_t first)
{
    for (uint32_t i = 0; i < n; i++)
        if (!soon(u, UART_LSR, UART_LSR_DR, UART_LSR_DR) || in(u, UART_DATA) != ((first + i) & 0xff))
            return false;
    return true;
}

static bool sends_back(struct uart_test *t)
{
    for (uint32_t first = 0; t->loops && first < 256; first += UART_FIFO_BYTES) {
        send(t->u, UART_FIFO_BYTES, first);
        if (!returns(t->u, UART_FIFO_BYTES, first))
            return false;
    }
    return t->loops && (in(t->u, UART_LSR) & UART_LSR_DR) == 0;
}

static bool keeps(const struct uart *u, uint32_t offset, uint32_t mask)
{
    bool kept = true;

    for (uint32_t value = 0x55; value <= 0xaa; value += 0x55) {
        out(u, offset, value & mask);
        kept = kept && in(u, offset) == (value & mask);
    }
    return kept;
}

static bool scratch_keeps(struct uart_test *t) { return keeps(t->u, UART_SCR, 0xff); }

static bool ier_keeps_four(struct uart_test *t)
{
    bool right;

    out(t->u, UART_IER, 0xff);
    right = in(t->u, UART_IER) == 0x0f;
    out(t->u, UART_IER, 0);
    return right && in(t->u, UART_IER) == 0;
}

static bool lcr_and_mcr_keep(struct uart_test *t)
{
    bool right = keeps(t->u, UART_LCR, 0xff & ~UART_LCR_BREAK);

    out(t->u, UART_LCR, UART_LCR_LENGTH);
    out(t->u, UART_MCR, 0xff);
    return right && in(t->u, UART_MCR) == 0x1f; /* 8.6: bits 5 to 7 are 0 */
}

static bool divisor_is_apart(struct uart_test *t)
{
    uint32_t low, high, latched;

    out(t->u, UART_LCR, UART_LCR_DLAB | UART_LCR_LENGTH);
    out(t->u, UART_IER, 0x12);
    out(t->u, UART_DATA, 0x34);
    low = in(t->u, UART_DATA);
    high = in(t->u, UART_IER);
    out(t->u, UART_LCR, UART_LCR_LENGTH);
    latched = in(t->u, UART_IER);
    out(t->u, UART_LCR, UART_LCR_DLAB | UART_LCR_LENGTH);
    out(t->u, UART_DATA, DIVISOR);
    out(t->u, UART_IER, 0);
    out(t->u, UART_LCR, UART_LCR_LENGTH);
    return low == 0x34 && high == 0x12 && latched == 0 && (in(t->u, UART_LSR) & UART_LSR_DR) == 0;
}

static bool iir_shows_fifos(struct uart_test *t)
{
    uint32_t on = in(t->u, UART_IIR);

    set_fcr(t->u, 0);
    return on == (UART_IIR_FIFO | UART_IIR_NONE) && in(t->u, UART_IIR) == UART_IIR_NONE;
}

static bool is_idle(struct uart_test *t) { return in(t->u, UART_LSR) == EMPTY; }

static bool status_ignores_writes(struct uart_test *t)
{
    uint32_t modem = in(t->u, UART_MSR);

    out(t->u, UART_MSR, ~modem & MODEM);
    return (in(t->u, UART_MSR) & MODEM) == (modem & MODEM);
}

static bool fifo_holds_16(struct uart_test *t)
{
    send_blind(t->u, t->loops ? UART_FIFO_BYTES : 0, 'a');
    if (!t->loops || (in(t->u, UART_LSR) & UART_LSR_OE) != 0)
        return false;
    return returns(t->u, UART_FIFO_BYTES, 'a') && (in(t->u, UART_LSR) & UART_LSR_DR) == 0;
}

/* Into a full FIFO: known at once, and only until LSR was read; what the FIFO holds stays (8.3). */
static bool overruns(struct uart_test *t)
{
    send_blind(t->u, t->loops ? UART_FIFO_BYTES : 0, 'a');
    send_blind(t->u, t->loops ? 1 : 0, 'z');
    return t->loops && (in(t->u, UART_LSR) & UART_LSR_OE) != 0 && (in(t->u, UART_LSR) & UART_LSR_OE) == 0 &&
           returns(t->u, UART_FIFO_BYTES, 'a');
}

static bool clear_empties(struct uart_test *t)
{
    send(t->u, t->loops ? 5 : 0, 'a');
    if (!t->loops || !soon(t->u, UART_LSR, UART_LSR_DR, UART_LSR_DR))
        return false;
    set_fcr(t->u, FIFOS | UART_FCR_CLEAR_RX | TRIGGER_14);
    return (in(t->u, UART_LSR) & UART_LSR_DR) == 0;
}

static bool without_fifos_holds_one(struct uart_test *t)
{
    set_fcr(t->u, 0);
    send_blind(t->u, t->loops ? 1 : 0, 'x');
    return t->loops && (in(t->u, UART_LSR) & UART_LSR_DR) != 0 && in(t->u, UART_DATA) == 'x' &&
           (in(t->u, UART_LSR) & UART_LSR_DR) == 0;
}

/* What IIR says with these interrupts enabled, for a moment. */
static bool names(struct uart_test *t, uint32_t ier, uint32_t source)
{
    uint32_t is;

    out(t->u, UART_IER, ier);
    is = in(t->u, UART_IIR) & SOURCE;
    out(t->u, UART_IER, 0);
    return is == source;
}

/* Data at the level, before the time-out that comes some hundred microseconds later and may hide it: so within some tries. */
static bool tells_at(struct uart_test *t, uint32_t fcr, uint32_t level)
{
    bool told = false;

    for (uint32_t tries = 0; !told && tries < 1000; tries++) {
        set_up(t->u);
        set_fcr(t->u, fcr);
        send(t->u, level, 'a');
        soon(t->u, UART_LSR, EMPTY, EMPTY);
        told = names(t, UART_IER_RDA, UART_IIR_RDA);
    }
    return told && in(t->u, UART_DATA) == 'a' && !names(t, UART_IER_RDA, UART_IIR_RDA);
}

static bool triggers_at_levels(struct uart_test *t)
{
    static const uint32_t levels[] = {1, 4, 8, 14}; /* 8.4 */
    bool right = t->loops;

    for (uint32_t i = 0; right && i < 4; i++) {
        set_up(t->u);
        set_fcr(t->u, FIFOS | i << 6);
        send_blind(t->u, levels[i] - 1, 'a');
        right = !names(t, UART_IER_RDA, UART_IIR_RDA) && tells_at(t, FIFOS | i << 6, levels[i]);
    }
    return right;
}

static bool waits_for_time_out(struct uart_test *t)
{
    for (uint32_t i = 0; i < 100000; i++)
        if (names(t, UART_IER_RDA, UART_IIR_TIMEOUT))
            return true;
    return false;
}

/* By each read, and after the last for good. The next one may come so soon that it takes several tries to see none. */
static bool times_out(struct uart_test *t)
{
    bool cleared = false;

    for (uint32_t tries = 0; t->loops && !cleared && tries < 100; tries++) {
        set_up(t->u);
        send(t->u, 2, 'a');
        if (!waits_for_time_out(t) || in(t->u, UART_DATA) != 'a')
            return false;
        cleared = names(t, UART_IER_RDA, UART_IIR_NONE);
    }
    return cleared && in(t->u, UART_DATA) == 'b' && names(t, UART_IER_RDA, UART_IIR_NONE);
}

/* Linux' start-up tests exactly that; one that fails it gets a slow timer (device ABI 1.9). */
static bool empty_is_told_anew(struct uart_test *t)
{
    return names(t, UART_IER_THRE, UART_IIR_THRE) && names(t, UART_IER_THRE, UART_IIR_THRE);
}

static bool empty_is_told_once(struct uart_test *t)
{
    bool right;

    out(t->u, UART_IER, UART_IER_THRE);
    right = (in(t->u, UART_IIR) & SOURCE) == UART_IIR_THRE && (in(t->u, UART_IIR) & SOURCE) == UART_IIR_NONE;
    out(t->u, UART_IER, 0);
    return right;
}

/* Table IV: line status, then data or its time-out, then empty. */
static bool priorities_hold(struct uart_test *t)
{
    const uint32_t all = UART_IER_RDA | UART_IER_THRE | UART_IER_RLS | UART_IER_MS;

    send_blind(t->u, t->loops ? UART_FIFO_BYTES : 0, 'a');
    send_blind(t->u, t->loops ? 1 : 0, 'z');
    if (!t->loops || !names(t, all, UART_IIR_RLS))
        return false;
    in(t->u, UART_LSR);
    if (!names(t, all, UART_IIR_RDA) && !names(t, all, UART_IIR_TIMEOUT))
        return false;
    set_fcr(t->u, FIFOS | UART_FCR_CLEAR_RX);
    return names(t, all, UART_IIR_THRE) && names(t, all & ~UART_IER_THRE, UART_IIR_NONE);
}

static bool modem_is_last(struct uart_test *t)
{
    out(t->u, UART_MCR, LOOPING | UART_MCR_RTS); /* a wire changes */
    if (!names(t, UART_IER_THRE | UART_IER_MS, UART_IIR_THRE) || !names(t, UART_IER_MS, UART_IIR_MS))
        return false;
    in(t->u, UART_MSR);
    return names(t, UART_IER_MS, UART_IIR_NONE);
}

static bool breaks(struct uart_test *t)
{
    uint32_t status;

    if (!t->loops) /* it would leave */
        return false;
    out(t->u, UART_LCR, UART_LCR_LENGTH | UART_LCR_BREAK);
    for (uint32_t i = 0; i < 1000; i++)
        in(t->u, UART_SCR);
    out(t->u, UART_LCR, UART_LCR_LENGTH);
    status = in(t->u, UART_LSR);
    return (status & (UART_LSR_BI | UART_LSR_DR)) == (UART_LSR_BI | UART_LSR_DR) && in(t->u, UART_DATA) == 0 &&
           (in(t->u, UART_LSR) & UART_LSR_BI) == 0;
}

static bool modem_loops(struct uart_test *t)
{
    static const uint32_t pairs[][2] = {{UART_MCR_DTR, UART_MSR_DSR},
                                        {UART_MCR_RTS, UART_MSR_CTS},
                                        {UART_MCR_OUT1, UART_MSR_RI},
                                        {UART_MCR_OUT2, UART_MSR_DCD}}; /* 8.6 */
    bool right = true;

    for (uint32_t i = 0; i < 4; i++) {
        out(t->u, UART_MCR, UART_MCR_LOOP | pairs[i][0]);
        right = right && (in(t->u, UART_MSR) & MODEM) == pairs[i][1];
    }
    return right;
}

/* 8.8: all of them told once; of RI only its end. */
static bool modem_changes_are_told(struct uart_test *t)
{
    bool right;

    out(t->u, UART_MCR, LOOPING | UART_MCR_RTS | UART_MCR_OUT1);
    right = (in(t->u, UART_MSR) & DELTAS) == UART_MSR_DCTS && (in(t->u, UART_MSR) & DELTAS) == 0;
    out(t->u, UART_MCR, LOOPING | UART_MCR_RTS);
    return right && (in(t->u, UART_MSR) & DELTAS) == UART_MSR_TERI && (in(t->u, UART_MSR) & DELTAS) == 0;
}

static bool line_follows_source(struct uart_test *t)
{
    uint64_t n = uart_interrupts(t->u);

    if (!t->u->interrupts)
        return true; /* one would not be heard: nothing to check */
    out(t->u, UART_MCR,
        UART_MCR_OUT2 | UART_MCR_DTR | UART_MCR_RTS); /* a PC lets it out by OUT2, and perhaps not in loopback */
    if (uart_interrupts(t->u) != n)
        return false;
    out(t->u, UART_IER, UART_IER_THRE);
    if (!uart_soon_interrupts(t->u, n) || (in(t->u, UART_IIR) & SOURCE) != UART_IIR_THRE)
        return false; /* and with the look at IIR the line falls */
    n = uart_interrupts(t->u);
    out(t->u, UART_IER, 0);
    out(t->u, UART_IER, UART_IER_THRE);
    return uart_soon_interrupts(t->u, n);
}

static const struct uart_check ns16550_checks[] = {
    {"16550: loopback returns what is sent", sends_back, NULL},
    {"16550: scratch register keeps what is written", scratch_keeps, NULL},
    {"16550: IER keeps four bits", ier_keeps_four, NULL},
    {"16550: LCR keeps eight bits, MCR five", lcr_and_mcr_keep, NULL},
    {"16550: the divisor latch is apart from data and IER", divisor_is_apart, NULL},
    {"16550: IIR shows whether FIFOs are on", iir_shows_fifos, NULL},
    {"16550: THRE and TEMT when idle", is_idle, NULL},
    {"16550: MSR ignores writes", status_ignores_writes, NULL},
    {"16550: the FIFO holds 16", fifo_holds_16, NULL},
    {"16550: overrun, told once, keeps what the FIFO holds", overruns, NULL},
    {"16550: FCR empties the FIFO", clear_empties, NULL},
    {"16550: without FIFOs it holds one", without_fifos_holds_one, NULL},
    {"16550: data interrupt at each trigger level", triggers_at_levels, NULL},
    {"16550: character time-out, cleared by reading", times_out, NULL},
    {"16550: THRE is told anew when it is enabled", empty_is_told_anew, NULL},
    {"16550: THRE is told once", empty_is_told_once, NULL},
    {"16550: sources by their priority", priorities_hold, NULL},
    {"16550: modem status is the last of them", modem_is_last, "qemu"},
    {"16550: break is one 0 with BI", breaks, "qemu"},
    {"16550: modem outputs come back in loopback", modem_loops, NULL},
    {"16550: changes of modem wires are told once", modem_changes_are_told, "qemu"},
    {"16550: its line follows the source", line_follows_source, NULL},
    {NULL, NULL, NULL},
};
const struct uart_suite uart_suite_16550 = {set_up, loops, ns16550_checks};
