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

#define SEATS_FURTHER   9u   /* further PV consoles have numbers from 1 to this: Linux reads one digit */
#define END_PATIENCE_MS 5000 /* a guest that is to give up a console has so long */

enum seat_kind { SEAT_PV0, SEAT_VUART, SEAT_XEN, SEAT_FURTHER };

struct seat { /* a console that a domain has, or had */
    struct seat *next;
    struct domain *domain;
    struct ring *ring; /* NULL: not attached */
    enum seat_kind kind;
    uint32_t number;
    int64_t retry_ms;   /* not before; 0: whenever something changes */
    bool told;          /* that it cannot be attached */
    bool released;      /* somebody asked to have it served no more */
    bool by_hand;       /* its place was taken from the domain's parameters, not from nodes */
    struct place place; /* by_hand: where */

    /* Of a further PV console: further.c. */
    struct ring *leaving; /* detached, not yet unmapped */
    bool watched, ending;
    int64_t end_ms;        /* ending: when patience is over */
    char name[NAME_BYTES]; /* empty: pvN */
};

struct domain {
    struct domain *next;
    struct seat *seats;
    uint32_t id;
    uint8_t uuid[16];
    char name[NAME_BYTES];   /* empty: it has none yet */
    char former[NAME_BYTES]; /* while its consoles move to another: the one they come from */
    uint32_t state;          /* enum vc_domain_state */
    bool dirty, seen, watched;
    uint32_t unheard; /* a bit for each watch that was made and has not fired yet */
    bool kept;        /* what is kept for it was looked for, and made if it runs ... */
    int64_t kept_ms;  /* ... else when to look whether it does */
    int64_t looked_ms;
};

/* See what came and went. 0 or a negative errno: Xen did not answer, all is as it was. */
int domains_look(struct xen *x);
/* Something of this domain, by its id, may have changed. */
void domains_touched(struct xen *x, const char *token);
/* A watch fired whose token is a domain's id. What it says at once, when it is made, is known: who makes it looks behind that. */
void domains_fired(struct xen *x, const char *path, const char *token);
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
struct seat *seat_of(struct domain *d, enum seat_kind kind, uint32_t number); /* found or made; NULL: no memory */
void seat_drop(struct xen *x, struct seat *s);                                /* it has no ring */
void seat_attach(struct xen *x, struct seat *s, const struct place *place);
void seat_let_go(struct xen *x, struct seat *s, uint32_t what);
void seat_detach(struct xen *x, struct seat *s); /* for a while: it is leaving until the page is unmapped */
void seat_name(const struct seat *s, char name[NAME_BYTES]);
int64_t seats_due_ms(const struct domain *d); /* of the first that is tried again; -1: none */

/* further.c: PV consoles beyond the first, whose backend we are. */
void further_look(struct xen *x, struct domain *d);
void further_end(struct xen *x, struct domain *d); /* the domain is no more: its nodes here go */
/* Make one, under this name (empty: pvN); its number, or a negative errno. */
int further_add(struct xen *x, struct domain *d, const char *name);
/* Make what is kept for it and is not there, once it runs: its builder numbers consoles, too, and may still be at it. */
void further_kept(struct xen *x, struct domain *d);
int further_remove(struct xen *x, struct domain *d, struct seat *s); /* begin its end. 0 or a negative errno */
struct domain *domains_find(struct xen *x, const char *name);        /* a name, or an id in decimal; NULL: none */

#endif
