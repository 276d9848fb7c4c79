/* SPDX-License-Identifier: MIT */
/*
 * A PL011 in your own hypervisor: what vc_pl011 needs from you, and what it does with a guest's accesses. A 16550A is
 * the same with vc_16550.
 *
 *     cc uart.c $(pkg-config --cflags --libs vcons) -o uart && ./uart
 *
 * Here the guest is the second half of main. In a hypervisor access() is called by the vCPU thread that stopped at the
 * UART's frame, and the other calls by whoever has input, or a timer that has run out; all of them under one lock of
 * yours.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/pl011.h>

struct console {
    struct vc_pl011 uart;
    const char *typed; /* what a person typed for this guest and the guest has not yet got */
    unsigned interrupts;
    uint64_t timer_ns; /* 0: none runs */
};

/* Output. Take less than n if your log is full: the guest sees a full FIFO until you call vc_pl011_output_room. */
static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    (void)ctx;
    return (uint32_t)fwrite(bytes, 1, n, stdout);
}

static void irq(void *ctx, bool level) /* here you would set the level of the line at the interrupt controller */
{
    ((struct console *)ctx)->interrupts += level;
}

static void timer(void *ctx, uint64_t ns)
{
    ((struct console *)ctx)->timer_ns = ns;
} /* and here set a timer, or stop it */

static void input_room(void *ctx) { (void)ctx; } /* remember it; after the access, offer again what was not taken */

static void send_break(void *ctx)
{
    (void)ctx;
    puts("[break]");
}

static const struct vc_uart_env env = {out, irq, timer, input_room, send_break};

/* Input: what the guest has no room for stays ours. */
static void offer(struct console *c)
{
    c->typed += vc_pl011_input(&c->uart, (const uint8_t *)c->typed, (uint32_t)strlen(c->typed));
}

/* One access of the guest, as your exit handler has it. */
static uint32_t access_uart(struct console *c, uint64_t offset, unsigned width, uint32_t value, bool write)
{
    bool taken =
        write ? vc_pl011_write(&c->uart, offset, width, value) : vc_pl011_read(&c->uart, offset, width, &value);

    if (!taken)
        fprintf(stderr, "the guest has no such access: %u bytes at 0x%llx\n", width, (unsigned long long)offset);
    return value;
}

static void guest_prints(struct console *c, const char *text)
{
    for (; *text != '\0'; text++) {
        while ((access_uart(c, UARTFR, 4, 0, false) & UARTFR_TXFF) != 0)
            ;
        access_uart(c, UARTDR, 1, (uint8_t)*text, true);
    }
}

int main(void)
{
    struct console c = {.typed = "hello guest\n"};

    vc_pl011_init(&c.uart, VC_PL011_FULL, &env, &c);

    /* The guest's driver switches the UART on and prints. */
    access_uart(&c, UARTLCR_H, 4, UARTLCR_H_FEN | UARTLCR_H_WLEN_8, true);
    access_uart(&c, UARTCR, 4, UARTCR_UARTEN | UARTCR_TXE | UARTCR_RXE, true);
    access_uart(&c, UARTIMSC, 4, UARTINT_RX | UARTINT_RT, true);
    guest_prints(&c, "Hello, hypervisor.\n");

    /* Somebody types. It is less than the trigger, so the interrupt comes when the line has been quiet for a while. */
    offer(&c);
    if (c.timer_ns != 0)
        vc_pl011_timer(&c.uart);

    /* The guest's interrupt handler. */
    guest_prints(&c, "You typed: ");
    while ((access_uart(&c, UARTFR, 4, 0, false) & UARTFR_RXFE) == 0)
        access_uart(&c, UARTDR, 1, access_uart(&c, UARTDR, 4, 0, false), true);

    printf("interrupts: %u\n", c.interrupts);
    return 0;
}
