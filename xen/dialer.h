/* SPDX-License-Identifier: MIT */
/*
 * dialer.h: who connects to XenStore again when it comes back: a process of its own, for its socket is root's and the service is not.
 *
 * Spec:  unix(7), SCM_RIGHTS. It is asked by a byte and answers with one, and a descriptor where it got one; it does nothing else,
 *        behind a filter of a handful of calls, and ends with the service.
 * Owner: struct dialer is the caller's; dialer_close accepts one that was not started.
 * Lock:  start and close before and after the module's thread; ask is that thread's.
 * Trust: the dialer has read nothing but single bytes; the service may be anything, and gets a connection to XenStore at most, which it has.
 */
#ifndef VCONS_XEN_DIALER_H
#define VCONS_XEN_DIALER_H
#include "host/message.h"

struct dialer {
    int fd; /* -1: none */
};

/* While there is one thread. It calls dial, which returns a descriptor or a negative errno, each time it is asked. */
int dialer_start(struct dialer *d, int (*dial)(void), struct problem *p);
/* A descriptor, close-on-exec, or a negative errno: dial's, or -EPIPE: the dialer is no more. Waits ten seconds at most. */
int dialer_ask(struct dialer *d);
void dialer_close(struct dialer *d);

#endif
