/* SPDX-License-Identifier: MIT */
#include "save_config.h"
#include "boot.h"
#include "config_value.h"
#include "host/name.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vcons/wire/xen.h>

#define VERSION 3u
#define OLDER   2u /* without virtio */

static void write_text(struct vc_writer *w, const char *text)
{
    size_t n = text != NULL ? strlen(text) : 0;

    vc_write_u32(w, (uint32_t)n);
    vc_write_bytes(w, text, n);
}

void save_config_write(const struct domain_config *d, uint32_t domid, struct vc_writer *w)
{
    vc_write_u32(w, VERSION);
    write_text(w, d->name);
    write_text(w, d->engine);
    write_text(w, d->kernel);
    write_text(w, d->ramdisk);
    write_text(w, d->cmdline);
    vc_write_u64(w, d->memory_bytes);
    vc_write_u32(w, d->vcpus);
    vc_write_u32(w, d->xen_version);
    vc_write_u32(w, (uint32_t)d->hold_ms);
    vc_write_u32(w, d->connected);
    vc_write_u32(w, d->on_poweroff);
    vc_write_u32(w, d->on_reboot);
    vc_write_u32(w, d->on_crash);
    vc_write_u32(w, domid);
    vc_write_bytes(w, d->uuid, sizeof d->uuid);
    vc_write_u32(w, (d->virtio_together ? 1 : 0) | (d->virtio_rows_first ? 2 : 0));
    vc_write_u32(w, config_virtio_devices(d));
    for (uint32_t i = 0; i < config_virtio_devices(d); i++)
        vc_write_u32(w, d->virtio_ports[i]);
    vc_write_u32(w, d->n_consoles);
    for (uint32_t i = 0; i < d->n_consoles; i++) {
        write_text(w, d->consoles[i].name);
        vc_write_u32(w, d->consoles[i].door);
        vc_write_u32(w, d->consoles[i].device);
        vc_write_u32(w, d->consoles[i].port);
    }
}

/* A text of at most max bytes with none that a line of a configuration could not hold; false: something else. */
static bool read_text(struct vc_reader *r, char *text, size_t max)
{
    uint32_t n = vc_read_u32(r);
    const char *from = n <= max ? vc_read_span(r, n) : NULL;

    if (from == NULL)
        return false;
    for (uint32_t i = 0; i < n; i++)
        if ((unsigned char)from[i] < ' ' && from[i] != '\t')
            return false;
    memcpy(text, from, n);
    text[n] = '\0';
    return true;
}

static bool read_string(struct vc_reader *r, char **string, size_t max)
{
    char text[PATH_MAX];

    if (!read_text(r, text, max < sizeof text ? max : sizeof text - 1))
        return false;
    *string = strdup(text);
    return *string != NULL;
}

static bool read_virtio(struct vc_reader *r, struct domain_config *d)
{
    uint32_t flags = vc_read_u32(r), n = vc_read_u32(r);

    d->virtio_together = (flags & 1) != 0;
    d->virtio_rows_first = (flags & 2) != 0;
    if (flags > 3 || n > CONFIG_VIRTIO_MAX)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t ports = vc_read_u32(r);

        if (ports > CONFIG_VIRTIO_PORTS || (ports == 0 && i == n - 1))
            return false;
        d->virtio_ports[i] = (uint16_t)ports;
    }
    return true;
}

/* The place of a port is one that there is; others have none. */
static bool place_ok(const struct domain_config *d, const struct config_console *c)
{
    if (!door_is_virtio(c->door))
        return c->device == 0 && c->port == 0;
    return c->device < CONFIG_VIRTIO_MAX && c->port < d->virtio_ports[c->device];
}

static bool same_console(const struct config_console *a, const struct config_console *b)
{
    return strcmp(a->name, b->name) == 0 ||
           (door_is_virtio(a->door) && door_is_virtio(b->door) && a->device == b->device && a->port == b->port);
}

static bool read_console(struct vc_reader *r, uint32_t version, struct config_console *c)
{
    uint32_t door;

    if (!read_text(r, c->name, sizeof c->name - 1) || !name_ok(c->name))
        return false;
    door = vc_read_u32(r);
    if (door > DOOR_VIRTIO_PORT || door == DOOR_COMMAND)
        return false;
    c->door = (enum config_door)door;
    if (version == VERSION) {
        c->device = vc_read_u32(r);
        c->port = vc_read_u32(r);
    }
    return true;
}

static bool read_consoles(struct vc_reader *r, uint32_t version, struct domain_config *d)
{
    uint32_t n = vc_read_u32(r), calls = 0, n_xen = 0;

    if (n < 1 || n > CONFIG_CONSOLES_MAX + CONFIG_VIRTIO_MAX * CONFIG_VIRTIO_PORTS)
        return false;
    d->n_consoles = 0;
    while (d->n_consoles < n) {
        struct config_console *c = config_console_add(d);

        if (c == NULL || !read_console(r, version, c) || !place_ok(d, c))
            return false;
        calls += c->door == DOOR_CONSOLE_IO;
        n_xen += c->door == DOOR_XEN;
        if (calls > 1 || n_xen > CONFIG_XEN_MAX)
            return false;
        for (uint32_t i = 0; i < d->n_consoles - 1; i++)
            if (same_console(&d->consoles[i], c))
                return false;
    }
    d->consoles_named = true;
    return true;
}

/* A number below n, as an enum. */
static unsigned read_enum(struct vc_reader *r, unsigned n)
{
    uint32_t value = vc_read_u32(r);

    r->bad = r->bad || value >= n;
    return value < n ? value : 0;
}

static bool read_numbers(struct vc_reader *r, struct domain_config *d)
{
    d->memory_bytes = vc_read_u64(r);
    d->vcpus = vc_read_u32(r);
    d->xen_version = vc_read_u32(r);
    d->hold_ms = (int)vc_read_u32(r);
    d->connected = (enum config_connected)read_enum(r, 2);
    d->on_poweroff = (enum config_action)read_enum(r, 3);
    d->on_reboot = (enum config_action)read_enum(r, 3);
    d->on_crash = (enum config_action)read_enum(r, 3);
    d->domid = vc_read_u32(r);
    vc_read_bytes(r, d->uuid, sizeof d->uuid);
    return vc_reader_ok(r) && d->memory_bytes >= CONFIG_MEMORY_MIN && d->memory_bytes <= CONFIG_MEMORY_MAX &&
           d->memory_bytes % 4096 == 0 && d->vcpus >= 1 && d->vcpus <= CONFIG_VCPUS_MAX &&
           d->hold_ms >= CONFIG_HOLD_FOREVER && d->domid >= 1 && d->domid < XEN_DOMID_FIRST_RESERVED;
}

static bool read_domain(struct vc_reader *r, uint32_t version, struct domain_config *d)
{
    bool ok = read_text(r, d->engine, sizeof d->engine - 1) && read_string(r, &d->kernel, PATH_MAX) &&
              read_string(r, &d->ramdisk, PATH_MAX) && read_string(r, &d->cmdline, BOOT_CMDLINE_MAX) &&
              read_numbers(r, d) && (version == OLDER || read_virtio(r, d)) && read_consoles(r, version, d) &&
              vc_reader_done(r);

    if (d->ramdisk != NULL && d->ramdisk[0] == '\0') {
        free(d->ramdisk);
        d->ramdisk = NULL;
    }
    /* A path was made absolute before it was saved; "auto" was decided, and a program on a pty is no guest of ours. */
    return ok && (strchr(d->kernel, '/') == NULL || d->kernel[0] == '/') &&
           (d->ramdisk == NULL || d->ramdisk[0] == '/') && strcmp(d->engine, "auto") != 0 &&
           strcmp(d->engine, "command") != 0;
}

int save_config_read(struct vmm_config *config, const void *bytes, size_t n, const char *as, struct problem *p)
{
    char name[CONFIG_NAME_BYTES];
    struct domain_config *d;
    struct vc_reader r;
    uint32_t version;

    vc_reader_init(&r, bytes, n);
    version = vc_read_u32(&r);
    if ((version != VERSION && version != OLDER) || !read_text(&r, name, sizeof name - 1) || !name_ok(name))
        return problem_set(p, -1, "damaged: it names no domain that this program knows");
    d = config_domain_add(config, as != NULL ? as : name, p);
    if (d == NULL)
        return -1;
    if (!read_domain(&r, version, d))
        return problem_set(p, -1, "damaged: what it says of domain \"%s\" is no configuration", name);
    if (as != NULL && strcmp(as, name) != 0)
        memset(d->uuid, 0,
               sizeof d->uuid); /* another domain than the one whose history goes on: config_complete gives it one */
    return 0;
}
