/* SPDX-License-Identifier: MIT */
/*
 * pl011.h: registers of Arm's PL011 and of the SBSA generic UART, as drivers use them.
 *
 * Spec:  Arm DDI 0183G chapter 3; device ABI 1.1-1.5. Interrupt bits stand at the same places in IMSC, RIS, MIS, ICR.
 */
#ifndef GUEST_PL011_H
#define GUEST_PL011_H

enum pl011_register {
    UARTDR = 0x000,
    UARTRSR = 0x004, /* written: UARTECR */
    UARTFR = 0x018,
    UARTILPR = 0x020,
    UARTIBRD = 0x024,
    UARTFBRD = 0x028,
    UARTLCR_H = 0x02c,
    UARTCR = 0x030,
    UARTIFLS = 0x034,
    UARTIMSC = 0x038,
    UARTRIS = 0x03c,
    UARTMIS = 0x040,
    UARTICR = 0x044,
    UARTDMACR = 0x048,
    UARTPERIPHID0 = 0xfe0, /* 1..3 and the four of UARTPCELLID behind it, 4 apart */
    UARTPCELLID0 = 0xff0,
};

enum { DR_FE = 1 << 8, DR_PE = 1 << 9, DR_BE = 1 << 10, DR_OE = 1 << 11 };
enum { FR_CTS = 1 << 0, FR_DSR = 1 << 1, FR_DCD = 1 << 2, FR_BUSY = 1 << 3, FR_RXFE = 1 << 4, FR_TXFF = 1 << 5 };
enum { FR_RXFF = 1 << 6, FR_TXFE = 1 << 7, FR_RI = 1 << 8 };
enum { LCR_H_BRK = 1 << 0, LCR_H_FEN = 1 << 4, LCR_H_8BITS = 3 << 5 };
enum { CR_UARTEN = 1 << 0, CR_LBE = 1 << 7, CR_TXE = 1 << 8, CR_RXE = 1 << 9, CR_DTR = 1 << 10, CR_RTS = 1 << 11 };
enum { CR_OUT1 = 1 << 12, CR_OUT2 = 1 << 13 };
enum { INT_RX = 1 << 4, INT_TX = 1 << 5, INT_RT = 1 << 6, INT_FE = 1 << 7, INT_PE = 1 << 8, INT_BE = 1 << 9 };
enum { INT_OE = 1 << 10, INT_ALL = 0x7ff };
enum { IFLS_HALF = 2 << 3 | 2, IFLS_RX_SHIFT = 3 };

#endif
