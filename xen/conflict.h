/* SPDX-License-Identifier: MIT */
/*
 * conflict.h: Xen's own daemon for consoles, which may run already: two of them must not serve the same rings.
 *
 * Spec:  xenconsoled of Xen 4.17: one process; it takes bytes out of a ring, then logs them, and waits in poll(2) between. proc(5):
 *        exe, comm, stat, syscall. A process of root, or of whoever asks, whose program or name is xenconsoled is one; one that runs
 *        our own program, under whatever name and path it was started, is none.
 * Lock:  none. conflict_end waits: before the module's thread begins.
 * Trust: anybody may name a process as he likes: others' processes do not count. A pid may be another's at any moment: signals go
 *        by a pidfd, opened before the process was looked at.
 */
#ifndef VCONS_XEN_CONFLICT_H
#define VCONS_XEN_CONFLICT_H
#include <stdbool.h>

#include "host/message.h"

#define CONFLICT_PATIENCE_MS 30000 /* as Debian's init script has it */

bool conflict_is(const char *pid); /* whether that process, in decimal, is such a daemon */
/* The first there is: its pid; 0: none; a negative errno with *p. */
int conflict_find(struct problem *p);
/*
 * End that one: by SIGTERM, at a moment when it has logged all that it has taken; then wait until it is gone, and with it its ports
 * and locks. 0; -ETIMEDOUT: it is still there; else a negative errno; with *p. *exact: false if no such moment was met, and
 * bytes that it had just taken may be in none of its logs. It is never killed in another way.
 */
int conflict_end(int pid, int patience_ms, bool *exact, struct problem *p);

#endif
