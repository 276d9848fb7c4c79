/* SPDX-License-Identifier: MIT */
/*
 * conring.h: the hypervisor's own log, `xl dmesg`, as a source: the console Domain-0/hypervisor.
 *
 * Spec:  XEN_SYSCTL_readconsole: a ring with a free-running index of 32 bits; read from an index on, or from the oldest that is
 *        kept if that is gone. VIRQ_CON_RING tells of more.
 * Owner: conring_create makes it; destroy, as of any source, ends it.
 * Lock:  as source.h. It has a handle of its own for Xen's calls: they are the append thread's, and never wait.
 * Trust: the hypervisor is believed. What domains print on its console is in there as well: bytes, no more.
 *
 * A log that has this ring's bytes up to an index goes on there: nothing is twice, and what was overwritten meanwhile is a gap.
 */
#ifndef VCONS_XEN_CONRING_H
#define VCONS_XEN_CONRING_H
#include "module.h"

#define CONRING_DOMAIN  "Domain-0"
#define CONRING_CONSOLE "hypervisor"

/* NULL with *p: it cannot be read, or another program has its interrupt. */
struct source *conring_create(struct xen *x, struct problem *p);

#endif
