/* SPDX-License-Identifier: MIT */
/*
 * copy_text.h: how a console's bytes read as a text file, as xenconsoled writes its logs: the time before each line.
 *
 * Spec:  xenconsoled of Xen 4.17, --timestamp and --replace-escape: "[2026-11-21 08:13:01] ", local time, before the first
 *        byte of a line; carriage returns right behind a newline are left out where there are times; ESC becomes '.'.
 *        Unlike there a line begins where this very file's last newline was, whatever other files do.
 * Owner: the caller places struct copy_text; zeroed but for its two options it stands at the beginning of a line.
 * Lock:  the caller's. localtime_r reads the zone that tzset found, before the sandbox.
 * Trust: any bytes. How long the text gets depends on bytes and options alone, not on the time: copy.c relies on it.
 */
#ifndef VCONS_SERVICE_COPY_TEXT_H
#define VCONS_SERVICE_COPY_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define COPY_STAMP 22u /* bytes of "[YYYY-MM-DD HH:MM:SS] " */

struct copy_text {
    bool times, replace_escape;
    bool in_line; /* a byte of the line is there, and the time before it */
};

/* The time as it stands before a line, without a NUL. */
void copy_stamp(time_t now, char stamp[COPY_STAMP]);
/* Of n bytes as many as give at most room bytes of text, which is at least COPY_STAMP + 1: how many into *text_n. Returns how
 * many were used, at least 1 where n is. */
size_t copy_text(struct copy_text *t, time_t now, const uint8_t *bytes, size_t n, char *text, size_t room,
                 size_t *text_n);

#endif
