/* SPDX-License-Identifier: MIT */
/*
 * focus.h: what the terminal shows: the half of focus.c that writes into the output buffer. Private.
 *
 * Lock:  all with the console lock held, and with the domain's where there is a domain.
 */
#ifndef CORE_FOCUS_H
#define CORE_FOCUS_H
#include <vcons/focus.h>

/* n bytes of d's, raw or by lines as the focus says. */
void vc_focus_show(struct vc_focus *f, struct vc_focus_domain *d, const uint8_t *bytes, uint32_t n);
/* d gets the focus: what waits in its line buffer, as it is. */
void vc_focus_push_partial(struct vc_focus *f, struct vc_focus_domain *d);
/* d is gone: what waits in its line buffer, as a line. */
void vc_focus_end_line(struct vc_focus *f, struct vc_focus_domain *d);
/* The terminal is about to take: if it has caught up, say what is missing, for the domain may never write again. */
void vc_focus_catch_up(struct vc_focus *f);
/* The hypervisor's own text. */
void vc_focus_say(struct vc_focus *f, const char *text);
/* Xen's message of who has the focus. */
void vc_focus_announce(struct vc_focus *f);

#endif
