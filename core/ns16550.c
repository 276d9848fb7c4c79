/* SPDX-License-Identifier: MIT */
#include "ns16550.h"
#include <vcons/ns16550.h>

enum { FCR_BITS = UART_FCR_ENABLE | UART_FCR_DMA | UART_FCR_TRIGGER, IER_BITS = 0x0f, MCR_BITS = 0x1f };
enum { DIVISOR_RESET = 12, ERRORS = UART_LSR_OE | UART_LSR_PE | UART_LSR_FE | UART_LSR_BI };
enum {
    LINES = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_RI | UART_MSR_DCD,
    ENTRY_SHIFT = 7
}; /* LSR bit 1 is entry bit 8 */

static bool fifos(const struct vc_16550 *u) { return (u->fcr & UART_FCR_ENABLE) != 0; }
static bool loopback(const struct vc_16550 *u) { return (u->mcr & UART_MCR_LOOP) != 0; }
/*
 * RTS asks the other end to send, 8.6. Linux takes it back alone, with crtscts, while its reader is behind, and loses what
 * comes then. A guest that has raised neither output knows nothing of them.
 */
static bool hears(const struct vc_16550 *u)
{
    return !loopback(u) && (u->mcr & (UART_MCR_DTR | UART_MCR_RTS)) != UART_MCR_DTR;
}

static uint32_t depth(const struct vc_16550 *u) { return fifos(u) ? UART_FIFO_BYTES : 1; }

static uint32_t trigger(const struct vc_16550 *u)
{
    static const uint8_t levels[4] = {1, 4, 8, 14}; /* 8.4 */

    return fifos(u) ? levels[u->fcr >> 6] : 1;
}

/* MSR[7:4]: the wires from outside, or our own outputs in loopback, 8.6. */
static uint32_t modem(const struct vc_16550 *u)
{
    if (!loopback(u))
        return u->modem;
    return ((u->mcr & UART_MCR_RTS) != 0 ? UART_MSR_CTS : 0) | ((u->mcr & UART_MCR_DTR) != 0 ? UART_MSR_DSR : 0) |
           ((u->mcr & UART_MCR_OUT1) != 0 ? UART_MSR_RI : 0) | ((u->mcr & UART_MCR_OUT2) != 0 ? UART_MSR_DCD : 0);
}

/* 8.3, bit 7: there is an error among what was received and not yet looked at; FIFO mode only. */
static bool fifo_error(const struct vc_16550 *u)
{
    uint32_t seen = u->errors & ~(uint32_t)UART_LSR_OE;

    for (uint32_t i = u->rx.head; i != u->rx.tail; i++)
        seen |= u->rx.at[i % VC_UART_FIFO] >> 8;
    return fifos(u) && seen != 0;
}

static uint32_t line_status(const struct vc_16550 *u)
{
    return u->errors | (rx_level(&u->rx) > 0 ? UART_LSR_DR : 0) |
           (tx_level(&u->tx) == 0 ? UART_LSR_THRE | UART_LSR_TEMT : 0) | (fifo_error(u) ? UART_LSR_FIFO_ERROR : 0);
}

/* Table IV: the source of highest priority. Computed, so that the line can never disagree with it. */
static uint32_t source(const struct vc_16550 *u)
{
    if ((u->ier & UART_IER_RLS) != 0 && u->errors != 0)
        return UART_IIR_RLS;
    if ((u->ier & UART_IER_RDA) != 0 && rx_level(&u->rx) >= trigger(u))
        return UART_IIR_RDA;
    if ((u->ier & UART_IER_RDA) != 0 && u->timeout)
        return UART_IIR_TIMEOUT;
    if ((u->ier & UART_IER_THRE) != 0 && u->thre)
        return UART_IIR_THRE;
    if ((u->ier & UART_IER_MS) != 0 && u->deltas != 0)
        return UART_IIR_MS;
    return UART_IIR_NONE;
}

/* 8.3: the error bits of a character show when it is at the top of the FIFO. */
static void reveal(struct vc_16550 *u)
{
    uint16_t *top = &u->rx.at[u->rx.head % VC_UART_FIFO];

    if (rx_level(&u->rx) == 0)
        return;
    u->errors |= *top >> ENTRY_SHIFT & ERRORS;
    *top &= 0xff;
}

static void receive(struct vc_16550 *u, uint32_t entry)
{
    if (rx_level(&u->rx) >= depth(u))
        u->errors |= UART_LSR_OE; /* 8.3: known at once, the FIFO is left as it is */
    else
        rx_push(&u->rx, entry);
    reveal(u);
}

static void transmit(struct vc_16550 *u)
{
    bool moved = false;

    while (loopback(u) && tx_level(&u->tx) > 0) {
        receive(u, tx_pop(&u->tx));
        moved = true;
    }
    if (!loopback(u) && vc_uart_send(&u->tx, u->env, u->ctx))
        moved = true;
    if (moved && tx_level(&u->tx) == 0)
        u->thre = true;
}

/* 8.8: each change of a wire, of RI only its end. */
static void follow_modem(struct vc_16550 *u)
{
    uint32_t now = modem(u), changed = now ^ u->seen;

    u->deltas |= changed >> 4 & (UART_MSR_DCTS | UART_MSR_DDSR | UART_MSR_DDCD);
    if ((changed & u->seen & UART_MSR_RI) != 0)
        u->deltas |= UART_MSR_TERI;
    u->seen = now;
}

/* Four characters of start, 5 to 8 data, parity, stop bits: 8.4, "FIFO timeout interrupt". */
static uint64_t timeout_ns(const struct vc_16550 *u)
{
    uint32_t bits = 1 + 5 + (u->lcr & UART_LCR_LENGTH) + ((u->lcr & UART_LCR_PARITY) != 0 ? 1 : 0) +
                    ((u->lcr & UART_LCR_STOP) != 0 ? 2 : 1);

    return vc_uart_timeout_ns(4 * bits, UART_CLOCK_HZ, u->divisor << 6);
}

static void ask_timer(struct vc_16550 *u, bool on)
{
    if (!on && !u->timing)
        return;
    u->timing = on;
    u->timed = u->rx.head + u->rx.tail;
    u->env->timer(u->ctx, on ? timeout_ns(u) : 0);
}

/* 8.4: a byte that comes, or is read, starts the time anew. Bytes that wait have the time-out, or the timer that brings it. */
static void follow_rx(struct vc_16550 *u)
{
    bool wait = fifos(u) && rx_level(&u->rx) > 0;

    if (!wait)
        u->timeout = false;
    if (!wait || u->timeout)
        ask_timer(u, false);
    else if (!u->timing || u->timed != u->rx.head + u->rx.tail)
        ask_timer(u, true);
    if (u->hungry && hears(u) && rx_level(&u->rx) <= depth(u) / 2) {
        u->hungry = false;
        u->env->input_room(u->ctx);
    }
}

static void set_level(struct vc_16550 *u)
{
    bool level = source(u) != UART_IIR_NONE;

    if (level == u->level)
        return;
    u->level = level;
    u->env->irq(u->ctx, level);
}

void vc_16550_settle(struct vc_16550 *u)
{
    transmit(u);
    follow_modem(u);
    follow_rx(u);
    set_level(u);
}

void vc_16550_restored(struct vc_16550 *u)
{
    u->seen = modem(u);
    reveal(u);
    follow_rx(u);
    set_level(u);
}

/* Table I: the effect of master reset. The divisor latch and SCR have none there; 12 is what firmware is used to. */
static void set_registers(struct vc_16550 *u)
{
    u->ier = u->fcr = u->lcr = u->mcr = u->scr = u->errors = u->deltas = 0;
    u->divisor = DIVISOR_RESET;
    u->rx.head = u->rx.tail = u->tx.head = u->tx.tail = 0;
    u->seen = u->modem;
    u->thre = true;
    u->timeout = false;
}

void vc_16550_init(struct vc_16550 *u, const struct vc_uart_env *env, void *ctx)
{
    *u = (struct vc_16550){.env = env, .ctx = ctx, .modem = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD};
    set_registers(u);
}

void vc_16550_reset(struct vc_16550 *u)
{
    set_registers(u);
    vc_16550_settle(u);
}

/* ---- Registers. ---- */

static uint32_t read_data(struct vc_16550 *u)
{
    uint32_t entry;

    if (rx_level(&u->rx) == 0)
        return 0; /* 8.0 leaves it open; what lies in the array was read before, perhaps by somebody else */
    entry = rx_pop(&u->rx);
    reveal(u);
    u->timeout = false;
    vc_16550_settle(u);
    return entry & 0xff;
}

static uint32_t read_iir(struct vc_16550 *u)
{
    uint32_t is = source(u);

    if (is == UART_IIR_THRE) {
        u->thre = false; /* table IV: reading is what resets this one */
        set_level(u);
    }
    return is | (fifos(u) ? UART_IIR_FIFO : 0);
}

static uint32_t read_line_status(struct vc_16550 *u)
{
    uint32_t is = line_status(u);

    u->errors = 0;
    set_level(u);
    return is;
}

static uint32_t read_modem_status(struct vc_16550 *u)
{
    uint32_t is = modem(u) | u->deltas;

    u->deltas = 0;
    set_level(u);
    return is;
}

bool vc_16550_read(struct vc_16550 *u, uint64_t offset, uint32_t width, uint32_t *value)
{
    bool dlab = (u->lcr & UART_LCR_DLAB) != 0;

    *value = 0;
    if (width != 1 || offset >= UART_PORTS)
        return false;
    switch (offset) {
    case UART_DATA: *value = dlab ? u->divisor & 0xff : read_data(u); break;
    case UART_IER: *value = dlab ? u->divisor >> 8 : u->ier; break;
    case UART_IIR: *value = read_iir(u); break;
    case UART_LCR: *value = u->lcr; break;
    case UART_MCR: *value = u->mcr; break;
    case UART_LSR: *value = read_line_status(u); break;
    case UART_MSR: *value = read_modem_status(u); break;
    default: *value = u->scr; break;
    }
    return true;
}

static void write_data(struct vc_16550 *u, uint32_t value)
{
    if (tx_level(&u->tx) >= depth(u))
        transmit(u); /* the line may have room by now */
    if (tx_level(&u->tx) >= depth(u))
        u->dropped++;
    else
        tx_push(&u->tx, value);
    u->thre = false;
}

/* Table IV: enabling the interrupt while the transmitter is empty raises it again; Linux tests for it. */
static void write_ier(struct vc_16550 *u, uint32_t value)
{
    if ((value & ~u->ier & UART_IER_THRE) != 0 && tx_level(&u->tx) == 0)
        u->thre = true;
    u->ier = value & IER_BITS;
}

/* 8.4: bit 0 must be set for the others to count, and both FIFOs are emptied when it changes. */
static void write_fcr(struct vc_16550 *u, uint32_t value)
{
    bool changed = ((value ^ u->fcr) & UART_FCR_ENABLE) != 0, on = (value & UART_FCR_ENABLE) != 0;

    u->fcr = on ? value & FCR_BITS : 0;
    if (changed || (on && (value & UART_FCR_CLEAR_RX) != 0))
        u->rx.head = u->rx.tail;
    if (tx_level(&u->tx) > 0 && (changed || (on && (value & UART_FCR_CLEAR_TX) != 0))) {
        u->tx.head = u->tx.tail;
        u->thre = true;
    }
}

static void write_lcr(struct vc_16550 *u, uint32_t value)
{
    bool begins = (value & ~u->lcr & UART_LCR_BREAK) != 0;

    u->lcr = value;
    if (begins && loopback(u))
        receive(u, UART_LSR_BI << ENTRY_SHIFT);
    else if (begins)
        u->env->send_break(u->ctx);
}

static void write_register(struct vc_16550 *u, uint64_t offset, uint32_t value)
{
    bool dlab = (u->lcr & UART_LCR_DLAB) != 0;

    if (dlab && offset == UART_DATA)
        u->divisor = (u->divisor & 0xff00) | value;
    else if (dlab && offset == UART_IER)
        u->divisor = (u->divisor & 0xff) | value << 8;
    else if (offset == UART_DATA)
        write_data(u, value);
    else if (offset == UART_IER)
        write_ier(u, value);
    else if (offset == UART_IIR)
        write_fcr(u, value);
    else if (offset == UART_LCR)
        write_lcr(u, value);
    else if (offset == UART_MCR)
        u->mcr = value & MCR_BITS;
    else if (offset == UART_SCR)
        u->scr = value; /* LSR is for the factory, MSR is read only */
    vc_16550_settle(u);
}

/* Bytes that go straight to the line, as all do while it takes them; how many it took. Nothing but THRE can change. */
static uint32_t send_direct(struct vc_16550 *u, const uint8_t *bytes, uint32_t n)
{
    uint32_t taken;

    if (tx_level(&u->tx) > 0 || loopback(u) || (u->lcr & UART_LCR_DLAB) != 0)
        return 0;
    taken = u->env->out(u->ctx, bytes, n);
    if (taken > 0 && !u->thre) {
        u->thre = true;
        set_level(u);
    }
    return taken;
}

bool vc_16550_write(struct vc_16550 *u, uint64_t offset, uint32_t width, uint32_t value)
{
    uint8_t byte = (uint8_t)value;

    if (width != 1 || offset >= UART_PORTS)
        return false;
    if (offset == UART_DATA)
        pace_write(&u->pace);
    if (offset != UART_DATA || send_direct(u, &byte, 1) == 0)
        write_register(u, offset, byte);
    return true;
}

void vc_16550_write_batch(struct vc_16550 *u, const struct vc_uart_write *writes, uint32_t n)
{
    uint8_t bytes[VC_UART_BATCH];

    pace_batch(&u->pace, n);
    while (n > 0) {
        uint32_t together = vc_uart_gather(writes, n, 1, bytes), done = 0;

        if (together > 0)
            done = send_direct(u, bytes, together);
        if (done == 0) {
            vc_16550_write(u, writes->offset, writes->width, writes->value);
            done = 1;
        }
        writes += done;
        n -= done;
    }
}

bool vc_16550_zone(const struct vc_16550 *u, bool is, uint32_t line_room, uint32_t ring_entries)
{
    return tx_level(&u->tx) == 0 && !loopback(u) && vc_uart_zone(&u->pace, is, line_room, ring_entries);
}

/* ---- The world outside. ---- */

uint32_t vc_16550_input(struct vc_16550 *u, const uint8_t *bytes, uint32_t n)
{
    uint32_t taken = 0;

    while (hears(u) && taken < n && rx_level(&u->rx) < depth(u))
        receive(u, bytes[taken++]);
    u->hungry = u->hungry || taken < n;
    vc_16550_settle(u);
    return taken;
}

bool vc_16550_break(struct vc_16550 *u)
{
    bool fits = hears(u) && rx_level(&u->rx) < depth(u);

    u->hungry = u->hungry || !fits;
    if (fits)
        receive(u, UART_LSR_BI << ENTRY_SHIFT); /* 8.3: only one character, 0, is put into the FIFO */
    vc_16550_settle(u);
    return fits;
}

void vc_16550_overrun(struct vc_16550 *u)
{
    u->errors |= UART_LSR_OE;
    vc_16550_settle(u);
}

void vc_16550_modem(struct vc_16550 *u, uint32_t lines)
{
    u->modem = lines & LINES;
    vc_16550_settle(u);
}

void vc_16550_output_room(struct vc_16550 *u) { vc_16550_settle(u); }

void vc_16550_timer(struct vc_16550 *u)
{
    if (!u->timing)
        return;
    u->timing = false;
    u->timeout = true;
    vc_16550_settle(u);
}
