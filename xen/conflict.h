/* SPDX-License-Identifier: MIT */
/*
 * conflict.h: who else serves the consoles of this dom0: two would both take bytes out of the same rings.
 *
 * Spec:  proc(5). Xen's own daemon keeps no lock that we could take.
 * Lock:  none.
 */
#ifndef VCONS_XEN_CONFLICT_H
#define VCONS_XEN_CONFLICT_H
#include "host/message.h"

/* 0, or -EBUSY: xenconsoled runs, and *p says as which pid. */
int conflict_find(struct problem *p);

#endif
