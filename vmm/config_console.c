/* SPDX-License-Identifier: MIT */
/* The consoles of a domain's configuration. */
#include "config_value.h"
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
