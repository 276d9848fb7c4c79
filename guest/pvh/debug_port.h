/* SPDX-License-Identifier: MIT */
/*
 * debug_port.h: I/O port 0xE9 as a console: output only, one byte a write.
 *
 * Spec:  Xen ABI 2.2 (the port shares the domain's line with console_io); QEMU's debugcon is at the same place.
 * Owner: the caller places struct debug_port.
 * Lock:  the caller's, as hvc.h says.
 * Trust: nothing is read.
 */
#ifndef GUEST_PVH_DEBUG_PORT_H
#define GUEST_PVH_DEBUG_PORT_H
#include "hvc.h"

struct debug_port {
    struct hvc hvc;
};
void debug_port_init(struct debug_port *d, const struct platform *platform);

#endif
