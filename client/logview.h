/* SPDX-License-Identifier: MIT */
/*
 * logview.h: a console's log on standard output: filtered, with times, up to a moment. Private to cmd_log.c and logview.c.
 *
 * Spec:  docs/vcons.1 (LOG). Times come from the index: a mark says that bytes up to its offset were stored by its time, so what
 *        has a time is held until the next mark.
 * Owner: the caller places struct logview and finishes it.
 * Lock:  none: one thread.
 * Trust: bytes are the guest's: safe.h, unless raw. Marks are checked for their length.
 */
#ifndef CLIENT_LOGVIEW_H
#define CLIENT_LOGVIEW_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "safe.h"
#include <vcons/wire/index.h>

#define LOGVIEW_HELD_MAX (1024u * 1024) /* bytes without a mark; the service marks every 64 KiB */

struct logview {
    bool raw, time, has_until, one_boot;
    uint64_t until_ns;
    /* below: logview.c's own */
    struct safe safe;
    bool in_line; /* the last byte that went out was no newline */
    bool over;    /* nothing that comes is wanted any more, or nobody reads it */
    int error;    /* why standard output takes no more; 0: its reader left, which is no failure */
    bool has_boot;
    uint64_t boot, last_ns;
    uint8_t *held;
    size_t n_held;
};

/* The flags are set. colour: standard output may have some. */
void logview_init(struct logview *v, bool colour);
void logview_finish(struct logview *v);
void logview_bytes(struct logview *v, const uint8_t *bytes, size_t n);
void logview_mark(struct logview *v, const uint8_t *bytes, size_t n);
/* A line of our own, such as "12 bytes dropped"; not with raw. */
__attribute__((format(printf, 2, 3))) void logview_note(struct logview *v, const char *format, ...);
/* What is held goes out as of now: no mark will come soon, or none at all. */
void logview_flush(struct logview *v);
void logview_failed(struct logview *v); /* a write to standard output failed just now: errno */
void logview_end(struct logview *v);    /* the stream has ended: what is cut in its middle too */

#endif
