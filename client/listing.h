/* SPDX-License-Identifier: MIT */
/*
 * listing.h: what stands in the columns of ls and top.
 *
 * Spec:  docs/vcons.1 (LS, TOP); wire/control.h, CONSOLE.
 * Owner: nothing is kept.
 * Lock:  none: one thread.
 * Trust: the object may lack anything; texts in it are cleaned, for a terminal shows them.
 */
#ifndef CLIENT_LISTING_H
#define CLIENT_LISTING_H
#include <jansson.h>
#include <stddef.h>

#define LISTING_CELL_BYTES 96u

enum listing_cell {
    LISTING_NAME,
    LISTING_STATE,
    LISTING_DOOR,
    LISTING_ENGINE,
    LISTING_SIZE,
    LISTING_RATE,
    LISTING_VIEWERS,
    LISTING_WRITER,
    LISTING_LAST,
    LISTING_CELLS
};

const char *listing_title(enum listing_cell which);
/* rate: bytes a second, of LISTING_RATE alone. */
void listing_cell(char out[LISTING_CELL_BYTES], enum listing_cell which, const json_t *console, double rate);
/*
 * Of n columns of these widths, two blanks between them, what a terminal has no room for: their width becomes 0. What was given
 * first stays longest: names and states always.
 */
void listing_fit(const enum listing_cell *columns, size_t *width, size_t n, size_t room);
void listing_rate(char out[LISTING_CELL_BYTES], double bytes_a_second);
/* The sequence that begins the colour of that state. */
const char *listing_colour(const char *state);

#endif
