/* SPDX-License-Identifier: MIT */
/* A domain of six ports on three devices, beside a console of hypercalls, and the names by which its tests know them. */
#ifndef TESTS_UNIT_VIRTIO_WORLD_H
#define TESTS_UNIT_VIRTIO_WORLD_H
#include "virtio_domain.h"

/* hvc0 is the domain's first, and the devices' consoles are announced in the order of the configuration, not of the devices. */
static inline struct world *make_world(int hold_ms, uint32_t spare)
{
    struct world *w = calloc(1, sizeof *w);

    assert_non_null(w);
    w->config.hold_ms = hold_ms;
    world_config(w, "io", DOOR_CONSOLE_IO, 0);
    world_config(w, "a", DOOR_VIRTIO, 1);
    world_config(w, "b", DOOR_VIRTIO, 0);
    world_config(w, "log", DOOR_VIRTIO_PORT, 0);
    world_config(w, "c", DOOR_VIRTIO, 0);
    world_config(w, "d", DOOR_VIRTIO, 2);
    world_config(w, "e", DOOR_VIRTIO, 1);
    world_start(w, spare);
    return w;
}
enum { IO, A, B, LOG, C, D, E };
static const struct {
    uint32_t device, id;
} places[] = {[A] = {1, 0}, [B] = {0, 0}, [LOG] = {0, 1}, [C] = {0, 2}, [D] = {2, 0}, [E] = {1, 1}};

static inline void boot_all(struct world *w)
{
    for (uint32_t i = 0; i < DEVICES; i++)
        assert_int_equal(world_boot(w, i), VC_OK);
    world_settle(w);
}

static inline int make(void **state)
{
    *state = make_world(CONFIG_HOLD_FOREVER, 4);
    boot_all(*state);
    return 0;
}

static inline int unmake(void **state)
{
    world_finish(*state);
    return 0;
}

static inline struct virtio_port *port_of(struct world *w, uint32_t number)
{
    return world_port(w, places[number].device, places[number].id);
}

static inline void print(struct world *w, uint32_t number, const char *text)
{
    world_print(w, places[number].device, places[number].id, text);
}

static inline void reads(struct world *w, uint32_t number, const char *text)
{
    world_reads(w, places[number].device, places[number].id, text);
}

/* As much as the guest can write of a pattern; how much that was. */
static inline uint32_t fill(struct world *w, uint32_t number, uint32_t from)
{
    struct virtio_port *p = port_of(w, number);
    uint32_t n = from;

    for (;;) {
        char part[256];
        size_t taken;

        for (uint32_t i = 0; i < sizeof part; i++)
            part[i] = (char)((n + i) * 7 >> 3);
        taken = p->hvc.driver->put(&p->hvc, part, sizeof part);
        n += (uint32_t)taken;
        if (taken == 0)
            return n - from;
    }
}

static inline uint32_t take_pattern(struct world *w, uint32_t number, uint32_t from)
{
    static char text[1u << 20];
    uint32_t n = world_take(w, number, text, sizeof text, NULL);

    for (uint32_t i = 0; i < n; i++)
        if (text[i] != (char)((from + i) * 7 >> 3))
            fail_msg("byte %u of console %u is another", from + i, number);
    return n;
}

#endif
