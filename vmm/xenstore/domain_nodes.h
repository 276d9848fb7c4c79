/* SPDX-License-Identifier: MIT */
/*
 * domain_nodes.h: what a toolstack writes into the store for a domain before it runs.
 *
 * Spec:  docs/misc/xenstore-paths.pandoc, libxl_create.c, libxl_console.c.
 * Lock:  the store's.
 * Trust: what the guest may write below its directory, and nothing else: control/shutdown and the like, data, drivers,
 *        feature, attr, error. The host reads none of these but control/shutdown.
 */
#ifndef VCONS_VMM_XENSTORE_DOMAIN_NODES_H
#define VCONS_VMM_XENSTORE_DOMAIN_NODES_H
#include "store.h"

#define DOMAIN_NODES_RINGS_MAX 16u

struct domain_nodes {
    uint32_t domid;
    const char *name;
    uint8_t uuid[16];
    uint64_t memory_kib;
    uint32_t vcpus;
    uint64_t store_gfn, console_gfn; /* of the pages; 0 for the console: there is none */
    uint32_t store_port, console_port;
    struct {
        uint64_t gfn;
        uint32_t port;
    } rings[DOMAIN_NODES_RINGS_MAX]; /* of UARTs: xen-console/N, which the backend alone may read */
    uint32_t n_rings;
};

/* Introduces the domain too. 0 or -ENOMEM. */
int domain_nodes_write(struct store *s, const struct domain_nodes *d);
/* Everything of the domain is taken out again, and its release told. */
void domain_nodes_remove(struct store *s, const struct domain_nodes *d);

#endif
