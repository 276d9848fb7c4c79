/* SPDX-License-Identifier: MIT */
/* All consoles of one domain together, and the streams of engines that have only one. */
#include "domain_door.h"

int doors_init(struct domain *d, struct problem *problem)
{
    bool has_primary = false;
    uint32_t n_uarts = 0;

    d->io_door = NULL;
    for (uint32_t i = 0; i < d->config->n_consoles; i++) {
        struct door *door = &d->doors[i];

        door->domain = d;
        door->number = i;
        door->config = &d->config->consoles[i];
        door->is_primary = door->config->door == DOOR_XEN && !has_primary;
        has_primary |= door->is_primary;
        if (door->config->door == DOOR_CONSOLE_IO || (d->io_door == NULL && !door_is_uart(door->config->door)))
            d->io_door = door;
        if (door_is_uart(door->config->door))
            uart_place(door, n_uarts++);
        d->n_doors = i + 1;
        if (door_init(door, problem) != 0)
            return -1;
    }
    if (d->io_door == NULL) /* UARTs alone: the two would be one stream on a Xen, too */
        d->io_door = &d->doors[0];
    return 0;
}

void doors_finish(struct domain *d)
{
    for (uint32_t i = 0; i < d->n_doors; i++)
        pump_finish(&d->doors[i].pump);
}

void doors_free(struct domain *d)
{
    for (uint32_t i = 0; i < d->n_doors; i++)
        door_free(&d->doors[i]);
}

int doors_open(struct domain *d, struct problem *problem)
{
    for (uint32_t i = 0; i < d->n_doors; i++)
        if (door_open(&d->doors[i], problem) != 0)
            return -1;
    return 0;
}

bool doors_drained(struct domain *d)
{
    bool drained = true;

    for (uint32_t i = 0; i < d->n_doors; i++) {
        console_lock(&d->doors[i].console);
        drained = door_serve(&d->doors[i]) && drained;
        console_unlock(&d->doors[i].console);
    }
    return drained;
}

void doors_close(struct domain *d, bool for_good)
{
    for (uint32_t i = 0; i < d->n_doors; i++)
        door_close(&d->doors[i], for_good);
}

void doors_again(struct domain *d)
{
    for (uint32_t i = 0; i < d->n_doors; i++)
        door_again(&d->doors[i]);
}

void doors_post(struct domain *d, enum vc_line_event_kind kind, uint64_t value)
{
    for (uint32_t i = 0; i < d->n_doors; i++) {
        console_lock(&d->doors[i].console);
        console_post(&d->doors[i].console, kind, value);
        console_unlock(&d->doors[i].console);
    }
}

bool doors_quiet_look(struct domain *d, bool yields)
{
    bool any = false;

    for (uint32_t i = 0; i < d->n_doors; i++)
        if (atomic_load(&d->doors[i].quiet.on))
            any = door_quiet_look(&d->doors[i], yields) || any;
    return any;
}

void doors_wake(struct domain *d)
{
    for (uint32_t i = 0; i < d->n_doors; i++) {
        console_lock(&d->doors[i].console);
        pthread_cond_broadcast(&d->doors[i].console.room);
        console_unlock(&d->doors[i].console);
    }
}

void doors_look(struct domain *d)
{
    for (uint32_t i = 0; i < d->n_doors; i++)
        if (atomic_exchange(&d->doors[i].look, false))
            door_work(&d->doors[i]);
}

/* ---- What the rest of the VMM asks. ---- */

void domain_typed(struct domain *d)
{
    if (d->state == DOMAIN_RUNNING)
        door_input(&d->doors[0]);
}

void domain_linked(struct domain *d, uint32_t number, bool linked) { door_linked(&d->doors[number], linked); }

void domain_give_up(struct domain *d)
{
    for (uint32_t i = 0; i < d->n_doors; i++) {
        console_lock(&d->doors[i].console);
        d->doors[i].console.hold_ms = 0;
        console_unlock(&d->doors[i].console);
        door_work(&d->doors[i]);
    }
}

bool domain_delivered(struct domain *d)
{
    bool all = true;

    for (uint32_t i = 0; all && i < d->n_doors; i++) {
        console_lock(&d->doors[i].console);
        all = console_delivered(&d->doors[i].console);
        console_unlock(&d->doors[i].console);
    }
    return all;
}

bool domain_held(struct domain *d)
{
    bool any = false;

    for (uint32_t i = 0; !any && i < d->n_doors; i++) {
        console_lock(&d->doors[i].console);
        any = d->doors[i].console.flow == CONSOLE_HELD;
        console_unlock(&d->doors[i].console);
    }
    return any;
}

/* ---- Streams: engines whose guest is a program on a pty. ---- */

size_t domain_stream_put(struct domain *d, const void *bytes, size_t n)
{
    struct console *console = &d->doors[0].console;
    uint32_t taken;

    console_lock(console);
    taken = console_put(console, bytes, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n);
    console_unlock(console);
    return taken;
}

size_t domain_stream_get(struct domain *d, void *bytes, size_t n)
{
    return door_read(&d->doors[0], bytes, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n);
}
