/* SPDX-License-Identifier: MIT */
/*
 * append_private.h: between the files of the append thread.
 *
 * Owner, Lock: as append.h; the append thread.
 */
#ifndef VCONS_SERVICE_APPEND_PRIVATE_H
#define VCONS_SERVICE_APPEND_PRIVATE_H
#include "append.h"

#define NS_A_SECOND UINT64_C(1000000000)

/* For append_collect: a set of enum append_news. */
void append_tell(struct append *a, struct console *c, uint32_t news);
/* From the source into its log, at most so many bytes and events; how many bytes into *moved. VC_OK: more may be there. VC_ENOSPC: nothing is left. */
int append_move(struct append *a, struct console *c, uint32_t bytes, uint32_t events, uint32_t *moved);
void append_wake(struct append *a, struct console *c); /* into the round, unless it is there, rests or has ended */

/* append_rest.c. */
/* Behind its source's rest(): have a one-shot report come again. */
void append_arm(struct append *a, struct console *c);
void append_poll(struct append *a, struct console *c, bool on);
void append_rest(struct append *a, struct console *c, uint64_t delay_ns); /* not polled and not looked at until then */
void append_rest_no_more(struct append *a, struct console *c);
void append_end_rests(struct append *a); /* of those that have rested long enough */
/* Its peer broke the protocol: it rests, and once a second it is looked at whether it keeps to it again. */
void append_break(struct append *a, struct console *c);
/* A broken source whose indices are legal again goes on from where they stand. False: they are not. */
bool append_revive(struct append *a, struct console *c);
/* It has no more for now: its last words are vouched for in a while, unless it speaks again. */
void append_settle_later(struct append *a, struct console *c);
void append_settle_due(struct append *a);                  /* those whose time has come */
void append_unsettle(struct append *a, struct console *c); /* it goes: the caller settles */
/* If its log has something that the disk refused, that is tried again once a second, whether or not it says more. */
void append_retry_later(struct append *a, struct console *c);
void append_retry_due(struct append *a);
void append_retry_no_more(struct append *a, struct console *c);
uint64_t
append_first_due(const struct append *a); /* mono_ns of what comes first of all that; UINT64_MAX: nothing does */

#endif
