/* SPDX-License-Identifier: MIT */
#include "door_uart.h"
#include "domain_door.h"
#include "vmm.h"

#define NS_PER_MS UINT64_C(1000000)

bool door_is_uart(enum config_door type) { return type == DOOR_PL011 || type == DOOR_SBSA; }

/* ---- What the UART asks of the door, under its lock. ---- */

static uint32_t out(void *ctx, const uint8_t *bytes, uint32_t n)
{
    struct door *door = ctx;
    uint32_t taken = console_put(&door->console, bytes, n);

    if (taken < n)
        door->uart.out_waits = true;
    return taken;
}

static void irq(void *ctx, bool level)
{
    struct door *door = ctx;
    struct domain *d = door->domain;

    d->ops->irq_line(d->engine, door->uart.place.line, level);
}

/* The loop has the timers. A millisecond more than asked for is no harm: it is a time-out. */
static void timer(void *ctx, uint64_t ns)
{
    struct door *door = ctx;

    door->uart.due_ms = ns > 0 ? vmm_now_ms() + (ns + NS_PER_MS - 1) / NS_PER_MS : UINT64_MAX;
    if (ns > 0)
        door_ask_for_a_look(door);
}

static void input_room(void *ctx) { ((struct door *)ctx)->uart.wants_input = true; }

static void send_break(void *ctx) { console_post(&((struct door *)ctx)->console, VC_LINE_BREAK, 0); }

static const struct vc_uart_env uart_env = {
    .out = out, .irq = irq, .timer = timer, .input_room = input_room, .send_break = send_break};

/* ---- Between line and UART. ---- */

void uart_place(struct door *door, uint32_t n)
{
    struct domain *d = door->domain;

    d->ops->uart(door->config->door, n, &door->uart.place); /* it could: the configuration was checked */
}

void uart_open(struct door *door)
{
    struct door_uart *u = &door->uart;

    *u = (struct door_uart){.place = u->place, .open = true, .due_ms = UINT64_MAX};
    vc_pl011_init(&u->pl011, door->config->door == DOOR_SBSA ? VC_PL011_SBSA : VC_PL011_FULL, &uart_env, door);
}

void uart_close(struct door *door)
{
    door->uart.open = false;
    door->uart.due_ms = UINT64_MAX;
}

static bool offer_break(struct door_uart *u)
{
    if (u->break_waits)
        u->break_waits = !vc_pl011_break(&u->pl011);
    return !u->break_waits;
}

/* Input leaves the line only when the UART has taken all that left it before. */
static void offer_input(struct door *door)
{
    struct door_uart *u = &door->uart;

    u->wants_input = false;
    while (offer_break(u)) {
        if (u->at_input == u->n_input) {
            u->at_input = 0;
            u->n_input = door_get(door, u->input, sizeof u->input);
        }
        if (u->n_input == 0)
            return;
        u->at_input += vc_pl011_input(&u->pl011, u->input + u->at_input, u->n_input - u->at_input);
        if (u->at_input < u->n_input)
            return; /* input_room tells */
    }
}

bool uart_serve(struct door *door)
{
    struct door_uart *u = &door->uart;

    if (!u->open)
        return true;
    u->out_waits = false;
    vc_pl011_output_room(&u->pl011);
    if (!domain_stopping(door->domain))
        offer_input(door);
    return !u->out_waits;
}

void uart_tick(struct door *door)
{
    struct door_uart *u = &door->uart;

    if (u->due_ms > vmm_now_ms())
        return;
    u->due_ms = UINT64_MAX;
    vc_pl011_timer(&u->pl011);
}

uint64_t uart_deadline(const struct door *door) { return door->uart.due_ms; }

void uart_break(struct door *door)
{
    if (!door->uart.open)
        return;
    door->uart.break_waits = true;
    offer_input(door);
}

/* ---- The guest's accesses: a vCPU's thread. ---- */

/* Places are constant, so that no lock is needed to look. */
static struct door *uart_at(struct domain *d, enum engine_space space, uint64_t address)
{
    for (uint32_t i = 0; i < d->n_doors; i++) {
        const struct engine_uart *place = &d->doors[i].uart.place;

        if (place->bytes > 0 && place->space == space && address >= place->address &&
            address - place->address < place->bytes)
            return &d->doors[i];
    }
    return NULL;
}

bool domain_access(struct domain *d, enum engine_space space, uint64_t address, uint32_t width, uint64_t *value,
                   bool write)
{
    struct door *door = uart_at(d, space, address);
    struct door_uart *u;
    uint32_t read = 0;

    if (door == NULL)
        return false;
    u = &door->uart;
    address -= u->place.address;
    console_lock(&door->console);
    if (write)
        vc_pl011_write(&u->pl011, address, width, (uint32_t)*value);
    else
        vc_pl011_read(&u->pl011, address, width, &read);
    if (u->wants_input)
        offer_input(door);
    console_unlock(&door->console);
    if (!write)
        *value = read;
    return true;
}
