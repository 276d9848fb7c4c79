/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include "virtio_console.h"

enum {
    FIRST_FEATURES = 1 << VIRTIO_CONSOLE_F_SIZE | 1 << VIRTIO_CONSOLE_F_MULTIPORT | 1 << VIRTIO_CONSOLE_F_EMERG_WRITE
};

static struct vc_virtio_console *console_of(const struct vc_virtio_mmio *m)
{
    return (struct vc_virtio_console *)(uintptr_t)m; /* its first member */
}
_Static_assert(offsetof(struct vc_virtio_console, mmio) == 0, "console_of");

/* ---- What the registers do. ---- */

static uint32_t n_queues(const struct vc_virtio_mmio *m)
{
    return multiport(console_of(m)) ? m->n_queues : 2; /* 5.3.2 */
}

/* 5.3.2 without MULTIPORT: port 0 is what there is, and it is a console. */
static void start_single(struct vc_virtio_console *c)
{
    struct vc_virtio_port *p = &c->ports[0];

    for (uint32_t i = 0; i < c->config.ports; i++)
        vc_virtio_console_announced(c, i);
    if (!p->plugged)
        return;
    p->told = p->ready = true;
    vc_virtio_console_opened(c, 0, true);
    if (p->cols != 0 && vc_virtio_negotiated(&c->mmio, VIRTIO_CONSOLE_F_SIZE))
        vc_virtio_config_changed(&c->mmio); /* Linux reads the size at no other time */
}

static void started(struct vc_virtio_mmio *m)
{
    struct vc_virtio_console *c = console_of(m);

    if (!multiport(c))
        start_single(c);
    /* Drivers may make buffers available before DRIVER_OK, and tell of them once: then, for nothing. */
    for (uint32_t i = 0; i < c->config.ports; i++)
        if (VIRTIO_CONSOLE_TX(i) < n_queues(m) && m->queues[VIRTIO_CONSOLE_TX(i)].ready)
            bit_set(c->later, i);
    c->env->later(c->ctx);
}

static void reset(struct vc_virtio_mmio *m)
{
    struct vc_virtio_console *c = console_of(m);

    memset(c->later, 0, sizeof c->later);
    memset(c->lazy, 0, sizeof c->lazy);
    c->next_later = 0;
    for (uint32_t i = 0; i < c->config.ports; i++)
        c->ports[i].at = c->ports[i].streams = c->ports[i].tries = 0;
    vc_virtio_control_forget(c);
}

static void notified(struct vc_virtio_mmio *m, uint32_t queue)
{
    struct vc_virtio_console *c = console_of(m);
    uint32_t port = queue < 2 ? 0 : (queue - 2) / 2;

    if (queue == VIRTIO_CONSOLE_CONTROL_RX)
        vc_virtio_control_send(c);
    else if (queue == VIRTIO_CONSOLE_CONTROL_TX)
        vc_virtio_control_serve(c);
    else if (queue % 2 == 0)
        vc_virtio_console_offer_room(c, port);
    else
        vc_virtio_console_output_room(c, port);
}

static uint32_t config_read(const struct vc_virtio_mmio *m, uint32_t offset, uint32_t width)
{
    const struct vc_virtio_console *c = console_of(m);
    struct virtio_console_config config = {c->ports[0].cols, c->ports[0].rows, c->config.ports, 0};
    uint32_t value = 0;

    if (offset < sizeof config && width <= sizeof config - offset)
        memcpy(&value, (const uint8_t *)&config + offset, width);
    return value;
}

static void config_write(struct vc_virtio_mmio *m, uint32_t offset, uint32_t width, uint32_t value)
{
    struct vc_virtio_console *c = console_of(m);

    (void)width; /* the low byte is what is printed: 5.3.4 */
    if (offset != offsetof(struct virtio_console_config, emerg_wr) ||
        (m->offered & VIRTIO_FEATURE(VIRTIO_CONSOLE_F_EMERG_WRITE)) == 0)
        return;
    for (uint32_t i = 0; i < c->config.ports; i++) {
        if (c->ports[i].plugged && c->ports[i].console) {
            c->env->emergency(c->ctx, i, (uint8_t)value);
            return;
        }
    }
}

/* ---- Life. ---- */

static bool ports_ok(uint32_t ports) { return ports > 0 && ports <= VC_VIRTIO_PORTS_MAX; }

size_t vc_virtio_console_bytes(uint32_t ports)
{
    if (!ports_ok(ports))
        return 0;
    return VIRTIO_CONSOLE_QUEUES(ports) * sizeof(struct vc_virtqueue) + ports * sizeof(struct vc_virtio_port);
}
_Static_assert(sizeof(struct vc_virtqueue) % 8 == 0, "ports lie behind the queues");

int vc_virtio_console_init(struct vc_virtio_console *c, const struct vc_virtio_console_config *config,
                           const struct vc_virtio_console_env *env, void *ctx, void *memory)
{
    uint32_t queues = VIRTIO_CONSOLE_QUEUES(config->ports);
    struct vc_virtio_type type = {VIRTIO_ID_CONSOLE, n_queues, started, reset, notified, config_read, config_write};
    uint64_t offered = FIRST_FEATURES | VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX);

    if (!ports_ok(config->ports))
        return VC_EINVAL;
    memset(c, 0, sizeof *c);
    c->env = env;
    c->ctx = ctx;
    c->config = *config;
    c->ports = (struct vc_virtio_port *)(void *)((uint8_t *)memory + queues * sizeof(struct vc_virtqueue));
    memset(c->ports, 0, config->ports * sizeof *c->ports);
    vc_virtio_mmio_init(&c->mmio, &type, &env->bus, ctx, memory, queues, VC_VIRTIO_QUEUE, offered & ~config->withheld);
    return VC_OK;
}

/* ---- Ports. ---- */

static struct vc_virtio_port *plugged(struct vc_virtio_console *c, uint32_t port)
{
    return port < c->config.ports && c->ports[port].plugged ? &c->ports[port] : NULL;
}

static uint32_t length(const char *name)
{
    uint32_t n = 0;

    while (name != NULL && n <= VC_VIRTIO_NAME_BYTES && name[n] != '\0')
        n++;
    return n;
}

/* The size of port 0 shows in the configuration too. */
static void size_changed(struct vc_virtio_console *c, uint32_t port)
{
    if (port == 0 && !multiport(c) && vc_virtio_negotiated(&c->mmio, VIRTIO_CONSOLE_F_SIZE))
        vc_virtio_config_changed(&c->mmio);
    else if (port == 0)
        c->mmio.generation++;
}

int vc_virtio_console_add(struct vc_virtio_console *c, uint32_t port, const struct vc_virtio_port_config *config)
{
    uint32_t n_name = length(config->name);
    struct vc_virtio_port *p;

    if (port >= c->config.ports || n_name > VC_VIRTIO_NAME_BYTES)
        return VC_EINVAL;
    p = &c->ports[port];
    if (p->plugged)
        return VC_EBUSY;
    p->plugged = true;
    p->console = config->console;
    p->host_open = config->host_open;
    p->n_name = (uint8_t)n_name;
    p->cols = config->cols;
    p->rows = config->rows;
    p->place = config->place;
    if (n_name > 0)
        memcpy(p->name, config->name, n_name);
    size_changed(c, port);
    if (vc_virtio_running(&c->mmio) && !multiport(c)) {
        if (port == 0)
            start_single(c);
        return VC_OK; /* others will not be seen before a driver that knows them */
    }
    vc_virtio_console_expected(c, port);
    vc_virtio_control_owe(c, port, OWED_ADD);
    return VC_OK;
}

int vc_virtio_console_remove(struct vc_virtio_console *c, uint32_t port)
{
    struct vc_virtio_port *p = plugged(c, port);

    if (p == NULL)
        return VC_ENOENT;
    if (p->console && c->config.announce != NULL)
        vc_announce_leave(c->config.announce, p->place);
    p->plugged = p->console = p->host_open = p->open = p->ready = p->hungry = false;
    p->cols = p->rows = 0;
    size_changed(c, port);
    vc_virtio_control_removed(c, port);
    vc_virtio_console_output_room(c, port); /* what waits there is used */
    return VC_OK;
}

int vc_virtio_console_resize(struct vc_virtio_console *c, uint32_t port, uint16_t cols, uint16_t rows)
{
    struct vc_virtio_port *p = plugged(c, port);

    if (p == NULL)
        return VC_ENOENT;
    if (p->cols == cols && p->rows == rows)
        return VC_OK;
    p->cols = cols;
    p->rows = rows;
    size_changed(c, port);
    if (p->ready && multiport(c))
        vc_virtio_control_owe(c, port, OWED_RESIZE);
    return VC_OK;
}

int vc_virtio_console_host(struct vc_virtio_console *c, uint32_t port, bool open)
{
    struct vc_virtio_port *p = plugged(c, port);

    if (p == NULL)
        return VC_ENOENT;
    if (p->host_open == open)
        return VC_OK;
    p->host_open = open;
    if (p->ready && multiport(c))
        vc_virtio_control_owe(c, port, OWED_OPEN);
    return VC_OK;
}
