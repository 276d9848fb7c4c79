/* SPDX-License-Identifier: MIT */
#include "uart.h"
#include <vcons/wire/ns16550.h>

#define DIVISOR   1u    /* 115200 baud */
#define TRIGGER_8 0x80u /* of UART_IIR_TRIGGER */

static uint32_t in(struct uart *u, uint32_t offset) { return uart_read(u, offset, 1); }
static void out(struct uart *u, uint32_t offset, uint32_t value) { uart_write(u, offset, 1, value); }

/* The scratch register keeps what is written, and IER's upper half reads 0: nothing else at such a port does both. */
static bool is_there(struct uart *u)
{
    bool keeps = true;

    for (uint32_t byte = 0x5a; byte <= 0xa5; byte += 0xa5 - 0x5a) {
        out(u, UART_SCR, byte);
        keeps = keeps && in(u, UART_SCR) == byte;
    }
    out(u, UART_LCR, 0);
    out(u, UART_IER, 0);
    return keeps && in(u, UART_IER) == 0;
}

static bool begin(struct uart *u)
{
    if (!is_there(u))
        return false;
    out(u, UART_LCR, UART_LCR_DLAB);
    out(u, UART_DATA, DIVISOR);
    out(u, UART_IER, 0);
    out(u, UART_LCR, UART_LCR_LENGTH);
    out(u, UART_IIR, UART_FCR_ENABLE | UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX | TRIGGER_8);
    out(u, UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2); /* OUT2 lets the interrupt out on a PC */
    u->depth = (in(u, UART_IIR) & UART_IIR_FIFO) == UART_IIR_FIFO ? UART_FIFO_BYTES : 1;
    return true;
}

static size_t room(struct uart *u) { return (in(u, UART_LSR) & UART_LSR_THRE) != 0 ? u->depth : 0; }

static void send(struct uart *u, uint8_t byte) { out(u, UART_DATA, byte); }

static bool receive(struct uart *u, uint32_t *got)
{
    uint32_t status = in(u, UART_LSR); /* before the byte: it goes with it */

    if ((status & UART_LSR_DR) == 0)
        return false;
    *got = in(u, UART_DATA) | ((status & UART_LSR_OE) != 0 ? UART_OVERRUN : 0);
    if ((status & UART_LSR_BI) != 0)
        *got |= UART_BREAK;
    else if ((status & (UART_LSR_FE | UART_LSR_PE)) != 0)
        *got |= UART_ERROR;
    return true;
}

static void listen(struct uart *u, bool on) { out(u, UART_IER, on ? UART_IER_RDA | UART_IER_RLS : 0); }

const struct uart_chip uart_16550 = {"16550", begin, room, send, receive, listen, true};
