/* SPDX-License-Identifier: MIT */
#include "virtio_console.h"
#include "memory.h"

bool vc_virtio_next_bit(const uint64_t words[VC_VIRTIO_WORDS], uint32_t from, uint32_t *i)
{
    for (uint32_t n = 0; n <= VC_VIRTIO_WORDS; n++) {
        uint32_t at = (from / 64 + n) % VC_VIRTIO_WORDS;
        uint64_t word = words[at];

        if (n == 0)
            word &= UINT64_MAX << from % 64;
        if (word != 0) {
            *i = at * 64 + (uint32_t)__builtin_ctzll(word);
            return true;
        }
    }
    return false;
}

/* ---- Queues. ---- */

static void break_queue(struct vc_virtio_console *c, uint32_t queue)
{
    uint32_t port = queue < 2 ? 0 : (queue - 2) / 2; /* 5.3.2 */
    bool control = queue == VIRTIO_CONSOLE_CONTROL_RX || queue == VIRTIO_CONSOLE_CONTROL_TX;

    vc_virtqueue_break(&c->mmio.queues[queue]);
    vc_virtio_needs_reset(&c->mmio);
    if (control)
        c->env->broken(c->ctx, VC_VIRTIO_NO_PORT, VC_VIRTIO_BROKEN_CONTROL);
    else if (c->ports[port].plugged)
        c->env->broken(c->ctx, port, queue % 2 == 0 ? VC_VIRTIO_BROKEN_IN : VC_VIRTIO_BROKEN_OUT);
}

bool vc_virtio_console_next(struct vc_virtio_console *c, uint32_t queue, bool writable)
{
    bool there;
    int error = vc_virtqueue_peek(&c->mmio.queues[queue], &c->env->bus, c->ctx, &c->chain, &there);

    if (there && (writable ? c->chain.n_readable : c->chain.n_writable) > 0)
        error = VC_EPEER; /* 5.3.2: each queue has one direction */
    if (error)
        break_queue(c, queue);
    return there && !error;
}

/* ---- Output. ---- */

struct look {       /* one call's, at one port or more */
    uint32_t left;  /* of what one call may take */
    uint32_t taken; /* bytes of the port at hand */
    bool held;      /* its line has no room: output_room goes on */
};

static void spend(struct look *l, uint32_t n) { l->left -= n < l->left ? n : l->left; }

/* What is left of the chain, from p->at. False: not all of it was taken. */
static bool take_output(struct vc_virtio_console *c, uint32_t port, struct look *l)
{
    struct vc_virtio_port *p = &c->ports[port];
    uint32_t skip = p->at;

    for (uint32_t i = 0; i < c->chain.n_readable; i++) {
        const struct vc_segment *s = &c->chain.segments[i];
        uint32_t n, taken;

        if (skip >= s->n) {
            skip -= s->n;
            continue;
        }
        n = s->n - skip < l->left ? s->n - skip : l->left;
        taken = n > 0 ? c->env->out(c->ctx, port, s->at + skip, n) : 0;
        p->at += taken;
        l->taken += taken; /* at most what was left */
        spend(l, taken > VC_VIRTIO_BUFFER_COST ? taken : VC_VIRTIO_BUFFER_COST);
        if (taken < s->n - skip)
            return false;
        skip = 0;
    }
    return true;
}

/* A driver spins until what it sent to a port that went is used. */
static void drop_output(struct vc_virtio_console *c, uint32_t port, struct look *l)
{
    if (c->chain.readable > c->ports[port].at)
        c->dropped += c->chain.readable - c->ports[port].at;
    spend(l, VC_VIRTIO_BUFFER_COST);
}

static void put_off(struct vc_virtio_console *c, uint32_t port)
{
    bit_set(c->later, port);
    c->env->later(c->ctx);
}

static uint32_t half(const struct vc_virtqueue *q) { return (q->size + 1) / 2; }

static uint32_t unshown(const struct vc_virtqueue *q) { return (uint16_t)(q->used - q->published); }

/* A console's driver spins until its buffer is used (Linux), and one without the event index notifies of each. */
static bool may_wait(const struct vc_virtio_console *c, uint32_t port)
{
    const struct vc_virtqueue *q = &c->mmio.queues[VIRTIO_CONSOLE_TX(port)];

    return c->ports[port].plugged && !c->ports[port].console && c->env->in_a_while != NULL && q->event_idx &&
           !q->broken;
}

/* A look that is on its way need not be asked for by more bytes. */
static bool may_be_lazy(const struct vc_virtio_console *c, uint32_t port, const struct look *l)
{
    const struct vc_virtio_port *p = &c->ports[port];

    if (!may_wait(c, port) || (!p->streams && p->tries == VC_VIRTIO_TRIES))
        return false;
    return l->taken >= VC_VIRTIO_MUCH_BYTES || bit_is_set(c->lazy, port);
}

/* One more chain is used. Of a driver that sends on, half a queue is shown at once: it has the other half meanwhile. */
static void use(struct vc_virtio_console *c, uint32_t port)
{
    struct vc_virtqueue *q = &c->mmio.queues[VIRTIO_CONSOLE_TX(port)];
    struct vc_virtio_port *p = &c->ports[port];

    p->at = 0;
    p->streams |= unshown(q) > 0; /* it was sent while the one before was not back */
    vc_virtqueue_take(q, &c->chain, 0);
    if (p->streams && may_wait(c, port) && unshown(q) >= half(q))
        vc_virtio_publish(&c->mmio, q);
}

/* What is used goes back to the driver: by and by, if it sends on without. */
static void give_back(struct vc_virtio_console *c, uint32_t port, const struct look *l)
{
    bool lazy = may_be_lazy(c, port, l), keeps = c->ports[port].streams && may_wait(c, port) && (lazy || l->held);

    if (!keeps)
        vc_virtio_publish(&c->mmio, &c->mmio.queues[VIRTIO_CONSOLE_TX(port)]);
    if (!lazy || l->held)
        return;
    bit_set(c->lazy, port);
    c->env->in_a_while(c->ctx);
}

static void send_output(struct vc_virtio_console *c, uint32_t port, struct look *l)
{
    struct vc_virtqueue *q = &c->mmio.queues[VIRTIO_CONSOLE_TX(port)];
    bool idle = false;

    l->taken = 0;
    l->held = false;
    while (l->left > 0) {
        if (!vc_virtio_console_next(c, VIRTIO_CONSOLE_TX(port), false)) {
            idle = !vc_virtqueue_arm_ahead(q, may_be_lazy(c, port, l) ? half(q) : 1);
            if (idle)
                break;
            spend(l, VC_VIRTIO_BUFFER_COST); /* a guest that goes on and on gets no more than others */
            continue;
        }
        if (!c->ports[port].plugged)
            drop_output(c, port, l);
        else if (!take_output(c, port, l)) {
            idle = l->held = l->left > 0;
            break;
        }
        spend(l, c->chain.n_readable == 0 ? VC_VIRTIO_BUFFER_COST : 0);
        use(c, port);
    }
    give_back(c, port, l);
    if (!idle)
        put_off(c, port);
}

void vc_virtio_console_output_room(struct vc_virtio_console *c, uint32_t port)
{
    struct look l = {.left = VC_VIRTIO_BATCH_BYTES};

    if (port < c->config.ports && vc_virtio_running(&c->mmio))
        send_output(c, port, &l);
}

/* ---- Input. ---- */

bool vc_virtio_console_guest_open(const struct vc_virtio_console *c, uint32_t port)
{
    return port < c->config.ports && c->ports[port].open;
}

static void fill(const struct vc_chain *chain, const uint8_t *bytes, uint32_t n)
{
    for (uint32_t i = 0; n > 0; i++) {
        uint32_t part = n < chain->segments[i].n ? n : chain->segments[i].n;

        memcpy(chain->segments[i].at, bytes, part);
        bytes += part;
        n -= part;
    }
}

uint32_t vc_virtio_console_input(struct vc_virtio_console *c, uint32_t port, const uint8_t *bytes, uint32_t n)
{
    uint32_t taken = 0, chains = 0, queue = VIRTIO_CONSOLE_RX(port);

    if (port >= c->config.ports || !c->ports[port].plugged)
        return 0;
    while (c->ports[port].open && taken < n && chains++ < VC_VIRTIO_QUEUE) {
        uint32_t part;

        if (!vc_virtio_console_next(c, queue, true)) {
            if (!vc_virtqueue_arm(&c->mmio.queues[queue]))
                break;
            continue;
        }
        part = n - taken < c->chain.writable ? n - taken : c->chain.writable;
        fill(&c->chain, bytes + taken, part);
        vc_virtqueue_take(&c->mmio.queues[queue], &c->chain, part);
        taken += part;
    }
    vc_virtio_publish(&c->mmio, &c->mmio.queues[queue]);
    c->ports[port].hungry |= taken < n;
    if (taken < n && chains > VC_VIRTIO_QUEUE)
        put_off(c, port); /* there may be buffers, of which the guest will not tell again */
    return taken;
}

void vc_virtio_console_offer_room(struct vc_virtio_console *c, uint32_t port)
{
    struct vc_virtio_port *p = &c->ports[port];

    if (!p->open || !p->hungry || c->mmio.queues[VIRTIO_CONSOLE_RX(port)].broken)
        return;
    p->hungry = false;
    c->env->input_room(c->ctx, port);
}

void vc_virtio_console_opened(struct vc_virtio_console *c, uint32_t port, bool open)
{
    struct vc_virtio_port *p = &c->ports[port];

    if (p->open == open)
        return;
    p->open = open;
    c->env->guest_open(c->ctx, port, open);
    vc_virtio_console_offer_room(c, port);
}

/* ---- What was put off. ---- */

void vc_virtio_console_serve(struct vc_virtio_console *c)
{
    struct look l = {.left = VC_VIRTIO_BATCH_BYTES};
    uint64_t now[VC_VIRTIO_WORDS];
    uint32_t port;

    if (!vc_virtio_running(&c->mmio))
        return;
    for (uint32_t i = 0; i < VC_VIRTIO_WORDS; i++)
        now[i] = c->later[i] | c->lazy[i]; /* each port once: what is put off again waits for the next call */
    while (l.left > 0 && vc_virtio_next_bit(now, c->next_later, &port)) {
        struct vc_virtio_port *p = &c->ports[port];
        bool was_lazy = bit_is_set(c->lazy, port);

        bit_clear(now, port);
        bit_clear(c->later, port);
        bit_clear(c->lazy, port);
        c->next_later = (port + 1) % VC_VIRTIO_PORTS_MAX;
        send_output(c, port, &l);
        if (was_lazy && !p->streams && p->tries < VC_VIRTIO_TRIES)
            p->tries++;
        vc_virtio_console_offer_room(c, port);
    }
    if (vc_virtio_next_bit(c->later, 0, &port))
        c->env->later(c->ctx);
    vc_virtio_control_serve(c);
}
