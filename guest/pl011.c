/* SPDX-License-Identifier: MIT */
#include "uart.h"
#include <vcons/wire/pl011.h>

#define DEPTH_R1P4    16u /* up to this revision; 32 from r1p5 on (device ABI 1.1) */
#define REVISION_R1P5 3u
#define INT_ALL       0x7ffu
#define IFLS_HALF     0x12u
#define WIDTH         2u /* of a PL011's registers; the SBSA's are to be read 32 bits wide (device ABI 1.4) */
#define SBSA_WIDTH    4u

/* Part 0x011 by Arm, and a PrimeCell at all; the revision into *revision. */
static bool is_pl011(struct uart *u, uint32_t *revision)
{
    static const uint8_t cell[] = {0x0d, 0xf0, 0x05, 0xb1};
    uint32_t id[3];

    for (uint32_t i = 0; i < sizeof cell; i++)
        if ((uart_read(u, UARTPCELLID0 + 4 * i, 4) & 0xff) != cell[i])
            return false;
    for (uint32_t i = 0; i < 3; i++)
        id[i] = uart_read(u, UARTPERIPHID0 + 4 * i, 4) & 0xff;
    *revision = id[2] >> 4;
    return id[0] == 0x11 && id[1] == 0x10 && (id[2] & 0xf) == 4;
}

/* No divisor: what firmware set stays, and where there is no wire there is no speed. */
static bool pl011_begin(struct uart *u)
{
    uint32_t revision;

    if (!is_pl011(u, &revision))
        return false;
    u->depth = revision < REVISION_R1P5 ? DEPTH_R1P4 : UARTPL011_FIFO_BYTES;
    uart_write(u, UARTIMSC, WIDTH, 0);
    uart_write(u, UARTICR, WIDTH, INT_ALL);
    uart_write(u, UARTIFLS, WIDTH, IFLS_HALF);
    uart_write(u, UARTLCR_H, WIDTH, UARTLCR_H_WLEN_8 | UARTLCR_H_FEN);
    uart_write(u, UARTCR, WIDTH, UARTCR_UARTEN | UARTCR_TXE | UARTCR_RXE | UARTCR_DTR | UARTCR_RTS);
    return true;
}

/* No identification is asked of it (device ABI 1.5); where nothing is, all bits read the same. */
static bool sbsa_begin(struct uart *u)
{
    uint32_t flags = uart_read(u, UARTFR, SBSA_WIDTH);

    if ((flags & (UARTFR_TXFF | UARTFR_TXFE)) == (UARTFR_TXFF | UARTFR_TXFE) ||
        (flags & (UARTFR_RXFF | UARTFR_RXFE)) == (UARTFR_RXFF | UARTFR_RXFE))
        return false;
    u->depth = UARTPL011_FIFO_BYTES;
    uart_write(u, UARTIMSC, SBSA_WIDTH, 0);
    uart_write(u, UARTICR, SBSA_WIDTH, INT_ALL);
    return true;
}

static uint32_t width_of(const struct uart *u) { return u->chip == &uart_sbsa ? SBSA_WIDTH : WIDTH; }

static size_t room(struct uart *u)
{
    uint32_t flags = uart_read(u, UARTFR, width_of(u));

    return (flags & UARTFR_TXFF) != 0 ? 0 : (flags & UARTFR_TXFE) != 0 ? u->depth : 1;
}

static void send(struct uart *u, uint8_t byte) { uart_write(u, UARTDR, width_of(u), byte); }

static bool receive(struct uart *u, uint32_t *got)
{
    uint32_t data;

    if ((uart_read(u, UARTFR, width_of(u)) & UARTFR_RXFE) != 0)
        return false;
    data = uart_read(u, UARTDR, width_of(u));
    *got = (data & UART_BYTE) | ((data & UARTDR_OE) != 0 ? UART_OVERRUN : 0);
    if ((data & UARTDR_BE) != 0)
        *got |= UART_BREAK; /* framing and parity of a break say nothing of their own */
    else if ((data & (UARTDR_FE | UARTDR_PE)) != 0)
        *got |= UART_ERROR;
    return true;
}

/* RX and RT go by reading what was received, never by ICR: an emulator may not raise them again (device ABI 1.7). */
static void listen(struct uart *u, bool on) { uart_write(u, UARTIMSC, width_of(u), on ? UARTINT_RX | UARTINT_RT : 0); }

const struct uart_chip uart_pl011 = {"pl011", pl011_begin, room, send, receive, listen, false};
const struct uart_chip uart_sbsa = {"sbsa", sbsa_begin, room, send, receive, listen, false};
