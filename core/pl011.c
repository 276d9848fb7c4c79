/* SPDX-License-Identifier: MIT */
#include "pl011.h"
#include <vcons/pl011.h>

/* Masks of what can be written, table 3-1. 5 to 7 of IFLS are reserved, and stand for 7/8 here. */
enum {
    CR_BITS = 0xff87,
    CR_RESET = 0x300,
    IFLS_RESET = 0x12,
    SBSA_IFLS = 0x11,
    INT_BITS = 0x7ff,
    SBSA_INT_BITS = 0x7f0
};
enum { UARTCLK_HZ = 24000000, RT_BITS = 32, ENTRY_ERRORS = UARTDR_FE | UARTDR_PE | UARTDR_BE };
static const uint8_t levels[8] = {4, 8, 16, 24, 28, 28, 28, 28}; /* of 32, 3.3.9 */

static bool fifos(const struct vc_pl011 *u) { return (u->lcr_h & UARTLCR_H_FEN) != 0; }
static bool loopback(const struct vc_pl011 *u) { return (u->cr & UARTCR_LBE) != 0; }
static uint32_t depth(const struct vc_pl011 *u) { return fifos(u) ? UARTPL011_FIFO_BYTES : 1; }
static uint32_t rx_trigger(const struct vc_pl011 *u) { return fifos(u) ? levels[u->ifls >> 3] : 1; }
static uint32_t tx_trigger(const struct vc_pl011 *u) { return fifos(u) ? levels[u->ifls & 7] : 0; }

/* Whether characters on the wire come in: 3.3.8, UARTEN and RXE. */
static bool receiving(const struct vc_pl011 *u)
{
    return (u->cr & (UARTCR_UARTEN | UARTCR_RXE)) == (UARTCR_UARTEN | UARTCR_RXE);
}

/* With hardware flow control RTS says whether there is room below the trigger: 2.5.1. */
static bool rts(const struct vc_pl011 *u)
{
    if ((u->cr & UARTCR_RTSEN) != 0)
        return rx_level(&u->rx) < rx_trigger(u);
    return (u->cr & UARTCR_RTS) != 0;
}

/* The modem bits of UARTFR: the wires from outside, or our own outputs in loopback, 3.3.8. */
static uint32_t modem(const struct vc_pl011 *u)
{
    if (!loopback(u))
        return u->modem;
    return (rts(u) ? UARTFR_CTS : 0) | ((u->cr & UARTCR_DTR) != 0 ? UARTFR_DSR : 0) |
           ((u->cr & UARTCR_OUT1) != 0 ? UARTFR_DCD : 0) | ((u->cr & UARTCR_OUT2) != 0 ? UARTFR_RI : 0);
}

static bool held_by_cts(const struct vc_pl011 *u)
{
    return (u->cr & UARTCR_CTSEN) != 0 && (modem(u) & UARTFR_CTS) == 0;
}

static uint32_t flags(const struct vc_pl011 *u)
{
    uint32_t rx = rx_level(&u->rx), tx = tx_level(&u->tx);

    return modem(u) | (rx == 0 ? UARTFR_RXFE : 0) | (rx >= depth(u) ? UARTFR_RXFF : 0) | (tx == 0 ? UARTFR_TXFE : 0) |
           (tx >= depth(u) ? UARTFR_TXFF : 0);
}

/* Computed wherever it can be: no flag that could fall out of step with the FIFO. */
static uint32_t raw(const struct vc_pl011 *u)
{
    return u->latched | (rx_level(&u->rx) >= rx_trigger(u) ? UARTINT_RX : 0);
}

/* 3.3.2: an overrun is known at once; 3.3.1: the next byte that fits carries it. */
static void lose(struct vc_pl011 *u)
{
    u->overrun = true;
    u->rsr |= UARTDR_OE >> 8;
    u->latched |= UARTINT_OE;
}

/* A character arrives. An overrun leaves the FIFO as it is. */
static void receive(struct vc_pl011 *u, uint32_t entry)
{
    if (rx_level(&u->rx) >= depth(u)) {
        lose(u);
        return;
    }
    rx_push(&u->rx, entry | (u->overrun ? UARTDR_OE : 0));
    u->overrun = false;
    u->latched |= (entry & ENTRY_ERRORS) >> 1; /* UARTDR_FE >> 1 is UARTINT_FE, and so on */
}

static void transmit(struct vc_pl011 *u)
{
    bool moved = false;

    while (loopback(u) && tx_level(&u->tx) > 0 && !held_by_cts(u)) {
        uint8_t byte = tx_pop(&u->tx);

        if (receiving(u))
            receive(u, byte);
        moved = true;
    }
    if (!loopback(u) && !held_by_cts(u) && vc_uart_send(&u->tx, u->env, u->ctx))
        moved = true;
    if (moved && tx_level(&u->tx) <= tx_trigger(u))
        u->latched |= UARTINT_TX;
}

/* 2.8.2: the transmit interrupt is set by passing the trigger downwards, and cleared by filling above it. */
static void follow_tx(struct vc_pl011 *u)
{
    bool above = tx_level(&u->tx) > tx_trigger(u);

    if (above)
        u->latched &= ~(uint32_t)UARTINT_TX;
    else if (u->tx_above)
        u->latched |= UARTINT_TX;
    u->tx_above = above;
}

/* 2.8.3: the modem status interrupts are set by any change of their wire. */
static void follow_modem(struct vc_pl011 *u)
{
    uint32_t changed = u->seen ^ modem(u);

    u->latched |= ((changed & UARTFR_RI) != 0 ? UARTINT_RI : 0) | ((changed & UARTFR_CTS) != 0 ? UARTINT_CTS : 0) |
                  ((changed & UARTFR_DCD) != 0 ? UARTINT_DCD : 0) | ((changed & UARTFR_DSR) != 0 ? UARTINT_DSR : 0);
    u->seen ^= changed;
}

static void ask_timer(struct vc_pl011 *u, bool on)
{
    if (!on && !u->timing)
        return;
    u->timing = on;
    u->timed = u->rx.tail;
    u->env->timer(u->ctx, on ? vc_uart_timeout_ns(RT_BITS, UARTCLK_HZ, u->divisor) : 0);
}

/* 2.8.4: bytes that wait have the time-out interrupt, or the timer runs that brings it; each arrival starts it anew. */
static void follow_rx(struct vc_pl011 *u)
{
    if (rx_level(&u->rx) == 0)
        u->latched &= ~(uint32_t)UARTINT_RT;
    if (rx_level(&u->rx) == 0 || (u->latched & UARTINT_RT) != 0)
        ask_timer(u, false);
    else if (!u->timing || u->timed != u->rx.tail)
        ask_timer(u, true);
    if (u->hungry && receiving(u) && !loopback(u) && rx_level(&u->rx) <= depth(u) / 2) {
        u->hungry = false;
        u->env->input_room(u->ctx);
    }
}

static void set_level(struct vc_pl011 *u)
{
    bool level = (raw(u) & u->imsc) != 0;

    if (level == u->level)
        return;
    u->level = level;
    u->env->irq(u->ctx, level);
}

void vc_pl011_settle(struct vc_pl011 *u)
{
    transmit(u);
    follow_tx(u);
    follow_modem(u);
    follow_rx(u);
    set_level(u);
}

bool vc_pl011_legal(const struct vc_pl011 *u)
{
    return ((u->latched & UARTINT_RT) == 0 || rx_level(&u->rx) > 0) &&
           ((u->latched & UARTINT_TX) == 0 || tx_level(&u->tx) <= tx_trigger(u));
}

void vc_pl011_restored(struct vc_pl011 *u)
{
    u->seen = modem(u);
    u->tx_above = tx_level(&u->tx) > tx_trigger(u);
    u->sent = u->polled = 0;
    follow_rx(u);
    set_level(u);
}

static void set_registers(struct vc_pl011 *u)
{
    bool sbsa = u->type == VC_PL011_SBSA;

    u->cr = CR_RESET | (sbsa ? UARTCR_UARTEN : 0);
    u->lcr_h = sbsa ? UARTLCR_H_WLEN_8 | UARTLCR_H_FEN : 0;
    u->ifls =
        sbsa ? SBSA_IFLS : IFLS_RESET; /* FreeBSD sends 24 for each interrupt there too: at half 8 would be lost */
    u->ibrd = u->fbrd = u->divisor = u->imsc = u->ilpr = u->dmacr = u->rsr = u->latched = 0;
    u->rx.head = u->rx.tail = u->tx.head = u->tx.tail = 0;
    u->seen = u->modem;
    u->sent = u->polled = 0;
    u->tx_above = u->overrun = u->owes_tx = false;
}

void vc_pl011_init(struct vc_pl011 *u, enum vc_pl011_type type, const struct vc_uart_env *env, void *ctx)
{
    *u = (struct vc_pl011){.env = env, .ctx = ctx, .type = type};
    u->modem = type == VC_PL011_SBSA ? 0 : UARTFR_CTS | UARTFR_DSR | UARTFR_DCD;
    set_registers(u);
}

void vc_pl011_reset(struct vc_pl011 *u)
{
    set_registers(u);
    vc_pl011_settle(u);
}

/* ---- Registers. ---- */

/* SBSA has few of them, BSA table B-1; drivers of the whole PL011 may still touch the others. */
static bool there(const struct vc_pl011 *u, uint64_t offset)
{
    if (u->type == VC_PL011_FULL)
        return true;
    return offset == UARTDR || offset == UARTRSR || offset == UARTFR || (offset >= UARTIMSC && offset <= UARTICR);
}

static uint32_t read_data(struct vc_pl011 *u)
{
    uint32_t entry;

    if (rx_level(&u->rx) == 0)
        return 0; /* 3.3.1 leaves it open; what lies in the array was read before, perhaps by somebody else */
    entry = rx_pop(&u->rx);
    u->rsr = (u->rsr & (UARTDR_OE >> 8)) | (entry & ENTRY_ERRORS) >> 8; /* 3.3.2: of the character read last */
    vc_pl011_settle(u);
    return entry;
}

/*
 * Linux looks for room before each byte, and goes over to the interrupt only when there is none: then two accesses do for 16
 * bytes. Where all is taken at once it would never come to that. So who has looked before each of a FIFO's load sees it full,
 * as it would be at any speed that a wire has, and empty at the next look. TX comes as it would, also if it is cleared first.
 */
static uint32_t read_flags(struct vc_pl011 *u)
{
    u->polled = u->sent == 1 && fifos(u) && !loopback(u) ? u->polled + 1 : 0;
    u->sent = 0;
    if (u->polled < UARTPL011_FIFO_BYTES)
        return flags(u);
    u->polled = 0;
    if (tx_level(&u->tx) <= tx_trigger(u)) {
        u->latched |= UARTINT_TX;
        u->owes_tx = true;
        set_level(u);
    }
    return (flags(u) & ~(uint32_t)UARTFR_TXFE) | UARTFR_TXFF;
}

static void clear(struct vc_pl011 *u, uint32_t bits)
{
    u->latched &= ~bits;
    if (u->owes_tx && tx_level(&u->tx) <= tx_trigger(u))
        u->latched |= UARTINT_TX;
    u->owes_tx = false;
}

static uint32_t read_id(uint64_t offset)
{
    static const uint8_t id[8] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1}; /* 3.3.16 to 3.3.23: r1p5 */

    return offset >= UARTPERIPHID0 ? id[(offset - UARTPERIPHID0) / 4] : 0;
}

static uint32_t read_register(struct vc_pl011 *u, uint64_t offset)
{
    switch (offset) {
    case UARTDR: return read_data(u);
    case UARTRSR: return u->rsr;
    case UARTFR: return read_flags(u);
    case UARTILPR: return u->ilpr;
    case UARTIBRD: return u->ibrd;
    case UARTFBRD: return u->fbrd;
    case UARTLCR_H: return u->lcr_h;
    case UARTCR: return u->cr;
    case UARTIFLS: return u->ifls;
    case UARTIMSC: return u->imsc;
    case UARTRIS: return raw(u);
    case UARTMIS: return raw(u) & u->imsc;
    case UARTDMACR: return u->dmacr;
    default: return read_id(offset);
    }
}

/* Registers are as wide as they can be asked for; what is between them is not there. */
static bool in_frame(uint64_t offset, uint32_t width)
{
    return (width == 1 || width == 2 || width == 4) && offset < UARTPL011_FRAME_BYTES &&
           width <= UARTPL011_FRAME_BYTES - offset;
}

bool vc_pl011_read(struct vc_pl011 *u, uint64_t offset, uint32_t width, uint32_t *value)
{
    *value = 0;
    if (!in_frame(offset, width))
        return false;
    if (offset % 4 == 0 && there(u, offset))
        *value = read_register(u, offset) & UINT32_MAX >> (32 - 8 * width);
    return true;
}

static void write_data(struct vc_pl011 *u, uint32_t value)
{
    u->sent++;
    if (tx_level(&u->tx) >= depth(u))
        transmit(u); /* the line may have room by now */
    if (tx_level(&u->tx) >= depth(u))
        u->dropped++;
    else
        tx_push(&u->tx, value);
    follow_tx(u);
}

/* 3.3.7: the divisor counts from this write on; a change of FEN empties both FIFOs. */
static void write_lcr_h(struct vc_pl011 *u, uint32_t value)
{
    uint32_t changed = value ^ u->lcr_h;

    u->lcr_h = value;
    u->divisor = u->ibrd << 6 | u->fbrd;
    if ((changed & UARTLCR_H_FEN) != 0) {
        u->rx.head = u->rx.tail;
        if (tx_level(&u->tx) > 0)
            u->latched |= UARTINT_TX; /* nobody shall wait for what will not be sent */
        u->tx.head = u->tx.tail;
    }
    if ((changed & value & UARTLCR_H_BRK) == 0)
        return;
    if (!loopback(u))
        u->env->send_break(u->ctx);
    else if (receiving(u))
        receive(u, UARTDR_BE);
}

static void write_register(struct vc_pl011 *u, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case UARTDR: write_data(u, value); break;
    case UARTRSR: u->rsr = 0; break;
    case UARTILPR: u->ilpr = value & 0xff; break;
    case UARTIBRD: u->ibrd = value & 0xffff; break;
    case UARTFBRD: u->fbrd = value & 0x3f; break;
    case UARTLCR_H: write_lcr_h(u, value & 0xff); break;
    case UARTCR: u->cr = value & CR_BITS; break;
    case UARTIFLS: u->ifls = value & 0x3f; break;
    case UARTIMSC: u->imsc = value & (u->type == VC_PL011_SBSA ? SBSA_INT_BITS : INT_BITS); break;
    case UARTICR: clear(u, value); break;
    case UARTDMACR: u->dmacr = value & 7; break;
    default: return;
    }
    vc_pl011_settle(u);
}

/* Bytes that go straight to the line, as all do while it takes them; how many it took. Nothing but TX can change. */
static uint32_t send_direct(struct vc_pl011 *u, const uint8_t *bytes, uint32_t n)
{
    uint32_t taken;

    if (tx_level(&u->tx) > 0 || (u->cr & (UARTCR_LBE | UARTCR_CTSEN)) != 0)
        return 0;
    taken = u->env->out(u->ctx, bytes, n);
    u->sent += taken;
    if (taken > 0 && (u->latched & UARTINT_TX) == 0) {
        u->latched |= UARTINT_TX;
        set_level(u);
    }
    return taken;
}

bool vc_pl011_write(struct vc_pl011 *u, uint64_t offset, uint32_t width, uint32_t value)
{
    uint8_t byte = (uint8_t)value;

    if (!in_frame(offset, width))
        return false;
    if (offset == UARTDR) {
        pace_write(&u->pace);
        if (send_direct(u, &byte, 1) == 1)
            return true;
    }
    if (offset % 4 == 0 && there(u, offset))
        write_register(u, offset, value & UINT32_MAX >> (32 - 8 * width));
    return true;
}

void vc_pl011_write_batch(struct vc_pl011 *u, const struct vc_uart_write *writes, uint32_t n)
{
    uint8_t bytes[VC_UART_BATCH];

    pace_batch(&u->pace, n);
    while (n > 0) {
        uint32_t together = vc_uart_gather(writes, n, 4, bytes), done = 0;

        if (together > 0)
            done = send_direct(u, bytes, together);
        if (done == 0) {
            vc_pl011_write(u, writes->offset, writes->width, writes->value);
            done = 1;
        }
        writes += done;
        n -= done;
    }
}

bool vc_pl011_zone(const struct vc_pl011 *u, bool is, uint32_t line_room, uint32_t ring_entries)
{
    return tx_level(&u->tx) == 0 && !loopback(u) && !held_by_cts(u) &&
           vc_uart_zone(&u->pace, is, line_room, ring_entries);
}

/* ---- The world outside. ---- */

uint32_t vc_pl011_input(struct vc_pl011 *u, const uint8_t *bytes, uint32_t n)
{
    uint32_t taken = 0;

    while (receiving(u) && !loopback(u) && taken < n && rx_level(&u->rx) < depth(u))
        receive(u, bytes[taken++]);
    u->hungry = u->hungry || taken < n;
    vc_pl011_settle(u);
    return taken;
}

bool vc_pl011_break(struct vc_pl011 *u)
{
    bool fits = receiving(u) && !loopback(u) && rx_level(&u->rx) < depth(u);

    u->hungry = u->hungry || !fits;
    if (fits)
        receive(u, UARTDR_BE); /* 3.3.1: only one character, 0, is put into the FIFO */
    vc_pl011_settle(u);
    return fits;
}

void vc_pl011_overrun(struct vc_pl011 *u)
{
    lose(u);
    vc_pl011_settle(u);
}

void vc_pl011_modem(struct vc_pl011 *u, uint32_t lines)
{
    if (u->type == VC_PL011_FULL)
        u->modem = lines & (UARTFR_CTS | UARTFR_DSR | UARTFR_DCD | UARTFR_RI);
    vc_pl011_settle(u);
}

void vc_pl011_output_room(struct vc_pl011 *u) { vc_pl011_settle(u); }

void vc_pl011_timer(struct vc_pl011 *u)
{
    if (!u->timing)
        return;
    u->timing = false;
    u->latched |= UARTINT_RT;
    vc_pl011_settle(u);
}
