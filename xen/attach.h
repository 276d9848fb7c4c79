/* SPDX-License-Identifier: MIT */
/*
 * attach.h: a console's page mapped, its indices checked, its port bound; and the way back from each step.
 *
 * Spec:  Xen ABI, ring: grant 0 is the console page of whom a toolstack built; where it does not map, the frame does. Only what the
 *        guest itself granted is mapped for a console that the guest set up.
 * Owner: the ring is the caller's, until it hands it to the service.
 * Lock:  none, the module's thread.
 * Trust: page and port are the guest's. A domain may go at any step: the step then fails, or the mapping keeps the page.
 */
#ifndef VCONS_XEN_ATTACH_H
#define VCONS_XEN_ATTACH_H
#include "module.h"

enum attach_by { ATTACH_GRANT_0_OR_FRAME, ATTACH_FRAME, ATTACH_GRANT };

/* NULL and *error: a negative errno; -EPROTO: the indices are not legal. */
struct ring *attach_ring(struct xen *x, uint32_t domid, const uint8_t uuid[16], const struct place *place,
                         enum attach_by by, int *error);
/* The guest has another port for it, or the one it had lost its peer: bind that. 0 or a negative errno; the old one is gone. */
int attach_rebind(struct xen *x, struct ring *r, uint32_t remote);
/* Whether its port has a peer. */
bool attach_connected(struct xen *x, const struct ring *r);
void attach_undo(struct xen *x, struct ring *r); /* a ring that is the caller's: all of it, in turn */

#endif
