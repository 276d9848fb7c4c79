/* SPDX-License-Identifier: MIT */
/*
 * unsaved.h: consoles whose source went while the disk was full: what they said last is in memory only.
 *
 * Spec:  design §5 "Disk full"; log.h, log_retry. Consoles that have a source are the append thread's (append_rest.c).
 * Owner, Lock: the control thread, which appends to the log of a console without a source.
 * Trust: nothing of others is looked at.
 */
#ifndef VCONS_SERVICE_UNSAVED_H
#define VCONS_SERVICE_UNSAVED_H

struct service;

/* Such a one came: its log is tried once a second, until there is none left. */
void unsaved_retry(struct service *s);

#endif
