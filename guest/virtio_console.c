/* SPDX-License-Identifier: MIT */
#include "virtio_parts.h"
#include <string.h>
#include <vcons/atomic.h>

#define CONFIG_LOOKS 16u /* 2.5.1: until the generation stays; a device that never lets it is taken by its last word */

/* The size of a device that has one port. */
static void read_size(struct virtio_console *c)
{
    uint32_t cols = 0, rows = 0, generation;

    if (c->multiport || !virtio_mmio_has(&c->mmio, VIRTIO_CONSOLE_F_SIZE))
        return;
    for (uint32_t looks = 0; looks < CONFIG_LOOKS; looks++) {
        generation = virtio_mmio_generation(&c->mmio);
        cols = virtio_mmio_config(&c->mmio, offsetof(struct virtio_console_config, cols), 2);
        rows = virtio_mmio_config(&c->mmio, offsetof(struct virtio_console_config, rows), 2);
        if (virtio_mmio_generation(&c->mmio) == generation)
            break;
    }
    virtio_resized(&c->setup.ports[0], (uint16_t)cols, (uint16_t)rows);
}

static bool serve_config(struct virtio_console *c)
{
    uint32_t n = vc_load_acquire(&c->n_config); /* pairs with virtio_console_interrupt */

    if (n == c->seen_config)
        return false;
    c->seen_config = n;
    read_size(c);
    return true;
}

bool virtio_console_work(struct virtio_console *c)
{
    bool any;

    if (!c->running || c->working)
        return false;
    c->working = true;
    any = serve_config(c);
    any = (c->multiport && virtio_messages_serve(c)) || any;
    c->working = false;
    return any;
}

bool virtio_console_interrupt(struct virtio_console *c)
{
    uint32_t why = c->mmio.io.read != NULL ? virtio_mmio_interrupt(&c->mmio) : 0;

    if (why == 0)
        return false;
    vc_add_relaxed(&c->n_interrupts, 1);
    if ((why & VIRTIO_MMIO_INT_CONFIG) != 0)
        vc_store_release(&c->n_config, c->n_config + 1); /* pairs with serve_config */
    return true;
}

/* ---- Ports, for whoever uses them. ---- */

struct virtio_port *virtio_console_port(struct virtio_console *c, uint32_t id)
{
    return c->running && id < c->setup.n_ports && c->setup.ports[id].added ? &c->setup.ports[id] : NULL;
}

void virtio_port_open(struct virtio_port *p, bool open)
{
    if (!p->added || p->console || p->guest_open == open)
        return;
    if (open)
        virtio_port_discard(p);
    p->guest_open = open;
    p->owes_open = p->device->owes = true;
    virtio_console_work(p->device);
}

void virtio_port_release(struct virtio_port *p)
{
    vterm_release(p->device->setup.terms, &p->hvc);
    p->number = 0;
    p->held = false;
    p->device->owes = true;
    virtio_console_work(p->device);
}

/* ---- Life. ---- */

static size_t put_nothing(struct hvc *hvc, const void *bytes, size_t n)
{
    (void)bytes;
    hvc->dropped += n;
    return n;
}

static size_t get_nothing(struct hvc *hvc, void *bytes, size_t n)
{
    (void)hvc, (void)bytes, (void)n;
    return 0;
}

static uint32_t input_ports(struct hvc *hvc, uint32_t ports[2])
{
    const struct virtio_console *c = (const struct virtio_console *)(void *)hvc;

    if (c->event_port != 0)
        ports[0] = c->event_port;
    return c->event_port != 0 ? 1 : c->wakes ? HVC_BY_INTERRUPT : 0;
}
_Static_assert(offsetof(struct virtio_console, control) == 0, "input_ports");

static const struct hvc_driver no_console = {put_nothing, get_nothing, input_ports};

static int make_queues(struct virtio_console *c)
{
    int error = c->multiport ? virtio_messages_init(c) : VC_OK;

    for (uint32_t i = 0; !error && i < c->setup.n_ports; i++)
        error = virtio_port_init(c, i);
    return error == VC_ENOENT ? VC_EPEER : error; /* each that the spec names must be there */
}

/* How many ports there may be, and how many of them are wanted here. */
static bool count_ports(struct virtio_console *c)
{
    c->max_ports =
        c->multiport ? virtio_mmio_config(&c->mmio, offsetof(struct virtio_console_config, max_nr_ports), 4) : 1;
    if (c->max_ports == 0 || c->max_ports > VIRTIO_CONSOLE_PORTS_MAX)
        return false;
    if (c->setup.n_ports > c->max_ports)
        c->setup.n_ports = c->max_ports;
    return true;
}

static int begin_single(struct virtio_console *c)
{
    struct virtio_port *p = &c->setup.ports[0];

    virtio_port_make(p);
    read_size(c);
    if (virtio_console_open(c, p))
        return VC_OK;
    virtio_console_end(c);
    return VC_ENOSPC;
}

/* All but the way to its registers: a device that is begun again may interrupt meanwhile, or share its line. */
static void clear(struct virtio_console *c)
{
    size_t behind = offsetof(struct virtio_console, mmio) + sizeof c->mmio;

    memset(c, 0, offsetof(struct virtio_console, mmio));
    memset((uint8_t *)c + behind, 0, sizeof *c - behind);
}

int virtio_console_begin(struct virtio_console *c, const struct virtio_io *io, const struct virtio_console_setup *setup)
{
    uint64_t wanted = VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) | VIRTIO_FEATURE(VIRTIO_CONSOLE_F_SIZE) |
                      (setup->single ? 0 : VIRTIO_FEATURE(VIRTIO_CONSOLE_F_MULTIPORT));
    int error;

    clear(c);
    c->setup = *setup;
    c->control = (struct hvc){.driver = &no_console, .platform = setup->platform, .idle_ns = VIRTIO_CONSOLE_IDLE_NS};
    c->patience_ns = VIRTIO_CONSOLE_PATIENCE_NS;
    c->patience_looks = VIRTIO_CONSOLE_LOOKS;
    if (virtio_mmio_id(io) != VIRTIO_ID_CONSOLE)
        return VC_ENOENT;
    error = virtio_mmio_begin(&c->mmio, io, wanted);
    if (error)
        return error;
    c->multiport = virtio_mmio_has(&c->mmio, VIRTIO_CONSOLE_F_MULTIPORT);
    error = count_ports(c) ? make_queues(c) : VC_EPEER;
    if (error) {
        virtio_mmio_end(&c->mmio);
        return error;
    }
    virtio_mmio_go(&c->mmio);
    c->running = true;
    if (!c->multiport)
        return begin_single(c);
    virtio_messages_begin(c);
    return VC_OK;
}

bool virtio_console_end(struct virtio_console *c)
{
    bool any_held = false;

    if (c->running) {
        c->running = false;
        virtio_mmio_end(&c->mmio);
        for (uint32_t i = 0; i < c->setup.n_ports; i++)
            virtio_hang_up(&c->setup.ports[i]);
    }
    for (uint32_t i = 0; i < c->setup.n_ports; i++)
        any_held = any_held || c->setup.ports[i].held;
    return !any_held;
}

bool virtio_console_emergency(const struct virtio_io *io, uint8_t byte)
{
    const struct virtio_mmio m = {.io = *io};

    if (virtio_mmio_id(io) != VIRTIO_ID_CONSOLE)
        return false;
    io->write(io, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 4, 0);
    if ((io->read(io, VIRTIO_MMIO_DEVICE_FEATURES, 4) & 1u << VIRTIO_CONSOLE_F_EMERG_WRITE) == 0)
        return false;
    virtio_mmio_set_config(&m, offsetof(struct virtio_console_config, emerg_wr), 4, byte);
    return true;
}
