/* SPDX-License-Identifier: MIT */
#include "uart.h"
#include <vcons/atomic.h>

static struct uart *of(struct hvc *hvc) { return (struct uart *)(void *)hvc; }

/* Full for so long that nobody will ever take it. */
static bool lost_patience(struct uart *u)
{
    uint64_t now = hypercall_time(u->hvc.platform);

    if (u->n_full++ == 0)
        u->full_since = now;
    if (u->n_full >= u->patience_looks)
        u->n_full = u->patience_looks; /* and one look a piece from now on */
    if (now != 0)
        return now - u->full_since >= u->patience_ns;
    return u->n_full == u->patience_looks;
}

static size_t put(struct hvc *hvc, const void *bytes, size_t n)
{
    struct uart *u = of(hvc);
    const uint8_t *at = bytes;
    size_t room = u->chip->room(u), i;

    if (room == 0) {
        if (!lost_patience(u))
            return 0;
        hvc->dropped += n;
        return n;
    }
    u->n_full = 0;
    for (i = 0; i < n && i < room; i++)
        u->chip->send(u, at[i]);
    return i;
}

/* One received thing from the device into *byte; false: there is none. What is no byte is counted and passed by. */
static bool take(struct uart *u, uint8_t *byte, uint32_t *looks)
{
    uint32_t got;

    while (*looks > 0 && u->chip->receive(u, &got)) {
        --*looks;
        u->n_overruns += (got & UART_OVERRUN) != 0;
        u->n_breaks += (got & UART_BREAK) != 0;
        u->n_errors += (got & UART_ERROR) != 0;
        *byte = (uint8_t)got;
        if ((got & (UART_BREAK | UART_ERROR)) == 0)
            return true;
    }
    return false;
}

static size_t poll(struct uart *u, uint8_t *bytes, size_t n)
{
    uint32_t looks = UART_INPUT_BYTES;
    size_t i = 0;

    while (i < n && take(u, bytes + i, &looks))
        i++;
    return i;
}

static void listen(struct uart *u, bool on)
{
    u->listening = on;
    u->chip->listen(u, on);
}

static size_t get(struct hvc *hvc, void *bytes, size_t n)
{
    struct uart *u = of(hvc);
    uint8_t *to = bytes;
    uint32_t prod;
    size_t i = 0;

    prod = vc_load_acquire(&u->in_prod); /* pairs with take_all: the bytes are there */
    for (; i < n && u->in_cons + i != prod; i++)
        to[i] = u->input[(u->in_cons + i) % UART_INPUT_BYTES];
    vc_store_release(&u->in_cons, u->in_cons + (uint32_t)i); /* pairs with take_all: they have been read */
    if (u->interrupts && !u->listening)
        listen(u, true); /* it was quiet for want of room */
    return i > 0 || u->interrupts ? i : poll(u, bytes, n);
}

static uint32_t input_ports(struct hvc *hvc, uint32_t ports[2])
{
    (void)ports;
    return of(hvc)->interrupts && of(hvc)->wakes ? HVC_BY_INTERRUPT : 0;
}

static const struct hvc_driver uart_driver = {put, get, input_ports};

bool uart_begin(struct uart *u, const struct uart_chip *chip, const struct uart_io *io, const struct platform *platform,
                const char *name)
{
    *u = (struct uart){.hvc = {.driver = &uart_driver, .platform = platform, .idle_ns = UART_IDLE_NS},
                       .chip = chip,
                       .io = *io,
                       .patience_ns = UART_PATIENCE_NS,
                       .patience_looks = UART_PATIENCE_LOOKS};
    for (size_t i = 0; i < HVC_NAME_BYTES - 1 && name[i] != '\0'; i++)
        u->hvc.name[i] = name[i];
    return chip->begin(u);
}

void uart_use_interrupts(struct uart *u)
{
    u->interrupts = true;
    listen(u, true);
}

/* For nothing, again and again: whoever is at that line, it is not input. */
static void count_idle(struct uart *u, bool idle)
{
    u->n_idle = idle ? u->n_idle + 1 : 0;
    if (u->n_idle < UART_IDLE_MAX)
        return;
    listen(u, false);
    u->interrupts = false;
}

static bool take_all(struct uart *u)
{
    uint32_t prod = u->in_prod, looks = UART_INPUT_BYTES;

    while (prod - vc_load_acquire(&u->in_cons) < UART_INPUT_BYTES &&
           take(u, &u->input[prod % UART_INPUT_BYTES], &looks))
        prod++;
    vc_store_release(&u->in_prod, prod); /* pairs with get: the bytes are there */
    if (prod - vc_load_acquire(&u->in_cons) == UART_INPUT_BYTES || looks == 0)
        listen(u, false); /* until somebody reads: the device keeps the rest, and its sender waits */
    return looks < UART_INPUT_BYTES;
}

bool uart_interrupt(struct uart *u)
{
    bool any = u->testing;

    u->n_interrupts++;
    if (u->testing && !u->chip->edge)
        u->chip->listen(u, false);
    else if (!u->testing && u->listening)
        any = take_all(u);
    count_idle(u, !any);
    return any;
}

void uart_begin_test(struct uart *u)
{
    u->chip->listen(u, false);
    u->testing = true;
}

void uart_end_test(struct uart *u)
{
    u->chip->begin(u);
    u->testing = false;
    if (u->interrupts)
        listen(u, true);
}
