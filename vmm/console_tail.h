/* SPDX-License-Identifier: MIT */
/*
 * console_tail.h: what a guest said while its line was full for longer than `hold`: the newest bytes, and events.
 *
 * Spec:  design §4.
 * Owner: struct console_tail is part of its console.
 * Lock:  that console's.
 */
#ifndef VCONS_VMM_CONSOLE_TAIL_H
#define VCONS_VMM_CONSOLE_TAIL_H
#include "console.h"

/* A zeroed tail is empty. */
void tail_finish(struct console_tail *t);
bool tail_empty(const struct console_tail *t);
/* Take all n bytes, overwriting the oldest. Returns how many were lost by that; they are in t->lost too. */
uint64_t tail_append(struct console_tail *t, const uint8_t *bytes, uint32_t n);
void tail_event(struct console_tail *t, enum vc_line_event_kind kind, uint64_t value);
/* The event that stands before the next byte; NULL: none. */
const struct console_event *tail_due(const struct console_tail *t);
void tail_event_done(struct console_tail *t);
/* The next bytes in one piece, up to the next event. The caller advances t->head by what it took. */
uint32_t tail_peek(const struct console_tail *t, const uint8_t **bytes);

#endif
