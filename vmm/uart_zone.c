/* SPDX-License-Identifier: MIT */
#include "uart_zone.h"
#include "domain_door.h"
#include "uart_chip.h"
#include "vmm.h"
#include <vcons/console_io.h>

#define FLUSH_MS 1u

/* What may be written to the line between two looks at its room: by one access of the guest's, or by console_io. */
static uint32_t spare(const struct door *door)
{
    return VC_UART_FIFO + (door->domain->io_door == door ? VC_CONSOLE_IO_CHUNK : 0);
}

/* False: no room for its byte, which is still the caller's. */
static bool write_one(struct door_uart *u, const struct vc_uart_write *write)
{
    uint64_t dropped = u->chip->dropped(u);

    u->chip->write_batch(u, write, 1);
    return u->chip->dropped(u) == dropped;
}

static uint32_t take(void *ctx, const struct vc_uart_write *writes, uint32_t n)
{
    struct door *door = ctx;
    struct door_uart *u = &door->uart;
    uint32_t done = 0;

    u->zone.some = true;
    if (console_room(&door->console) >= n + VC_UART_FIFO) {
        u->chip->write_batch(u, writes, n);
        return n;
    }
    while (done < n && write_one(u, &writes[done]))
        done++;
    return done;
}

/* A look that finds nothing counts once in FLUSH_MS, however often a guest that polls has us look. */
static bool take_all(struct door *door)
{
    struct uart_zone *z = &door->uart.zone;
    bool all;

    z->some = false;
    all = door->domain->ops->recorded(door->domain->engine, &door->uart.place, take, door);
    if (!z->some && vmm_now_ms() >= z->flush_ms) {
        door->uart.chip->write_batch(&door->uart, NULL, 0);
        z->flush_ms = vmm_now_ms() + FLUSH_MS;
    }
    return all;
}

static bool set(struct door *door, bool on)
{
    struct domain *d = door->domain;

    return d->ops->zone(d->engine, &door->uart.place, door->uart.chip->data_bytes, on);
}

/* Nobody records for a domain that is to stand still, or to end: what is there then is all there is. */
static bool is_wanted(struct door *door)
{
    struct door_uart *u = &door->uart;
    uint32_t room = console_room(&door->console);

    return !domain_interrupted(door->domain) && room > spare(door) &&
           u->chip->zone(u, u->zone.on, room - spare(door), ENGINE_RECORDED_MAX);
}

static void begin(struct door *door)
{
    struct uart_zone *z = &door->uart.zone;

    z->on = set(door, true);
    if (!z->on)
        return; /* the engine cannot, or does it for another UART */
    z->flush_ms = vmm_now_ms() + FLUSH_MS;
    door_ask_for_a_look(door); /* the loop has a deadline now */
}

bool uart_zone_take(struct door *door)
{
    struct uart_zone *z = &door->uart.zone;
    bool all, wanted;

    if (door->domain->ops->zone == NULL)
        return true;
    all = !z->kept || take_all(door);
    wanted = all && is_wanted(door);
    if (wanted && !z->on) {
        begin(door);
    } else if (!wanted && z->on) {
        set(door, false);
        z->on = false;
        all = take_all(door);
    }
    z->kept = z->on || !all;
    return all;
}

void uart_zone_close(struct door *door)
{
    struct uart_zone *z = &door->uart.zone;

    if (z->on)
        set(door, false);
    *z = (struct uart_zone){0};
}

uint64_t uart_zone_deadline(const struct door *door)
{
    return door->uart.zone.on ? vmm_now_ms() + FLUSH_MS : UINT64_MAX;
}
