/* SPDX-License-Identifier: MIT */
/*
 * upgrade.h: a new vconsd takes the place of a running one, and no byte is lost or doubled.
 *
 * Spec:  docs/vconsd.8, "UPGRADE"; T24 of reliability. Over a connection to control.sock, {"op":"upgrade","version":1}, answered by
 *        {"ok":…} and then by records (upgrade.c): the state lock, listening sockets, and the descriptor of each source with its few
 *        bytes under way. The new one says that it has all; only then does the old one end, and by its end say that logs are closed.
 *        Whatever goes wrong before that, the old one goes on. Lines need none of it: their hypervisors dial again, and every
 *        byte stands in the line's memory.
 *        Where a service manager restarts the service, it keeps the same records meanwhile: sd_notify(3), FDSTORE.
 * Owner: struct upgrade is the service's: of the old one while it gives, of the new one from before it starts. Descriptors that
 *        were taken and that nobody asked for are closed by upgrade_done.
 * Lock:  none, the control thread; the new one's, before there are others.
 * Trust: both sides look at the other's uid (SO_PEERCRED): the service's own, or root; and at the version. Records are checked as
 *        any input. The old one waits for the new at most UPGRADE_WAIT_S, in which viewers and hypervisors are not served.
 */
#ifndef VCONS_SERVICE_UPGRADE_H
#define VCONS_SERVICE_UPGRADE_H
#include <stdbool.h>
#include <stdint.h>

#include "host/message.h"
#include "host/paths.h"
#include "source.h"

#define UPGRADE_VERSION 2u
#define UPGRADE_WAIT_S  10u

struct console;
struct control;
struct manager;
struct service;
struct upgrade_source;

struct upgrade {
    struct control *asker; /* who takes over; NULL: nobody */
    uint32_t n_pending;    /* sources that the append thread has yet to let go of */
    int fd;                /* the connection, once it is agreed; -1, and 0 in a zeroed one: none */
    bool agreed;
    bool storing; /* at our end: sources go to the service manager, for who is started in our place */
    uint32_t n_stored;
    int lock_fd, starter_fd; /* of the new one: … */
    uint32_t starter_next;
    struct upgrade_source *taken; /* … sources that are to be asked for */
};

/* The old one's. */

/* Begin, for this client, who has been answered nothing yet. NULL, or why not. */
const char *upgrade_begin(struct service *s, struct control *asker);
void upgrade_yielded(struct console *c); /* the append thread has let go of its source */
/* At our end, with a service manager: it keeps the sources for the next, if it wants to. False: there is nothing to keep. */
bool upgrade_store(struct service *s);
void upgrade_asker_gone(struct service *s, const struct control *k); /* before it is freed */

/* The new one's. */

/*
 * Ask the service that runs there, and wait until it has ended. 0: u has its lock, m its listening sockets. Negative errno with *p:
 * it runs on.
 */
int upgrade_ask(struct upgrade *u, struct manager *m, const struct paths *paths, struct problem *p);
/* In a zeroed one: what an earlier service has left with the service manager, if anything, as if it had been handed over. */
void upgrade_restore(struct upgrade *u, struct manager *m);
/*
 * The descriptor of that console's source, if it was handed over and has that text; the caller's. -1: none. What was under way is
 * in *h, valid until upgrade_done; what the starter runs for it in *asked.
 */
int upgrade_take(struct upgrade *u, const char *domain, const char *console, const char *text,
                 struct source_handover *h, uint32_t *asked);
void upgrade_done(struct upgrade *u); /* every source has been asked for; accepts a zeroed one */

#endif
