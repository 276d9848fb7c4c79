/* SPDX-License-Identifier: MIT */
#include "ns16550.h"
#include "uart.h"

#define DIVISOR 1u /* 115200 baud */

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
    out(u, UART_LCR, LCR_DLAB);
    out(u, UART_DLL, DIVISOR);
    out(u, UART_DLM, 0);
    out(u, UART_LCR, LCR_8BITS);
    out(u, UART_FCR, FCR_ENABLE | FCR_CLEAR_RX | FCR_CLEAR_TX | FCR_TRIGGER_8);
    out(u, UART_MCR, MCR_DTR | MCR_RTS | MCR_OUT2); /* OUT2 lets the interrupt out on a PC */
    u->depth = (in(u, UART_IIR) & IIR_FIFO) == IIR_FIFO ? NS16550_DEPTH : 1;
    return true;
}

static size_t room(struct uart *u) { return (in(u, UART_LSR) & LSR_THRE) != 0 ? u->depth : 0; }

static void send(struct uart *u, uint8_t byte) { out(u, UART_THR, byte); }

static bool receive(struct uart *u, uint32_t *got)
{
    uint32_t status = in(u, UART_LSR); /* before the byte: it goes with it */

    if ((status & LSR_DR) == 0)
        return false;
    *got = in(u, UART_RBR) | ((status & LSR_OE) != 0 ? UART_OVERRUN : 0);
    if ((status & LSR_BI) != 0)
        *got |= UART_BREAK;
    else if ((status & (LSR_FE | LSR_PE)) != 0)
        *got |= UART_ERROR;
    return true;
}

static void listen(struct uart *u, bool on) { out(u, UART_IER, on ? IER_RDA | IER_RLS : 0); }

const struct uart_chip uart_16550 = {"16550", begin, room, send, receive, listen};
