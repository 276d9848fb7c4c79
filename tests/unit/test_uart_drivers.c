/* SPDX-License-Identifier: MIT */
/*
 * Whole drivers on the UARTs, doing what those of Linux and FreeBSD do: each sends and receives 256 KiB at once by
 * interrupt, on a line that is full now and then, or never, with input that is offered as the UART asks for it. Every
 * byte arrives, in order; nothing ever waits for what does not come; and a flood of input is no flood of interrupts.
 */
#include "unit.h"
#include <setjmp.h>

#include "random.h"
#include "uart_verbs.h"

enum { BYTES = 256 << 10 };

struct world {
    const struct uart_verbs *verbs;
    union {
        struct vc_pl011 pl011;
        struct vc_16550 pc;
    } u;
    uint64_t random;
    bool endless, irq, timer, asked;
    uint32_t room, sent, received, typed; /* sent: on the line; typed: taken from the person who types */
    uint32_t interrupts, offers;
    /* The driver's. */
    uint32_t to_send, enabled;
};

static uint8_t byte_of(uint32_t i) { return (uint8_t)(i * 2654435761u >> 24); }
static uint32_t rd(struct world *w, uint32_t offset)
{
    uint32_t value;

    assert_true(w->verbs->read(&w->u, offset, w->verbs->width, &value));
    return value;
}
static void wr(struct world *w, uint32_t offset, uint32_t value)
{
    assert_true(w->verbs->write(&w->u, offset, w->verbs->width, value));
}

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct world *w = ctx;
    uint32_t taken = n < w->room ? n : w->room;

    for (uint32_t i = 0; i < taken; i++)
        if (bytes[i] != byte_of(w->sent + i))
            fail_msg("byte %u on the line is wrong", w->sent + i);
    w->sent += taken;
    w->room -= taken;
    return taken;
}
static void irq(void *ctx, bool level)
{
    ((struct world *)ctx)->irq = level;
    ((struct world *)ctx)->interrupts += level;
}
static void timer(void *ctx, uint64_t ns) { ((struct world *)ctx)->timer = ns != 0; }
static void input_room(void *ctx) { ((struct world *)ctx)->asked = true; }
static void send_break(void *ctx) { (void)ctx; }
static const struct vc_uart_env env = {out, irq, timer, input_room, send_break};

static void received(struct world *w, uint32_t data)
{
    if (data != byte_of(w->received))
        fail_msg("byte %u received is 0x%x", w->received, data);
    w->received++;
}
static uint8_t next_byte(struct world *w) { return byte_of(w->to_send++); }

/* ---- Linux, amba-pl011 and sbsa-uart: 16 bytes for each transmit interrupt, without a look at TXFF. ---- */

static void linux_arm_start(struct world *w)
{
    wr(w, UARTICR, 0x7d0);
    wr(w, UARTIFLS, 0x12);
    wr(w, UARTLCR_H, 0x70);
    wr(w, UARTCR, 0x301);
    w->enabled = UARTINT_RX | UARTINT_RT;
    wr(w, UARTICR, w->enabled);
    wr(w, UARTIMSC, w->enabled);
    while (w->to_send < BYTES && (rd(w, UARTFR) & UARTFR_TXFF) == 0)
        wr(w, UARTDR, next_byte(w));
    if (w->to_send == BYTES)
        return;
    w->enabled |= UARTINT_TX;
    wr(w, UARTIMSC, w->enabled);
}

static void linux_arm_interrupt(struct world *w)
{
    uint32_t status = rd(w, UARTRIS) & w->enabled;

    for (int pass = 256; status != 0 && pass > 0; pass--, status = rd(w, UARTRIS) & w->enabled) {
        wr(w, UARTICR, status & ~(uint32_t)(UARTINT_RX | UARTINT_RT | UARTINT_TX));
        for (int n = 256; (status & (UARTINT_RX | UARTINT_RT)) != 0 && n > 0 && (rd(w, UARTFR) & UARTFR_RXFE) == 0; n--)
            received(w, rd(w, UARTDR));
        if ((status & UARTINT_TX) == 0)
            continue;
        for (int n = 16; n > 0 && w->to_send < BYTES; n--)
            wr(w, UARTDR, next_byte(w));
        if (w->to_send == BYTES) {
            w->enabled &= ~(uint32_t)UARTINT_TX;
            wr(w, UARTIMSC, w->enabled);
        }
    }
}

/* ---- FreeBSD, uart(4): 24 bytes for each, TX masked in between; all of ICR after all of IMSC. ---- */

static void freebsd_send(struct world *w)
{
    for (int n = 24; n > 0 && w->to_send < BYTES; n--)
        wr(w, UARTDR, next_byte(w));
    w->enabled |= UARTINT_TX;
    wr(w, UARTIMSC, w->enabled);
}

static void freebsd_start(struct world *w)
{
    wr(w, UARTCR, 0);
    wr(w, UARTLCR_H, 0x70);
    wr(w, UARTIFLS, 3 << 3 | 1);
    wr(w, UARTCR, 0x301);
    w->enabled = UARTINT_RX | UARTINT_RT | UARTINT_TX;
    wr(w, UARTIMSC, w->enabled);
    wr(w, UARTICR, 0x7ff);
    freebsd_send(w);
}

static void freebsd_interrupt(struct world *w)
{
    uint32_t status = rd(w, UARTMIS);

    if ((status & (UARTINT_RX | UARTINT_RT)) != 0)
        while ((rd(w, UARTFR) & UARTFR_RXFE) == 0)
            received(w, rd(w, UARTDR));
    if ((status & UARTINT_TX) == 0)
        return;
    w->enabled &= ~(uint32_t)UARTINT_TX;
    wr(w, UARTIMSC, w->enabled);
    if (w->to_send < BYTES)
        freebsd_send(w);
}

/* ---- Linux, 8250: 16 bytes whenever THRE is there; IIR until it names nothing. ---- */

static void linux_pc_start(struct world *w)
{
    wr(w, UART_IIR, 1);
    wr(w, UART_IIR, 7);
    wr(w, UART_IIR, 0);
    wr(w, UART_IIR, 0x81);
    wr(w, UART_LCR, 0x83);
    wr(w, UART_DATA, 1);
    wr(w, UART_IER, 0);
    wr(w, UART_LCR, 0x13);
    wr(w, UART_MCR, 0x0b);
    wr(w, UART_IER, 5);
    wr(w, UART_IER, 7);
}

static void linux_pc_interrupt(struct world *w)
{
    for (int pass = 512; (rd(w, UART_IIR) & 1) == 0 && pass > 0; pass--) {
        uint32_t status = rd(w, UART_LSR);

        for (int n = 256; (status & UART_LSR_DR) != 0 && n > 0; n--, status = rd(w, UART_LSR))
            received(w, rd(w, UART_DATA));
        rd(w, UART_MSR);
        if ((status & UART_LSR_THRE) == 0)
            continue;
        for (int n = 16; n > 0 && w->to_send < BYTES; n--)
            wr(w, UART_DATA, next_byte(w));
        if (w->to_send == BYTES)
            wr(w, UART_IER, 5);
    }
}

/* ---- The world: in any order what can happen, and something always can. ---- */

static const struct {
    const char *name;
    enum { ARM, SBSA, PC } kind;
    void (*start)(struct world *w);
    void (*interrupt)(struct world *w);
} drivers[] = {
    {"Linux, PL011", ARM, linux_arm_start, linux_arm_interrupt},
    {"Linux, SBSA", SBSA, linux_arm_start, linux_arm_interrupt},
    {"FreeBSD, PL011", ARM, freebsd_start, freebsd_interrupt},
    {"FreeBSD, SBSA", SBSA, freebsd_start, freebsd_interrupt},
    {"Linux, 16550A", PC, linux_pc_start, linux_pc_interrupt},
};

static void line_moves(struct world *w)
{
    w->room = random_below(&w->random, 3) == 0 ? 4096 : random_below(&w->random, 64);
    w->verbs->output_room(&w->u);
}

static bool offer(struct world *w)
{
    uint8_t bytes[64];
    uint32_t n = 0, taken;

    for (; n < sizeof bytes && w->typed + n < BYTES; n++)
        bytes[n] = byte_of(w->typed + n);
    if (!w->asked || n == 0)
        return false;
    w->asked = false;
    w->offers++;
    taken = w->verbs->input(&w->u, bytes, n);
    w->typed += taken;
    w->asked = w->asked || taken == n;
    return true;
}

static bool fire(struct world *w)
{
    if (!w->timer)
        return false;
    w->timer = false;
    w->verbs->timer(&w->u);
    return true;
}

/* False: there is nothing left that could happen by itself. */
static bool happens(struct world *w, void (*interrupt)(struct world *w))
{
    if (!w->endless && random_below(&w->random, 8) == 0)
        line_moves(w);
    if (w->irq && random_below(&w->random, 4) != 0) {
        interrupt(w);
        return true;
    }
    if (random_below(&w->random, 2) == 0 && offer(w))
        return true;
    if (w->irq || offer(w) || fire(w))
        return true;
    if (w->sent == w->to_send)
        return false;
    line_moves(w); /* bytes wait for the line */
    return true;
}

static void run(size_t i, bool endless)
{
    struct world w = {.verbs = drivers[i].kind == PC ? &ns16550_verbs : &pl011_verbs,
                      .random = 0x9e3779b97f4a7c15u + i,
                      .room = endless ? UINT32_MAX : 100,
                      .asked = true};

    if (drivers[i].kind == PC)
        vc_16550_init(&w.u.pc, &env, &w);
    else
        vc_pl011_init(&w.u.pl011, drivers[i].kind == SBSA ? VC_PL011_SBSA : VC_PL011_FULL, &env, &w);
    drivers[i].start(&w);
    while (happens(&w, drivers[i].interrupt))
        ;
    if (w.sent != BYTES || w.received != BYTES || (drivers[i].kind == PC ? w.u.pc.dropped : w.u.pl011.dropped) != 0)
        fail_msg("%s: stands still: %u sent, %u received of %u", drivers[i].name, w.sent, w.received, BYTES);
    /* Half a FIFO at least for each interrupt, and each offer, of the one that has more to do. */
    if (w.interrupts > BYTES / 8 || w.offers > BYTES / (drivers[i].kind == PC ? 7 : 15))
        fail_msg("%s: %u interrupts, %u offers of input", drivers[i].name, w.interrupts, w.offers);
}

static void test_drivers(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(drivers); i++)
        run(i, false), run(i, true);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_drivers)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
