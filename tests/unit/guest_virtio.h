/* SPDX-License-Identifier: MIT */
/*
 * guest_virtio.h: a kernel's virtio-console driver and the core's devices in one process: several devices, one list of terminals.
 *
 * Guest memory is the world itself: a guest physical address is an address in it, and what lies elsewhere the devices do not reach.
 */
#ifndef VCONS_TESTS_GUEST_VIRTIO_H
#define VCONS_TESTS_GUEST_VIRTIO_H
#include "../../guest/virtio_console.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/virtio_console.h>

enum {
    WORLD_DEVICES = 3,
    WORLD_PORTS = 8,
    WORLD_IDS = 12,
    WORLD_TERMS = WORLD_DEVICES * WORLD_PORTS,
    WORLD_OUT = 16384
};

struct world;
struct world_line { /* a port, as its host has it */
    uint32_t n;
    uint32_t plugs; /* how often it was plugged */
    char out[WORLD_OUT];
};
struct world_device {
    struct world *world;
    struct vc_virtio_console core;
    void *memory;
    struct world_line lines[WORLD_IDS];
    uint32_t room;
    bool due, irq, opened[WORLD_IDS];
    unsigned broken;
    struct virtio_console driver;
    struct virtio_port ports[WORLD_PORTS];
};
struct world {
    struct world_device devices[WORLD_DEVICES];
    uint32_t n_devices;
    struct vterms terms;
    uint64_t terms_memory[(WORLD_TERMS * sizeof(struct vterm) + 64) / 8];
    struct platform platform;
    struct vc_announce announce;
    struct vc_announce_place places[WORLD_DEVICES * WORLD_IDS];
    uint64_t timer, clock;
    bool greets;                /* each terminal writes a line as it begins */
    bool holds;                 /* whose port goes lets go of it later, by world_let_go */
    uint32_t refuse;            /* terminals that are not to be had from now on */
    bool live[WORLD_TERMS * 4]; /* by number */
    struct virtio_port *ended[WORLD_TERMS];
    uint32_t n_ended, n_begun, n_unpublished;
};

/* ---- The guest's machine. ---- */

static inline uint32_t world_read(const struct virtio_io *io, uint32_t offset, uint32_t width)
{
    uint32_t value = 0;

    vc_virtio_mmio_read(&((struct world_device *)(uintptr_t)io->base)->core.mmio, offset, width, &value);
    return value;
}
static inline void world_write(const struct virtio_io *io, uint32_t offset, uint32_t width, uint32_t value)
{
    vc_virtio_mmio_write(&((struct world_device *)(uintptr_t)io->base)->core.mmio, offset, width, value);
}
static inline struct virtio_io world_io(struct world_device *d)
{
    return (struct virtio_io){(uintptr_t)d, world_read, world_write};
}
static inline uint64_t world_gpa(void *ctx, const void *at)
{
    (void)ctx;
    return (uintptr_t)at;
}
static inline int64_t world_hypercall(void *ctx, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct world *w = ctx;

    (void)a0, (void)a1, (void)a2;
    return nr == VC_CALL_TIME && w->clock > 0 ? (int64_t)(w->clock += 1000) : -XEN_ENOSYS;
}

/* ---- The hosts. ---- */

static inline void *world_at(void *ctx, uint64_t gpa, uint32_t n, bool write)
{
    struct world_device *d = ctx;
    uint64_t base = (uintptr_t)d->world, end = base + sizeof *d->world;

    (void)write;
    return n > 0 && gpa >= base && gpa < end && n <= end - gpa ? (void *)(uintptr_t)gpa : NULL;
}
static inline void world_irq(void *ctx, bool level) { ((struct world_device *)ctx)->irq = level; }
static inline uint32_t world_out(void *ctx, uint32_t port, const uint8_t *bytes, uint32_t n)
{
    struct world_device *d = ctx;
    struct world_line *l = &d->lines[port];
    uint32_t taken = n < d->room ? n : d->room;

    taken = taken < WORLD_OUT - l->n ? taken : WORLD_OUT - l->n;
    memcpy(l->out + l->n, bytes, taken);
    l->n += taken;
    d->room -= taken;
    return taken;
}
static inline void world_emergency(void *ctx, uint32_t port, uint8_t byte) { world_out(ctx, port, &byte, 1); }
static inline void world_input_room(void *ctx, uint32_t port) { (void)ctx, (void)port; }
static inline void world_guest_open(void *ctx, uint32_t port, bool open)
{
    ((struct world_device *)ctx)->opened[port] = open;
}
static inline void world_broken(void *ctx, uint32_t port, enum vc_virtio_reason reason)
{
    (void)port, (void)reason;
    ((struct world_device *)ctx)->broken++;
}
static inline void world_later(void *ctx) { ((struct world_device *)ctx)->due = true; }
static const struct vc_virtio_console_env world_env = {
    {world_at, world_irq}, world_out,    world_emergency, world_input_room,
    world_guest_open,      world_broken, world_later,     NULL};

static inline unsigned long world_no_lock(void *ctx)
{
    (void)ctx;
    return 0;
}
static inline void world_no_unlock(void *ctx, unsigned long saved) { (void)ctx, (void)saved; }
static inline void world_turn(void *ctx, void *owner)
{
    struct world *w = ctx;

    for (uint32_t i = 0; i < w->n_devices; i++)
        w->devices[i].due = w->devices[i].due || owner == &w->devices[i].core;
}
static inline void world_timer(void *ctx, uint64_t ns) { ((struct world *)ctx)->timer = ns; }
static const struct vc_announce_env world_announce_env = {
    .lock = {.lock = world_no_lock, .unlock = world_no_unlock}, .turn = world_turn, .timer = world_timer};

/* Everybody goes on until nobody has anything to do; for ever would be a mistake. */
static inline void world_settle(struct world *w)
{
    bool any = true;

    for (unsigned rounds = 0; any; rounds++) {
        assert_true(rounds < 10000);
        any = false;
        for (uint32_t i = 0; i < w->n_devices; i++) {
            struct world_device *d = &w->devices[i];

            any = any || d->due;
            if (d->due) {
                d->due = false;
                vc_virtio_console_serve(&d->core);
            }
            if (d->irq)
                virtio_console_interrupt(&d->driver);
            any = virtio_console_work(&d->driver) || any;
        }
    }
}

/* ---- The kernel above the driver. ---- */

static inline bool world_begin_term(void *ctx, uint32_t number)
{
    struct world *w = ctx;
    struct hvc *hvc = vterm_find(&w->terms, number);
    char hello[32];

    if (w->refuse > 0) {
        w->refuse--;
        return false;
    }
    w->n_begun++;
    w->n_unpublished += hvc == NULL;
    assert_true(number > 0 && number < sizeof w->live / sizeof w->live[0]);
    assert_false(w->live[number]);
    w->live[number] = true;
    snprintf(hello, sizeof hello, "terminal %u\n", number);
    if (w->greets && hvc != NULL)
        hvc_write(hvc, hello, strlen(hello));
    return true;
}

static inline void world_let_go(struct world *w)
{
    while (w->n_ended > 0) {
        struct virtio_port *p = w->ended[--w->n_ended];

        w->live[p->number] = false;
        virtio_port_release(p);
    }
}

static inline void world_end_term(void *ctx, uint32_t number)
{
    struct world *w = ctx;
    struct hvc *hvc = vterm_find(&w->terms, number);

    assert_non_null(hvc);
    assert_true(w->live[number]);
    w->ended[w->n_ended++] = virtio_port_of(hvc);
    if (!w->holds)
        world_let_go(w);
}

static inline void world_yield(void *ctx) { world_settle(ctx); }

static const struct vterm_env world_terms_env = {
    .begin = world_begin_term, .end = world_end_term, .yield = world_yield};

/* ---- All of it. ---- */

struct world_shape {
    uint32_t devices;
    uint64_t withheld;    /* features, as bits */
    bool ordered;         /* one announcement at a time */
    bool single, counter; /* what the guest is */
};

static inline struct world *world_create(const struct world_shape *shape)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->n_devices = shape->devices;
    w->platform = (struct platform){.ctx = w, .hypercall = world_hypercall, .gpa = world_gpa};
    assert_true(vterms_bytes(WORLD_TERMS) <= sizeof w->terms_memory);
    assert_int_equal(vterms_init(&w->terms, &world_terms_env, w, WORLD_TERMS, w->terms_memory, shape->counter), VC_OK);
    vc_announce_init(&w->announce, &world_announce_env, w, w, w->places, WORLD_DEVICES * WORLD_IDS,
                     VC_ANNOUNCE_LIMIT_NS);
    for (uint32_t i = 0; i < shape->devices; i++) {
        struct world_device *d = &w->devices[i];
        struct vc_virtio_console_config config = {
            .ports = WORLD_IDS, .withheld = shape->withheld, .announce = shape->ordered ? &w->announce : NULL};

        d->world = w;
        d->room = UINT32_MAX;
        d->memory = calloc(1, vc_virtio_console_bytes(WORLD_IDS));
        assert_int_equal(vc_virtio_console_init(&d->core, &config, &world_env, d, d->memory), VC_OK);
    }
    return w;
}

static inline void world_destroy(struct world *w)
{
    for (uint32_t i = 0; i < w->n_devices; i++)
        free(w->devices[i].memory);
    free(w);
}

static inline void world_plug(struct world *w, uint32_t device, uint32_t id, bool console, const char *name)
{
    struct world_device *d = &w->devices[device];
    struct vc_virtio_port_config port = {
        .name = name, .console = console, .host_open = true, .place = device * WORLD_IDS + id};

    d->lines[id].n = 0;
    d->lines[id].plugs++;
    assert_int_equal(vc_virtio_console_add(&d->core, id, &port), VC_OK);
}

static inline int world_boot(struct world *w, uint32_t device, bool single)
{
    struct world_device *d = &w->devices[device];
    struct virtio_console_setup setup = {.platform = &w->platform,
                                         .terms = &w->terms,
                                         .number = device,
                                         .ports = d->ports,
                                         .n_ports = WORLD_PORTS,
                                         .single = single};
    struct virtio_io io = world_io(d);

    return virtio_console_begin(&d->driver, &io, &setup);
}

/* What the guest calls its ports, in the order of devices and ids: "1 2 -": of the last it has no number. */
static inline void world_numbers(const struct world *w, char *text, size_t size)
{
    size_t n = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < w->n_devices * WORLD_PORTS; i++) {
        const struct virtio_port *p = &w->devices[i / WORLD_PORTS].ports[i % WORLD_PORTS];

        if (p->added && p->number > 0)
            n += (size_t)snprintf(text + n, size - n, n > 0 ? " %u" : "%u", p->number);
        else if (p->added)
            n += (size_t)snprintf(text + n, size - n, n > 0 ? " -" : "-");
    }
}

#endif
