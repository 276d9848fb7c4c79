/* SPDX-License-Identifier: MIT */
/*
 * domains.h: which domains there are, and the consoles of each: the module's thread keeps both as Xen and XenStore say.
 *
 * Spec:  XEN_DOMCTL/SYSCTL getdomaininfo; XenStore paths of a domain's consoles (xenstore-paths.pandoc): console/ (the primary
 *        one), vuart/0, and xen-console/N for one whose peer is the hypervisor.
 * Owner: struct xen has the list. A ring that is under way or the service's outlives its seat.
 * Lock:  none, the module's thread.
 * Trust: a domain's id may be reused at once: its UUID says whose it is. Nodes are read as place.h says; a watch only says that
 *        something may have changed, and a domain is looked at DOMAINS_PAUSE_MS after the last time at the earliest.
 */
#ifndef VCONS_XEN_DOMAINS_H
#define VCONS_XEN_DOMAINS_H
#include "module.h"

#define DOMAINS_PAUSE_MS 50   /* a guest may write some nodes as fast as it likes */
#define SEAT_RETRY_MS    1000 /* a console that could not be attached */
#define SEATS_XEN_MAX    8u   /* consoles below xen-console/ */

enum seat_kind { SEAT_PV0, SEAT_VUART, SEAT_XEN };

struct seat { /* a console that a domain has, or had */
    struct seat *next;
    struct domain *domain;
    struct ring *ring; /* NULL: not attached */
    enum seat_kind kind;
    uint32_t number;
    int64_t retry_ms; /* not before; 0: whenever something changes */
    bool told;        /* that it cannot be attached */
};

struct domain {
    struct domain *next;
    struct seat *seats;
    uint32_t id;
    uint8_t uuid[16];
    char name[NAME_BYTES]; /* empty: it has none yet */
    uint32_t state;        /* enum vc_domain_state */
    bool dirty, seen, watched;
    int64_t looked_ms;
};

/* See what came and went. 0 or a negative errno: Xen did not answer, all is as it was. */
int domains_look(struct xen *x);
/* A watch fired whose token is this domain's id. */
void domains_touched(struct xen *x, const char *token);
void domains_touch_all(struct xen *x); /* XenStore is another: watch and look anew */
/* Look at those that changed, and try again what is due. When to come again, by xen_now_ms; -1: when something happens. */
int64_t domains_serve(struct xen *x);
void domains_free(struct xen *x);

/* seats.c. */
void seats_look(struct xen *x, struct domain *d); /* at its nodes; attach, rebind, detach */
void seats_end(struct xen *x, struct domain *d);  /* it is no more: drain, detach, free */
void seats_state(struct xen *x, const struct domain *d);
void seat_taken(struct xen *x, struct ring *r); /* the service has it: its pseudo-terminal into XenStore */
void seat_refused(struct xen *x, struct ring *r);
void seat_gone(struct xen *x, struct ring *r);
int64_t seats_due_ms(const struct domain *d); /* of the first that is tried again; -1: none */

#endif
