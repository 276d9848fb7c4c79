/* SPDX-License-Identifier: MIT */
/* Messages of the control queues, both ways: VIRTIO 1.2, 5.3.6.2. */
#include "virtio_parts.h"
#include <string.h>
#include <vcons/atomic.h>

_Static_assert(VIRTIO_CONSOLE_MESSAGES <= 32, "one bit each");

struct message {
    struct virtio_console_control head;
    uint32_t n; /* bytes of payload */
    uint8_t payload[VIRTIO_CONSOLE_MESSAGE_BYTES - sizeof(struct virtio_console_control)];
};

static void show(struct virtio_console *c, struct virtqueue *q, uint32_t index)
{
    if (virtqueue_show(q))
        virtio_mmio_notify(&c->mmio, index);
}

/* ---- What we say. ---- */

static void reclaim(struct virtio_console *c)
{
    bool was_broken = c->out.broken;
    void *token;
    uint32_t n;

    do {
        while (virtqueue_get(&c->out, &token, &n) == VC_OK && token != NULL)
            c->free_out |= 1u << ((struct virtio_console_control *)token - c->out_bytes);
        virtqueue_quiet(&c->out);
    } while (c->free_out == 0 && virtqueue_listen(&c->out)); /* an interrupt only where we wait for room */
    c->violations += c->out.broken && !was_broken;
}

static bool has_room(const struct virtio_console *c) { return c->free_out != 0 && !c->out.broken; }

/* has_room. */
static void say(struct virtio_console *c, enum virtio_console_event event, uint32_t id, uint16_t value)
{
    uint32_t slot = (uint32_t)__builtin_ctz(c->free_out);
    struct virtqueue_buffer v = {virtio_gpa(c, &c->out_bytes[slot]), sizeof c->out_bytes[slot]};

    c->out_bytes[slot] = (struct virtio_console_control){id, (uint16_t)event, value};
    c->free_out &= ~(1u << slot);
    virtqueue_lend(&c->out, &v, 1, 0, &c->out_bytes[slot]);
}

static void answer(struct virtio_console *c, uint32_t id, bool made) { say(c, VIRTIO_CONSOLE_PORT_READY, id, made); }

/* What this port owes. True: it has said all of it. */
static bool settle_port(struct virtio_console *c, struct virtio_port *p)
{
    if (p->again && !p->held) {
        p->again = false;
        virtio_port_make(p);
        p->owes_answer = true;
    }
    if (p->owes_answer && has_room(c)) {
        answer(c, p->id, true);
        p->owes_answer = false;
    }
    if (p->owes_open && !p->owes_answer && has_room(c)) {
        say(c, VIRTIO_CONSOLE_PORT_OPEN, p->id, p->guest_open);
        p->owes_open = false;
    }
    return !p->owes_answer && !p->owes_open;
}

/* False: there is no room for all of it yet. What the device says waits until then, so that answers keep their order. */
static bool settle(struct virtio_console *c)
{
    bool all = true;

    if (!c->owes)
        return true;
    for (uint32_t i = 0; i < c->setup.n_ports; i++)
        all = settle_port(c, &c->setup.ports[i]) && all;
    c->owes = !all;
    return all;
}

/* ---- What the device says. has_room, for one answer. ---- */

static void add(struct virtio_console *c, struct virtio_port *p)
{
    if (p->held && !p->added && !p->again) {
        p->again = true; /* once its user has let go of the one before */
        c->owes = true;
        return;
    }
    if (!p->added && !p->again)
        virtio_port_make(p);
    answer(c, p->id, true); /* also of one that there is: as Linux */
}

/* It has gone: nothing that anybody still writes may come to the next of its id. */
void virtio_hang_up(struct virtio_port *p)
{
    p->added = p->console = p->guest_open = p->host_open = p->owes_open = false;
    p->again = false;
    if (p->number == 0 || p->held)
        return;
    p->held = true;
    if (!vterm_remove(p->device->setup.terms, &p->hvc)) {
        p->held = false;
        p->number = 0;
    }
}

static void remove_port(struct virtio_console *c, struct virtio_port *p)
{
    if (p->again) {
        p->again = false;
        answer(c, p->id, false); /* of that one there was none */
    } else if (p->added) {
        virtio_hang_up(p);
    } else {
        c->violations++;
    }
}

bool virtio_console_open(struct virtio_console *c, struct virtio_port *p)
{
    virtio_port_discard(p);
    p->console = p->guest_open = true; /* before: it may be written to from the beginning */
    show(c, &c->out, VIRTIO_CONSOLE_CONTROL_TX);
    if (vterm_add(c->setup.terms, &p->hvc, &p->number) == VC_OK)
        return true;
    p->console = p->guest_open = false;
    return false;
}

static void make_console(struct virtio_console *c, struct virtio_port *p)
{
    if (p->console)
        return;
    if (virtio_console_open(c, p))
        say(c, VIRTIO_CONSOLE_PORT_OPEN, p->id, 1);
    else
        answer(c, p->id, false);
}

/* Cut, and of what can be printed. The first one stays, as Linux has it. */
static void set_name(struct virtio_port *p, const struct message *m)
{
    uint32_t n = 0;

    if (p->name[0] != '\0')
        return;
    for (; n < m->n && n < VIRTIO_PORT_NAME_BYTES - 1 && m->payload[n] != '\0'; n++)
        p->name[n] = m->payload[n] > ' ' && m->payload[n] <= '~' ? (char)m->payload[n] : '?';
    p->name[n] = '\0';
}

void virtio_resized(struct virtio_port *p, uint16_t cols, uint16_t rows)
{
    p->cols = cols;
    p->rows = rows;
    p->n_resizes++;
}

static void resize_by(struct virtio_console *c, struct virtio_port *p, const struct message *m)
{
    struct virtio_console_resize size;

    if (m->n < sizeof size) {
        c->violations++;
        return;
    }
    memcpy(&size, m->payload, sizeof size);
    if (virtio_mmio_has(&c->mmio, VIRTIO_CONSOLE_F_SIZE))
        virtio_resized(p, size.cols, size.rows);
}

static void obey_of(struct virtio_console *c, struct virtio_port *p, const struct message *m)
{
    switch (m->head.event) {
    case VIRTIO_CONSOLE_CONSOLE_PORT:
        if (m->head.value != 0)
            make_console(c, p);
        break;
    case VIRTIO_CONSOLE_RESIZE: resize_by(c, p, m); break;
    case VIRTIO_CONSOLE_PORT_OPEN: p->host_open = m->head.value != 0; break;
    case VIRTIO_CONSOLE_PORT_NAME: set_name(p, m); break;
    default: c->violations++; break;
    }
}

static void obey(struct virtio_console *c, const struct message *m)
{
    struct virtio_port *p;

    if (m->head.id >= c->max_ports) {
        c->violations++;
        return;
    }
    if (m->head.id >= c->setup.n_ports) {
        if (m->head.event == VIRTIO_CONSOLE_PORT_ADD) {
            c->refused++;
            answer(c, m->head.id, false);
        }
        return;
    }
    p = &c->setup.ports[m->head.id];
    if (m->head.event == VIRTIO_CONSOLE_PORT_ADD)
        add(c, p);
    else if (m->head.event == VIRTIO_CONSOLE_PORT_REMOVE)
        remove_port(c, p);
    else if (p->added)
        obey_of(c, p, m);
    else
        c->violations++;
}

static void lend_in(struct virtio_console *c, uint8_t *bytes)
{
    struct virtqueue_buffer v = {virtio_gpa(c, bytes), VIRTIO_CONSOLE_MESSAGE_BYTES};

    virtqueue_lend(&c->in, &v, 0, 1, bytes);
}

/* The next message, read once. False: there is none. One that is too short is no message. */
static bool take(struct virtio_console *c, struct message *m, bool *is_one)
{
    bool was_broken = c->in.broken;
    void *token;
    uint32_t n;
    int error = virtqueue_get(&c->in, &token, &n);

    c->violations += c->in.broken && !was_broken;
    if (error != VC_OK || token == NULL)
        return false;
    *is_one = n >= sizeof m->head;
    if (*is_one) {
        vc_copy_once(&m->head, token, sizeof m->head);
        m->n = n - (uint32_t)sizeof m->head;
        vc_copy_once(m->payload, (uint8_t *)token + sizeof m->head, m->n);
    } else {
        c->violations++;
    }
    lend_in(c, token);
    return true;
}

bool virtio_messages_serve(struct virtio_console *c)
{
    struct message m;
    bool any = false, is_one;

    reclaim(c);
    for (uint32_t i = 0; i < VIRTIO_CONSOLE_BATCH; i++) {
        if (!settle(c) || !has_room(c))
            break;
        if (!take(c, &m, &is_one)) {
            if (!virtqueue_listen(&c->in))
                break;
            continue;
        }
        any = true;
        if (is_one)
            obey(c, &m);
        reclaim(c);
    }
    show(c, &c->out, VIRTIO_CONSOLE_CONTROL_TX);
    show(c, &c->in, VIRTIO_CONSOLE_CONTROL_RX);
    return any;
}

int virtio_messages_init(struct virtio_console *c)
{
    int error = virtio_mmio_queue(&c->mmio, VIRTIO_CONSOLE_CONTROL_RX, VIRTIO_CONSOLE_MESSAGES, &c->in, c->in_ring,
                                  virtio_gpa(c, c->in_ring));

    if (error)
        return error;
    error = virtio_mmio_queue(&c->mmio, VIRTIO_CONSOLE_CONTROL_TX, VIRTIO_CONSOLE_MESSAGES, &c->out, c->out_ring,
                              virtio_gpa(c, c->out_ring));
    if (error)
        return error;
    c->free_out = (uint32_t)((UINT64_C(1) << c->out.size) - 1);
    for (uint32_t i = 0; i < c->in.size; i++)
        lend_in(c, c->in_bytes[i]);
    return VC_OK;
}

void virtio_messages_begin(struct virtio_console *c)
{
    show(c, &c->in, VIRTIO_CONSOLE_CONTROL_RX);
    say(c, VIRTIO_CONSOLE_DEVICE_READY, UINT32_MAX, 1); /* no port's: as Linux */
    show(c, &c->out, VIRTIO_CONSOLE_CONTROL_TX);
}
