/* SPDX-License-Identifier: MIT */
/* The 16550A, a row for each rule of its manual (PC16550D) and each probe of a driver (named). */
#include "unit.h"
#include <setjmp.h>

#include "uart_verbs.h"

/* LCR, FCR and IER by their own names; FCR is written where IIR is read. */
#define FCR      UART_IIR
#define DLAB(on) W(UART_LCR, (on) ? 0x83 : 0x03)

static const struct uart_row rows[] = {
    {"reset: table I",
     {R(UART_IER, 0), R(UART_IIR, 1), R(UART_LCR, 0), R(UART_MCR, 0), R(UART_LSR, 0x60), R(UART_MSR, 0xb0),
      R(UART_SCR, 0), R(UART_DATA, 0), DLAB(1), R(UART_DATA, 12), R(UART_IER, 0), IRQ(0), TIMER(0)}},
    {"reset again: as at first, and the line is low",
     DO(W(FCR, 0x81), W(UART_IER, 0xf), DLAB(1), W(UART_DATA, 3), W(UART_SCR, 3), W(UART_MCR, 0xf), LOSS(), DLAB(0),
        IN("ab", 2), LET(0), SEND(UART_DATA, 3), IRQ(1), RESET(), IRQ(0), TIMER(0), R(UART_IER, 0), R(UART_IIR, 1),
        R(UART_LCR, 0), R(UART_MCR, 0), R(UART_LSR, 0x60), R(UART_MSR, 0xb0), R(UART_SCR, 0), ROOM(9), OUT(""), DLAB(1),
        R(UART_DATA, 12))},
    {"reset: the wires from outside stay", {MODEM(UART_MSR_RI), RESET(), R(UART_MSR, 0x40)}},

    /* Registers: 8.0 and table II. */
    {"scratch: all 8 bits, and nothing happens",
     {W(UART_SCR, 0xa5), R(UART_SCR, 0xa5), W(UART_SCR, 0x5a), R(UART_SCR, 0x5a), IRQ(0)}},
    {"IER has 4 bits", {W(UART_IER, 0xff), R(UART_IER, 0x0f), W(UART_IER, 0), R(UART_IER, 0)}},
    {"MCR has 5 bits", {W(UART_MCR, 0xef), R(UART_MCR, 0x0f), W(UART_MCR, 0xff), R(UART_MCR, 0x1f)}},
    {"LCR has 8 bits", {W(UART_LCR, 0xbf), R(UART_LCR, 0xbf), W(UART_LCR, 0x40), R(UART_LCR, 0x40)}},
    {"LSR and MSR are read only", {W(UART_LSR, 0x1e), W(UART_MSR, 0x0f), R(UART_LSR, 0x60), R(UART_MSR, 0xb0)}},
    {"FCR is write only: IIR is there", {W(FCR, 0xc1), R(FCR, 0xc1), W(FCR, 0), R(FCR, 1)}},
    {"a write of 8 bits counts, whatever is above", {WN(UART_SCR, 1, 0x1a5), R(UART_SCR, 0xa5)}},
    {"other widths, and other ports, are refused",
     {NO(0, 2), NO(0, 4), NO(0, 8), NO(8, 1), NO(0xffffffff, 1), OUT(""), R(UART_LCR, 0)}},

    /* Divisor latch. */
    {"DLAB: offsets 0 and 1 are the divisor, and nothing else",
     {IN("a", 1), W(UART_IER, 1), DLAB(1), W(UART_DATA, 0x34), W(UART_IER, 0x12), R(UART_DATA, 0x34), R(UART_IER, 0x12),
      OUT(""), DLAB(0), R(UART_IER, 1), R(UART_DATA, 'a')}},
    {"divisor 0 is taken",
     {DLAB(1), W(UART_DATA, 0), W(UART_IER, 0), R(UART_DATA, 0), DLAB(0), W(FCR, 1), IN("a", 1), TIMER(347222),
      W(UART_DATA, 'x'), OUT("x")}},
    {"all other registers are there with DLAB set",
     {DLAB(1), W(FCR, 1), R(UART_IIR, 0xc1), R(UART_LSR, 0x60), W(UART_SCR, 1), R(UART_SCR, 1), W(UART_MCR, 3),
      R(UART_MCR, 3)}},

    /* Sending. */
    {"a byte leaves in the write that sends it", {W(UART_DATA, 'a'), OUT("a"), R(UART_LSR, 0x60)}},
    {"character mode: one byte waits, THRE and TEMT are clear",
     {LET(0), W(UART_DATA, 'a'), R(UART_LSR, 0), W(UART_DATA, 'b'), ROOM(9), OUT("a"), R(UART_LSR, 0x60)}},
    {"16 bytes wait, the next is lost; THRE when all have left",
     {W(FCR, 1), LET(0), SEND(UART_DATA, 16), R(UART_LSR, 0), W(UART_DATA, '!'), ROOM(15), R(UART_LSR, 0), ROOM(1),
      R(UART_LSR, 0x60), OUT("xxxxxxxxxxxxxxxx")}},
    {"a write to a full FIFO looks at the line first",
     {W(FCR, 1), LET(0), SEND(UART_DATA, 16), LET(99), W(UART_DATA, '!'), OUT("xxxxxxxxxxxxxxxx!")}},
    {"bytes keep their order across a full line",
     {W(FCR, 1), LET(1), W(UART_DATA, 'a'), W(UART_DATA, 'b'), W(UART_DATA, 'c'), OUT("a"), LET(9), W(UART_DATA, 'd'),
      OUT("bcd")}},

    /* THRE, the interrupt: table IV. */
    {"THRE: raised when enabled with THR empty, each time anew: Linux' startup test",
     {W(UART_IER, 2), IRQ(1), R(UART_IIR, 2), IRQ(0), R(UART_IIR, 1), W(UART_IER, 0), W(UART_IER, 2), IRQ(1),
      R(UART_IIR, 2)}},
    {"THRE: written again without an edge, it stays told",
     {W(UART_IER, 2), R(UART_IIR, 2), W(UART_IER, 3), IRQ(0), R(UART_IIR, 1)}},
    {"THRE: cleared by writing THR, raised when that has left",
     {W(UART_IER, 2), R(UART_IIR, 2), LET(0), W(UART_DATA, 'a'), IRQ(0), ROOM(1), IRQ(1), LET(0), W(UART_DATA, 'b'),
      IRQ(0), R(UART_IIR, 1)}},
    {"THRE: sent at once, raised at once",
     {W(UART_IER, 2), R(UART_IIR, 2), IRQ(0), W(UART_DATA, 'a'), IRQ(1), R(UART_IIR, 2)}},
    {"THRE: not raised by enabling while bytes wait",
     {LET(0), W(UART_DATA, 'a'), W(UART_IER, 2), IRQ(0), ROOM(1), IRQ(1)}},
    {"THRE: told when nobody asked, it is not told again",
     {W(UART_DATA, 'a'), R(UART_IIR, 1), W(UART_IER, 2), R(UART_IIR, 2), R(UART_IIR, 1)}},

    /* Receiving. */
    {"a byte that came in", {IN("a", 1), R(UART_LSR, 0x61), R(UART_DATA, 'a'), R(UART_LSR, 0x60), R(UART_DATA, 0)}},
    {"character mode: one byte at a time, and no time-out",
     {IN("ab", 1), TIMER(0), ASKED(0), R(UART_DATA, 'a'), ASKED(1), IN("b", 1), R(UART_DATA, 'b')}},
    {"16 bytes fit; half of them read, and there is room",
     {W(FCR, 1), IN("0123456789abcdefg", 16), TAKE(UART_DATA, 7), ASKED(0), R(UART_DATA, '7'), ASKED(1), IN("g", 1),
      TAKE(UART_DATA, 8), R(UART_DATA, 'g'), R(UART_DATA, 0)}},
    {"room is told of, whatever was taken since",
     {W(FCR, 1), IN("0123456789abcdefg", 16), TAKE(UART_DATA, 4), IN("", 0), BRK(1), IN("h", 1), ASKED(0),
      TAKE(UART_DATA, 6), ASKED(1)}},
    {"RDA: in character mode by one byte",
     {W(UART_IER, 1), IRQ(0), IN("a", 1), IRQ(1), R(UART_IIR, 4), R(UART_IIR, 4), R(UART_DATA, 'a'), IRQ(0),
      R(UART_IIR, 1)}},
    {"RDA: until below the trigger",
     {W(FCR, 0x81), W(UART_IER, 1), IN("0123456", 7), IRQ(0), IN("78", 2), R(UART_IIR, 0xc4), TAKE(UART_DATA, 1),
      IRQ(1), TAKE(UART_DATA, 1), IRQ(0), R(UART_IIR, 0xc1)}},
    {"RDA: a lower trigger counts at once",
     {W(FCR, 0xc1), W(UART_IER, 1), IN("0123", 4), IRQ(0), W(FCR, 0x41), IRQ(1), W(FCR, 0x81), IRQ(0)}},
    {"time-out: 4 characters after the last one came, or was read",
     {DLAB(1), W(UART_DATA, 1), DLAB(0), W(FCR, 0xc1), W(UART_IER, 1), IN("abc", 3), TIMER(347222), TIMERS(1),
      R(UART_DATA, 'a'), TIMER(347222), TIMERS(1), IN("d", 1), TIMERS(1), FIRE(), IRQ(1), R(UART_IIR, 0xcc),
      R(UART_IIR, 0xcc)}},
    {"time-out: reading one byte clears it, and time starts anew",
     {W(FCR, 0xc1), W(UART_IER, 1), IN("ab", 2), FIRE(), IRQ(1), R(UART_DATA, 'a'), IRQ(0), FIRE(), IRQ(1),
      R(UART_DATA, 'b'), IRQ(0), TIMER(0)}},
    {"time-out: the longer the character",
     {W(UART_LCR, 0x0f), W(FCR, 1), IN("a", 1), TIMER(5000000), TAKE(UART_DATA, 1), W(UART_LCR, 0), IN("a", 1),
      TIMER(2916666)}},
    {"time-out: too late, all was read",
     {W(FCR, 1), W(UART_IER, 1), IN("a", 1), R(UART_DATA, 'a'), FIRE(), IRQ(0), R(UART_IIR, 0xc1)}},
    {"time-out: gone with the FIFOs",
     {W(FCR, 0xc1), W(UART_IER, 1), IN("a", 1), FIRE(), IRQ(1), W(FCR, 0xc3), IRQ(0), TIMER(0), IN("a", 1), FIRE(),
      W(FCR, 0), IRQ(0)}},
    {"RDA goes before the time-out",
     {W(FCR, 0x41), W(UART_IER, 1), IN("abc", 3), FIRE(), R(UART_IIR, 0xcc), IN("d", 1), R(UART_IIR, 0xc4),
      TAKE(UART_DATA, 1), R(UART_IIR, 0xc1)}},

    /* FIFO control: 8.4. */
    {"FCR: on and off empty both FIFOs",
     {IN("a", 1), W(FCR, 1), R(UART_LSR, 0x60), IN("bc", 2), LET(0), SEND(UART_DATA, 2), R(UART_LSR, 1), W(FCR, 0),
      R(UART_LSR, 0x60), ROOM(9), OUT("")}},
    {"FCR: clears one, or the other",
     {W(FCR, 1), IN("ab", 2), LET(0), SEND(UART_DATA, 2), W(FCR, 3), R(UART_LSR, 0), IN("c", 1), W(FCR, 5),
      R(UART_LSR, 0x61), ROOM(9), OUT(""), R(UART_DATA, 'c')}},
    {"FCR: what was cleared is sent as far as the interrupt goes",
     {W(FCR, 1), W(UART_IER, 2), R(UART_IIR, 0xc2), LET(0), SEND(UART_DATA, 2), IRQ(0), W(FCR, 5), IRQ(1)}},
    {"FCR: without bit 0 nothing else counts", {W(FCR, 1), W(FCR, 0xc6), R(UART_IIR, 1), IN("ab", 1)}},
    {"FCR: off written again, the byte stays",
     {IN("a", 1), LET(0), W(UART_DATA, 'x'), W(FCR, 6), R(UART_DATA, 'a'), ROOM(9), OUT("x")}},
    {"FCR: written again, the FIFOs stay",
     {W(FCR, 1), IN("ab", 2), LET(0), SEND(UART_DATA, 2), W(FCR, 0xc9), R(UART_DATA, 'a'), R(UART_DATA, 'b'), ROOM(9),
      OUT("xx")}},

    /* Line status: 8.3. */
    {"OE: known at once, until LSR is read",
     {W(UART_IER, 4), IN("a", 1), LOSS(), IRQ(1), R(UART_IIR, 6), R(UART_LSR, 0x63), IRQ(0), R(UART_LSR, 0x61),
      R(UART_DATA, 'a')}},
    {"a break is one byte 0; BI shows when it is at the top",
     {W(FCR, 1), W(UART_IER, 4), IN("a", 1), BRK(1), IRQ(0), R(UART_LSR, 0xe1), IRQ(0), R(UART_DATA, 'a'), IRQ(1),
      R(UART_IIR, 0xc6), R(UART_LSR, 0xf1), R(UART_LSR, 0x61), IRQ(0), R(UART_DATA, 0), R(UART_LSR, 0x60)}},
    {"LSR bit 7 only with FIFOs", {BRK(1), R(UART_LSR, 0x71), R(UART_LSR, 0x61), R(UART_DATA, 0)}},
    {"LSR bit 7 while one with an error is left",
     {W(FCR, 1), BRK(1), BRK(1), R(UART_LSR, 0xf1), R(UART_LSR, 0xe1), R(UART_DATA, 0), R(UART_LSR, 0xf1),
      R(UART_LSR, 0x61)}},
    {"no room for a break: it comes later",
     {IN("a", 1), BRK(0), R(UART_LSR, 0x61), R(UART_DATA, 'a'), ASKED(1), BRK(1), R(UART_LSR, 0x71)}},
    {"LCR bit 6: its edge is a break, once",
     {W(UART_LCR, 0x43), BREAKS(1), W(UART_LCR, 0x43), BREAKS(0), W(UART_LCR, 3), BREAKS(0), W(UART_LCR, 0x43),
      BREAKS(1)}},

    /* Modem: 8.6, 8.8. */
    {"deltas, until MSR is read; of RI only its end",
     {W(UART_IER, 8), MODEM(0xa0), IRQ(1), R(UART_IIR, 0), R(UART_MSR, 0xa1), IRQ(0), R(UART_MSR, 0xa0), MODEM(0x80),
      R(UART_MSR, 0x82), MODEM(0), R(UART_MSR, 0x08), MODEM(0x40), IRQ(0), R(UART_MSR, 0x40), MODEM(0), IRQ(1),
      R(UART_MSR, 0x04), MODEM(0x0f), IRQ(0)}},
    {"loopback: the four outputs are the four inputs",
     {W(UART_MCR, 0x10), R(UART_MSR, 0x0b), W(UART_MCR, 0x11), R(UART_MSR, 0x22), W(UART_MCR, 0x12), R(UART_MSR, 0x13),
      W(UART_MCR, 0x14), R(UART_MSR, 0x41), W(UART_MCR, 0x18), R(UART_MSR, 0x8c), W(UART_MCR, 0x00),
      R(UART_MSR, 0xb3)}},
    {"loopback: what is sent is received, and nothing leaves",
     {W(FCR, 1), W(UART_MCR, 0x10), W(UART_DATA, 'a'), W(UART_DATA, 'b'), OUT(""), R(UART_LSR, 0x61), R(UART_DATA, 'a'),
      R(UART_DATA, 'b')}},
    {"loopback: nothing comes from outside; afterwards it does",
     {W(UART_MCR, 0x10), IN("a", 0), BRK(0), R(UART_LSR, 0x60), ASKED(0), W(UART_MCR, 0), ASKED(1), IN("a", 1)}},
    {"DTR without RTS: the other end is to wait, and then goes on",
     {W(UART_MCR, 0x0b), IN("a", 1), R(UART_DATA, 'a'), W(UART_MCR, 0x09), IN("b", 0), BRK(0), R(UART_LSR, 0x60),
      ASKED(0), W(UART_MCR, 0x0b), ASKED(1), IN("b", 1), R(UART_DATA, 'b')}},
    {"…not what came before, nor a guest that has raised neither, nor in loopback",
     {W(UART_MCR, 0x0b), IN("a", 1), W(UART_MCR, 0x09), R(UART_LSR, 0x61), R(UART_DATA, 'a'), W(UART_MCR, 0x00),
      IN("b", 1), R(UART_DATA, 'b'), W(UART_MCR, 0x11), W(UART_DATA, 'c'), R(UART_DATA, 'c')}},
    {"loopback: one byte too many is an overrun",
     {W(UART_MCR, 0x10), W(UART_DATA, 'a'), W(UART_DATA, 'b'), R(UART_LSR, 0x63), R(UART_DATA, 'a')}},
    {"loopback: a break", {W(UART_MCR, 0x10), W(UART_LCR, 0x40), BREAKS(0), R(UART_LSR, 0x71)}},
    {"loopback: interrupts work", {W(UART_MCR, 0x10), W(UART_IER, 1), W(UART_DATA, 'a'), IRQ(1), R(UART_IIR, 4)}},
    {"loopback: what waited for the line goes round",
     {LET(0), W(UART_DATA, 'a'), W(UART_MCR, 0x10), R(UART_DATA, 'a'), ROOM(9), OUT("")}},

    /* IIR. */
    {"priorities: line status, data, time-out, THRE, modem; each is cleared in its own way",
     DO(W(FCR, 0x41), W(UART_IER, 0xf), MODEM(0), IN("abcd", 4), FIRE(), LOSS(), R(UART_IIR, 0xc6), R(UART_IIR, 0xc6),
        R(UART_LSR, 0x63), R(UART_IIR, 0xc4), TAKE(UART_DATA, 1), IN("e", 1), TAKE(UART_DATA, 1), FIRE(),
        R(UART_IIR, 0xcc), TAKE(UART_DATA, 3), R(UART_IIR, 0xc2), R(UART_IIR, 0xc0), R(UART_MSR, 0x0b),
        R(UART_IIR, 0xc1), IRQ(0))},
    {"THRE is not told while another source is",
     {W(UART_IER, 3), IN("a", 1), R(UART_IIR, 4), R(UART_IIR, 4), R(UART_DATA, 'a'), R(UART_IIR, 2), R(UART_IIR, 1)}},
    {"nothing enabled, no interrupt",
     {IN("a", 1), LOSS(), MODEM(0), IRQ(0), R(UART_IIR, 1), W(UART_IER, 0xf), IRQ(1), W(UART_IER, 0), IRQ(0)}},
    {"each source by its own bit",
     {IN("a", 1), LOSS(), MODEM(0), W(UART_IER, 4), R(UART_IIR, 6), W(UART_IER, 1), R(UART_IIR, 4), W(UART_IER, 2),
      R(UART_IIR, 2), W(UART_IER, 8), R(UART_IIR, 0)}},
    {"OUT2 gates nothing", {W(UART_MCR, 0), W(UART_IER, 1), IN("a", 1), IRQ(1)}},

    /* Drivers, whole. */
    {"Linux looks for the 16550A",
     DO(W(UART_IER, 0), R(UART_IER, 0), W(UART_IER, 0x0f), R(UART_IER, 0x0f), W(UART_IER, 0), W(UART_MCR, 0x1a),
        R(UART_MSR, 0x92), W(UART_MCR, 0), W(UART_LCR, 0xbf), W(UART_IIR, 0), W(UART_LCR, 0), W(FCR, 1),
        R(UART_IIR, 0xc1), W(FCR, 0x21), R(UART_IIR, 0xc1), W(UART_LCR, 0x80), W(FCR, 0x21), R(UART_IIR, 0xc1),
        W(FCR, 1), W(UART_LCR, 0), W(UART_IER, 0x40), R(UART_IER, 0), OUT(""))},
    {"Linux opens it and sends by interrupt, 16 at a time",
     DO(W(FCR, 1), W(FCR, 7), W(FCR, 0), R(UART_LSR, 0x60), R(UART_DATA, 0), R(UART_IIR, 1), R(UART_MSR, 0xb0),
        W(FCR, 0x81), W(UART_LCR, 0x13), W(UART_MCR, 0x0b), W(UART_IER, 5), W(UART_IER, 7), IRQ(1), R(UART_IIR, 0xc2),
        R(UART_LSR, 0x60), SEND(UART_DATA, 16), IRQ(1), R(UART_IIR, 0xc2), W(UART_IER, 5), IRQ(0), R(UART_IIR, 0xc1),
        OUT("xxxxxxxxxxxxxxxx"))},
    {"earlyprintk: no FIFO, no interrupt, the divisor, THRE before each byte",
     {W(UART_LCR, 3), W(UART_IER, 0), W(FCR, 0), W(UART_MCR, 3), DLAB(1), W(UART_DATA, 1), W(UART_IER, 0), DLAB(0),
      R(UART_LSR, 0x60), W(UART_DATA, '\r'), R(UART_LSR, 0x60), W(UART_DATA, '\n'), OUT("\r\n")}},
    {"FreeBSD finds the depth by loopback: the byte after 16 is an overrun",
     {W(FCR, 1), W(UART_MCR, 0x10), SEND(UART_DATA, 16), R(UART_LSR, 0x61), SEND(UART_DATA, 1), R(UART_LSR, 0x63),
      W(FCR, 7), R(UART_LSR, 0x60), W(UART_MCR, 3), W(FCR, 0x81), OUT("")}},
    {"EDK2: divisor only if it differs, FIFOs, then LSR and THR",
     {R(UART_LCR, 0), DLAB(1), R(UART_DATA, 12), R(UART_IER, 0), W(UART_DATA, 1), DLAB(0), W(FCR, 0), W(FCR, 1),
      W(UART_MCR, 0), R(UART_LSR, 0x60), W(UART_DATA, 'e'), R(UART_LSR, 0x60), OUT("e")}},
    {"SeaBIOS: IER holds 2, IIR its low bits, then LSR and THR",
     {W(UART_IER, 2), R(UART_IER, 2), R(UART_IIR, 2), W(UART_IER, 0), DLAB(1), W(UART_DATA, 1), W(UART_IER, 0), DLAB(0),
      R(UART_LSR, 0x60), W(UART_DATA, 's'), OUT("s"), IRQ(0)}},
};

/* Each trigger of FCR: interrupt at exactly this many. 8.4. */
static void test_triggers(void **state)
{
    static const uint32_t at[4] = {1, 4, 8, 14};

    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        struct vc_16550 u;
        struct uart_rig g = {.uart = &u};

        vc_16550_init(&u, &rig_env, &g);
        vc_16550_write(&u, UART_IIR, 1, i << 6 | 1);
        vc_16550_write(&u, UART_IER, 1, UART_IER_RDA);
        for (uint32_t n = 1; n <= 16; n++) {
            assert_int_equal(vc_16550_input(&u, (const uint8_t *)"x", 1), 1);
            assert_int_equal(g.irq, n >= at[i]);
        }
    }
}

/* Every offset, every width, legal or not. */
static void test_every_access(void **state)
{
    static const uint32_t reset[8] = {0, 0, 1, 0, 0, 0x60, 0xb0, 0};
    static const uint64_t far[] = {8, 9, 0x3f8, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};

    (void)state;
    for (uint32_t width = 0; width <= 16; width++)
        for (uint64_t i = 0; i < 8 + N_ROWS(far); i++) {
            uint64_t offset = i < 8 ? i : far[i - 8];
            bool legal = width == 1 && offset < 8;
            struct vc_16550 u, before;
            struct uart_rig g = {.uart = &u, .room = UINT32_MAX};
            uint32_t value = 0xdead;

            vc_16550_init(&u, &rig_env, &g);
            memcpy(&before, &u, sizeof u);
            assert_int_equal(vc_16550_read(&u, offset, width, &value), legal);
            assert_int_equal(value, legal ? reset[offset] : 0);
            assert_memory_equal(&u, &before, sizeof u);
            assert_int_equal(vc_16550_write(&u, offset, width, UINT32_MAX), legal);
            if (!legal)
                assert_memory_equal(&u, &before, sizeof u);
        }
}

/* start: of the FIFOs' indices, which wrap at 2^32. */
static void run_rows(uint32_t start)
{
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct vc_16550 u;
        struct uart_rig g = {.uart = &u, .room = UINT32_MAX};

        vc_16550_init(&u, &rig_env, &g);
        u.rx.head = u.rx.tail = u.tx.head = u.tx.tail = start;
        uart_run_row(&g, &ns16550_verbs, &rows[i]);
    }
}

static void test_rows(void **state)
{
    (void)state;
    for (uint32_t i = 0; i <= 40; i++)
        run_rows(0 - i);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_triggers),
                                              cmocka_unit_test(test_every_access)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
