/* SPDX-License-Identifier: MIT */
#include "virtio_parts.h"
#include <string.h>
#include <vcons/atomic.h>

_Static_assert(VIRTIO_PORT_BUFFERS <= 32, "one bit each");
_Static_assert(offsetof(struct virtio_port, hvc) == 0, "virtio_port_of");

static void show(struct virtio_port *p, struct virtqueue *q, uint32_t index)
{
    if (virtqueue_show(q))
        virtio_mmio_notify(&p->device->mmio, index);
}

/* A queue that turned out to be broken just now counts once. */
static int get_back(struct virtio_port *p, struct virtqueue *q, void **token, uint32_t *n)
{
    bool was_broken = q->broken;
    int error = virtqueue_get(q, token, n);

    p->device->violations += q->broken && !was_broken;
    return error;
}

/* ---- Out. ---- */

static void reclaim(struct virtio_port *p)
{
    void *token;
    uint32_t n;

    while (get_back(p, &p->out, &token, &n) == VC_OK && token != NULL)
        p->free_out |= 1u << ((uint8_t(*)[VIRTIO_PORT_OUT_BYTES])token - p->out_bytes);
    virtqueue_quiet(&p->out); /* whoever waits for room looks by himself */
}

/* Nobody took anything for so long that nobody will. */
static bool lost_patience(struct virtio_port *p)
{
    const struct virtio_console *c = p->device;
    uint64_t now = hypercall_time(c->setup.platform);

    if (p->n_full++ == 0)
        p->full_since = now;
    if (p->n_full >= c->patience_looks)
        p->n_full = c->patience_looks; /* and one look a piece from now on */
    return now != 0 ? now - p->full_since >= c->patience_ns : p->n_full == c->patience_looks;
}

static size_t drop(struct virtio_port *p, size_t n)
{
    p->hvc.dropped += n;
    return n;
}

/* One buffer of it; 0: none is free. */
static size_t send(struct virtio_port *p, const uint8_t *bytes, size_t n)
{
    struct virtqueue_buffer v;
    uint32_t slot;

    if (p->free_out == 0)
        return 0;
    slot = (uint32_t)__builtin_ctz(p->free_out);
    n = n < VIRTIO_PORT_OUT_BYTES ? n : VIRTIO_PORT_OUT_BYTES;
    memcpy(p->out_bytes[slot], bytes, n);
    v = (struct virtqueue_buffer){virtio_gpa(p->device, p->out_bytes[slot]), (uint32_t)n};
    if (virtqueue_lend(&p->out, &v, 1, 0, &p->out_bytes[slot]) != VC_OK)
        return 0; /* a smaller queue than we have buffers */
    p->free_out &= ~(1u << slot);
    return n;
}

static size_t put(struct hvc *hvc, const void *bytes, size_t n)
{
    struct virtio_port *p = virtio_port_of(hvc);
    const uint8_t *at = bytes;
    size_t taken = 0, more;

    virtio_console_work(p->device); /* has it gone? */
    reclaim(p);
    if (!p->guest_open || p->out.broken)
        return drop(p, n);
    while (taken < n && (more = send(p, at + taken, n - taken)) > 0)
        taken += more;
    if (taken == 0 && n > 0)
        return lost_patience(p) ? drop(p, n) : 0;
    p->n_full = 0;
    p->sent += taken;
    show(p, &p->out, VIRTIO_CONSOLE_TX(p->id));
    return taken;
}

/* ---- In. ---- */

static void lend_in(struct virtio_port *p, uint32_t slot)
{
    struct virtqueue_buffer v = {virtio_gpa(p->device, p->in_bytes[slot]), VIRTIO_PORT_IN_BYTES};

    virtqueue_lend(&p->in, &v, 0, 1, &p->in_bytes[slot]); /* there is room: it was lent before */
}

/* The next buffer that has something; false: there is none. Empty ones go back. */
static bool next_in(struct virtio_port *p)
{
    for (uint32_t i = 0; p->in_n == 0 && i < VIRTIO_PORT_BUFFERS; i++) {
        void *token;
        uint32_t n;

        if (get_back(p, &p->in, &token, &n) != VC_OK || token == NULL)
            return false;
        p->in_slot = (uint32_t)((uint8_t(*)[VIRTIO_PORT_IN_BYTES])token - p->in_bytes);
        p->in_at = 0;
        p->in_n = n;
        if (n == 0)
            lend_in(p, p->in_slot);
    }
    return p->in_n > 0;
}

static void done_with(struct virtio_port *p, uint32_t n)
{
    p->in_at += n;
    if (p->in_at < p->in_n)
        return;
    p->in_at = p->in_n = 0;
    lend_in(p, p->in_slot);
}

static size_t take(struct virtio_port *p, uint8_t *to, size_t n)
{
    size_t taken = 0;

    while (taken < n && next_in(p)) {
        size_t left = p->in_n - p->in_at, part = n - taken < left ? n - taken : left;

        vc_copy_once(to + taken, p->in_bytes[p->in_slot] + p->in_at, part);
        taken += part;
        done_with(p, (uint32_t)part);
    }
    return taken;
}

static size_t get(struct hvc *hvc, void *bytes, size_t n)
{
    struct virtio_port *p = virtio_port_of(hvc);
    size_t taken;

    virtio_console_work(p->device);
    if (!p->guest_open)
        return 0;
    taken = take(p, bytes, n);
    if (taken == 0 && n > 0 && virtqueue_listen(&p->in)) /* it came just now, and nothing will tell of it */
        taken = take(p, bytes, n);
    p->received += taken;
    show(p, &p->in, VIRTIO_CONSOLE_RX(p->id));
    return taken;
}

/* At most what the queue held: a device that goes on and on is not waited for. */
void virtio_port_discard(struct virtio_port *p)
{
    for (uint32_t i = 0; i < VIRTIO_PORT_BUFFERS && next_in(p); i++) {
        p->discarded += p->in_n - p->in_at;
        done_with(p, p->in_n - p->in_at);
    }
    show(p, &p->in, VIRTIO_CONSOLE_RX(p->id));
}

static uint32_t input_ports(struct hvc *hvc, uint32_t ports[2])
{
    struct virtio_console *c = virtio_port_of(hvc)->device;

    return c->control.driver->input_ports(&c->control, ports);
}

static const struct hvc_driver driver = {put, get, input_ports};

/* ---- Life. ---- */

static char *append(char *to, const char *end, const char *text, uint32_t number)
{
    char digits[10];
    uint32_t n = 0;

    while (*text != '\0' && to < end)
        *to++ = *text++;
    do
        digits[n++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (n > 0 && to < end)
        *to++ = digits[--n];
    return to;
}

static void set_name(struct virtio_port *p)
{
    char *end = p->hvc.name + HVC_NAME_BYTES - 1;

    *append(append(p->hvc.name, end, "vport", p->device->setup.number), end, "p", p->id) = '\0';
}

int virtio_port_init(struct virtio_console *c, uint32_t id)
{
    struct virtio_port *p = &c->setup.ports[id];
    int error;

    memset(p, 0, sizeof *p);
    p->hvc = (struct hvc){.driver = &driver, .platform = c->setup.platform, .idle_ns = VIRTIO_CONSOLE_IDLE_NS};
    p->device = c;
    p->id = id;
    set_name(p);
    error = virtio_mmio_queue(&c->mmio, VIRTIO_CONSOLE_RX(id), VIRTIO_PORT_BUFFERS, &p->in, p->in_ring,
                              virtio_gpa(c, p->in_ring));
    if (error)
        return error;
    error = virtio_mmio_queue(&c->mmio, VIRTIO_CONSOLE_TX(id), VIRTIO_PORT_BUFFERS, &p->out, p->out_ring,
                              virtio_gpa(c, p->out_ring));
    p->free_out = (1u << VIRTIO_PORT_BUFFERS) - 1;
    return error;
}

/* Buffers that were lent before are still lent: a port that goes takes none of them back (device ABI 3.2). */
void virtio_port_make(struct virtio_port *p)
{
    p->console = p->guest_open = p->host_open = false;
    p->cols = p->rows = 0;
    p->name[0] = '\0';
    p->n_full = 0;
    p->hvc.dropped = p->sent = p->received = p->discarded = 0;
    if (!p->filled) {
        for (uint32_t i = 0; i < p->in.size; i++)
            lend_in(p, i);
        p->filled = true;
    }
    virtio_port_discard(p);
    p->discarded = 0;
    p->added = true;
}
