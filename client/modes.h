/* SPDX-License-Identifier: MIT */
/*
 * modes.h: the modes that a program has left a terminal in: what a second terminal must be told to be in the same ones.
 *
 * Spec:  xterm's ctlseqs: DECSET and DECRST, SM and RM, DECKPAM, DECSTBM, DECSCUSR, designation and invocation of character
 *        sets (ECMA-35), RIS, DECSTR. Which of the two screens shows is not kept here, nor tab stops and what DECSC saved.
 * Owner: the caller places struct modes; zeroed, it is a terminal after its reset.
 * Lock:  the caller's.
 * Trust: sequences are whole, and those that safe.c lets through.
 */
#ifndef CLIENT_MODES_H
#define CLIENT_MODES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODES_PICTURE 16384u /* bytes of one picture, at most: who clears the screen each so many draws them */
#define MODES_BYTES   256u   /* what modes_write needs, at most */

struct modes {
    uint32_t changed;         /* private modes that are not as after a reset, by their place in the table of modes.c */
    bool insert, keypad;      /* IRM, DECKPAM */
    uint8_t set[4];           /* what G0..G3 hold: final byte of the designation; 0: US ASCII */
    uint8_t locked;           /* 2, 3: LS2, LS3 hold GL */
    bool shift;               /* SO: G1 is in GL, unless locked */
    uint8_t cursor;           /* DECSCUSR */
    uint64_t passed, cleared; /* bytes so far; and when the screen was last cleared */
    uint32_t between;         /* bytes between its last two clearings; 0: it was not cleared twice */
    uint16_t top, bottom;     /* DECSTBM, from 1; 0: all of the screen */
};

/* This sequence has passed, from its ESC on. */
void modes_note(struct modes *m, const uint8_t *seq, size_t n);
void modes_shift(struct modes *m, bool out); /* SO or SI has */
bool modes_placed(const struct modes *m);    /* modes of who draws pictures: no cursor, a region that scrolls, origin */
bool modes_origin(const struct modes *m);    /* rows count from the top of the scrolling region */
/* What brings a terminal that is in plain modes into these; the cursor is at home afterwards. How many bytes. */
size_t modes_write(const struct modes *m, char out[MODES_BYTES]);
/* The other way: into plain modes for text of our own, from whatever m is. The cursor is at home, colours are off. */
size_t modes_plain(const struct modes *m, char out[MODES_BYTES]);

#endif
