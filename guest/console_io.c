/* SPDX-License-Identifier: MIT */
#include "console_io.h"

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

size_t console_io_write(const struct platform *platform, const void *bytes, size_t n, uint64_t *dropped)
{
    n = smaller(n, CONSOLE_IO_CHUNK);
    /* Refused is for good, not full: nothing is gained by waiting for a hypervisor that does not take it. */
    if (platform->hypercall(platform->ctx, XEN_console_io, CONSOLEIO_write, n, guest_address(bytes)) < 0)
        *dropped += n;
    return n;
}

size_t console_io_read(const struct platform *platform, void *bytes, size_t n)
{
    int64_t got;

    n = smaller(n, CONSOLE_IO_CHUNK);
    got = platform->hypercall(platform->ctx, XEN_console_io, CONSOLEIO_read, n, guest_address(bytes));
    return got > 0 && (uint64_t)got <= n ? (size_t)got : 0;
}

static size_t put(struct hvc *hvc, const void *bytes, size_t n)
{
    return console_io_write(hvc->platform, bytes, n, &hvc->dropped);
}

static size_t get(struct hvc *hvc, void *bytes, size_t n) { return console_io_read(hvc->platform, bytes, n); }

static uint32_t input_ports(struct hvc *hvc, uint32_t ports[2])
{
    ports[0] = hvc->port;
    return hvc->port != 0 ? 1 : 0;
}

static const struct hvc_driver console_io_driver = {put, get, input_ports};

uint32_t console_io_bind(const struct platform *platform)
{
    struct evtchn_bind_virq bind = {.virq = VIRQ_CONSOLE};
    int64_t error =
        platform->hypercall(platform->ctx, XEN_event_channel_op, EVTCHNOP_bind_virq, guest_address(&bind), 0);

    return error == 0 ? bind.port : 0;
}

void console_io_init(struct console_io *c, const struct platform *platform)
{
    *c = (struct console_io){.hvc = {.driver = &console_io_driver, .platform = platform, .name = "con_io"}};
    c->hvc.port = console_io_bind(platform);
}
