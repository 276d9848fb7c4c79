/* SPDX-License-Identifier: MIT */
/*
 * link.h: hypervisors that bring their consoles: link.sock.
 *
 * Spec:  wire/link.h; decisions, "Line, link".
 * Owner: a link frees itself when its hypervisor goes; its consoles then are away.
 * Lock:  none, the control thread.
 * Trust: the peer's uid is the service's or root's, and still nothing it sends is believed: a packet of a wrong type or
 *        length ends the link, everything else wrong is answered with REFUSED and its reason.
 */
#ifndef VCONS_SERVICE_LINK_H
#define VCONS_SERVICE_LINK_H
#include <stdint.h>
#include <vcons/wire/link.h>

#include "host/message.h"

struct console;
struct link;
struct service;

int link_listen(struct service *s, struct problem *p); /* 0 or a negative errno */
void links_close(struct service *s);                   /* all of them, and the listening socket */
const char *link_name(const struct link *l);
uint32_t link_pid(const struct link *l);
struct link *link_next(const struct link *l);
void link_tell_token(struct console *c); /* its hypervisor, who holds the token now */
/* Ask for a console more or less; the same way. ask: but for head and serial. */
int link_ask_console(struct link *l, struct vc_link_console *ask);
/* Ask for stop, reset or save, that one with a file; the answer comes to control_answered with this serial. 0, or a negative errno: not asked. */
int link_ask(struct link *l, enum vc_link_request request, const char *domain, int file, uint32_t *serial);

#endif
