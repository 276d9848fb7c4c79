/* SPDX-License-Identifier: MIT */
/* One virtio-console: what core's device asks of its domain, under its lock. */
#include "virtio_device.h"
#include "domain_private.h"
#include "virtio_private.h"
#include "vmm.h"
#include <stdlib.h>
#include <string.h>

static void *at(void *ctx, uint64_t gpa, uint32_t n, bool write)
{
    (void)write; /* all of RAM is the guest's to write */
    return memory_at(&((struct virtio_device *)ctx)->domain->memory, gpa, n);
}

static void irq(void *ctx, bool level)
{
    struct virtio_device *v = ctx;
    struct domain *d = v->domain;

    d->ops->irq_line(d->engine, v->place.line, level);
}

static uint32_t out(void *ctx, uint32_t port, const uint8_t *bytes, uint32_t n)
{
    return virtio_out(((struct virtio_device *)ctx)->doors[port], bytes, n);
}

static void emergency(void *ctx, uint32_t port, uint8_t byte)
{
    virtio_emergency(((struct virtio_device *)ctx)->doors[port], byte);
}

static void input_room(void *ctx, uint32_t port)
{
    ((struct virtio_device *)ctx)->hungry[port / 64] |= UINT64_C(1) << port % 64;
}

/* Input was held back until now; a port that was removed is nobody's any more. */
static void opened(void *ctx, uint32_t port, bool open)
{
    struct virtio_device *v = ctx;
    struct door *door = v->doors[port];

    if (door == NULL)
        return;
    if (open)
        input_room(v, port);
    if (!v->restoring)
        console_post(&door->console, open ? VC_LINE_OPEN : VC_LINE_CLOSE, open ? 0 : VC_DOMAIN_RUNNING);
}

/* Of the device as a whole the first of its consoles tells. */
static void broken(void *ctx, uint32_t port, enum vc_virtio_reason reason)
{
    struct virtio_device *v = ctx;

    if (port == VC_VIRTIO_NO_PORT)
        for (port = 0; port < v->n_ports && v->doors[port] == NULL; port++)
            continue;
    if (port < v->n_ports && v->doors[port] != NULL)
        console_post(&v->doors[port]->console, VC_LINE_BROKEN, reason);
}

static void later(void *ctx) { virtio_ask_for_a_look(ctx); }

static void in_a_while(void *ctx)
{
    struct virtio_device *v = ctx;

    if (!atomic_exchange(&v->soon, true)) /* else the loop knows */
        vmm_notify(v->domain->vmm);
}

static const struct vc_virtio_console_env device_env = {.bus = {.at = at, .irq = irq},
                                                        .out = out,
                                                        .emergency = emergency,
                                                        .input_room = input_room,
                                                        .guest_open = opened,
                                                        .broken = broken,
                                                        .later = later,
                                                        .in_a_while = in_a_while};

void virtio_ask_for_a_look(struct virtio_device *v)
{
    atomic_store(&v->look, true);
    vmm_notify(v->domain->vmm);
}

void virtio_settle(struct virtio_device *v)
{
    for (uint32_t i = 0; i < VC_VIRTIO_WORDS; i++)
        while (v->hungry[i] != 0) {
            uint32_t port = i * 64 + (uint32_t)__builtin_ctzll(v->hungry[i]);

            v->hungry[i] &= v->hungry[i] - 1;
            if (v->doors[port] != NULL)
                virtio_offer_input(v->doors[port]);
        }
}

int virtio_device_init(struct virtio_device *v, struct domain *d, uint32_t number)
{
    v->domain = d;
    v->number = number;
    v->n_ports = d->config->virtio_ports[number];
    pthread_mutex_init(&v->lock, NULL);
    virtio_bell_init(v);
    if (v->n_ports == 0)
        return 0;
    d->ops->virtio(number, &v->place); /* it could: the configuration was checked */
    v->memory = malloc(vc_virtio_console_bytes(v->n_ports));
    v->doors = calloc(v->n_ports, sizeof(struct door *));
    return v->memory != NULL && v->doors != NULL ? 0 : -1;
}

void virtio_device_free(struct virtio_device *v)
{
    virtio_bell_free(v);
    free(v->doors);
    free(v->memory);
    pthread_mutex_destroy(&v->lock);
}

void virtio_device_open(struct virtio_device *v)
{
    struct domain *d = v->domain;
    struct vc_virtio_console_config config = {
        .ports = v->n_ports, .rows_first = d->config->virtio_rows_first, .announce = &d->virtio.announce};

    if (v->n_ports == 0)
        return;
    pthread_mutex_lock(&v->lock);
    memset(v->hungry, 0, sizeof v->hungry);
    v->frozen = v->restoring = false;
    virtio_bell_reset(v);
    vc_virtio_console_init(&v->console, &config, &device_env, v, v->memory); /* a legal number of ports */
    v->open = true;
    pthread_mutex_unlock(&v->lock);
}

void virtio_device_close(struct virtio_device *v)
{
    pthread_mutex_lock(&v->lock);
    v->open = false;
    virtio_bell_reset(v);
    pthread_mutex_unlock(&v->lock);
}

void virtio_device_serve(struct virtio_device *v)
{
    pthread_mutex_lock(&v->lock);
    if (v->open && !v->frozen) {
        vc_virtio_console_serve(&v->console);
        virtio_bell_catch_up(v);
        virtio_settle(v);
    }
    pthread_mutex_unlock(&v->lock);
}

void virtio_device_access(struct virtio_device *v, uint64_t offset, uint32_t width, uint64_t *value, bool write)
{
    uint32_t read = 0;

    pthread_mutex_lock(&v->lock);
    if (v->open && write)
        vc_virtio_mmio_write(&v->console.mmio, offset, width, (uint32_t)*value);
    else if (v->open)
        vc_virtio_mmio_read(&v->console.mmio, offset, width, &read);
    if (v->open)
        virtio_settle(v);
    pthread_mutex_unlock(&v->lock);
    if (!write)
        *value = read;
}
