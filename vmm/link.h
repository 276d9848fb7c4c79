/* SPDX-License-Identifier: MIT */
/*
 * link.h: the VMM's end of the link to the console service: it dials, offers every line, and dials again.
 *
 * Spec:  wire/link.h; decisions "Line, link". Cookie 0 is the hypervisor's console; the domains' follow, each's in order; of
 *        those that come later each has the lowest that is free.
 * Owner: struct link is part of struct vmm.
 * Lock:  loop thread only.
 * Trust: the service is another program. Each packet is copied, and its type, size and texts are checked; what breaks the
 *        protocol ends the link, which is then dialled again, at most once a second. A service that stops reading stops no
 *        guest: what it is owed are flags, not a queue.
 */
#ifndef VCONS_VMM_LINK_H
#define VCONS_VMM_LINK_H
#include "host/message.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>
#include <uv.h>
#include <vcons/wire/link.h>

struct domain;
struct vmm;

#define LINK_ANSWERS 16u /* requests of the service not yet answered, at most; more end the link */

struct link_console {      /* what the service was told of one cookie, and what it is owed */
    struct domain *domain; /* NULL: the hypervisor's */
    uint32_t number;       /* among its consoles */
    enum { LINK_NEW, LINK_OFFERED, LINK_TAKEN, LINK_REFUSED, LINK_AWAY, LINK_FREE } phase; /* AWAY: link_domain_gone */
    bool owe_state, owe_claim, owe_gone;
    bool
        ended; /* the console is no more: GONE alone is still to be said, for which the service may have to take it first */
    bool claims;                        /* the terminal wants the write token */
    char holder[64];                    /* who else has it, printable */
    uint32_t add_serial, remove_serial; /* of requests that are answered once this one is offered, or gone; 0: none */
};

struct link {
    struct vmm *vmm;
    char path[sizeof((struct sockaddr_un){0}.sun_path)];
    enum { LINK_DOWN, LINK_GREETED, LINK_UP } phase;
    int fd;          /* the socket; -1 while down */
    int watch_fd;    /* inotify on the socket's directory; -1: none */
    uv_poll_t *poll; /* on fd; closed with it */
    uv_poll_t watch;
    uv_timer_t retry;
    bool ready, watching;
    bool owe_all;     /* of this connection: VC_LINK_ALL */
    unsigned hurried; /* quick attempts since the socket's directory last changed */
    uint64_t up_since_ms;
    struct link_console *consoles;
    uint32_t n_consoles;
    struct {
        uint32_t serial, reason;
        char text[VC_LINK_TEXT_BYTES];
    } answers[LINK_ANSWERS];
    unsigned n_answers;
    uint32_t epoch;    /* one more for each connection that ended */
    char refusal[256]; /* the last word of refusal, so that it is said once */
};

/* path: of link.sock; too long is an error that names the limit. */
int link_init(struct link *l, struct vmm *vmm, const char *path, struct problem *problem);
/*
 * Before the first vCPU: if a service listens, offer all lines and wait until it has taken each (at most 5 s). -1: it
 * refuses one, and why. No service is no error.
 */
int link_first(struct link *l, struct problem *problem);
/* Something about a domain changed: its state, or the count of dropped bytes. */
void link_domain_state(struct link *l, struct domain *d);
/* The terminal's keys go to this domain's first console from now on (0: to none): claim its write token, give back the
 * last one's. */
void link_focus(struct link *l, uint32_t domid);
/* Who keeps the terminal from typing to this domain's first console; "": nobody known. */
const char *link_holder(const struct link *l, uint32_t domid);
/* The answer to a request that waited: why it failed; NULL: done. Lost with the link that asked, of this number. */
void link_answer(struct link *l, uint32_t epoch, uint32_t serial, const char *why);
/* A domain is off, and goes on elsewhere: the service lets go of its consoles, until it starts here again. */
void link_domain_gone(struct link *l, struct domain *d);
void link_domain_back(struct link *l, struct domain *d);
/* A console of the domain came, or went: then nothing more is asked of it. */
void link_console_added(struct link *l, struct domain *d, uint32_t number);
void link_console_removed(struct link *l, struct domain *d, uint32_t number);
/* The service broke the protocol, of the link or of a line. */
void link_violated(struct link *l, const char *what);
/* These consoles end for good; sent if it can be sent. Then close. */
void link_finish(struct link *l);

#endif
