/* SPDX-License-Identifier: MIT */
/* The PL011, a row for each rule of its manual (Arm DDI 0183G) and each habit of a driver (named). */
#include "unit.h"
#include <setjmp.h>

#include "uart_verbs.h"

/* What drivers write to switch it on: 8 data bits with or without FIFOs, both directions. */
#define ON   W(UARTCR, 0x301)
#define FIFO W(UARTLCR_H, 0x70)

static const struct uart_row rows[] = {
    /* Reset state: table 3-1, and ids of r1p5: 3.3.16. */
    {"reset: control registers",
     {R(UARTCR, 0x300), R(UARTLCR_H, 0), R(UARTIFLS, 0x12), R(UARTIMSC, 0), R(UARTRIS, 0), R(UARTMIS, 0),
      R(UARTIBRD, 0), R(UARTFBRD, 0), R(UARTILPR, 0), R(UARTDMACR, 0), R(UARTRSR, 0), R(UARTFR, 0x97), IRQ(0),
      TIMER(0)}},
    {"reset again: as at first, and the line is low",
     DO(FIFO, W(UARTCR, 0xff07), W(UARTIFLS, 0), W(UARTIMSC, 0x7ff), W(UARTIBRD, 3), W(UARTFBRD, 3), W(UARTILPR, 3),
        LOSS(), IN("ab", 2), LET(0), SEND(UARTDR, 3), IRQ(1), RESET(), IRQ(0), TIMER(0), R(UARTCR, 0x300),
        R(UARTLCR_H, 0), R(UARTIFLS, 0x12), R(UARTIMSC, 0), R(UARTIBRD, 0), R(UARTFBRD, 0), R(UARTILPR, 0),
        R(UARTRSR, 0), R(UARTRIS, 0), R(UARTFR, 0x97), ROOM(9), OUT(""), ON, IN("c", 1), R(UARTDR, 'c'))},
    {"reset: the wires from outside stay", {MODEM(UARTFR_RI), RESET(), R(UARTFR, 0x190), R(UARTRIS, 0)}},
    {"ids: part 011, Arm, r1p5; 3.3.16",
     {R(0xfe0, 0x11), R(0xfe4, 0x10), R(0xfe8, 0x34), R(0xfec, 0), R(0xff0, 0x0d), R(0xff4, 0xf0), R(0xff8, 0x05),
      R(0xffc, 0xb1), W(0xfe0, 0xff), W(0xffc, 0), R(0xfe0, 0x11), R(0xffc, 0xb1), R(0xfdc, 0)}},

    /* Widths. */
    {"a narrow write is extended with zeros", {W(UARTIBRD, 0xabcd), WN(UARTIBRD, 1, 0x77), R(UARTIBRD, 0x77)}},
    {"of a narrow write the rest does not count",
     {WN(UARTIBRD, 1, 0xabcd), R(UARTIBRD, 0xcd), WN(UARTIBRD, 2, 0x7abcd), R(UARTIBRD, 0xabcd)}},
    {"a narrow read is cut",
     {W(UARTIBRD, 0xabcd), RN(UARTIBRD, 1, 0xcd), RN(UARTIBRD, 2, 0xabcd), RN(UARTIBRD, 4, 0xabcd)}},
    {"a byte is read by 8 bits, without its errors, and is gone",
     {ON, LOSS(), IN("a", 1), RN(UARTDR, 1, 'a'), R(UARTFR, 0x97)}},
    {"a byte is written by 8, 16 and 32 bits: Linux, U-Boot",
     {WN(UARTDR, 1, 'a'), WN(UARTDR, 2, 'b'), WN(UARTDR, 4, 'c'), WN(UARTDR, 4, 0xffffff00 | 'd'), OUT("abcd")}},
    {"inside a register there is nothing",
     {ON, IN("a", 1), RN(UARTDR + 1, 1, 0), RN(UARTDR + 2, 2, 0), WN(UARTDR + 1, 1, 'b'), WN(UARTCR + 1, 1, 0), OUT(""),
      R(UARTCR, 0x301), R(UARTDR, 'a')}},
    {"64 bits are refused, and change nothing",
     {ON, IN("a", 1), NO(UARTDR, 8), NO(UARTCR, 8), OUT(""), R(UARTCR, 0x301), R(UARTDR, 'a')}},

    /* Sending. */
    {"a byte leaves in the write that sends it", {W(UARTDR, 'a'), OUT("a"), R(UARTFR, 0x97)}},
    {"…also while UARTEN, or TXE, is 0: early consoles",
     {W(UARTCR, 0), W(UARTDR, 'a'), W(UARTCR, 0x201), W(UARTDR, 'b'), OUT("ab")}},
    {"character mode: one byte waits, TXFF is set, BUSY never",
     {LET(0), W(UARTDR, 'a'), R(UARTFR, 0x37), W(UARTDR, 'b'), R(UARTFR, 0x37), ROOM(9), OUT("a"), R(UARTFR, 0x97)}},
    {"32 bytes wait, the next is lost",
     {FIFO, LET(0), SEND(UARTDR, 31), R(UARTFR, 0x17), SEND(UARTDR, 1), R(UARTFR, 0x37), W(UARTDR, '!'),
      R(UARTFR, 0x37), ROOM(99), OUT("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), R(UARTFR, 0x97)}},
    {"bytes keep their order across a full line",
     {FIFO, LET(1), W(UARTDR, 'a'), W(UARTDR, 'b'), W(UARTDR, 'c'), OUT("a"), ROOM(1), OUT("b"), LET(9), W(UARTDR, 'd'),
      OUT("cd"), R(UARTFR, 0x97)}},
    {"a write to a full FIFO looks at the line first",
     {FIFO, LET(0), SEND(UARTDR, 32), OUT(""), LET(99), W(UARTDR, '!'), OUT("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx!")}},
    {"who looks before each byte sees the FIFO full once in 32",
     {FIFO, POLLED(32), R(UARTFR, 0x37), R(UARTFR, 0x97), POLLED(32), R(UARTFR, 0x37), POLLED(32), R(UARTFR, 0x37)}},
    {"…not who looks twice, or writes two, nor in character mode",
     DO(FIFO, POLLED(32), W(UARTDR, 'x'), R(UARTFR, 0x97), POLLED(31), R(UARTFR, 0x97), R(UARTFR, 0x97), W(UARTDR, 'x'),
        R(UARTFR, 0x97), W(UARTLCR_H, 0x60), POLLED(99))},
    {"…and a full line is told as ever",
     {FIFO, LET(1), POLLED(32), R(UARTFR, 0x37), R(UARTFR, 0x17), SEND(UARTDR, 1), R(UARTFR, 0x37), R(UARTFR, 0x37),
      ROOM(99), R(UARTFR, 0x97)}},
    {"…TX comes then, by whichever order of clearing and enabling",
     DO(FIFO, POLLED(32), W(UARTICR, 0x20), R(UARTRIS, 0), R(UARTFR, 0x37), W(UARTICR, 0x20), R(UARTRIS, 0x20), IRQ(0),
        W(UARTIMSC, 0x20), IRQ(1), W(UARTICR, 0x20), IRQ(0), R(UARTFR, 0x97), W(UARTICR, 0x20), R(UARTRIS, 0))},
    {"…also where it was cleared before, and nothing follows",
     {FIFO, W(UARTIMSC, 0x20), POLLED(32), W(UARTICR, 0x20), IRQ(0), R(UARTFR, 0x37), IRQ(1)}},
    {"the FIFO wraps around",
     {FIFO, LET(0), SEND(UARTDR, 20), ROOM(20), OUT("xxxxxxxxxxxxxxxxxxxx"), LET(0), SEND(UARTDR, 20), W(UARTDR, 'y'),
      ROOM(99), OUT("xxxxxxxxxxxxxxxxxxxxy")}},

    /* The transmit interrupt: 2.8.2. */
    {"TX: not by enabling it, but by what was sent",
     {FIFO, W(UARTIMSC, 0x20), IRQ(0), W(UARTDR, 'a'), IRQ(1), R(UARTRIS, 0x20), R(UARTMIS, 0x20)}},
    {"TX: fires when enabled after what was sent: Linux",
     {FIFO, W(UARTDR, 'a'), R(UARTRIS, 0x20), IRQ(0), R(UARTMIS, 0), W(UARTIMSC, 0x20), IRQ(1), W(UARTIMSC, 0),
      IRQ(0)}},
    {"TX: cleared by UARTICR, until the next byte was sent: FreeBSD",
     {FIFO, W(UARTIMSC, 0x20), W(UARTDR, 'a'), W(UARTICR, 0x7ff), IRQ(0), R(UARTRIS, 0), W(UARTDR, 'b'), IRQ(1)}},
    {"TX: cleared by filling above the trigger, set by passing it downwards",
     {FIFO, W(UARTIMSC, 0x20), W(UARTDR, 'a'), LET(0), SEND(UARTDR, 16), IRQ(1), SEND(UARTDR, 1), IRQ(0), R(UARTRIS, 0),
      SEND(UARTDR, 5), ROOM(5), IRQ(0), ROOM(1), IRQ(1)}},
    {"TX: in character mode when the one byte has left",
     {W(UARTIMSC, 0x20), LET(0), W(UARTDR, 'a'), IRQ(0), ROOM(1), IRQ(1), LET(0), W(UARTDR, 'b'), IRQ(0), ROOM(1),
      IRQ(1)}},
    {"TX: a higher trigger is passed at once",
     {FIFO, W(UARTIMSC, 0x20), LET(0), SEND(UARTDR, 24), IRQ(0), W(UARTIFLS, 0x13), IRQ(1), W(UARTIFLS, 0x12), IRQ(0)}},

    /* Receiving. */
    {"bytes come in once it is switched on",
     {IN("ab", 0), R(UARTFR, 0x97), ON, ASKED(1), FIFO, IN("ab", 2), R(UARTFR, 0x87), R(UARTDR, 'a'), R(UARTDR, 'b'),
      R(UARTDR, 0), R(UARTFR, 0x97)}},
    {"…and while UARTEN and RXE both are 1",
     {W(UARTCR, 0x101), IN("a", 0), W(UARTCR, 0x200), IN("a", 0), ASKED(0), W(UARTCR, 0x201), ASKED(1), IN("a", 1)}},
    {"off in mid-stream: what is there can be read, no more comes, nothing is lost",
     {FIFO, ON, IN("abc", 3), R(UARTDR, 'a'), W(UARTCR, 0), R(UARTDR, 'b'), IN("de", 0), R(UARTFR, 0x87), ON, ASKED(1),
      IN("de", 2), R(UARTDR, 'c'), R(UARTDR, 'd'), R(UARTDR, 'e')}},
    {"character mode: one byte at a time",
     {ON, IN("ab", 1), R(UARTFR, 0xc7), R(UARTDR, 'a'), ASKED(1), IN("b", 1), R(UARTDR, 'b'), ASKED(0)}},
    {"32 bytes fit; half of them read, and there is room",
     {FIFO, ON, IN("0123456789abcdef0123456789abcdefg", 32), R(UARTFR, 0xc7), IN("g", 0), TAKE(UARTDR, 15),
      R(UARTFR, 0x87), ASKED(0), R(UARTDR, 'f'), ASKED(1), IN("g", 1), TAKE(UARTDR, 16), R(UARTDR, 'g'), ASKED(0),
      R(UARTFR, 0x97)}},
    {"room is told of, whatever was taken since",
     {FIFO, ON, IN("0123456789abcdef0123456789abcdefg", 32), TAKE(UARTDR, 8), IN("", 0), BRK(1), IN("h", 1), ASKED(0),
      TAKE(UARTDR, 10), ASKED(1)}},
    {"an empty FIFO shows nothing of what was in it",
     {FIFO, ON, IN("password", 8), TAKE(UARTDR, 8), R(UARTDR, 0), R(UARTDR, 0), TAKE(UARTDR, 99), IN("x", 1),
      R(UARTDR, 'x')}},
    {"all 8 bits come through", {FIFO, ON, IN("\xff\x80\x01", 3), R(UARTDR, 0xff), R(UARTDR, 0x80), R(UARTDR, 1)}},
    {"FEN off or on: both FIFOs are emptied, 3.3.7",
     {FIFO, ON, IN("abc", 3), LET(0), SEND(UARTDR, 3), W(UARTLCR_H, 0x60), R(UARTFR, 0x97), R(UARTRIS, 0x20), ROOM(9),
      OUT(""), IN("d", 1), FIFO, R(UARTFR, 0x97), TIMER(0)}},
    {"another write of LCR_H leaves them",
     {FIFO, ON, IN("abc", 3), LET(0), SEND(UARTDR, 3), W(UARTLCR_H, 0x1e), ROOM(9), OUT("xxx"), R(UARTDR, 'a')}},

    /* The receive interrupts: 2.8.1, 2.8.4. */
    {"RX: in character mode by one byte",
     {ON, W(UARTIMSC, 0x10), IN("a", 1), IRQ(1), R(UARTRIS, 0x10), R(UARTDR, 'a'), IRQ(0), R(UARTRIS, 0)}},
    {"RX: at the trigger, until below it",
     {FIFO, ON, W(UARTIMSC, 0x10), IN("0123456789abcde", 15), IRQ(0), IN("fg", 2), IRQ(1), TAKE(UARTDR, 1), IRQ(1),
      TAKE(UARTDR, 1), IRQ(0), R(UARTRIS, 0)}},
    {"RX: UARTICR does not hide what waits: no hang",
     {FIFO, ON, W(UARTIMSC, 0x10), IN("0123456789abcdef", 16), W(UARTICR, 0x10), IRQ(1), R(UARTRIS, 0x10),
      R(UARTMIS, 0x10)}},
    {"RX: a lower trigger counts at once",
     {FIFO, ON, W(UARTIMSC, 0x10), IN("0123", 4), IRQ(0), W(UARTIFLS, 0x02), IRQ(1), W(UARTIFLS, 0x0a), IRQ(0)}},
    {"RT: 32 bit times after the last byte, until all is read",
     {FIFO, ON, W(UARTIMSC, 0x40), IN("ab", 2), TIMER(277777), R(UARTRIS, 0), FIRE(), IRQ(1), R(UARTRIS, 0x40),
      R(UARTDR, 'a'), IRQ(1), R(UARTDR, 'b'), IRQ(0), R(UARTRIS, 0), TIMER(0)}},
    {"RT: each arrival starts it anew, not each read",
     {FIFO, ON, IN("ab", 2), TIMERS(1), IN("c", 1), TIMERS(1), TIMER(277777), R(UARTDR, 'a'), TIMERS(0),
      W(UARTIMSC, 0x40), TIMERS(0), TAKE(UARTDR, 2), TIMERS(1), TIMER(0)}},
    {"RT: cleared by UARTICR with bytes waiting, it comes again",
     {FIFO, ON, W(UARTIMSC, 0x40), IN("ab", 2), FIRE(), W(UARTICR, 0x40), IRQ(0), TIMER(277777), FIRE(), IRQ(1)}},
    {"RT: one more byte leaves it set, and asks for no timer",
     {FIFO, ON, IN("a", 1), FIRE(), TIMERS(1), IN("b", 1), R(UARTRIS, 0x40), TIMERS(0)}},
    {"RT: too late, all was read",
     {FIFO, ON, W(UARTIMSC, 0x40), IN("a", 1), R(UARTDR, 'a'), TIMER(0), FIRE(), R(UARTRIS, 0), IRQ(0)}},
    {"RT: by the divisor that the last write of LCR_H took: 3.3.6",
     {W(UARTIBRD, 13), W(UARTFBRD, 1), ON, IN("a", 1), TIMER(277777), R(UARTDR, 'a'), FIFO, IN("a", 1), TIMER(277666),
      R(UARTDR, 'a'), W(UARTIBRD, 65535), IN("a", 1), TIMER(277666), R(UARTDR, 'a'), FIFO, IN("a", 1),
      TIMER(20000000)}},
    {"masked is not raw",
     {ON, IN("a", 1), R(UARTRIS, 0x10), R(UARTMIS, 0), IRQ(0), W(UARTIMSC, 0x10), R(UARTMIS, 0x10), IRQ(1),
      W(UARTIMSC, 0x7ef), R(UARTMIS, 0), IRQ(0)}},

    /* Errors. */
    {"OE: known at once; the next byte tells where",
     {FIFO, ON, W(UARTIMSC, 0x400), IN("a", 1), LOSS(), IRQ(1), R(UARTRSR, 8), IN("bc", 2), R(UARTDR, 'a'),
      R(UARTRSR, 8), R(UARTDR, 0x800 | 'b'), R(UARTDR, 'c'), R(UARTRSR, 8), W(UARTRSR, 0), R(UARTRSR, 0),
      R(UARTRIS, 0x400), W(UARTICR, 0x400), R(UARTRIS, 0), IRQ(0)}},
    {"OE: all was read, and still the next byte tells",
     {ON, LOSS(), W(UARTICR, 0x7ff), W(UARTRSR, 0), IN("a", 1), R(UARTDR, 0x861), R(UARTRSR, 0)}},
    {"a break is one byte 0 with BE",
     {FIFO, ON, W(UARTIMSC, 0x200), IN("a", 1), BRK(1), IRQ(1), R(UARTRIS, 0x200), IN("b", 1), R(UARTDR, 'a'),
      R(UARTRSR, 0), R(UARTDR, 0x400), R(UARTRSR, 4), R(UARTDR, 'b'), R(UARTRSR, 0), R(UARTRIS, 0x200),
      W(UARTICR, 0x200), IRQ(0)}},
    {"any value written to UARTECR clears it",
     {ON, BRK(1), R(UARTDR, 0x400), R(UARTRSR, 4), W(UARTRSR, 0xff), R(UARTRSR, 0)}},
    {"no room for a break: it comes later",
     {ON, IN("a", 1), BRK(0), R(UARTRIS, 0x10), R(UARTDR, 'a'), ASKED(1), BRK(1), R(UARTDR, 0x400)}},
    {"switched off, no break comes in", {BRK(0), R(UARTFR, 0x97), R(UARTRIS, 0), ON, ASKED(1)}},
    {"BRK: its edge is a break, once",
     {W(UARTLCR_H, 0x71), BREAKS(1), W(UARTLCR_H, 0x71), BREAKS(0), W(UARTLCR_H, 0x70), BREAKS(0), W(UARTLCR_H, 0x71),
      BREAKS(1)}},

    /* Loopback: 3.3.8. */
    {"loopback: what is sent is received, and nothing leaves",
     {FIFO, W(UARTCR, 0x381), W(UARTDR, 'a'), W(UARTDR, 0xff), OUT(""), R(UARTFR, 0x80), R(UARTDR, 'a'),
      R(UARTDR, 0xff), R(UARTRIS, 0x2e)}},
    {"loopback: nothing comes from outside; afterwards it does",
     {FIFO, W(UARTCR, 0x381), IN("ab", 0), BRK(0), R(UARTFR, 0x90), ASKED(0), ON, ASKED(1), IN("ab", 2)}},
    {"loopback: RTS to CTS", {W(UARTCR, 0xb81), R(UARTFR, 0x91)}},
    {"loopback: DTR to DSR", {W(UARTCR, 0x781), R(UARTFR, 0x92)}},
    {"loopback: OUT1 to DCD", {W(UARTCR, 0x1381), R(UARTFR, 0x94)}},
    {"loopback: OUT2 to RI", {W(UARTCR, 0x2381), R(UARTFR, 0x190)}},
    {"loopback: one byte too many is an overrun",
     {W(UARTCR, 0x381), W(UARTDR, 'a'), R(UARTRSR, 0), W(UARTDR, 'b'), R(UARTRSR, 8), R(UARTRIS, 0x43e), R(UARTDR, 'a'),
      W(UARTDR, 'c'), R(UARTDR, 0x863)}},
    {"loopback: a break", {W(UARTCR, 0x381), W(UARTLCR_H, 1), BREAKS(0), R(UARTDR, 0x400)}},
    {"loopback: what waited for the line goes round",
     {FIFO, ON, LET(0), W(UARTDR, 'a'), W(UARTCR, 0x381), R(UARTDR, 'a'), ROOM(9), OUT("")}},
    {"loopback with the receiver off: gone",
     {W(UARTCR, 0x181), W(UARTDR, 'a'), OUT(""), R(UARTFR, 0x90), W(UARTLCR_H, 1), BREAKS(0), R(UARTRIS, 0x2e)}},

    /* Modem: 2.8.3, 2.5. */
    {"each change of a wire is an interrupt of its own",
     DO(W(UARTIMSC, 0xf), MODEM(0x6), R(UARTRIS, 2), R(UARTFR, 0x96), IRQ(1), W(UARTICR, 2), IRQ(0), MODEM(0x4),
        R(UARTRIS, 8), W(UARTICR, 8), MODEM(0), R(UARTRIS, 4), W(UARTICR, 4), MODEM(0x100), R(UARTRIS, 1),
        R(UARTFR, 0x190), W(UARTICR, 1), MODEM(0x107), R(UARTRIS, 0xe), MODEM(0x107), R(UARTRIS, 0xe))},
    {"there are four wires", {MODEM(0xffffffff), R(UARTFR, 0x197)}},
    {"CTSEN: no CTS, no byte leaves",
     {W(UARTCR, 0x8301), W(UARTDR, 'a'), OUT("a"), MODEM(0), W(UARTDR, 'b'), OUT(""), R(UARTFR, 0x30), MODEM(1),
      OUT("b"), R(UARTFR, 0x91)}},
    {"without CTSEN it does",
     {MODEM(0), W(UARTDR, 'a'), OUT("a"), W(UARTCR, 0x8301), W(UARTDR, 'b'), OUT(""), W(UARTCR, 0x301), OUT("b")}},
    {"RTSEN: RTS until the trigger; CTSEN then waits in loopback",
     {FIFO, W(UARTIFLS, 0x02), W(UARTCR, 0xc381), SEND(UARTDR, 6), R(UARTFR, 0), TAKE(UARTDR, 1), R(UARTFR, 0),
      TAKE(UARTDR, 4), R(UARTFR, 0x81), TAKE(UARTDR, 1), R(UARTFR, 0x91)}},

    /* Drivers, whole. */
    {"Linux: probe, first burst, interrupt for the rest, all read by its interrupt handler",
     DO(W(UARTICR, 0x7f0), R(UARTIMSC, 0), W(UARTIMSC, 0x50), W(UARTIFLS, 0x12), W(UARTLCR_H, 0x70), W(UARTCR, 0x301),
        W(UARTICR, 0x50), R(UARTFR, 0x97), W(UARTDR, '1'), W(UARTDR, '2'), LET(0), W(UARTIMSC, 0x70), IRQ(1),
        R(UARTRIS, 0x20), W(UARTICR, 0), SEND(UARTDR, 16), IRQ(1), SEND(UARTDR, 16), IRQ(0), ROOM(99), IRQ(1),
        OUT("12xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), W(UARTIMSC, 0x50), IRQ(0), IN("r", 1), FIRE(), IRQ(1),
        R(UARTRIS, 0x60), R(UARTDR, 'r'), IRQ(0))},
    {"FreeBSD: 24 bytes without a look, an interrupt after each batch",
     {W(UARTCR, 0), W(UARTLCR_H, 0x70), W(UARTIFLS, 0x19), W(UARTCR, 0x301), W(UARTIMSC, 0x70), W(UARTICR, 0x7ff),
      SEND(UARTDR, 24), IRQ(1), W(UARTIMSC, 0x50), IRQ(0), LET(0), SEND(UARTDR, 24), W(UARTIMSC, 0x70), IRQ(0),
      ROOM(24), IRQ(1), R(UARTFR, 0x97)}},
    {"EDK2 reads back what it wrote",
     {W(UARTCR, 0), W(UARTIBRD, 13), W(UARTFBRD, 1), W(UARTLCR_H, 0x70), W(UARTRSR, 0), W(UARTCR, 0x301),
      R(UARTIBRD, 13), R(UARTFBRD, 1), R(UARTLCR_H, 0x70), R(UARTCR, 0x301), R(0xfe8, 0x34), WN(UARTDR, 1, 'e'),
      RN(UARTFR, 4, 0x97), OUT("e")}},
    {"earlycon: nothing but FR and DR", {R(UARTFR, 0x97), WN(UARTDR, 1, 'e'), R(UARTFR, 0x97), OUT("e")}},
};

static const struct uart_row sbsa_rows[] = {
    {"on from the start, FIFOs too",
     {IN("abc", 3), R(UARTFR, 0x80), R(UARTDR, 'a'), W(UARTDR, 'x'), OUT("x"), TIMER(277777)}},
    {"no modem lines, of no use from outside",
     {R(UARTFR, 0x90), MODEM(0x107), R(UARTFR, 0x90), R(UARTRIS, 0), W(UARTIMSC, 0xffffffff), R(UARTIMSC, 0x7f0)}},
    {"what SBSA has not reads 0",
     {R(UARTCR, 0), R(UARTLCR_H, 0), R(UARTIFLS, 0), R(UARTIBRD, 0), R(UARTFBRD, 0), R(UARTILPR, 0), R(UARTDMACR, 0),
      R(0xfe0, 0), R(0xff0, 0), R(0x80, 0)}},
    {"…and ignores writes: FreeBSD drives it as a PL011",
     {W(UARTCR, 0), W(UARTLCR_H, 0), W(UARTIFLS, 0x24), W(UARTDMACR, 7), IN("0123456789abcde", 15), R(UARTRIS, 0),
      IN("f", 1), R(UARTRIS, 0x10), W(UARTLCR_H, 1), BREAKS(0), W(UARTCR, 0x381), W(UARTDR, 'x'), OUT("x"),
      R(UARTDR, '0')}},
    {"the transmit interrupt leaves room for 24: FreeBSD, which does not look",
     {W(UARTIMSC, 0x30), LET(0), SEND(UARTDR, 32), R(UARTFR, 0x30), ROOM(23), IRQ(0), ROOM(1), IRQ(1), R(UARTMIS, 0x20),
      W(UARTICR, 0x20), IRQ(0)}},
    {"errors as the PL011",
     {LOSS(), BRK(1), R(UARTRSR, 8), R(UARTDR, 0xc00), R(UARTRSR, 12), W(UARTRSR, 0), R(UARTRSR, 0),
      R(UARTRIS, 0x600)}},
    {"reset: it stays on", {W(UARTIMSC, 0x7f0), BRK(1), IRQ(1), RESET(), IRQ(0), IN("a", 1), R(UARTDR, 'a')}},
};

/* start: of the FIFOs' indices, which wrap at 2^32. */
static void run_rows(enum vc_pl011_type type, const struct uart_row *some, size_t n, uint32_t start)
{
    for (size_t i = 0; i < n; i++) {
        struct vc_pl011 u;
        struct uart_rig g = {.uart = &u, .room = UINT32_MAX};

        vc_pl011_init(&u, type, &rig_env, &g);
        u.rx.head = u.rx.tail = u.tx.head = u.tx.tail = start;
        uart_run_row(&g, &pl011_verbs, &some[i]);
    }
}

static void test_rows(void **state)
{
    (void)state;
    for (uint32_t i = 0; i <= 40; i++) {
        run_rows(VC_PL011_FULL, rows, N_ROWS(rows), 0 - i);
        run_rows(VC_PL011_SBSA, sbsa_rows, N_ROWS(sbsa_rows), 0 - i);
    }
}

/* Each trigger of UARTIFLS, both ways: interrupt at exactly this many. 3.3.9; 5 to 7 are reserved. */
static void test_triggers(void **state)
{
    static const uint32_t at[8] = {4, 8, 16, 24, 28, 28, 28, 28};

    (void)state;
    for (uint32_t i = 0; i < 8; i++) {
        struct vc_pl011 u;
        struct uart_rig g = {.uart = &u, .room = 0};

        vc_pl011_init(&u, VC_PL011_FULL, &rig_env, &g);
        vc_pl011_write(&u, UARTLCR_H, 4, 0x70);
        vc_pl011_write(&u, UARTCR, 4, 0x301);
        vc_pl011_write(&u, UARTIMSC, 4, UARTINT_RX);
        vc_pl011_write(&u, UARTIFLS, 4, i << 3);
        for (uint32_t n = 1; n <= 32; n++) {
            assert_int_equal(vc_pl011_input(&u, (const uint8_t *)"x", 1), 1);
            assert_int_equal(g.irq, n >= at[i]);
        }
        vc_pl011_write(&u, UARTIMSC, 4, UARTINT_TX);
        vc_pl011_write(&u, UARTIFLS, 4, i);
        for (uint32_t n = 0; n < 32; n++)
            vc_pl011_write(&u, UARTDR, 4, 'x');
        for (uint32_t n = 32; n-- > 0;) {
            g.room = 1;
            vc_pl011_output_room(&u);
            assert_int_equal(g.irq, n <= at[i]);
        }
    }
}

/* Registers as table 3-1 has them: what reads as what at reset, and after ones were written by each width. */
static const struct {
    uint32_t offset, reset, ones[3]; /* of 8, 16, 32 bits */
} registers[] = {
    {UARTDR, 0, {0, 0, 0}},
    {UARTRSR, 0, {0, 0, 0}},
    {UARTFR, 0x97, {0x97, 0x97, 0x97}},
    {UARTILPR, 0, {0xff, 0xff, 0xff}},
    {UARTIBRD, 0, {0xff, 0xffff, 0xffff}},
    {UARTFBRD, 0, {0x3f, 0x3f, 0x3f}},
    {UARTLCR_H, 0, {0xff, 0xff, 0xff}},
    {UARTCR, 0x300, {0x87, 0xff87, 0xff87}},
    {UARTIFLS, 0x12, {0x3f, 0x3f, 0x3f}},
    {UARTIMSC, 0, {0xff, 0x7ff, 0x7ff}},
    {UARTRIS, 0, {0, 0, 0}},
    {UARTMIS, 0, {0, 0, 0}},
    {UARTICR, 0, {0, 0, 0}},
    {UARTDMACR, 0, {7, 7, 7}},
    {0xfe0, 0x11, {0x11, 0x11, 0x11}},
    {0xfe4, 0x10, {0x10, 0x10, 0x10}},
    {0xfe8, 0x34, {0x34, 0x34, 0x34}},
    {0xff0, 0x0d, {0x0d, 0x0d, 0x0d}},
    {0xff4, 0xf0, {0xf0, 0xf0, 0xf0}},
    {0xff8, 0x05, {0x05, 0x05, 0x05}},
    {0xffc, 0xb1, {0xb1, 0xb1, 0xb1}},
};

static bool sbsa_has(uint32_t offset)
{
    static const uint32_t has[] = {UARTDR, UARTRSR, UARTFR, UARTIMSC, UARTRIS, UARTMIS, UARTICR};

    for (size_t i = 0; i < N_ROWS(has); i++)
        if (has[i] == offset)
            return true;
    return false;
}

/* What a read of width bytes at offset must give, with ones written there before by so many bytes, or 0: none. */
static uint32_t expected(enum vc_pl011_type type, uint64_t offset, uint32_t width, uint32_t written)
{
    uint64_t value = 0;

    for (size_t i = 0; i < N_ROWS(registers); i++)
        if (registers[i].offset == offset)
            value = written == 0 ? registers[i].reset : registers[i].ones[written / 2];
    if (type == VC_PL011_SBSA && !sbsa_has((uint32_t)offset))
        value = 0;
    else if (type == VC_PL011_SBSA && offset == UARTFR)
        value = 0x90;
    else if (type == VC_PL011_SBSA && offset == UARTIMSC)
        value &= 0x7f0;
    return (uint32_t)(value & ((UINT64_C(1) << (8 * width)) - 1));
}

static void try_access(enum vc_pl011_type type, uint64_t offset, uint32_t width)
{
    bool legal = (width == 1 || width == 2 || width == 4) && offset + width <= 0x1000 && offset < 0x1000;
    struct vc_pl011 u, before;
    struct uart_rig g = {.uart = &u, .room = UINT32_MAX};
    uint32_t value = 0xdead, got;

    vc_pl011_init(&u, type, &rig_env, &g);
    memcpy(&before, &u, sizeof u);
    got = vc_pl011_read(&u, offset, width, &value);
    if (got != legal || value != (legal ? expected(type, offset, width, 0) : 0) || memcmp(&u, &before, sizeof u) != 0)
        fail_msg("read of %u at 0x%llx: %u, 0x%x", width, (unsigned long long)offset, got, value);
    got = vc_pl011_write(&u, offset, width, UINT32_MAX);
    if (got != legal || (!legal && memcmp(&u, &before, sizeof u) != 0))
        fail_msg("write of %u at 0x%llx: %u", width, (unsigned long long)offset, got);
    if (legal && offset % 4 != 0 && memcmp(&u, &before, sizeof u) != 0)
        fail_msg("write of %u at 0x%llx, inside a register, changed it", width, (unsigned long long)offset);
    if (!legal)
        return;
    u.cr &= ~(uint32_t)UARTCR_LBE; /* FR would show the outputs */
    vc_pl011_read(&u, offset & ~UINT64_C(3), 4, &value);
    if (value !=
        (expected(type, offset & ~UINT64_C(3), 4, offset % 4 == 0 ? width : 0) & ~(offset == UARTCR ? UARTCR_LBE : 0u)))
        fail_msg("after a write of %u at 0x%llx: 0x%x", width, (unsigned long long)offset, value);
    assert_int_equal(g.n_out, offset == UARTDR ? 1 : 0);
}

/* Every offset, every alignment, every width, legal or not, on both types. */
static void test_every_access(void **state)
{
    static const uint64_t far[] = {0x1000, 0x1018, 0x10000, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX - 3, UINT64_MAX};

    (void)state;
    for (uint32_t type = 0; type <= 1; type++)
        for (uint32_t width = 0; width <= 16; width++) {
            for (uint64_t offset = 0; offset < 0x1010; offset++)
                try_access((enum vc_pl011_type)type, offset, width);
            for (size_t i = 0; i < N_ROWS(far); i++)
                try_access((enum vc_pl011_type)type, far[i], width);
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_triggers),
                                              cmocka_unit_test(test_every_access)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
