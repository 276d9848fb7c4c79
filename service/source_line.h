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

/* geometry: enum vc_link_geometry. append and control: each thread's kicker. Null and *reason (enum vc_link_reason): refused. */
struct source *line_create(uint32_t geometry, const int fds[VC_LINK_FDS], struct kicker *append, struct kicker *control,
                           uint32_t *reason);
/* Instead of destroy, when nobody wanted it: the descriptors stay the caller's. */
void line_abandon(struct source *s);

#endif
