/* SPDX-License-Identifier: MIT */
/*
 * ports.h: all event channels of the module, on one handle of Linux' evtchn device and one descriptor: the hub of its sources.
 *
 * Spec:  xenevtchn.h; Linux drivers/xen/evtchn.c: a port that was reported stays masked until it is unmasked, what comes
 *        meanwhile is reported then; a read gives the numbers of as many ports as fit.
 * Owner: the caller places struct ports, and struct port_user in whatever wakes by a port; that one outlives its bindings.
 * Lock:  the table's own, held for moments: binding (the module's thread) against collect (the append thread). notify and unmask
 *        are one system call each and take none: any thread.
 * Trust: a guest may notify without end, and close its end at any moment: then a notify fails, and nobody minds.
 */
#ifndef VCONS_XEN_PORTS_H
#define VCONS_XEN_PORTS_H
#include <pthread.h>
#include <stdint.h>
#include <xenevtchn.h>

#include "host/message.h"
#include "service/source.h"

struct port_user {
    struct source *source;
    bool (*event)(struct port_user
                      *u); /* append: the port was reported. False: it was for others than the reader, and unmasked */
};

struct ports {
    struct source_hub hub; /* first */
    xenevtchn_handle *handle;
    pthread_mutex_t lock;
    struct port_user **users; /* by local port */
    uint32_t n;
};

int ports_open(struct ports *p, struct xentoollog_logger *logger, struct problem *problem);
void ports_close(struct ports *p); /* accepts a zeroed one */
/* A local port, or a negative errno. It may be reported at once: a port that is bound is pending. */
int ports_bind(struct ports *p, uint32_t domid, uint32_t remote, struct port_user *u);
int ports_bind_virq(struct ports *p, uint32_t virq, struct port_user *u);
void ports_unbind(struct ports *p, uint32_t port);
void ports_notify(struct ports *p, uint32_t port);
void ports_unmask(struct ports *p, uint32_t port);

#endif
