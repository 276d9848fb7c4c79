/* SPDX-License-Identifier: MIT */
/*
 * A file of a saved domain that is anything at all, but with checksums that are right, so that they stop nobody: its records come
 * in order and within limits, its configuration is one that passes all checks, or there is one clear line that says why not.
 */
#include "fuzz.h"
#include "host/crc32c.h"
#include "vmm/config_value.h"
#include "vmm/engine.h"
#include "vmm/save.h"
#include "vmm/save_config.h"
#include "vmm/save_file.h"
#include <sys/mman.h>
#include <unistd.h>

/* What is linked here has no engines, and keeps no file. */
const struct engine_ops *engine_find(const char *name)
{
    (void)name;
    return NULL;
}
void save_config_close(struct vmm_config *config) { (void)config; }

#define HEADER 32u
#define HEAD   24u

static uint64_t get(const uint8_t *at, unsigned n)
{
    uint64_t value = 0;

    while (n-- > 0)
        value = value << 8 | at[n];
    return value;
}

static void put32(uint8_t *at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* Magic, version and checksums as they must be; lengths as the input has them, within what there is. */
static void mend(uint8_t *file, size_t n)
{
    size_t at = HEADER;

    memcpy(file, "vcnsave\n\2\0\0\0", 12);
    put32(file + 12, 0);
    put32(file + 12, crc32c(0, file, HEADER));
    while (n - at >= HEAD) {
        uint64_t bytes = get(file + at + 8, 2);

        memset(file + at + 10, 0, 6);
        memset(file + at + 20, 0, 4);
        if (bytes > n - at - HEAD)
            return;
        put32(file + at + 16, crc32c(crc32c(0, file + at, 16), file + at + HEAD, bytes));
        at += HEAD + bytes;
    }
}

static void one_line(const struct problem *p)
{
    require(p->text[0] != '\0' && strchr(p->text, '\n') == NULL && strlen(p->text) < sizeof p->text);
}

static void try_config(const struct save_in *in)
{
    struct vmm_config config;
    struct problem p = {""};

    config_defaults(&config, NULL);
    if (save_config_read(&config, in->payload, in->bytes, NULL, &p) == 0) {
        const struct domain_config *d = &config.domains[0];

        require(config.n_domains == 1 && d->vcpus >= 1 && d->vcpus <= CONFIG_VCPUS_MAX && d->n_consoles >= 1);
        for (uint32_t i = 0; i < d->n_consoles; i++) {
            const struct config_console *c = &d->consoles[i];

            require(!door_is_virtio(c->door) ||
                    (c->device < config_virtio_devices(d) && c->port < d->virtio_ports[c->device]));
        }
        require(d->memory_bytes <= CONFIG_MEMORY_MAX && d->kernel != NULL);
        require(strlen(d->name) > 0 && strlen(d->name) < CONFIG_NAME_BYTES && d->cmdline != NULL);
    } else {
        one_line(&p);
    }
    vmm_config_finish(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum save_kind last = 0, kind;
    struct problem p = {""};
    struct save_in in;
    uint8_t *file;
    char path[64];
    int fd;

    if (size < HEADER)
        return 0;
    file = malloc(size);
    fd = memfd_create("save", MFD_CLOEXEC);
    require(file != NULL && fd >= 0);
    memcpy(file, data, size);
    if (size % 8 != 0)
        mend(file, size);
    require(write(fd, file, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (save_in_open(&in, path, &p) == 0) {
        while (!in.ended && save_in_next(&in, last, &kind, &p) == 0) {
            require(kind >= last && in.bytes <= size);
            if (kind == SAVE_CONFIG)
                try_config(&in);
            last = kind;
        }
        require(!in.ended || in.at == size || p.text[0] != '\0');
    }
    if (!in.ended)
        one_line(&p);
    save_in_close(&in);
    close(fd);
    free(file);
    return 0;
}
