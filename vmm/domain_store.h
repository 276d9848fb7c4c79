/* SPDX-License-Identifier: MIT */
/*
 * domain_store.h: one domain's XenStore: its ring page and port, its nodes, and the PV consoles that it offers beyond the
 * first.
 *
 * Spec:  xenstore/store.h and its neighbours; xen-abi §7. Each domain has a store of its own: no lock, no node and no
 *        limit is shared between two guests.
 * Owner: part of struct domain; a store is made for each run.
 * Lock:  its own, the outermost of a domain: held while the store works, and with it while a console opens or closes
 *        (the door's lock). Nobody asks for it with a door's lock held.
 * Trust: as xenstore/ring.h and console_backend.h say.
 */
#ifndef VCONS_VMM_DOMAIN_STORE_H
#define VCONS_VMM_DOMAIN_STORE_H
#include "config.h"
#include "host/message.h"
#include "xenstore/console_backend.h"
#include "xenstore/ring.h"
#include <pthread.h>
#include <stdatomic.h>

struct domain;
struct door;

struct domain_port { /* who takes what the guest sends on a port; the door of core's events */
    void (*sent)(struct domain_port *port);
};

struct domain_store { /* for the caller to place, not to read */
    struct domain_port to;
    struct domain *domain;
    atomic_bool look; /* the loop is to serve it. Any thread */
    pthread_mutex_t lock;
    struct store *store; /* NULL: no run */
    uint32_t port;
    struct store_ring ring;
    struct console_backend backends[CONFIG_CONSOLES_MAX]; /* of the door with the same number; zero: it has none */
};

/* Loop thread, all but what `sent` does. */
void domain_store_init(struct domain *d);
void domain_store_free(struct domain *d);
/* For a run that starts, when the first console has its page and port: page, port, parameters, nodes. */
int domain_store_open(struct domain *d, struct problem *problem);
/* For a domain that was saved: its page as it was, store.port, which is there; the nodes of a boot. What the guest wrote, its
 * watches and transactions are gone, as after a migration under Xen. */
int domain_store_reopen(struct domain *d, struct problem *problem);
/* No vCPU runs. Serve what is there; false: the guest is in the middle of a request. */
bool domain_store_settle(struct domain *d);
/* No vCPU runs any more; consoles that it had opened are closed. Without a run: nothing to do. */
void domain_store_close(struct domain *d);
/* The loop's turn, if there is something to do. */
void domain_store_look(struct domain *d);

#endif
