/* SPDX-License-Identifier: MIT */
/*
 * backend.h: what the backend of a further PV console does next: xenbus' state machine, our side of it.
 *
 * Spec:  Xen public/io/xenbus.h; Linux drivers/tty/hvc/hvc_xen.c for what a frontend does: 1, then 3 with its ring, 4 once the
 *        backend is there; 5 or 6 when it goes. We say 2, 4, and at the end 5 and 6.
 * Owner: nothing is kept: what to do follows from what is, so a service that was killed goes on where it finds things.
 * Lock:  none.
 * Trust: frontend is whatever number the guest wrote, in any order.
 */
#ifndef VCONS_XEN_BACKEND_H
#define VCONS_XEN_BACKEND_H
#include <stdbool.h>
#include <stdint.h>
#include <vcons/wire/xenstore.h>

struct backend_view {
    uint32_t backend, frontend; /* their states as the nodes say; 0: none, or no number */
    bool online;                /* the toolstack wants it */
    bool attached;              /* its ring is mapped */
    bool leaving;               /* it was detached, and is not unmapped yet */
    bool moved;                 /* the frontend names another ring than the one that is mapped */
    bool impatient;             /* its end has been asked for long enough */
};
enum backend_act { BACKEND_WAIT, BACKEND_ATTACH, BACKEND_DETACH, BACKEND_SAY, BACKEND_REMOVE };

/* *say: with BACKEND_SAY, the state to write. */
enum backend_act backend_next(const struct backend_view *v, uint32_t *say);

#endif
