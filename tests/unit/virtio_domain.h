/* SPDX-License-Identifier: MIT */
/*
 * virtio_domain.h: a domain with virtio-consoles, its guest with its own driver of them, and the services: all in one process.
 *
 * The driver's memory is the domain's; it reaches the devices by accesses as a vCPU makes them, and hears of interrupts as an
 * engine does. Turns of the loop are world_settle's.
 */
#ifndef VCONS_TESTS_VIRTIO_DOMAIN_H
#define VCONS_TESTS_VIRTIO_DOMAIN_H
#include "../../guest/virtio_console.h"
#include "domain_rig.h"
#include <stdlib.h>
#include <sys/eventfd.h>

enum {
    DEVICES = 3,
    GUEST_PORTS = 12,
    TERMS = DEVICES * GUEST_PORTS,
    CONSOLES = 64, /* more than any rig has */
    MMIO_STEP = 512,
    LINES = 2, /* of interrupts: devices share them */
    QUEUES = 2 * (GUEST_PORTS + 1),
};
#define MMIO_BASE UINT64_C(0xfeb00000)
#define GUEST_GPA (UINT64_C(1) << 20) /* of all that the driver has */

struct guest { /* in the domain's memory */
    struct virtio_console drivers[DEVICES];
    struct virtio_port ports[DEVICES][GUEST_PORTS];
    struct vterms terms;
    uint64_t terms_memory[(TERMS * sizeof(struct vterm) + 64) / 8];
    struct platform platform;
};
struct world {
    struct vmm vmm;
    struct domain_config config;
    struct config_console consoles[CONSOLES];
    struct domain domain;
    struct guest *guest;
    int level[LINES];
    bool bells;                         /* its engine has doorbells; before world_start */
    uint32_t no_bells;                  /* devices for which it refuses them, as bits */
    int fds[DEVICES][QUEUES];           /* of its doorbells, by queue; 0: none */
    void (*bell_goes)(struct world *w); /* a vCPU's last moment before one is taken away */
    unsigned rung, notified;            /* notifications that went there, and to the device */
    struct vc_sink sinks[CONSOLES];     /* by the number of the console */
};
static struct world *the_world; /* whose turn it is: the guest's io has no context */

/* ---- The engine. ---- */

static inline bool world_place(uint32_t n, struct engine_device *place)
{
    *place = (struct engine_device){ENGINE_MEMORY, MMIO_BASE + n * MMIO_STEP, MMIO_STEP, n % LINES};
    return n < CONFIG_VIRTIO_MAX;
}
static inline void world_irq(void *engine, uint32_t line, bool level)
{
    struct world *w = engine;

    w->level[line] += level ? 1 : -1;
    assert_in_range(w->level[line], 0, DEVICES);
}
static inline int world_map_page(void *engine, uint64_t gpa, void *page)
{
    (void)engine, (void)gpa, (void)page;
    return 0;
}
static inline bool world_doorbell(void *engine, uint64_t address, uint32_t value, int fd)
{
    struct world *w = engine;
    uint64_t device = (address - MMIO_BASE) / MMIO_STEP;

    assert_int_equal((address - MMIO_BASE) % MMIO_STEP, VIRTIO_MMIO_QUEUE_NOTIFY);
    assert_true(device < DEVICES && value < QUEUES);
    if ((w->no_bells >> device & 1) != 0)
        return false;
    if (fd < 0 && w->bell_goes != NULL)
        w->bell_goes(w);
    w->fds[device][value] = fd < 0 ? 0 : fd;
    return true;
}
static inline void world_kick(void *engine) { (void)engine; }
static const struct engine_ops world_ops = {
    .name = "world", .kick = world_kick, .virtio = world_place, .irq_line = world_irq, .map_page = world_map_page};
static const struct engine_ops world_bell_ops = {.name = "world",
                                                 .kick = world_kick,
                                                 .virtio = world_place,
                                                 .irq_line = world_irq,
                                                 .doorbell = world_doorbell,
                                                 .map_page = world_map_page};

/* ---- The guest's machine. ---- */

static inline uint32_t world_read(const struct virtio_io *io, uint32_t offset, uint32_t width)
{
    uint64_t value = UINT64_MAX;

    assert_true(domain_access(&the_world->domain, ENGINE_MEMORY, io->base + offset, width, &value, false));
    assert_true(width == 8 || value >> 8 * width == 0);
    return (uint32_t)value;
}
static inline void world_write(const struct virtio_io *io, uint32_t offset, uint32_t width, uint32_t value)
{
    uint64_t written = value, device = (io->base - MMIO_BASE) / MMIO_STEP;
    struct world *w = the_world;

    if (offset == VIRTIO_MMIO_QUEUE_NOTIFY && value < QUEUES && w->fds[device][value] > 0) {
        w->rung++;
        assert_int_equal(eventfd_write(w->fds[device][value], 1), 0);
        return;
    }
    w->notified += offset == VIRTIO_MMIO_QUEUE_NOTIFY;
    assert_true(domain_access(&the_world->domain, ENGINE_MEMORY, io->base + offset, width, &written, true));
}
static inline struct virtio_io world_io(uint32_t device)
{
    return (struct virtio_io){MMIO_BASE + device * MMIO_STEP, world_read, world_write};
}
static inline uint64_t world_gpa(void *ctx, const void *at)
{
    struct world *w = ctx;

    return (uint64_t)((const uint8_t *)at - w->domain.memory.base);
}
static inline int64_t world_hypercall(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    (void)ctx, (void)nr, (void)a0, (void)a1, (void)a2;
    return -XEN_ENOSYS;
}
static inline bool world_begin(void *ctx, uint32_t number)
{
    (void)ctx, (void)number;
    return true;
}
static inline void world_end(void *ctx, uint32_t number)
{
    struct world *w = ctx;

    virtio_port_release(virtio_port_of(vterm_find(&w->guest->terms, number)));
}
static const struct vterm_env world_terms_env = {.begin = world_begin, .end = world_end};

static inline uint32_t world_devices(const struct world *w) { return config_virtio_devices(&w->config); }

/* Loop and guest go on until nobody has anything to do. */
static inline void world_settle(struct world *w)
{
    bool any = true;

    for (unsigned rounds = 0; any; rounds++) {
        assert_true(rounds < 10000);
        any = false;
        uv_run(&w->vmm.loop, UV_RUN_NOWAIT);
        for (uint32_t i = 0; i < w->domain.virtio.n; i++)
            any = any || atomic_load(&w->domain.virtio.devices[i].look);
        doors_look(&w->domain);
        for (uint32_t i = 0; i < world_devices(w); i++) {
            if (!w->guest->drivers[i].running)
                continue;
            if (w->level[i % LINES] > 0)
                virtio_console_interrupt(&w->guest->drivers[i]);
            any = virtio_console_work(&w->guest->drivers[i]) || any;
        }
    }
}

static inline int world_boot(struct world *w, uint32_t device)
{
    struct virtio_console_setup setup = {.platform = &w->guest->platform,
                                         .terms = &w->guest->terms,
                                         .number = device,
                                         .ports = w->guest->ports[device],
                                         .n_ports = GUEST_PORTS};
    struct virtio_io io = world_io(device);

    return virtio_console_begin(&w->guest->drivers[device], &io, &setup);
}

/* ---- All of it. ---- */

static inline void world_config(struct world *w, const char *name, enum config_door door, uint32_t device)
{
    struct config_console *c = &w->consoles[w->config.n_consoles++];

    *c = (struct config_console){.door = door, .device = device};
    snprintf(c->name, sizeof c->name, "%s", name);
    if (door_is_virtio(door))
        c->port = w->config.virtio_ports[device]++;
}

/* The services come to all consoles that have none yet. */
static inline void world_attach(struct world *w, uint32_t number)
{
    domain_rig_attach(domain_console(&w->domain, number), &w->sinks[number]);
}

/* Each device has so many ports more than consoles. */
static inline void world_start(struct world *w, uint32_t spare)
{
    struct problem problem;

    for (uint32_t i = 0; i < CONFIG_VIRTIO_MAX; i++)
        if (w->config.virtio_ports[i] > 0)
            w->config.virtio_ports[i] = (uint16_t)(w->config.virtio_ports[i] + spare);
    w->config.consoles = w->consoles;
    the_world = w;
    domain_rig_start(&w->domain, &w->vmm, &w->config, w->bells ? &world_bell_ops : &world_ops, w);
    for (uint32_t i = 0; i < w->config.n_consoles; i++)
        world_attach(w, i);
    assert_int_equal(doors_open(&w->domain, &problem), 0);
    w->guest = memory_at(&w->domain.memory, GUEST_GPA, sizeof *w->guest);
    assert_non_null(w->guest);
    w->guest->platform = (struct platform){.ctx = w, .hypercall = world_hypercall, .gpa = world_gpa};
    assert_int_equal(vterms_init(&w->guest->terms, &world_terms_env, w, TERMS, w->guest->terms_memory, false), VC_OK);
}

static inline void world_finish(struct world *w)
{
    domain_rig_end(&w->domain);
    free(w);
}

/* ---- The service. ---- */

/* All that a console said since, past events, of which the last of each kind stays in values. */
static inline uint32_t world_take(struct world *w, uint32_t number, char *text, uint32_t size, uint64_t values[16])
{
    struct vc_sink *s = &w->sinks[number];
    struct vc_line_event event;
    struct vc_span spans[2];
    uint32_t n = 0, there;
    bool due;

    do {
        assert_int_equal(vc_sink_event(s, &event, &due), VC_OK);
        if (due && values != NULL)
            values[event.kind % 16] = event.value + 1;
        if (due)
            vc_sink_event_done(s);
        assert_int_equal(vc_sink_peek(s, spans, &there), VC_OK);
        for (unsigned i = 0; i < 2; i++) {
            uint32_t part = spans[i].n < size - n ? spans[i].n : size - n;

            memcpy(text + n, spans[i].bytes, part);
            n += part;
            if (part < spans[i].n)
                i = 2, there = part;
        }
        vc_sink_commit(s, there);
    } while (due || there > 0);
    return n;
}

static inline void world_said(struct world *w, uint32_t number, const char *text)
{
    char said[4096];
    uint32_t n = world_take(w, number, said, sizeof said, NULL);

    if (n != strlen(text) || memcmp(said, text, n) != 0)
        fail_msg("console %u said \"%.*s\", not \"%s\"", number, (int)n, said, text);
}

static inline void world_type(struct world *w, uint32_t number, const char *text)
{
    bool kick = false;
    uint32_t done;

    assert_int_equal(vc_sink_put(&w->sinks[number], text, (uint32_t)strlen(text), &done, &kick), VC_OK);
    assert_int_equal(done, strlen(text));
    door_work(w->domain.doors[number]); /* the loop, which the kick wakes */
}

/* ---- The guest's programs. ---- */

static inline struct virtio_port *world_port(struct world *w, uint32_t device, uint32_t id)
{
    struct virtio_port *p = virtio_console_port(&w->guest->drivers[device], id);

    if (p == NULL)
        fail_msg("the guest has no port %u of device %u", id, device);
    return p;
}
static inline void world_print(struct world *w, uint32_t device, uint32_t id, const char *text)
{
    hvc_write(&world_port(w, device, id)->hvc, text, strlen(text));
}
static inline void world_reads(struct world *w, uint32_t device, uint32_t id, const char *text)
{
    char got[1024];
    size_t n = 0, part;

    world_settle(w);
    while ((part = hvc_read(&world_port(w, device, id)->hvc, got + n, sizeof got - n)) > 0) {
        n += part;
        world_settle(w);
    }
    if (n != strlen(text) || memcmp(got, text, n) != 0)
        fail_msg("port %u of device %u read \"%.*s\", not \"%s\"", id, device, (int)n, got, text);
}

#endif
