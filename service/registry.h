/* SPDX-License-Identifier: MIT */
/*
 * registry.h: what console.c needs of registry.c, which finds consoles by their names and by whose they are. console.h has what
 * others need of it.
 *
 * Owner: console.h.
 * Lock:  none, the control thread.
 */
#ifndef VCONS_SERVICE_REGISTRY_H
#define VCONS_SERVICE_REGISTRY_H

struct console;
struct link;

/* Around each change of the two names. */
void registry_leave_names(struct console *c);
void registry_enter_names(struct console *c);
/* It is this link's, by the cookie in its origin; NULL: no link's, before that cookie changes. */
void registry_set_link(struct console *c, struct link *l);

#endif
