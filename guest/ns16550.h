/* SPDX-License-Identifier: MIT */
/*
 * ns16550.h: registers of the 16550A, as drivers use them.
 *
 * Spec:  National Semiconductor PC16550D, table II; device ABI 1.9.
 */
#ifndef GUEST_NS16550_H
#define GUEST_NS16550_H

enum ns16550_register {
    UART_RBR = 0, /* read; DLL with DLAB */
    UART_THR = 0, /* written; DLL with DLAB */
    UART_DLL = 0,
    UART_IER = 1, /* DLM with DLAB */
    UART_DLM = 1,
    UART_IIR = 2, /* read */
    UART_FCR = 2, /* written */
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_MSR = 6,
    UART_SCR = 7,
};

enum { IER_RDA = 1, IER_THRE = 2, IER_RLS = 4, IER_MS = 8 };
enum {
    IIR_NONE = 1,
    IIR_THRE = 2,
    IIR_RDA = 4,
    IIR_RLS = 6,
    IIR_TIMEOUT = 0xc,
    IIR_MS = 0,
    IIR_ID = 0xf,
    IIR_FIFO = 0xc0
};
enum {
    FCR_ENABLE = 1,
    FCR_CLEAR_RX = 2,
    FCR_CLEAR_TX = 4,
    FCR_TRIGGER_4 = 0x40,
    FCR_TRIGGER_8 = 0x80,
    FCR_TRIGGER_14 = 0xc0
};
enum { LCR_8BITS = 3, LCR_BREAK = 0x40, LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 0x10 };
enum {
    LSR_DR = 1,
    LSR_OE = 2,
    LSR_PE = 4,
    LSR_FE = 8,
    LSR_BI = 0x10,
    LSR_THRE = 0x20,
    LSR_TEMT = 0x40,
    LSR_ERROR = 0x80
};
enum { MSR_DELTAS = 0xf, MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };
enum { NS16550_DEPTH = 16 };

#endif
