/* SPDX-License-Identifier: MIT */
/*
 * screen_cells.h: between the files of a screen by libvterm: screen_vterm.c takes what comes, screen_paint.c puts it on a terminal.
 *
 * Owner, Lock, Trust: as screen.h.
 */
#ifndef CLIENT_SCREEN_CELLS_H
#define CLIENT_SCREEN_CELLS_H
#include <vterm.h>

#include "screen.h"

struct screen_cells {
    VTerm *vterm;
    VTermScreen *screen;
    VTermState *state;
    VTermScreenCell *under; /* the primary screen as the alternate one was entered, rows * columns; NULL: never */
    int under_rows, under_columns;
    VTermPos under_cursor;
    bool alternate, moved, edge; /* edge: the last column is written, and the cursor waits behind it */
};

struct screen_cells *cells_create(uint16_t rows, uint16_t columns); /* NULL: no memory */
int cells_side(uint16_t n);                                         /* rows or columns that it will have */
VTermPos cells_cursor(const struct screen_cells *c);
void cells_at(const struct screen_cells *c, int row, int column, VTermScreenCell *cell);
size_t cells_utf8(char b[4], uint32_t c); /* a character; how many bytes */

#endif
