/* SPDX-License-Identifier: MIT */
#include "virtio_console.h"
#include <vcons/save.h>

enum { /* of a queue, and of a port, as saved */
       QUEUE_READY = 1,
       QUEUE_BROKEN = 2,
       PORT_PLUGGED = 1,
       PORT_CONSOLE = 2,
       PORT_HOST = 4,
       PORT_TOLD = 8,
       PORT_READY = 16,
       PORT_OPEN = 32,
       PORT_FLAGS = 63,
};
enum {
    STATUS_BITS = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK |
                  VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_NEEDS_RESET | VIRTIO_STATUS_FAILED,
    INTERRUPT_BITS = VIRTIO_MMIO_INT_USED | VIRTIO_MMIO_INT_CONFIG
};

/* ---- Saving. ---- */

static void save_queue(const struct vc_virtqueue *q, struct vc_writer *w)
{
    vc_write_u64(w, q->desc);
    vc_write_u64(w, q->driver);
    vc_write_u64(w, q->device);
    vc_write_u32(w, q->size);
    vc_write_u32(w, (q->ready ? QUEUE_READY : 0) | (q->broken ? QUEUE_BROKEN : 0));
    vc_write_u32(w, q->last_avail); /* used in order, all of them published: one index says it all */
}

static void save_port(const struct vc_virtio_port *p, struct vc_writer *w)
{
    vc_write_u32(w, (p->plugged ? PORT_PLUGGED : 0) | (p->console ? PORT_CONSOLE : 0) | (p->host_open ? PORT_HOST : 0) |
                        (p->told ? PORT_TOLD : 0) | (p->ready ? PORT_READY : 0) | (p->open ? PORT_OPEN : 0));
    vc_write_u32(w, p->owed);
    vc_write_u32(w, p->answers);
    vc_write_u32(w, p->at);
    vc_write_u32(w, p->cols);
    vc_write_u32(w, p->rows);
}

void vc_virtio_console_save(struct vc_virtio_console *c, struct vc_writer *w)
{
    struct vc_virtio_mmio *m = &c->mmio;
    size_t begun = vc_write_begin(w, VC_SAVE_VIRTIO_CONSOLE, 1);

    for (uint32_t i = 0; i < m->n_queues; i++)
        vc_virtio_publish(m, &m->queues[i]); /* it may be kept until there is more of it */
    vc_write_u32(w, c->config.ports);
    vc_write_u64(w, m->offered);
    vc_write_u64(w, m->accepted);
    vc_write_u32(w, m->status);
    vc_write_u32(w, m->device_sel);
    vc_write_u32(w, m->driver_sel);
    vc_write_u32(w, m->queue_sel);
    vc_write_u32(w, m->interrupt);
    vc_write_u32(w, m->generation);
    vc_write_u32(w, m->beyond);
    vc_write_u32(w, c->ready);
    vc_write_u32(w, c->next_sender);
    for (uint32_t i = 0; i < m->n_queues; i++)
        save_queue(&m->queues[i], w);
    for (uint32_t i = 0; i < c->config.ports; i++)
        save_port(&c->ports[i], w);
    vc_write_end(w, begun);
}

/* ---- Restoring: all is read and checked first, then read once more and taken. ---- */

struct saved { /* of the device itself */
    struct vc_virtio_mmio mmio;
    bool multiport, running;
    uint32_t ready, next_sender;
};

static bool status_legal(const struct vc_virtio_mmio *m)
{
    bool features = (m->status & VIRTIO_STATUS_FEATURES_OK) != 0;

    if ((m->status & ~(uint32_t)STATUS_BITS) != 0 || (features && !vc_virtio_features_legal(m)))
        return false;
    return vc_virtio_running(m) ? features : m->interrupt == 0;
}

static bool read_device(const struct vc_virtio_console *c, struct vc_reader *r, struct saved *to)
{
    struct vc_virtio_mmio *m = &to->mmio;
    uint32_t ports = vc_read_u32(r), beyond;
    uint64_t offered = vc_read_u64(r);

    *m = c->mmio;
    m->accepted = vc_read_u64(r);
    m->status = vc_read_u32(r);
    m->device_sel = vc_read_u32(r);
    m->driver_sel = vc_read_u32(r);
    m->queue_sel = vc_read_u32(r);
    m->interrupt = vc_read_u32(r);
    m->generation = vc_read_u32(r);
    beyond = vc_read_u32(r);
    m->beyond = beyond != 0;
    to->ready = vc_read_u32(r);
    to->next_sender = vc_read_u32(r);
    to->running = vc_virtio_running(m);
    to->multiport = vc_virtio_negotiated(m, VIRTIO_CONSOLE_F_MULTIPORT);
    return ports == c->config.ports && offered == m->offered && beyond <= 1 && to->ready <= 1 &&
           to->next_sender < ports && (m->interrupt & ~(uint32_t)INTERRUPT_BITS) == 0 && status_legal(m) &&
           (to->ready == 0 || (to->running && to->multiport));
}

static bool read_queue(const struct vc_virtio_console *c, const struct saved *s, uint32_t i, struct vc_reader *r,
                       struct vc_virtqueue *q)
{
    uint32_t flags, taken;

    *q = (struct vc_virtqueue){.desc = vc_read_u64(r)};
    q->driver = vc_read_u64(r);
    q->device = vc_read_u64(r);
    q->size = vc_read_u32(r);
    flags = vc_read_u32(r);
    taken = vc_read_u32(r);
    if (flags == 0)
        return taken == 0;
    if ((flags & ~(uint32_t)(QUEUE_READY | QUEUE_BROKEN)) != 0 || (flags & QUEUE_READY) == 0 || taken > UINT16_MAX)
        return false;
    if ((!s->running && (taken != 0 || flags != QUEUE_READY)) || (i >= 2 && !s->multiport))
        return false;
    if ((flags & QUEUE_BROKEN) != 0 && (s->mmio.status & VIRTIO_STATUS_NEEDS_RESET) == 0)
        return false;
    if (vc_virtqueue_start(q, &c->env->bus, c->ctx, s->mmio.size_max) != VC_OK)
        return false;
    q->last_avail = q->seen = q->used = q->published = (uint16_t)taken;
    q->broken = (flags & QUEUE_BROKEN) != 0;
    q->indirect = s->running && vc_virtio_negotiated(&s->mmio, VIRTIO_F_INDIRECT_DESC);
    q->event_idx = s->running && vc_virtio_negotiated(&s->mmio, VIRTIO_F_EVENT_IDX);
    return true;
}

static bool port_legal(const struct saved *s, uint32_t i, uint32_t flags, uint32_t owed)
{
    bool plugged = (flags & PORT_PLUGGED) != 0, knows = (flags & (PORT_TOLD | PORT_READY | PORT_OPEN)) != 0;

    if ((flags & ~(uint32_t)PORT_FLAGS) != 0 || (owed & ~(uint32_t)OWED_ALL) != 0)
        return false;
    if (!plugged && ((flags & ~(uint32_t)PORT_TOLD) != 0 || (owed & ~(uint32_t)OWED_REMOVE) != 0))
        return false;
    if (((flags & PORT_OPEN) != 0 && (flags & PORT_READY) == 0) ||
        ((flags & PORT_READY) != 0 && (flags & PORT_TOLD) == 0))
        return false;
    if ((owed & OWED_CONSOLE) != 0 && (flags & PORT_CONSOLE) == 0)
        return false;
    return !knows || (s->running && (s->multiport || i == 0));
}

/* *p: what is plugged here. What the guest was told otherwise it is told anew. */
static bool read_port(const struct saved *s, uint32_t i, struct vc_reader *r, struct vc_virtio_port *p)
{
    uint32_t flags = vc_read_u32(r), owed = vc_read_u32(r), cols, rows;

    p->answers = vc_read_u32(r);
    p->at = vc_read_u32(r);
    cols = vc_read_u32(r);
    rows = vc_read_u32(r);
    if (!port_legal(s, i, flags, owed) || cols > UINT16_MAX || rows > UINT16_MAX)
        return false;
    if (p->plugged != ((flags & PORT_PLUGGED) != 0) || p->console != ((flags & PORT_CONSOLE) != 0) ||
        (!s->running && (p->answers != 0 || p->at != 0)))
        return false;
    p->told = (flags & PORT_TOLD) != 0;
    p->ready = (flags & PORT_READY) != 0;
    p->open = (flags & PORT_OPEN) != 0;
    if (p->ready && (cols != p->cols || rows != p->rows))
        owed |= OWED_RESIZE;
    if (p->ready && p->host_open != ((flags & PORT_HOST) != 0))
        owed |= OWED_OPEN;
    p->owed = (uint8_t)owed;
    return true;
}

static bool read_all(struct vc_virtio_console *c, struct vc_reader r, struct saved *s, bool take)
{
    if (!read_device(c, &r, s))
        return false;
    for (uint32_t i = 0; i < s->mmio.n_queues; i++) {
        struct vc_virtqueue q;

        if (!read_queue(c, s, i, &r, &q))
            return false;
        if (take)
            c->mmio.queues[i] = q;
    }
    for (uint32_t i = 0; i < c->config.ports; i++) {
        struct vc_virtio_port p = c->ports[i];

        if (!read_port(s, i, &r, &p))
            return false;
        if (take)
            c->ports[i] = p;
    }
    return vc_reader_done(&r);
}

/* Where the guest is with its consoles: init and add said that all are expected. */
static void tell_announce(struct vc_virtio_console *c, uint32_t i, bool single)
{
    const struct vc_virtio_port *p = &c->ports[i];
    bool failed = p->told && !p->ready && p->answers == 0; /* the guest could not make it */

    if (!p->plugged || !p->console || c->config.announce == NULL)
        return;
    if (single || p->open || failed)
        vc_announce_done(c->config.announce, p->place);
    else if (p->ready)
        vc_announce_ready(c->config.announce, p->place);
}

/* Without MULTIPORT there are no messages: the size is in the configuration. */
static void tell_single(struct vc_virtio_console *c)
{
    bool resized = (c->ports[0].owed & OWED_RESIZE) != 0;

    c->ports[0].owed &= (uint8_t) ~(OWED_RESIZE | OWED_OPEN);
    if (resized && vc_virtio_negotiated(&c->mmio, VIRTIO_CONSOLE_F_SIZE))
        vc_virtio_config_changed(&c->mmio);
}

int vc_virtio_console_restore(struct vc_virtio_console *c, struct vc_section *s)
{
    struct saved saved;

    if (s->tag != VC_SAVE_VIRTIO_CONSOLE || s->version != 1 || !read_all(c, s->body, &saved, false))
        return VC_EINVAL;
    read_all(c, s->body, &saved, true);
    c->mmio = saved.mmio;
    c->ready = saved.ready != 0;
    c->next_sender = saved.next_sender;
    for (uint32_t i = 0; i < c->config.ports; i++) {
        vc_virtio_control_note(c, i);
        tell_announce(c, i, saved.running && !saved.multiport);
        if (c->ports[i].open)
            c->env->guest_open(c->ctx, i, true);
        if (c->mmio.queues[VIRTIO_CONSOLE_TX(i)].ready)
            bit_set(c->later, i);
    }
    if (saved.running && !saved.multiport)
        tell_single(c);
    vc_virtio_settle(&c->mmio);
    c->env->later(c->ctx);
    return VC_OK;
}
