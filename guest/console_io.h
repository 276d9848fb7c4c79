/* SPDX-License-Identifier: MIT */
/*
 * console_io.h: the console that is a hypercall: CONSOLEIO_write and CONSOLEIO_read.
 *
 * Spec:  Xen ABI 2.1: write gives 0 when all was taken, read the number of bytes; negative: an XEN_E number.
 * Owner: the caller places struct console_io.
 * Lock:  the caller's, as hvc.h says. The bare functions need none.
 * Trust: a count read back that is larger than the buffer asked for is taken as nothing read (rule R35).
 */
#ifndef GUEST_CONSOLE_IO_H
#define GUEST_CONSOLE_IO_H
#include "hvc.h"

#define CONSOLE_IO_CHUNK 4096u /* bytes a call: what a hypervisor serves between two looks at pause and kill */

/* One call: at most a chunk of n bytes. Returns how many it was for; *dropped grows by them if it was refused. */
size_t console_io_write(const struct platform *platform, const void *bytes, size_t n, uint64_t *dropped);
/* Bytes read, 0..n; 0 too when the hypervisor refuses. */
size_t console_io_read(const struct platform *platform, void *bytes, size_t n);

/* The event channel of VIRQ_CONSOLE, which tells this domain of input; 0: the hypervisor gives it none. */
uint32_t console_io_bind(const struct platform *platform);

struct console_io {
    struct hvc hvc;
};
void console_io_init(struct console_io *c, const struct platform *platform);

#endif
