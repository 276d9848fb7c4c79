/* SPDX-License-Identifier: MIT */
/* Consoles that come and go while a domain runs: ports of its virtio-consoles. */
#include "domain_door.h"
#include "host/name.h"
#include "vmm.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct door *find(struct domain *d, const char *name)
{
    for (uint32_t i = 0; i < d->n_doors; i++)
        if (!d->doors[i]->absent && strcmp(d->doors[i]->config->name, name) == 0)
            return d->doors[i];
    return NULL;
}

static int may_add(struct domain *d, const struct config_console *c, struct problem *p)
{
    const struct domain_virtio *all = &d->virtio;

    if (!door_is_virtio(c->door))
        return problem_set(p, -1, "type %s: only consoles of type virtio and virtio-port come and go",
                           config_door_word(c->door));
    if (memchr(c->name, '\0', sizeof c->name) == NULL || !name_ok(c->name))
        return problem_set(p, -1, "expected a name: 1 to 32 of A-Z a-z 0-9 . _ -, a letter or digit first");
    if (find(d, c->name) != NULL)
        return problem_set(p, -1, "there is a console \"%s\" already", c->name);
    if (c->device >= all->n || all->devices[c->device].n_ports == 0)
        return problem_set(
            p, -1, "there is no virtio device %" PRIu32 ": a domain has those that its configuration names", c->device);
    if (d->save != NULL)
        return problem_set(p, -1, "the domain is being saved");
    return 0;
}

/* A number that is nobody's, behind those of the configuration. */
static struct door *free_door(struct domain *d)
{
    struct door *door;

    for (uint32_t i = d->config->n_consoles; i < d->n_doors; i++)
        if (d->doors[i]->absent && !d->doors[i]->closing)
            return d->doors[i];
    if (d->n_doors == d->n_doors_max)
        return NULL;
    door = calloc(1, sizeof *door);
    if (door == NULL)
        return NULL;
    door->domain = d;
    door->number = d->n_doors;
    door->absent = true;
    d->doors[d->n_doors++] = door;
    return door;
}

/* The loop alone gives ports to doors, so that no lock is needed to look. */
static bool free_port(const struct virtio_device *v, uint32_t *port)
{
    for (*port = 0; *port < v->n_ports; ++*port)
        if (v->doors[*port] == NULL)
            return true;
    return false;
}

/* Its handles are closed: the number is free. */
static void closed(void *ctx)
{
    struct door *door = ctx;

    door_free(door);
    door->closing = false;
}

/* Its name is free, and nobody asks anything of it any more. */
static void leave(struct door *door)
{
    door->absent = door->closing = true;
    door->leaving = false;
    if (door->pump.ready)
        pump_finish_then(&door->pump, closed);
    else
        closed(door);
}

/* It was not whole. */
static void undo(struct door *door)
{
    if (door->virtio.device != NULL) {
        console_lock(&door->console);
        virtio_unplug(door);
        console_unlock(&door->console);
    }
    leave(door);
}

static bool runs(const struct domain *d) { return d->state == DOMAIN_RUNNING; }

int domain_console_add(struct domain *d, const struct config_console *c, struct problem *p)
{
    struct door *door;
    uint32_t port;

    if (may_add(d, c, p) != 0)
        return -1;
    if (!free_port(&d->virtio.devices[c->device], &port))
        return problem_set(p, -1, "all %" PRIu32 " ports of virtio device %" PRIu32 " are taken",
                           d->virtio.devices[c->device].n_ports, c->device);
    door = free_door(d);
    if (door == NULL)
        return problem_set(p, -1, "no memory");
    door->own = (struct config_console){.door = c->door, .device = c->device, .port = port};
    memcpy(door->own.name, c->name, sizeof door->own.name);
    door->config = &door->own;
    door->absent = door->leaving = door->linked = false;
    door->dropped_told = 0;
    door->virtio = (struct door_virtio){0};
    if (door_init(door, p) != 0) {
        undo(door);
        return -1;
    }
    console_lock(&door->console);
    if (runs(d))
        virtio_plug(door);
    console_unlock(&door->console);
    link_console_added(&d->vmm->link, d, door->number);
    return 0;
}

/* ---- It goes. ---- */

int domain_console_remove(struct domain *d, const char *name, struct problem *p)
{
    struct door *door = find(d, name);

    if (door == NULL || door->leaving)
        return problem_set(p, -1, door == NULL ? "no such console" : "it is going already");
    if (!door_is_virtio(door->config->door))
        return problem_set(p, -1, "it is of type %s: only consoles of type virtio and virtio-port come and go",
                           config_door_word(door->config->door));
    if (door->number == 0)
        return problem_set(p, -1, "it is the first console of its domain, which every domain has");
    if (d->save != NULL)
        return problem_set(p, -1, "the domain is being saved");
    console_lock(&door->console);
    virtio_unplug(door);
    console_post(&door->console, VC_LINE_CLOSE, VC_DOMAIN_OFF);
    door->leave_ms =
        door->console.hold_ms == CONFIG_HOLD_FOREVER ? UINT64_MAX : vmm_now_ms() + (uint64_t)door->console.hold_ms;
    console_unlock(&door->console);
    door->leaving = true;
    door_work(door);
    return 0;
}

void domain_console_left(struct door *door)
{
    struct domain *d = door->domain;
    bool left;

    console_lock(&door->console);
    left = !door->linked || console_delivered(&door->console) || vmm_now_ms() >= door->leave_ms;
    console_unlock(&door->console);
    if (!left)
        return;
    leave(door);
    link_console_removed(&d->vmm->link, d, door->number);
}

void domain_console_resize(struct domain *d, uint32_t number, unsigned rows, unsigned columns)
{
    struct door *door = number < d->n_doors && !d->doors[number]->absent ? d->doors[number] : NULL;

    if (number == 0 && d->ops->resize != NULL && d->engine != NULL)
        d->ops->resize(d->engine, rows, columns);
    if (door == NULL || !door_is_virtio(door->config->door))
        return;
    console_lock(&door->console);
    virtio_resize(door, rows, columns);
    console_unlock(&door->console);
}
