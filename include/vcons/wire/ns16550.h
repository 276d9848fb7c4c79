/* SPDX-License-Identifier: MIT */
/*
 * wire/ns16550.h: registers of the 16550A, as drivers and the device have them.
 *
 * Spec: National Semiconductor PC16550D (1995), section 8. Eight registers of one byte, each reached by 8 bits.
 */
#ifndef VCONS_WIRE_NS16550_H
#define VCONS_WIRE_NS16550_H

#define UART_PORTS      8u
#define UART_FIFO_BYTES 16u
#define UART_CLOCK_HZ   1843200u /* of a PC; baud = clock / (16 * divisor) */

enum uart_register {
    UART_DATA = 0, /* RBR read, THR written; with LCR.DLAB: DLL */
    UART_IER = 1,  /* with LCR.DLAB: DLM */
    UART_IIR = 2,  /* FCR when written */
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_MSR = 6,
    UART_SCR = 7,
};

enum {
    UART_IER_RDA = 1 << 0,
    UART_IER_THRE = 1 << 1,
    UART_IER_RLS = 1 << 2,
    UART_IER_MS = 1 << 3,
};
enum { /* the low four bits of IIR, in order of priority */
       UART_IIR_RLS = 0x6,
       UART_IIR_RDA = 0x4,
       UART_IIR_TIMEOUT = 0xc,
       UART_IIR_THRE = 0x2,
       UART_IIR_MS = 0x0,
       UART_IIR_NONE = 0x1,
       UART_IIR_FIFO = 0xc0,
};
enum {
    UART_FCR_ENABLE = 1 << 0,
    UART_FCR_CLEAR_RX = 1 << 1,
    UART_FCR_CLEAR_TX = 1 << 2,
    UART_FCR_DMA = 1 << 3,
    UART_FCR_TRIGGER = 3 << 6, /* 1, 4, 8, 14 */
};
enum {
    UART_LCR_LENGTH = 3 << 0, /* 5 + this */
    UART_LCR_STOP = 1 << 2,
    UART_LCR_PARITY = 1 << 3,
    UART_LCR_BREAK = 1 << 6,
    UART_LCR_DLAB = 1 << 7,
};
enum {
    UART_MCR_DTR = 1 << 0,
    UART_MCR_RTS = 1 << 1,
    UART_MCR_OUT1 = 1 << 2,
    UART_MCR_OUT2 = 1 << 3,
    UART_MCR_LOOP = 1 << 4,
};
enum {
    UART_LSR_DR = 1 << 0,
    UART_LSR_OE = 1 << 1,
    UART_LSR_PE = 1 << 2,
    UART_LSR_FE = 1 << 3,
    UART_LSR_BI = 1 << 4,
    UART_LSR_THRE = 1 << 5,
    UART_LSR_TEMT = 1 << 6,
    UART_LSR_FIFO_ERROR = 1 << 7,
};
enum {
    UART_MSR_DCTS = 1 << 0,
    UART_MSR_DDSR = 1 << 1,
    UART_MSR_TERI = 1 << 2,
    UART_MSR_DDCD = 1 << 3,
    UART_MSR_CTS = 1 << 4,
    UART_MSR_DSR = 1 << 5,
    UART_MSR_RI = 1 << 6,
    UART_MSR_DCD = 1 << 7,
};

#endif
