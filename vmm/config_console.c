/* SPDX-License-Identifier: MIT */
/* The consoles of a domain's configuration. */
#include "config_value.h"
#include "engine.h"
#include <inttypes.h>
#include <stdlib.h>

struct config_console *config_console_add(struct domain_config *d)
{
    struct config_console *grown = realloc(d->consoles, (d->n_consoles + 1) * sizeof *grown);

    if (grown == NULL)
        return NULL;
    d->consoles = grown;
    grown[d->n_consoles] = (struct config_console){.door = DOOR_XEN};
    return &grown[d->n_consoles++];
}

const char *config_door_word(enum config_door door)
{
    static const char *const words[] = {[DOOR_XEN] = "xen",         [DOOR_CONSOLE_IO] = "console_io",
                                        [DOOR_COMMAND] = "command", [DOOR_PL011] = "pl011",
                                        [DOOR_SBSA] = "sbsa",       [DOOR_16550] = "16550",
                                        [DOOR_VIRTIO] = "virtio",   [DOOR_VIRTIO_PORT] = "virtio-port"};

    return words[door];
}

uint32_t config_virtio_devices(const struct domain_config *d)
{
    uint32_t n = CONFIG_VIRTIO_MAX;

    while (n > 0 && d->virtio_ports[n - 1] == 0)
        n--;
    return n;
}

/* ---- Ports of virtio. ---- */

/* Each device has room for as many consoles more as may come while its domain runs. */
static int number_ports(struct domain_config *d, struct problem *problem)
{
    uint32_t used[CONFIG_VIRTIO_MAX] = {0};

    for (uint32_t i = 0; i < d->n_consoles; i++) {
        struct config_console *c = &d->consoles[i];

        if (!door_is_virtio(c->door))
            continue;
        if (used[c->device] == CONFIG_VIRTIO_PORTS)
            return problem_set(problem, -1, "console \"%s\": expected at most %u ports of virtio device %" PRIu32,
                               c->name, CONFIG_VIRTIO_PORTS, c->device);
        c->port = used[c->device]++;
    }
    for (uint32_t i = 0; i < CONFIG_VIRTIO_MAX; i++)
        if (used[i] > 0)
            d->virtio_ports[i] =
                (uint16_t)(used[i] < CONFIG_VIRTIO_PORTS - CONFIG_VIRTIO_SPARE ? used[i] + CONFIG_VIRTIO_SPARE
                                                                               : CONFIG_VIRTIO_PORTS);
    return 0;
}

int config_virtio_complete(struct domain_config *d, const struct engine_ops *engine, struct problem *problem)
{
    struct engine_device place;

    if (config_virtio_devices(d) == 0 && number_ports(d, problem) != 0) /* else they are those of a saved domain */
        return -1;
    for (uint32_t i = 0; i < config_virtio_devices(d); i++)
        if (engine->virtio == NULL || !engine->virtio(i, &place))
            return problem_set(problem, -1, "engine %s has no virtio device %" PRIu32 " here", engine->name, i);
    return 0;
}
