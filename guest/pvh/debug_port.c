/* SPDX-License-Identifier: MIT */
#include "debug_port.h"
#include "x86.h"

static size_t put(struct hvc *hvc, const void *bytes, size_t n)
{
    (void)hvc;
    x86_outsb(XEN_DEBUG_PORT, bytes, n);
    return n;
}

static size_t get(struct hvc *hvc, void *bytes, size_t n)
{
    (void)hvc, (void)bytes, (void)n;
    return 0;
}

static uint32_t input_ports(struct hvc *hvc, uint32_t ports[2])
{
    (void)hvc, (void)ports;
    return 0;
}

static const struct hvc_driver debug_port_driver = {put, get, input_ports};

void debug_port_init(struct debug_port *d, const struct platform *platform)
{
    *d = (struct debug_port){.hvc = {.driver = &debug_port_driver, .platform = platform, .name = "e9"}};
}
