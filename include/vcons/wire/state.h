/* SPDX-License-Identifier: MIT */
/*
 * wire/state.h: what a domain does, as every protocol says it: a line's close events, the link's STATE, the index's
 * close records. Logs keep the numbers: they never change. And whether its guest has opened a console, as STATE says.
 */
#ifndef VCONS_WIRE_STATE_H
#define VCONS_WIRE_STATE_H

enum vc_domain_state { VC_DOMAIN_RUNNING = 1, VC_DOMAIN_OFF = 2, VC_DOMAIN_CRASHED = 3, VC_DOMAIN_PAUSED = 4 };
/* UNKNOWN also of doors that a guest does not open. */
enum vc_guest_end { VC_GUEST_UNKNOWN = 0, VC_GUEST_CLOSED = 1, VC_GUEST_OPEN = 2 };

#endif
