/* SPDX-License-Identifier: MIT */
/* All consoles of one domain together, and the streams of engines that have only one. */
#include "domain_door.h"
#include <stdlib.h>

/* Those that can come while it runs are made when they do. */
static int make_doors(struct domain *d, struct problem *problem)
{
    d->n_doors_max = d->config->n_consoles;
    for (uint32_t i = 0; i < CONFIG_VIRTIO_MAX; i++)
        d->n_doors_max += d->config->virtio_ports[i];
    d->doors = calloc(d->n_doors_max, sizeof(struct door *));
    for (uint32_t i = 0; d->doors != NULL && i < d->config->n_consoles; i++) {
        d->doors[i] = calloc(1, sizeof *d->doors[i]);
        if (d->doors[i] == NULL)
            break;
        d->doors[i]->absent = true;
        d->n_doors++;
    }
    return d->n_doors == d->config->n_consoles ? 0 : problem_set(problem, -1, "no memory");
}

int doors_init(struct domain *d, struct problem *problem)
{
    bool has_primary = false;
    uint32_t n_uarts = 0;

    d->io_door = NULL;
    if (make_doors(d, problem) != 0 || virtio_init(d, problem) != 0)
        return -1;
    for (uint32_t i = 0; i < d->n_doors; i++) {
        struct door *door = d->doors[i];

        door->domain = d;
        door->number = i;
        door->config = &d->config->consoles[i];
        door->is_primary = door->config->door == DOOR_XEN && !has_primary;
        has_primary |= door->is_primary;
        if (door->config->door == DOOR_CONSOLE_IO ||
            (d->io_door == NULL && !door_is_uart(door->config->door) && !door_is_virtio(door->config->door)))
            d->io_door = door;
        if (door_is_uart(door->config->door))
            uart_place(door, n_uarts++);
        door->absent = false;
        if (door_init(door, problem) != 0)
            return -1;
    }
    if (d->io_door == NULL) /* devices alone: the two would be one stream on a Xen, too */
        d->io_door = d->doors[0];
    return 0;
}

/* Loop: the first door from number on that is there, which number names then; NULL: no more. */
static struct door *next_door(struct domain *d, uint32_t *number)
{
    while (*number < d->n_doors && d->doors[*number]->absent)
        ++*number;
    return *number < d->n_doors ? d->doors[*number] : NULL;
}
#define FOR_DOORS(door, d) for (uint32_t i_ = 0; ((door) = next_door(d, &i_)) != NULL; i_++)

void doors_finish(struct domain *d)
{
    struct door *door;

    FOR_DOORS(door, d) pump_finish(&door->pump);
    virtio_finish(d);
}

void doors_free(struct domain *d)
{
    for (uint32_t i = 0; i < d->n_doors; i++) {
        if (!d->doors[i]->absent)
            door_free(d->doors[i]);
        free(d->doors[i]);
    }
    free(d->doors);
    virtio_free(d);
}

int doors_open(struct domain *d, struct problem *problem)
{
    struct door *door;

    virtio_open(d);
    FOR_DOORS(door, d)
    {
        if (!door->leaving && door_open(door, problem) != 0)
            return -1;
    }
    virtio_opened(d);
    return 0;
}

bool doors_drained(struct domain *d)
{
    struct door *door;
    bool drained = true;

    FOR_DOORS(door, d)
    {
        console_lock(&door->console);
        drained = door_serve(door) && drained;
        console_unlock(&door->console);
    }
    return drained;
}

void doors_close(struct domain *d, bool for_good)
{
    struct door *door;

    FOR_DOORS(door, d) door_close(door, for_good);
    virtio_close(d);
}

void doors_again(struct domain *d)
{
    struct door *door;

    FOR_DOORS(door, d) door_again(door);
}

void doors_post(struct domain *d, enum vc_line_event_kind kind, uint64_t value)
{
    struct door *door;

    FOR_DOORS(door, d)
    {
        console_lock(&door->console);
        if (!door->leaving)
            console_post(&door->console, kind, value);
        console_unlock(&door->console);
    }
}

uint32_t doors_in_use(struct domain *d)
{
    struct door *door;
    uint32_t n = 0;

    FOR_DOORS(door, d) n += !door->leaving;
    return n;
}

/* ---- In vCPUs' threads, which know the doors of the configuration alone. ---- */

bool doors_quiet_look(struct domain *d, bool yields)
{
    bool any = false;

    for (uint32_t i = 0; i < d->config->n_consoles; i++)
        if (atomic_load(&d->doors[i]->quiet.on))
            any = door_quiet_look(d->doors[i], yields) || any;
    return any;
}

/* Who writes to a port of virtio never waits; only to the first console others may write, too. */
void doors_wake(struct domain *d)
{
    for (uint32_t i = 0; i < d->config->n_consoles; i++) {
        struct console *console = &d->doors[i]->console;

        if (i > 0 && door_is_virtio(d->config->consoles[i].door))
            continue;
        console_lock(console);
        pthread_cond_broadcast(&console->room);
        console_unlock(console);
    }
}

void doors_look(struct domain *d)
{
    struct door *door;

    virtio_look(d);
    FOR_DOORS(door, d)
    {
        if (atomic_exchange(&door->look, false))
            door_work(door);
    }
}

/* ---- What the rest of the VMM asks. ---- */

void domain_typed(struct domain *d)
{
    if (d->state == DOMAIN_RUNNING)
        door_input(d->doors[0]);
}

enum vc_guest_end domain_guest_end(const struct domain *d, uint32_t number)
{
    struct door *door = d->doors[number];

    if (!door_is_virtio(door->config->door))
        return VC_GUEST_UNKNOWN;
    return virtio_is_open(door) ? VC_GUEST_OPEN : VC_GUEST_CLOSED;
}

void domain_linked(struct domain *d, uint32_t number, bool linked) { door_linked(d->doors[number], linked); }

void domain_give_up(struct domain *d)
{
    struct door *door;

    FOR_DOORS(door, d)
    {
        console_lock(&door->console);
        door->console.hold_ms = 0;
        console_unlock(&door->console);
        door_work(door);
    }
}

bool domain_delivered(struct domain *d)
{
    struct door *door;
    bool all = true;

    FOR_DOORS(door, d)
    {
        console_lock(&door->console);
        all = all && console_delivered(&door->console);
        console_unlock(&door->console);
    }
    return all;
}

bool domain_held(struct domain *d)
{
    struct door *door;
    bool any = false;

    FOR_DOORS(door, d)
    {
        console_lock(&door->console);
        any = any || door->console.flow == CONSOLE_HELD;
        console_unlock(&door->console);
    }
    return any;
}

/* ---- Streams: engines whose guest is a program on a pty. ---- */

size_t domain_stream_put(struct domain *d, const void *bytes, size_t n)
{
    struct console *console = &d->doors[0]->console;
    uint32_t taken;

    console_lock(console);
    taken = console_put(console, bytes, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n);
    console_unlock(console);
    return taken;
}

size_t domain_stream_get(struct domain *d, void *bytes, size_t n)
{
    return door_read(d->doors[0], bytes, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n);
}
