/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include "virtio_console.h"
#include <vcons/atomic.h>

/* ---- The order in which a domain's consoles are announced. ---- */

static struct vc_announce *announce_of(const struct vc_virtio_console *c, uint32_t port)
{
    return c->ports[port].plugged && c->ports[port].console ? c->config.announce : NULL;
}

void vc_virtio_console_expected(struct vc_virtio_console *c, uint32_t port)
{
    if (announce_of(c, port) != NULL)
        vc_announce_expect(c->config.announce, c->ports[port].place, c);
}

void vc_virtio_console_announced(struct vc_virtio_console *c, uint32_t port)
{
    if (announce_of(c, port) != NULL)
        vc_announce_done(c->config.announce, c->ports[port].place);
}

static bool may_announce(struct vc_virtio_console *c, uint32_t port)
{
    return announce_of(c, port) == NULL || vc_announce_may(c->config.announce, c->ports[port].place);
}

/* ---- What is owed. ---- */

/* The kinds of messages that could go out now, were there buffers for all of them; of consoles, whether or not it is their turn. */
static uint32_t ripe(const struct vc_virtio_console *c, uint32_t port)
{
    const struct vc_virtio_port *p = &c->ports[port];

    if (!c->ready)
        return 0;
    if ((p->owed & (OWED_REMOVE | OWED_ADD)) != 0)
        return p->owed & (OWED_REMOVE | OWED_ADD);
    return p->ready ? p->owed : 0;
}

void vc_virtio_control_note(struct vc_virtio_console *c, uint32_t port)
{
    if (ripe(c, port) != 0)
        bit_set(c->senders, port);
    else
        bit_clear(c->senders, port);
}

void vc_virtio_control_owe(struct vc_virtio_console *c, uint32_t port, uint32_t owed)
{
    c->ports[port].owed |= (uint8_t)owed;
    vc_virtio_control_note(c, port);
    vc_virtio_control_send(c);
}

void vc_virtio_control_removed(struct vc_virtio_console *c, uint32_t port)
{
    c->ports[port].owed = c->ports[port].told ? OWED_REMOVE : 0;
    vc_virtio_control_note(c, port);
    vc_virtio_control_send(c);
}

void vc_virtio_control_forget(struct vc_virtio_console *c)
{
    c->ready = false;
    memset(c->senders, 0, sizeof c->senders);
    c->next_sender = 0;
    for (uint32_t i = 0; i < c->config.ports; i++) {
        struct vc_virtio_port *p = &c->ports[i];

        p->told = p->ready = false;
        p->answers = 0;
        p->owed = p->plugged ? OWED_ADD : 0;
        vc_virtio_console_expected(c, i);
        vc_virtio_console_opened(c, i, false);
    }
}

/* ---- Sending. ---- */

struct message {
    struct virtio_console_control head;
    uint8_t payload[VC_VIRTIO_NAME_BYTES];
    uint32_t n;
};

static uint32_t next_kind(struct vc_virtio_console *c, uint32_t port)
{
    uint32_t kinds = ripe(c, port);

    if ((kinds & OWED_CONSOLE) != 0 && !may_announce(c, port))
        kinds &= ~(uint32_t)(OWED_CONSOLE | OWED_RESIZE); /* Linux ignores a size before that */
    return kinds & (0 - kinds);
}

static void derive_size(const struct vc_virtio_console *c, const struct vc_virtio_port *p, struct message *m)
{
    struct virtio_console_resize size = {p->cols, p->rows};

    if (c->config.rows_first)
        size = (struct virtio_console_resize){p->rows, p->cols};
    memcpy(m->payload, &size, sizeof size);
    m->n = sizeof size;
}

/* What the message says, as of now. */
static struct message derive(const struct vc_virtio_console *c, uint32_t port, uint32_t kind)
{
    const struct vc_virtio_port *p = &c->ports[port];
    struct message m = {.head = {.id = port, .value = 1}};

    switch (kind) {
    case OWED_REMOVE: m.head.event = VIRTIO_CONSOLE_PORT_REMOVE; break;
    case OWED_ADD: m.head.event = VIRTIO_CONSOLE_PORT_ADD; break;
    case OWED_CONSOLE: m.head.event = VIRTIO_CONSOLE_CONSOLE_PORT; break;
    case OWED_NAME:
        m.head.event = VIRTIO_CONSOLE_PORT_NAME;
        memcpy(m.payload, p->name, p->n_name);
        m.n = p->n_name;
        break;
    case OWED_OPEN:
        m.head.event = VIRTIO_CONSOLE_PORT_OPEN;
        m.head.value = p->host_open;
        break;
    default:
        m.head.event = VIRTIO_CONSOLE_RESIZE;
        derive_size(c, p, &m);
        break;
    }
    return m;
}

/* R28: whether it fits was looked at. */
static void scatter(const struct vc_chain *chain, const struct message *m)
{
    uint8_t bytes[sizeof m->head + sizeof m->payload];
    uint32_t n = sizeof m->head + m->n, at = 0;

    memcpy(bytes, &m->head, sizeof m->head);
    memcpy(bytes + sizeof m->head, m->payload, m->n);
    for (uint32_t i = 0; at < n; i++) {
        uint32_t part = n - at < chain->segments[i].n ? n - at : chain->segments[i].n;

        memcpy(chain->segments[i].at, bytes + at, part);
        at += part;
    }
}

/* The message is in the guest's hands, or was left out. */
static void settled(struct vc_virtio_port *p, uint32_t kind)
{
    p->owed &= (uint8_t)~kind;
    if (kind == OWED_REMOVE)
        p->told = false;
    if (kind == OWED_ADD) {
        p->told = true;
        p->answers++;
    }
}

/* Nothing to say: a size that nobody knows, or the guest does not care for. */
static bool pointless(const struct vc_virtio_console *c, uint32_t port, uint32_t kind)
{
    const struct vc_virtio_port *p = &c->ports[port];

    return kind == OWED_RESIZE &&
           (!p->console || p->cols == 0 || !vc_virtio_negotiated(&c->mmio, VIRTIO_CONSOLE_F_SIZE));
}

/* One message, or its kind left out. False: no buffer. */
static bool send_one(struct vc_virtio_console *c, uint32_t port, uint32_t kind)
{
    struct vc_virtqueue *q = &c->mmio.queues[VIRTIO_CONSOLE_CONTROL_RX];
    struct message m = derive(c, port, kind);

    if (pointless(c, port, kind)) {
        settled(&c->ports[port], kind);
        return true;
    }
    if (!vc_virtio_console_next(c, VIRTIO_CONSOLE_CONTROL_RX, true))
        return false;
    if (c->chain.writable < sizeof m.head) { /* of no use for any */
        vc_virtqueue_take(q, &c->chain, 0);
        return true;
    }
    if (c->chain.writable - sizeof m.head >= m.n) {
        scatter(&c->chain, &m);
        vc_virtqueue_take(q, &c->chain, (uint32_t)sizeof m.head + m.n);
    }
    settled(&c->ports[port], kind);
    return true;
}

/* False: no buffer is left, or enough were used for one call. */
static bool send_all_of(struct vc_virtio_console *c, uint32_t port, uint32_t *left)
{
    uint32_t kind;

    while ((kind = next_kind(c, port)) != 0) {
        if (*left == 0)
            return false;
        --*left;
        if (!send_one(c, port, kind))
            return false;
    }
    if (ripe(c, port) == 0)
        bit_clear(c->senders, port); /* else it waits for its turn */
    return true;
}

/* All ports once, from the one where it ended before. True: no buffer is left. */
static bool send_round(struct vc_virtio_console *c, uint32_t *left)
{
    uint64_t now[VC_VIRTIO_WORDS];
    uint32_t port;

    memcpy(now, c->senders, sizeof now);
    while (vc_virtio_next_bit(now, c->next_sender, &port)) {
        bit_clear(now, port);
        c->next_sender = port;
        if (!send_all_of(c, port, left))
            return true;
    }
    return false;
}

void vc_virtio_control_send(struct vc_virtio_console *c)
{
    struct vc_virtqueue *q = &c->mmio.queues[VIRTIO_CONSOLE_CONTROL_RX];
    uint32_t left = 8 * VC_VIRTIO_QUEUE;

    if (!c->ready)
        return;
    while (send_round(c, &left) && left > 0 && vc_virtqueue_arm(q))
        left--;
    vc_virtio_publish(&c->mmio, q);
    if (left == 0)
        c->env->later(c->ctx);
}

/* ---- What the guest says. ---- */

/* It knows now what there is; what was not told before is. */
static void device_ready(struct vc_virtio_console *c)
{
    if (c->ready)
        return;
    c->ready = true;
    for (uint32_t i = 0; i < c->config.ports; i++)
        vc_virtio_control_note(c, i);
}

static void port_ready(struct vc_virtio_console *c, uint32_t port, bool ok)
{
    struct vc_virtio_port *p = &c->ports[port];
    bool answer = p->answers > 0;

    p->answers -= answer;
    if (!p->plugged) {
        if (!answer && (p->owed & OWED_REMOVE) == 0)
            p->owed |= OWED_REMOVE;
        return;
    }
    /* Of a port that had this id before: there is a REMOVE to go, or an ADD on its way or to go, whose answer counts. */
    if (p->answers > 0 || (p->owed & OWED_REMOVE) != 0 || (answer && (p->owed & OWED_ADD) != 0))
        return;
    p->told = true;
    p->owed &= (uint8_t)~OWED_ADD;
    if (!ok) {
        p->ready = false;
        vc_virtio_console_opened(c, port, false);
        vc_virtio_console_announced(c, port);
        return;
    }
    if (p->ready)
        return;
    p->ready = true;
    p->owed |= (p->console ? OWED_CONSOLE : 0) | (p->n_name > 0 ? OWED_NAME : 0) | (p->host_open ? OWED_OPEN : 0) |
               (p->cols != 0 ? OWED_RESIZE : 0);
    if (announce_of(c, port) != NULL)
        vc_announce_ready(c->config.announce, p->place);
}

static void port_open(struct vc_virtio_console *c, uint32_t port, bool open)
{
    if (!c->ports[port].ready)
        return;
    vc_virtio_console_opened(c, port, open);
    if (open)
        vc_virtio_console_announced(c, port);
}

static void obey(struct vc_virtio_console *c, const struct virtio_console_control *m)
{
    if (m->event == VIRTIO_CONSOLE_DEVICE_READY) {
        if (m->value != 0)
            device_ready(c);
        else if (c->ready)
            vc_virtio_control_forget(c);
        return;
    }
    if (m->id >= c->config.ports)
        return;
    if (m->event == VIRTIO_CONSOLE_PORT_READY) {
        port_ready(c, m->id, m->value != 0);
        device_ready(c);
    } else if (m->event == VIRTIO_CONSOLE_PORT_OPEN) {
        port_open(c, m->id, m->value != 0);
    }
    vc_virtio_control_note(c, m->id);
}

/* The first bytes of what the guest sent, each read once. False: there are not that many. */
static bool gather(const struct vc_chain *chain, void *to, uint32_t n)
{
    uint8_t *bytes = to;

    if (chain->readable < n)
        return false;
    for (uint32_t i = 0; n > 0; i++) {
        uint32_t part = n < chain->segments[i].n ? n : chain->segments[i].n;

        vc_copy_once(bytes, chain->segments[i].at, part);
        bytes += part;
        n -= part;
    }
    return true;
}

void vc_virtio_control_serve(struct vc_virtio_console *c)
{
    struct vc_virtqueue *q = &c->mmio.queues[VIRTIO_CONSOLE_CONTROL_TX];
    uint32_t left = VC_VIRTIO_QUEUE;

    if (!multiport(c))
        return;
    for (; left > 0; left--) {
        struct virtio_console_control m;

        if (!vc_virtio_console_next(c, VIRTIO_CONSOLE_CONTROL_TX, false)) {
            if (!vc_virtqueue_arm(q))
                break;
            continue;
        }
        if (gather(&c->chain, &m, sizeof m))
            obey(c, &m);
        vc_virtqueue_take(q, &c->chain, 0);
    }
    vc_virtio_publish(&c->mmio, q);
    if (left == 0)
        c->env->later(c->ctx);
    vc_virtio_control_send(c);
}
