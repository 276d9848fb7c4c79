/* SPDX-License-Identifier: MIT */
/*
 * when.h: moments, as journalctl's --since and --until take them.
 *
 * Spec:  systemd.time(7), PARSING TIMESTAMPS: "2026-11-21 12:30:05", "2026-11-21", "12:30", "now", "today",
 *        "yesterday", "tomorrow", "-10m", "+5min", "2 hours ago", "@1700000000"; fractions of a second; a trailing
 *        "UTC".
 * Owner: nothing is kept.
 * Lock:  none; reads the time zone.
 * Trust: the text is the user's.
 */
#ifndef CLIENT_WHEN_H
#define CLIENT_WHEN_H
#include <stdbool.h>
#include <stdint.h>

#define WHEN_EXPECTED "expected such as -10m, '2 hours ago', 12:30, today, '2026-11-21 12:30:05' or @1700000000"

/* Nanoseconds since the epoch. False: it is no moment, *ns is unchanged. */
bool when_parse(const char *text, uint64_t now_ns, uint64_t *ns);
/* How long: "1h 30min", "90" seconds. False: it is none, or 0; *ns is unchanged. */
bool when_span(const char *text, uint64_t *ns);
uint64_t when_now(void);

#endif
