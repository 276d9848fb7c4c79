/* SPDX-License-Identifier: MIT */
/*
 * control.h: people and programs who ask: control.sock.
 *
 * Spec:  wire/control.h.
 * Owner: a connection frees itself when its client goes; attach turns it into a viewer.
 * Lock:  none, the control thread.
 * Trust: the client: any bytes in any pieces. A request is at most VC_CONTROL_LINE_MAX bytes; the next is read when the answer
 *        to the last has gone out, so a client that does not read costs one answer.
 */
#ifndef VCONS_SERVICE_CONTROL_H
#define VCONS_SERVICE_CONTROL_H
#include <vcons/wire/link.h>

#include "host/message.h"

struct console;
struct link;
struct service;

int control_listen(struct service *s, struct problem *p); /* 0 or a negative errno */
void controls_close(struct service *s);
/* A hypervisor's answer to link_ask; one that nobody asked for is ignored. */
void control_answered(struct service *s, const struct link *l, const struct vc_link_answer *answer);
/* What was in the console's line when append_sync was called is in its log. */
void control_synced(struct service *s, const struct console *c);
void control_link_ended(struct service *s, const struct link *l);

#endif
