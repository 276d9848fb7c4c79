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
#include <vcons/save.h>

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
    bool frozen; /* nothing moves: it is being saved */
    struct store_ring ring;
};

/* Loop thread, all but what `sent` does. */
void domain_store_init(struct domain *d);
void domain_store_free(struct domain *d);
/* For a run that starts, when the first console has its page and port: page, port, parameters, nodes. */
int domain_store_open(struct domain *d, struct problem *problem);
/*
 * Save and restore, loop thread; no vCPU runs. Frozen: nothing moves. save: the store, the guest's connection and what is under
 * way on it. restore: with memory as it was and store.port set, instead of open. False: it is none of such a domain; close it.
 * Each further console has its part: the page that it goes on with, NULL if the guest has not opened it.
 */
void domain_store_freeze(struct domain *d, bool frozen);
size_t domain_store_save_bytes(struct domain *d);
void domain_store_save(struct domain *d, uint32_t tag, struct vc_writer *w);
bool domain_store_restore(struct domain *d, struct vc_section *section);
void domain_store_save_backend(struct door *door, struct vc_writer *w);
void *domain_store_restore_backend(struct door *door, struct vc_reader *r, bool *right);
/* No vCPU runs any more; consoles that it had opened are closed. Without a run: nothing to do. */
void domain_store_close(struct domain *d);
/* The loop's turn, if there is something to do. */
void domain_store_look(struct domain *d);

#endif
