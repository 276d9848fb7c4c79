/* SPDX-License-Identifier: MIT */
/*
 * wire/pl011.h: registers of Arm's PL011 and of the SBSA subset, as drivers and the device have them.
 *
 * Spec: Arm DDI 0183G, chapter 3 (r1p5: FIFOs of 32); BSA 1.0, appendix B (generic UART). One 4 KiB frame,
 *       little-endian; each register is reached at its offset by 8, 16 or 32 bits.
 */
#ifndef VCONS_WIRE_PL011_H
#define VCONS_WIRE_PL011_H

#define UARTPL011_FRAME_BYTES 0x1000u
#define UARTPL011_FIFO_BYTES  32u /* r1p5; 16 before */

enum uartpl011_register { /* those that SBSA has: DR, RSR/ECR, FR, IMSC, RIS, MIS, ICR */
                          UARTDR = 0x000,
                          UARTRSR = 0x004, /* UARTECR when written */
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
                          UARTPERIPHID0 = 0xfe0, /* …1 to …3 follow, 4 bytes apart */
                          UARTPCELLID0 = 0xff0,
};

enum { /* UARTDR when read; the same bits >> 8 are those of UARTRSR */
       UARTDR_FE = 1 << 8,
       UARTDR_PE = 1 << 9,
       UARTDR_BE = 1 << 10,
       UARTDR_OE = 1 << 11,
};
enum {
    UARTFR_CTS = 1 << 0,
    UARTFR_DSR = 1 << 1,
    UARTFR_DCD = 1 << 2,
    UARTFR_BUSY = 1 << 3,
    UARTFR_RXFE = 1 << 4,
    UARTFR_TXFF = 1 << 5,
    UARTFR_RXFF = 1 << 6,
    UARTFR_TXFE = 1 << 7,
    UARTFR_RI = 1 << 8,
};
enum {
    UARTLCR_H_BRK = 1 << 0,
    UARTLCR_H_FEN = 1 << 4,
    UARTLCR_H_WLEN_8 = 3 << 5,
};
enum {
    UARTCR_UARTEN = 1 << 0,
    UARTCR_LBE = 1 << 7,
    UARTCR_TXE = 1 << 8,
    UARTCR_RXE = 1 << 9,
    UARTCR_DTR = 1 << 10,
    UARTCR_RTS = 1 << 11,
    UARTCR_OUT1 = 1 << 12,
    UARTCR_OUT2 = 1 << 13,
    UARTCR_RTSEN = 1 << 14,
    UARTCR_CTSEN = 1 << 15,
};
enum { /* UARTIMSC, UARTRIS, UARTMIS, UARTICR */
       UARTINT_RI = 1 << 0,
       UARTINT_CTS = 1 << 1,
       UARTINT_DCD = 1 << 2,
       UARTINT_DSR = 1 << 3,
       UARTINT_RX = 1 << 4,
       UARTINT_TX = 1 << 5,
       UARTINT_RT = 1 << 6,
       UARTINT_FE = 1 << 7,
       UARTINT_PE = 1 << 8,
       UARTINT_BE = 1 << 9,
       UARTINT_OE = 1 << 10,
};

#endif
