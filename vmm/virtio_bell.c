/* SPDX-License-Identifier: MIT */
#include "domain_private.h"
#include "virtio_private.h"
#include "vmm.h"
#include <sys/eventfd.h>
#include <unistd.h>
#include <vcons/wire/virtio.h>

static bool has(const struct virtio_bell *b, uint32_t port) { return (b->ports[port / 64] >> port % 64 & 1) != 0; }

/* [locked] Nobody says which queue it was; one that has nothing new costs a look at its index. */
static void serve(struct virtio_device *v)
{
    v->bell.missed = v->frozen;
    if (!v->open || v->frozen)
        return;
    for (uint32_t port = 0; port < v->n_ports; port++)
        if (has(&v->bell, port))
            vc_virtio_mmio_notify(&v->console.mmio, VIRTIO_CONSOLE_TX(port));
    virtio_settle(v);
}

static void rang(uv_poll_t *poll, int status, int events)
{
    struct virtio_device *v = poll->data;
    uint64_t times;

    (void)status, (void)events;
    if (read(v->bell.fd, &times, sizeof times) != sizeof times)
        return;
    pthread_mutex_lock(&v->lock);
    serve(v);
    pthread_mutex_unlock(&v->lock);
}

void virtio_bell_init(struct virtio_device *v)
{
    struct virtio_bell *b = &v->bell;
    uv_loop_t *loop = &v->domain->vmm->loop;

    b->fd = v->n_ports > 0 && v->domain->ops->doorbell != NULL ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (b->fd < 0)
        return;
    if (uv_poll_init(loop, &b->poll, b->fd) != 0) {
        close(b->fd);
        b->fd = -1;
        return;
    }
    b->poll.data = v;
    b->has_handle = true;
    uv_poll_start(&b->poll, UV_READABLE, rang);
}

void virtio_bell_finish(struct virtio_device *v)
{
    if (v->bell.has_handle)
        uv_close((uv_handle_t *)&v->bell.poll, NULL);
    v->bell.has_handle = false;
}

void virtio_bell_free(struct virtio_device *v)
{
    if (v->bell.fd >= 0)
        close(v->bell.fd);
}

void virtio_bell_reset(struct virtio_device *v)
{
    for (uint32_t i = 0; i < VC_VIRTIO_WORDS; i++)
        v->bell.ports[i] = 0;
    v->bell.missed = false;
}

static bool tell(struct virtio_device *v, uint32_t port, int fd)
{
    struct domain *d = v->domain;

    return d->ops->doorbell(d->engine, v->place.address + VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_CONSOLE_TX(port), fd);
}

void virtio_bell_add(struct virtio_device *v, uint32_t port)
{
    if (v->bell.fd >= 0 && tell(v, port, v->bell.fd))
        v->bell.ports[port / 64] |= UINT64_C(1) << port % 64;
}

void virtio_bell_remove(struct virtio_device *v, uint32_t port)
{
    if (!has(&v->bell, port))
        return;
    tell(v, port, -1);
    serve(v); /* it may have rung just before, and nobody would look again */
    v->bell.ports[port / 64] &= ~(UINT64_C(1) << port % 64);
}

void virtio_bell_catch_up(struct virtio_device *v)
{
    if (v->bell.missed)
        serve(v);
}
