/* SPDX-License-Identifier: MIT */
/*
 * source_line.h: a hypervisor's line as a source.
 *
 * Spec:  wire/line.h, wire/link.h (ADD).
 * Owner: line_create takes the five descriptors when it succeeds, and only then; the source's destroy ends all.
 * Lock:  as source.h. The two ends of the line that the service has, out and in, are opened apart, so that the two threads
 *        share no field.
 * Trust: the memory is accepted only if it is a memfd that can no longer shrink, of the size its header needs; the four
 *        events only if they are eventfds. Everything in the memory is the peer's (vcons/line.h).
 */
#ifndef VCONS_SERVICE_SOURCE_LINE_H
#define VCONS_SERVICE_SOURCE_LINE_H
#include <vcons/wire/link.h>

#include "host/kick.h"
#include "source.h"

/* append and control: each thread's kicker. Null and *reason (enum vc_link_reason): refused. */
struct source *line_create(const int fds[VC_LINK_FDS], struct kicker *append, struct kicker *control, uint32_t *reason);
/* Before the append thread has it: go on at this out index behind this event. VC_EPEER: not where the line is now. */
int line_resume(struct source *s, uint32_t cons, uint16_t event);
/* Wake the peer once each way: it may have armed for a service that is no more. */
void line_greet(struct source *s);
/* Whether bytes or events were taken from this line before it came to us. */
bool line_used(const struct source *s);

#endif
