/* SPDX-License-Identifier: MIT */
#include "door_uart.h"
#include "boot.h"
#include "domain_door.h"
#include "uart_chip.h"
#include "vmm.h"
#include <stdlib.h>
#include <vcons/error.h>
#include <vcons/wire/xen.h>

#define NS_PER_MS     UINT64_C(1000000)
#define WAIT_SLICE_MS 50u /* a held writer looks at the clock and at domain_stopping so often */

/* ---- The two kinds of UART. ---- */

static void pl011_init(struct door_uart *u, const struct vc_uart_env *env, struct door *door)
{
    vc_pl011_init(&u->pl011, door->config->door == DOOR_SBSA ? VC_PL011_SBSA : VC_PL011_FULL, env, door);
}

static void pl011_read(struct door_uart *u, uint64_t offset, uint32_t width, uint32_t *value)
{
    vc_pl011_read(&u->pl011, offset, width, value);
}

static void pl011_write(struct door_uart *u, uint64_t offset, uint32_t width, uint32_t value)
{
    vc_pl011_write(&u->pl011, offset, width, value);
}

static void pl011_write_batch(struct door_uart *u, const struct vc_uart_write *writes, uint32_t n)
{
    vc_pl011_write_batch(&u->pl011, writes, n);
}

static bool pl011_zone(const struct door_uart *u, bool is, uint32_t line_room, uint32_t ring_entries)
{
    return vc_pl011_zone(&u->pl011, is, line_room, ring_entries);
}

static uint32_t pl011_input(struct door_uart *u, const uint8_t *bytes, uint32_t n)
{
    return vc_pl011_input(&u->pl011, bytes, n);
}

static bool pl011_break(struct door_uart *u) { return vc_pl011_break(&u->pl011); }
static void pl011_output_room(struct door_uart *u) { vc_pl011_output_room(&u->pl011); }
static void pl011_timer(struct door_uart *u) { vc_pl011_timer(&u->pl011); }
static uint64_t pl011_dropped(const struct door_uart *u) { return u->pl011.dropped; }
static void pl011_save(const struct door_uart *u, struct vc_writer *w) { vc_pl011_save(&u->pl011, w); }
static int pl011_restore(struct door_uart *u, struct vc_section *s) { return vc_pl011_restore(&u->pl011, s); }

static const struct uart_chip chip_pl011 = {.tag = VC_SAVE_PL011,
                                            .data_bytes = 4,
                                            .init = pl011_init,
                                            .read = pl011_read,
                                            .write = pl011_write,
                                            .write_batch = pl011_write_batch,
                                            .zone = pl011_zone,
                                            .input = pl011_input,
                                            .send_break = pl011_break,
                                            .output_room = pl011_output_room,
                                            .timer = pl011_timer,
                                            .dropped = pl011_dropped,
                                            .save = pl011_save,
                                            .restore = pl011_restore};

static void ns16550_init(struct door_uart *u, const struct vc_uart_env *env, struct door *door)
{
    vc_16550_init(&u->ns16550, env, door);
}

static void ns16550_read(struct door_uart *u, uint64_t offset, uint32_t width, uint32_t *value)
{
    vc_16550_read(&u->ns16550, offset, width, value);
}

static void ns16550_write(struct door_uart *u, uint64_t offset, uint32_t width, uint32_t value)
{
    vc_16550_write(&u->ns16550, offset, width, value);
}

static void ns16550_write_batch(struct door_uart *u, const struct vc_uart_write *writes, uint32_t n)
{
    vc_16550_write_batch(&u->ns16550, writes, n);
}

static bool ns16550_zone(const struct door_uart *u, bool is, uint32_t line_room, uint32_t ring_entries)
{
    return vc_16550_zone(&u->ns16550, is, line_room, ring_entries);
}

static uint32_t ns16550_input(struct door_uart *u, const uint8_t *bytes, uint32_t n)
{
    return vc_16550_input(&u->ns16550, bytes, n);
}

static bool ns16550_break(struct door_uart *u) { return vc_16550_break(&u->ns16550); }
static void ns16550_output_room(struct door_uart *u) { vc_16550_output_room(&u->ns16550); }
static void ns16550_timer(struct door_uart *u) { vc_16550_timer(&u->ns16550); }
static uint64_t ns16550_dropped(const struct door_uart *u) { return u->ns16550.dropped; }
static void ns16550_save(const struct door_uart *u, struct vc_writer *w) { vc_16550_save(&u->ns16550, w); }
static int ns16550_restore(struct door_uart *u, struct vc_section *s) { return vc_16550_restore(&u->ns16550, s); }

static const struct uart_chip chip_16550 = {.tag = VC_SAVE_16550,
                                            .data_bytes = 1,
                                            .init = ns16550_init,
                                            .read = ns16550_read,
                                            .write = ns16550_write,
                                            .write_batch = ns16550_write_batch,
                                            .zone = ns16550_zone,
                                            .input = ns16550_input,
                                            .send_break = ns16550_break,
                                            .output_room = ns16550_output_room,
                                            .timer = ns16550_timer,
                                            .dropped = ns16550_dropped,
                                            .save = ns16550_save,
                                            .restore = ns16550_restore};

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

/*
 * The loop has the timers. A millisecond more than asked for is no harm: it is a time-out. It is woken only if it would come too
 * late by itself: each byte that is read moves the time-out on, and then it finds so when it looks.
 */
static void timer(void *ctx, uint64_t ns)
{
    struct door *door = ctx;
    struct door_uart *u = &door->uart;

    u->due_ms = ns > 0 ? vmm_now_ms() + (ns + NS_PER_MS - 1) / NS_PER_MS : UINT64_MAX;
    if (u->due_ms >= u->looked_ms)
        return;
    u->looked_ms = u->due_ms;
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
    door->uart.number = n;
    for (uint32_t i = 0; i < d->config->n_consoles; i++)
        door->uart.has_ring |= d->config->consoles[i].door == DOOR_XEN;
    door->uart.chip = door->config->door == DOOR_16550 ? &chip_16550 : &chip_pl011;
}

bool uart_names_frame(const struct domain *d, uint64_t gfn)
{
    for (uint32_t i = 0; i < d->config->n_consoles; i++) {
        const struct door_uart *u = &d->doors[i]->uart;

        if (u->has_ring && gfn == boot_uart_ring_gpa(&d->memory, u->number) / XEN_PAGE_BYTES)
            return true;
    }
    return false;
}

static void begin(struct door *door)
{
    struct door_uart *u = &door->uart;

    *u = (struct door_uart){.place = u->place,
                            .number = u->number,
                            .has_ring = u->has_ring,
                            .chip = u->chip,
                            .open = true,
                            .due_ms = UINT64_MAX,
                            .looked_ms = UINT64_MAX};
    u->chip->init(u, &uart_env, door);
}

int uart_open(struct door *door, struct problem *problem)
{
    begin(door);
    if (door->uart.has_ring && vc_events_open(&door->domain->events, &door->to, VC_DOOR_PRIVATE, &door->port) != VC_OK)
        return problem_set(problem, -1, "no event channel for the UART");
    return 0;
}

void uart_close(struct door *door)
{
    uart_zone_close(door);
    if (door->uart.open && door->uart.has_ring)
        vc_events_close(&door->domain->events, door->port, &door->to);
    door->uart.open = false;
    door->uart.due_ms = UINT64_MAX;
}

static bool offer_break(struct door_uart *u)
{
    if (u->break_waits)
        u->break_waits = !u->chip->send_break(u);
    return !u->break_waits;
}

/* Input leaves the line only when the UART has taken all that left it before. A break comes behind what was typed before it. */
static void offer_input(struct door *door)
{
    struct door_uart *u = &door->uart;

    u->wants_input = false;
    for (;;) {
        if (u->at_input == u->n_input) {
            if (!offer_break(u))
                return;
            u->at_input = 0;
            u->n_input = door_get(door, u->input, sizeof u->input);
        }
        if (u->n_input == 0)
            return;
        u->at_input += u->chip->input(u, u->input + u->at_input, u->n_input - u->at_input);
        if (u->at_input < u->n_input)
            return; /* input_room tells */
    }
}

bool uart_serve(struct door *door)
{
    struct door_uart *u = &door->uart;
    bool taken;

    if (!u->open)
        return true;
    taken = uart_zone_take(door);
    u->out_waits = false;
    u->chip->output_room(u);
    if (!domain_stopping(door->domain))
        offer_input(door);
    return taken && !u->out_waits;
}

void uart_tick(struct door *door)
{
    struct door_uart *u = &door->uart;

    if (!u->open || u->due_ms > vmm_now_ms())
        return;
    uart_zone_take(door);
    u->due_ms = UINT64_MAX;
    u->chip->timer(u);
}

uint64_t uart_deadline(struct door *door)
{
    struct door_uart *u = &door->uart;
    uint64_t flush_ms = uart_zone_deadline(door);

    u->looked_ms = u->open ? u->due_ms : UINT64_MAX;
    u->looked_ms = flush_ms < u->looked_ms ? flush_ms : u->looked_ms;
    return u->looked_ms;
}

void uart_break(struct door *door)
{
    if (!door->uart.open)
        return;
    uart_zone_take(door);
    door->uart.break_waits = true;
    offer_input(door);
}

/* ---- The guest's accesses: a vCPU's thread. ---- */

/* Places are constant, so that no lock is needed to look. */
static struct door *uart_at(struct domain *d, enum engine_space space, uint64_t address)
{
    for (uint32_t i = 0; i < d->config->n_consoles; i++) {
        const struct engine_device *place = &d->doors[i]->uart.place;

        if (place->bytes > 0 && place->space == space && address >= place->address &&
            address - place->address < place->bytes)
            return d->doors[i];
    }
    return NULL;
}

/*
 * [locked] A byte for which there is no room is not lost, as it would be on a wire: Linux polls for 10 ms, and then writes all the
 * same. Its vCPU waits as one in console_io does, for `hold` at most, or until the run ends.
 */
static void write_register(struct door *door, uint64_t offset, uint32_t width, uint32_t value)
{
    struct door_uart *u = &door->uart;
    uint64_t dropped;

    for (;;) {
        dropped = u->chip->dropped(u);
        u->chip->write(u, offset, width, value);
        if (u->chip->dropped(u) == dropped || domain_stopping(door->domain))
            return;
        console_wait(&door->console, WAIT_SLICE_MS);
    }
}

/* One access that the UART knows as one. */
static bool access_uart(struct domain *d, enum engine_space space, uint64_t address, uint32_t width, uint64_t *value,
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
    /* As for a byte that is written now. */
    while (!uart_zone_take(door) && !domain_stopping(d))
        console_wait(&door->console, WAIT_SLICE_MS);
    uart_tick(door); /* a guest that polls leaves the loop little of the lock */
    if (write)
        write_register(door, address, width, (uint32_t)*value);
    else
        u->chip->read(u, address, width, &read);
    if (u->wants_input)
        offer_input(door);
    console_unlock(&door->console);
    if (!write)
        *value = read;
    return true;
}

/* A wider access to ports is one to each, the lowest first; where there is none, all ones are read. */
static bool access_ports(struct domain *d, uint64_t port, uint32_t width, uint64_t *value, bool write)
{
    uint64_t bytes = *value, seen = 0;
    bool any = false;

    for (uint32_t i = 0; i < width; i++) {
        uint64_t byte = write ? bytes >> 8 * i & 0xff : 0xff;

        any |= access_uart(d, ENGINE_PORTS, port + i, 1, &byte, write);
        seen |= byte << 8 * i;
    }
    if (any && !write)
        *value = seen;
    return any;
}

bool domain_access(struct domain *d, enum engine_space space, uint64_t address, uint32_t width, uint64_t *value,
                   bool write)
{
    if (space == ENGINE_PORTS)
        return access_ports(d, address, width, value, write);
    return virtio_access(d, address, width, value, write) || access_uart(d, space, address, width, value, write);
}

/* ---- Save and restore. ---- */

/* What the UART has not taken was typed before all else that waits. */
static int put_back(struct door *door)
{
    struct door_uart *u = &door->uart;
    int result = door_keep_first(door, u->input + u->at_input, u->n_input - u->at_input);

    u->n_input = u->at_input = 0;
    return result;
}

int uart_save(struct door *door, struct vc_writer *w, struct problem *problem)
{
    if (door->uart.zone.kept) /* a file has no place for them either */
        return problem_set(problem, -1,
                           "console \"%s\" is full, and more that was written to it waits in KVM: try again",
                           door->config->name);
    door->uart.chip->save(&door->uart, w);
    return put_back(door) == 0 ? 0 : problem_set(problem, -1, "no memory");
}

bool uart_restore(struct door *door, struct vc_reader *r)
{
    struct door_uart *u = &door->uart;
    struct vc_section s;
    bool there;

    if (u->has_ring && door->port == 0)
        return false; /* its event channel is not among those of the domain */
    begin(door);
    return vc_read_section(r, &s, &there) == VC_OK && there && s.tag == u->chip->tag &&
           u->chip->restore(u, &s) == VC_OK;
}
