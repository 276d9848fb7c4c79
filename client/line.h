/* SPDX-License-Identifier: MIT */
/*
 * line.h: the line that a console is writing, as it would stand on a screen: what was rubbed out is gone.
 *
 * Spec:  ECMA-48: BS, CR, CUB, CUF, CHA, EL, ED, ICH, DCH, ECH within one line; all else of sequences is nothing here.
 * Owner: the caller places struct line.
 * Lock:  none: one thread.
 * Trust: bytes have passed safe.h (SAFE_LIVE): whole characters of UTF-8 and whole sequences in each call.
 */
#ifndef CLIENT_LINE_H
#define CLIENT_LINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_CELLS      512u /* a longer one is two */
#define LINE_TEXT_BYTES (4u * LINE_CELLS + 1)

struct line {
    struct {
        char bytes[4];
        uint8_t n;
    } cell[LINE_CELLS];
    uint16_t n, at; /* cells; where the next character goes */
};

/* Take bytes up to the end of a line. Returns how many; *ended: the line is whole, to be read and then cleared. */
size_t line_put(struct line *l, const uint8_t *bytes, size_t n, bool *ended);
size_t line_text(const struct line *l, char text[LINE_TEXT_BYTES]); /* NUL-terminated; its length */
void line_clear(struct line *l);

#endif
