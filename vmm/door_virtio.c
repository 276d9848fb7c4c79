/* SPDX-License-Identifier: MIT */
#include "door_virtio.h"
#include "domain_door.h"
#include "vmm.h"
#include <stdlib.h>
#include <vcons/atomic.h>

#define COPY_BYTES    4096u
#define LAST_CALLS    16u    /* 4 MiB */
#define INPUT_AT_ONCE 65536u /* a service that types faster than that is not all that the loop has to do */

static struct vc_virtio_console *device_of(struct door *door) { return &door->virtio.device->console; }

int virtio_hold_ms(enum config_door door, int hold_ms)
{
    if (door == DOOR_VIRTIO_PORT)
        return hold_ms;
    return hold_ms == CONFIG_HOLD_FOREVER || hold_ms > DOOR_VIRTIO_HOLD_MS ? DOOR_VIRTIO_HOLD_MS : hold_ms;
}

void virtio_place(struct door *door)
{
    struct virtio_device *v = &door->domain->virtio.devices[door->config->device];

    door->virtio = (struct door_virtio){.device = v};
    console_share_lock(&door->console, &v->lock);
    pthread_mutex_lock(&v->lock);
    v->doors[door->config->port] = door;
    pthread_mutex_unlock(&v->lock);
}

/* Of its configuration nothing is wrong: the port is free, the name a console's. */
void virtio_plug(struct door *door)
{
    struct door_virtio *p = &door->virtio;
    const struct config_console *c = door->config;
    struct vc_virtio_port_config config = {.name = c->name,
                                           .console = c->door == DOOR_VIRTIO,
                                           .host_open = true,
                                           .cols = p->columns,
                                           .rows = p->rows,
                                           .place = door->number};

    p->n_input = p->at_input = 0;
    p->out_waits = false;
    p->plugged = true;
    vc_virtio_console_add(device_of(door), c->port, &config);
    if (!config.console)
        virtio_bell_add(p->device, c->port);
    virtio_settle(p->device);
}

void virtio_unplug(struct door *door)
{
    struct door_virtio *p = &door->virtio;
    uint64_t dropped = device_of(door)->dropped;

    if (p->plugged && p->device->open)
        vc_virtio_console_remove(device_of(door), door->config->port);
    virtio_bell_remove(p->device, door->config->port);
    if (p->plugged)
        door->console.dropped += device_of(door)->dropped - dropped;
    p->plugged = false;
    p->device->doors[door->config->port] = NULL;
    if (p->device->open)
        virtio_settle(p->device);
}

/* ---- Output. ---- */

/* What is shown is read once more: from a copy. */
static uint32_t put_copies(struct door *door, const uint8_t *bytes, uint32_t n)
{
    uint8_t copy[COPY_BYTES];
    uint32_t done = 0, part, taken;

    do {
        part = n - done < sizeof copy ? n - done : (uint32_t)sizeof copy;
        vc_copy_once(copy, bytes + done, part);
        taken = console_put(&door->console, copy, part);
        done += taken;
    } while (taken == part && done < n);
    return done;
}

uint32_t virtio_out(struct door *door, const uint8_t *bytes, uint32_t n)
{
    uint32_t taken = door->number == 0 ? put_copies(door, bytes, n) : console_put(&door->console, bytes, n);

    door->virtio.took |= taken > 0;
    door->virtio.out_waits |= taken < n;
    return taken;
}

void virtio_emergency(struct door *door, uint8_t byte)
{
    if (console_put_now(&door->console, &byte, 1))
        door_ask_for_a_look(door); /* what was held is so no longer */
}

/* ---- Input. ---- */

bool virtio_is_open(struct door *door)
{
    const struct door_virtio *p = &door->virtio;

    return p->plugged && p->device->open && vc_virtio_console_guest_open(device_of(door), door->config->port);
}

/* It leaves the line only when the guest has opened the port, and taken all that left it before. */
void virtio_offer_input(struct door *door)
{
    struct door_virtio *p = &door->virtio;
    uint32_t all = 0;

    while (p->plugged && vc_virtio_console_guest_open(device_of(door), door->config->port)) {
        if (p->at_input == p->n_input) {
            p->at_input = 0;
            p->n_input = door_get(door, p->input, sizeof p->input);
        }
        if (p->n_input == 0)
            return;
        if ((all += p->n_input - p->at_input) > INPUT_AT_ONCE) {
            door_ask_for_a_look(door);
            return;
        }
        p->at_input += vc_virtio_console_input(device_of(door), door->config->port, p->input + p->at_input,
                                               p->n_input - p->at_input);
        if (p->at_input < p->n_input)
            return; /* input_room tells */
    }
}

void virtio_resize(struct door *door, unsigned rows, unsigned columns)
{
    struct door_virtio *p = &door->virtio;

    p->rows = (uint16_t)(rows <= UINT16_MAX ? rows : UINT16_MAX);
    p->columns = (uint16_t)(columns <= UINT16_MAX ? columns : UINT16_MAX);
    if (!p->plugged || !p->device->open || p->device->frozen || door->config->door != DOOR_VIRTIO)
        return; /* virtio_serve tells later */
    vc_virtio_console_resize(device_of(door), door->config->port, p->columns, p->rows);
    virtio_settle(p->device);
}

/* Of a guest that has stopped nobody comes back for what one call may not take: as much of it as Linux can have sent. */
static void take_output(struct door *door)
{
    unsigned calls = domain_stopping(door->domain) ? LAST_CALLS : 1;

    do {
        door->virtio.took = false;
        vc_virtio_console_output_room(device_of(door), door->config->port);
    } while (--calls > 0 && door->virtio.took && !door->virtio.out_waits);
}

bool virtio_serve(struct door *door)
{
    struct door_virtio *p = &door->virtio;

    if (!p->plugged || !p->device->open || p->device->frozen)
        return true;
    p->out_waits = false;
    virtio_resize(door, p->rows, p->columns);
    take_output(door);
    if (!domain_stopping(door->domain))
        virtio_offer_input(door);
    virtio_settle(p->device);
    return !p->out_waits;
}

/* What the guest has not taken was typed before all else that waits. */
int virtio_put_back(struct door *door)
{
    struct door_virtio *p = &door->virtio;
    int result = door_keep_first(door, p->input + p->at_input, p->n_input - p->at_input);

    p->n_input = p->at_input = 0;
    return result;
}
