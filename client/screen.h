/* SPDX-License-Identifier: MIT */
/*
 * screen.h: the screen that a stream of output has arrived at, and how to put it on another terminal.
 *
 * Spec:  what xterm does with ECMA-48, as libvterm understands it. Cells, their attributes and colours, cursor, both screens;
 *        the modes of the program are modes.h's. Not kept: faint and concealed text, tab stops, what DECSC saved.
 * Owner: the caller places struct screen, opens and closes it; a zeroed one may be closed, and is off.
 * Lock:  none: one thread.
 * Trust: bytes are a guest's that have passed safe.h, whole sequences in each call; nothing here answers a question.
 *
 * screen_vterm.c and screen_paint.c are with libvterm, screen_none.c is for builds without: screen_open says no, all else does
 * nothing.
 */
#ifndef CLIENT_SCREEN_H
#define CLIENT_SCREEN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modes.h"
#include "sink.h"

#define SCREEN_SIDE_MAX 1000u /* rows or columns */

struct screen_cells;
struct screen {                 /* for the caller to place, not to read */
    struct screen_cells *cells; /* NULL: off */
};

bool screen_open(struct screen *s, uint16_t rows, uint16_t columns); /* false: there is none, or no memory for it */
void screen_close(struct screen *s);
bool screen_on(const struct screen *s);
/* The terminal has another size, and forgets the scrolling region in m. */
void screen_resize(struct screen *s, struct modes *m, uint16_t rows, uint16_t columns);
/* text_last: the last of them was a character. */
void screen_feed(struct screen *s, const void *bytes, size_t n, bool text_last);
/*
 * Whether a program has the screen for itself: the alternate one, something below the cursor, no cursor to see, or a region
 * that scrolls. Else it is a stream of lines, which may stand anywhere on a terminal.
 */
bool screen_full(const struct screen *s, const struct modes *m);
bool screen_alternate(const struct screen *s);
bool screen_in_line(const struct screen *s); /* the cursor is not at the beginning of a row */
/* All of it, from the terminal's first row on. What stood there moves into what the terminal remembers; again: it is cleared,
 * for it shows this already, or what somebody else has made of it. */
void screen_paint(const struct screen *s, const struct modes *m, bool again, struct sink *to);
/* The lines up to the cursor, at most this many, from the start of the line where the terminal's cursor is. */
void screen_paint_lines(const struct screen *s, const struct modes *m, uint16_t lines, struct sink *to);
/* A text of our own over the bottom rows; NULL takes it away again, also before another is put there. */
void screen_overlay(const struct screen *s, const struct modes *m, const char *text, struct sink *to);

#endif
