/* SPDX-License-Identifier: MIT */
/* The PL011 and the SBSA UART as their manual has them, and drivers need them. Bare section numbers are Arm DDI 0183G's. */
#include "tiny_uart_test.h"
#include <vcons/wire/pl011.h>

enum { ALL = 0x7ff, LOOPING = UARTCR_UARTEN | UARTCR_TXE | UARTCR_RXE | UARTCR_LBE, HALF = 0x12 };
enum { LINE = UARTLCR_H_WLEN_8 | UARTLCR_H_FEN, MODEM = UARTFR_CTS | UARTFR_DSR | UARTFR_DCD | UARTFR_RI };
enum { RSR_ERRORS = 0xf, RSR_OE = 8 };

static uint32_t in(const struct uart *u, uint32_t offset) { return uart_read(u, offset, 4); }
static void out(const struct uart *u, uint32_t offset, uint32_t value) { uart_write(u, offset, 4, value); }

/* Switching FEN empties both FIFOs: 3.3.7. */
static void set_up(struct uart *u)
{
    uart_soon(u, UARTFR, 4, UARTFR_TXFE | UARTFR_BUSY, UARTFR_TXFE);
    out(u, UARTIMSC, 0);
    out(u, UARTLCR_H, UARTLCR_H_WLEN_8);
    out(u, UARTLCR_H, LINE);
    out(u, UARTIFLS, HALF);
    out(u, UARTCR, LOOPING);
    out(u, UARTRSR, 0);
    out(u, UARTICR, ALL);
}

/* Send, without ever filling the transmit FIFO, and until the last has left. */
static void send(const struct uart *u, uint32_t n, uint32_t first)
{
    for (uint32_t i = 0; i < n && uart_soon(u, UARTFR, 4, UARTFR_TXFF, 0); i++)
        out(u, UARTDR, (first + i) & 0xff);
    uart_soon(u, UARTFR, 4, UARTFR_TXFE | UARTFR_BUSY, UARTFR_TXFE);
}

/* Where it does not, CR is the least that a terminal can be shown. */
static bool loops(struct uart *u)
{
    send(u, 1, '\r');
    return (in(u, UARTFR) & UARTFR_RXFE) == 0 && in(u, UARTDR) == '\r';
}

static bool returns(const struct uart *u, uint32_t n, uint32_t first)
{
    for (uint32_t i = 0; i < n; i++)
        if (in(u, UARTDR) != ((first + i) & 0xff))
            return false;
    return true;
}

static bool raw_is(const struct uart *u, uint32_t mask, uint32_t value) { return (in(u, UARTRIS) & mask) == value; }

static bool sends_back(struct uart_test *t)
{
    for (uint32_t first = 0; t->loops && first < 256; first += 16) {
        send(t->u, 16, first);
        if (!returns(t->u, 16, first))
            return false;
    }
    return t->loops && (in(t->u, UARTFR) & UARTFR_RXFE) != 0;
}

static bool has_ids(struct uart_test *t)
{
    static const uint8_t ids[8] = {0x11, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1}; /* 3.3.16 to 3.3.23 */

    for (uint32_t i = 0; i < sizeof ids; i++)
        if ((in(t->u, UARTPERIPHID0 + 4 * i) & (i == 2 ? 0x0f : UINT32_MAX)) != ids[i])
            return false;
    return true;
}

static bool is_idle(struct uart_test *t)
{
    return (in(t->u, UARTFR) & (0x1ff & ~MODEM)) == (UARTFR_TXFE | UARTFR_RXFE) && in(t->u, UARTRSR) == 0;
}

static bool keeps(const struct uart *u, uint32_t offset, uint32_t mask)
{
    bool kept = true;

    for (uint32_t value = 0x5a5a5a5a; value != 0; value = value == 0x5a5a5a5a ? 0xa5a5a5a5 : 0) {
        out(u, offset, value & mask);
        kept = kept && in(u, offset) == (value & mask);
    }
    return kept;
}

static bool cuts(const struct uart *u, uint32_t offset, uint32_t mask)
{
    out(u, offset, UINT32_MAX);
    return in(u, offset) == mask;
}

static bool keeps_setup(struct uart_test *t)
{
    return keeps(t->u, UARTIBRD, 0xffff) && keeps(t->u, UARTFBRD, 0x3f) && keeps(t->u, UARTILPR, 0xff) &&
           keeps(t->u, UARTIFLS, 0x3f) && keeps(t->u, UARTIMSC, ALL & ~UARTINT_TX) && keeps(t->u, UARTDMACR, 0x7) &&
           keeps(t->u, UARTLCR_H, 0xfe) && keeps(t->u, UARTCR, 0xff06); /* no break is sent, and FIFOs stay empty */
}

static bool cuts_setup(struct uart_test *t)
{
    return cuts(t->u, UARTIBRD, 0xffff) && cuts(t->u, UARTFBRD, 0x3f) && cuts(t->u, UARTILPR, 0xff) &&
           cuts(t->u, UARTIFLS, 0x3f);
}

static bool takes_all_widths(struct uart_test *t)
{
    static const uint32_t values[] = {0x70, 0x7f0, 0x7f0};
    bool right = true;

    for (uint32_t i = 0; i < 3; i++) {
        uart_write(t->u, UARTIMSC, 1u << i, values[i]);
        for (uint32_t k = 0; k < 3; k++)
            right = right && uart_read(t->u, UARTIMSC, 1u << k) == (k == 0 ? values[i] & 0xff : values[i]);
        out(t->u, UARTIMSC, 0);
    }
    return right;
}

static bool writes_change(const struct uart *u, uint32_t offset)
{
    uint32_t before = in(u, offset);

    out(u, offset, ~before);
    return in(u, offset) != before;
}

static bool ignores_writes(struct uart_test *t)
{
    return !writes_change(t->u, UARTFR) && !writes_change(t->u, UARTRIS) && !writes_change(t->u, UARTMIS) &&
           !writes_change(t->u, UARTPERIPHID0) && !writes_change(t->u, UARTPCELLID0 + 12);
}

static bool is_zero(const struct uart *u, uint32_t from, uint32_t end)
{
    for (uint32_t offset = from; offset < end; offset += 4) {
        out(u, offset, UINT32_MAX);
        if (in(u, offset) != 0)
            return false;
    }
    return true;
}

static bool holes_are_zero(struct uart_test *t)
{
    return is_zero(t->u, 0x008, UARTFR) && is_zero(t->u, 0x01c, UARTILPR) && is_zero(t->u, 0x04c, 0x080) &&
           is_zero(t->u, 0x090, 0x100);
}

static bool interrupt_clear_reads_zero(struct uart_test *t) { return in(t->u, UARTICR) == 0; }

static bool fills_at_depth(struct uart_test *t)
{
    bool full[2];

    send(t->u, t->loops ? t->u->depth - 1 : 0, 'a');
    full[0] = (in(t->u, UARTFR) & UARTFR_RXFF) != 0;
    send(t->u, t->loops ? 1 : 0, 'z');
    full[1] = (in(t->u, UARTFR) & UARTFR_RXFF) != 0;
    return t->loops && !full[0] && full[1];
}

static bool character_mode_holds_one(struct uart_test *t)
{
    out(t->u, UARTLCR_H, UARTLCR_H_WLEN_8);
    send(t->u, t->loops ? 1 : 0, 'x');
    return t->loops && (in(t->u, UARTFR) & UARTFR_RXFF) != 0 && raw_is(t->u, UARTINT_RX, UARTINT_RX) &&
           in(t->u, UARTDR) == 'x' && raw_is(t->u, UARTINT_RX, 0) && (in(t->u, UARTFR) & UARTFR_RXFE) != 0;
}

static bool fen_empties(struct uart_test *t)
{
    send(t->u, t->loops ? 5 : 0, 'a');
    out(t->u, UARTLCR_H, UARTLCR_H_WLEN_8);
    out(t->u, UARTLCR_H, LINE);
    return t->loops && (in(t->u, UARTFR) & UARTFR_RXFE) != 0 && raw_is(t->u, UARTINT_RX | UARTINT_RT, 0);
}

/* 3.3.9: 1/8, 1/4, 1/2, 3/4 and 7/8 of the FIFO. */
static bool triggers_at_levels(struct uart_test *t)
{
    static const uint32_t eighths[] = {1, 2, 4, 6, 7};
    bool right = t->loops;

    for (uint32_t i = 0; right && i < 5; i++) {
        uint32_t level = t->u->depth * eighths[i] / 8;

        set_up(t->u);
        out(t->u, UARTIFLS, i << 3 | 2);
        send(t->u, level - 1, 'a');
        right = raw_is(t->u, UARTINT_RX, 0);
        send(t->u, 1, 'z');
        right = right && raw_is(t->u, UARTINT_RX, UARTINT_RX) && in(t->u, UARTDR) != 0 && raw_is(t->u, UARTINT_RX, 0);
    }
    return right;
}

/* A driver that drains first and clears afterwards must not lose its interrupt (device ABI 1.7). */
static bool full_outlives_clear(struct uart_test *t)
{
    send(t->u, t->loops ? t->u->depth : 0, 'a');
    out(t->u, UARTICR, ALL);
    return t->loops && uart_soon(t->u, UARTRIS, 4, UARTINT_RT, UARTINT_RT);
}

static bool times_out(struct uart_test *t)
{
    send(t->u, t->loops ? 1 : 0, 'a');
    return t->loops && uart_soon(t->u, UARTRIS, 4, UARTINT_RT, UARTINT_RT) && in(t->u, UARTDR) == 'a' &&
           raw_is(t->u, UARTINT_RT, 0);
}

static bool times_out_again(struct uart_test *t)
{
    send(t->u, t->loops ? 1 : 0, 'a');
    if (!t->loops || !uart_soon(t->u, UARTRIS, 4, UARTINT_RT, UARTINT_RT))
        return false;
    out(t->u, UARTICR, UARTINT_RT);
    return uart_soon(t->u, UARTRIS, 4, UARTINT_RT, UARTINT_RT);
}

static bool overrun_keeps_fifo(struct uart_test *t)
{
    send(t->u, t->loops ? t->u->depth + 3 : 0, 'a');
    return t->loops && raw_is(t->u, UARTINT_OE, UARTINT_OE) && (in(t->u, UARTRSR) & RSR_OE) != 0 &&
           returns(t->u, t->u->depth, 'a') && (in(t->u, UARTFR) & UARTFR_RXFE) != 0;
}

static bool overrun_is_cleared(struct uart_test *t)
{
    send(t->u, t->loops ? t->u->depth + 1 : 0, 'a');
    out(t->u, UARTICR, UARTINT_OE);
    if (!t->loops || !raw_is(t->u, UARTINT_OE, 0) || (in(t->u, UARTRSR) & RSR_OE) == 0)
        return false; /* each has a clear of its own */
    out(t->u, UARTRSR, 0);
    return (in(t->u, UARTRSR) & RSR_ERRORS) == 0;
}

static bool breaks(struct uart_test *t)
{
    uint32_t data;

    if (!t->loops) /* it would leave */
        return false;
    out(t->u, UARTLCR_H, LINE | UARTLCR_H_BRK);
    if (!uart_soon(t->u, UARTRIS, 4, UARTINT_BE, UARTINT_BE))
        return false;
    out(t->u, UARTLCR_H, LINE);
    data = in(t->u, UARTDR);
    return (data & 0xff) == 0 && (data & UARTDR_BE) != 0 && (in(t->u, UARTFR) & UARTFR_RXFE) != 0;
}

static bool modem_loops(struct uart_test *t)
{
    static const uint32_t pairs[][2] = {{UARTCR_RTS, UARTFR_CTS},
                                        {UARTCR_DTR, UARTFR_DSR},
                                        {UARTCR_OUT1, UARTFR_DCD},
                                        {UARTCR_OUT2, UARTFR_RI}}; /* 3.3.8 */
    bool right = true;

    for (uint32_t i = 0; i < 4; i++) {
        out(t->u, UARTCR, LOOPING | pairs[i][0]);
        right = right && (in(t->u, UARTFR) & MODEM) == pairs[i][1];
    }
    return right;
}

static bool modem_changes_latch(struct uart_test *t)
{
    out(t->u, UARTCR, LOOPING | UARTCR_RTS);
    if (!raw_is(t->u, 0xf, UARTINT_CTS))
        return false;
    out(t->u, UARTICR, UARTINT_CTS);
    return raw_is(t->u, 0xf, 0);
}

/* Where nothing loops, one CR goes to the line instead. */
static void send_for_tx(struct uart_test *t) { send(t->u, t->loops ? t->u->depth / 2 + 1 : 1, '\r'); }

static bool sent_is_told(struct uart_test *t)
{
    send_for_tx(t);
    return uart_soon(t->u, UARTRIS, 4, UARTINT_TX, UARTINT_TX);
}

static bool sent_is_cleared(struct uart_test *t)
{
    send_for_tx(t);
    if (!uart_soon(t->u, UARTRIS, 4, UARTINT_TX, UARTINT_TX))
        return false;
    out(t->u, UARTICR, ALL & ~UARTINT_TX);
    if (!raw_is(t->u, UARTINT_TX, UARTINT_TX))
        return false;
    out(t->u, UARTICR, UARTINT_TX);
    return raw_is(t->u, UARTINT_TX, 0);
}

static bool masked_is_raw_and_mask(struct uart_test *t)
{
    bool right;

    send_for_tx(t);
    for (uint32_t i = 0; i < t->u->depth; i++)
        in(t->u, UARTDR); /* else the receive time-out might come between two looks */
    right = in(t->u, UARTMIS) == 0 && (in(t->u, UARTRIS) & UARTINT_TX) != 0;
    for (uint32_t bit = 1; bit <= UARTINT_OE; bit <<= 1) {
        bool on = t->u->interrupts; /* its handler would mask */

        if (on && raw_is(t->u, bit, bit))
            continue;
        out(t->u, UARTIMSC, bit);
        right = right && in(t->u, UARTMIS) == (in(t->u, UARTRIS) & bit);
    }
    out(t->u, UARTIMSC, 0);
    return right;
}

static bool line_follows_mask(struct uart_test *t)
{
    uint64_t n = uart_interrupts(t->u);

    send_for_tx(t);
    if (uart_interrupts(t->u) != n || !t->u->interrupts)
        return !t->u->interrupts; /* one would not be heard: nothing to check */
    out(t->u, UARTIMSC, UARTINT_TX);
    if (!uart_soon_interrupts(t->u, n) || in(t->u, UARTIMSC) != 0)
        return false;
    out(t->u, UARTIMSC, UARTINT_TX); /* it is still there: a level */
    return uart_soon_interrupts(t->u, n + 1) && in(t->u, UARTRIS) != 0;
}

static const struct uart_check pl011_checks[] = {
    {"PL011: loopback returns what is sent", sends_back, "qemu"},
    {"PL011: part and PrimeCell are identified", has_ids, NULL},
    {"PL011: flags of an idle UART", is_idle, NULL},
    {"PL011: registers keep what is written", keeps_setup, NULL},
    {"PL011: bits beyond a register's width are ignored", cuts_setup, "qemu"},
    {"PL011: accesses of 8, 16 and 32 bits", takes_all_widths, NULL},
    {"PL011: what is only read ignores writes", ignores_writes, NULL},
    {"PL011: reserved offsets read 0", holes_are_zero, NULL},
    {"PL011: UARTICR reads 0", interrupt_clear_reads_zero, NULL},
    {"PL011: RXFF at the depth that its revision has", fills_at_depth, "qemu"},
    {"PL011: character mode holds one", character_mode_holds_one, "qemu"},
    {"PL011: a change of FEN empties the FIFO", fen_empties, "qemu"},
    {"PL011: receive interrupt at each trigger level", triggers_at_levels, "qemu"},
    {"PL011: full, it interrupts again after UARTICR", full_outlives_clear, "qemu"},
    {"PL011: receive time-out, cleared by reading", times_out, "qemu"},
    {"PL011: receive time-out again after UARTICR", times_out_again, "qemu"},
    {"PL011: overrun keeps what the FIFO holds", overrun_keeps_fifo, "qemu"},
    {"PL011: overrun is cleared by UARTICR and UARTECR", overrun_is_cleared, "qemu"},
    {"PL011: break is one 0 with BE", breaks, "qemu"},
    {"PL011: modem outputs come back in loopback", modem_loops, "qemu"},
    {"PL011: a change of a modem wire is latched", modem_changes_latch, "qemu"},
    {"PL011: transmit interrupt after sending", sent_is_told, NULL},
    {"PL011: UARTICR clears what it names", sent_is_cleared, NULL},
    {"PL011: masked status is raw status and mask", masked_is_raw_and_mask, NULL},
    {"PL011: its line follows the masked status", line_follows_mask, NULL},
    {NULL, NULL, NULL},
};
const struct uart_suite uart_suite_pl011 = {set_up, loops, pl011_checks};

/* ---- SBSA: no loopback, so CR goes out where something has to be sent. ---- */

static void sbsa_set_up(struct uart *u)
{
    uart_soon(u, UARTFR, 4, UARTFR_TXFE | UARTFR_BUSY, UARTFR_TXFE);
    out(u, UARTIMSC, 0);
    out(u, UARTRSR, 0);
    out(u, UARTICR, ALL);
}

static bool sbsa_loops(struct uart *u)
{
    (void)u;
    return false;
}

/* RAZ/WI, for drivers of the whole PL011 that write there (device ABI 1.5). */
static bool rest_is_zero(struct uart_test *t)
{
    return is_zero(t->u, 0x008, UARTFR) && is_zero(t->u, 0x01c, UARTIMSC) && is_zero(t->u, UARTDMACR, 0x100);
}

static bool sbsa_keeps_mask(struct uart_test *t)
{
    return keeps(t->u, UARTIMSC, UARTINT_RX | UARTINT_RT | UARTINT_OE | UARTINT_BE | UARTINT_PE | UARTINT_FE);
}

static bool sbsa_ignores_writes(struct uart_test *t)
{
    return !writes_change(t->u, UARTFR) && !writes_change(t->u, UARTRIS) && !writes_change(t->u, UARTMIS);
}

static const struct uart_check sbsa_checks[] = {
    {"SBSA: flags of an idle UART", is_idle, NULL},
    {"SBSA: the mask keeps what is written", sbsa_keeps_mask, NULL},
    {"SBSA: accesses of 8, 16 and 32 bits", takes_all_widths, NULL},
    {"SBSA: what is only read ignores writes", sbsa_ignores_writes, NULL},
    {"SBSA: all other offsets read 0 and ignore writes", rest_is_zero, "qemu"},
    {"SBSA: UARTICR reads 0", interrupt_clear_reads_zero, NULL},
    {"SBSA: transmit interrupt after sending", sent_is_told, NULL},
    {"SBSA: UARTICR clears what it names", sent_is_cleared, NULL},
    {"SBSA: masked status is raw status and mask", masked_is_raw_and_mask, NULL},
    {"SBSA: its line follows the masked status", line_follows_mask, NULL},
    {NULL, NULL, NULL},
};
const struct uart_suite uart_suite_sbsa = {sbsa_set_up, sbsa_loops, sbsa_checks};
