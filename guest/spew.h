/* SPDX-License-Identifier: MIT */
/*
 * spew.h: the numbered lines of tiny's `spew N WIDTH`, for the guest that prints them and for whoever checks them.
 *
 * Line i, from 0: the decimal digits of i, a space, then pattern up to WIDTH bytes in all, then CR LF. A number that
 * leaves no room for the space is printed whole and alone. Byte k of a line's pattern is SPEW_PATTERN[(i + k) % 64],
 * where k counts from 0 at the first byte after the space. WIDTH is 1..SPEW_WIDTH_MAX and does not count CR LF.
 *
 * Owner: the caller places struct spew and the line. Pure: no other memory, no libc but memcpy.
 * Lock:  none.
 * Speed: the number is an odometer of digits and the pattern one copy from a table, as few instructions a line as
 *        may be: some KVM emulate each of them.
 */
#ifndef GUEST_SPEW_H
#define GUEST_SPEW_H
#include <stdint.h>
#include <string.h>

#define SPEW_PATTERN       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
#define SPEW_PATTERN_BYTES 64u
#define SPEW_WIDTH_MAX     1024u
#define SPEW_WIDTH_DEFAULT 78u /* with CR LF, 80 bytes a line */
#define SPEW_DIGITS        20u /* of 2^64 - 1 */
#define SPEW_LINE_MAX      (SPEW_WIDTH_MAX + 2u)

struct spew {
    uint32_t width, n_digits, phase; /* phase: i % 64 */
    char digits[2 * SPEW_DIGITS];    /* of the next line's number, at the end of the first half */
    char table[SPEW_WIDTH_MAX + SPEW_PATTERN_BYTES];
};

/* Start at line 0. width is taken into 1..SPEW_WIDTH_MAX. */
static inline void spew_init(struct spew *s, uint32_t width)
{
    memset(s->digits, 0, sizeof s->digits);
    s->width = width < 1 ? 1 : width > SPEW_WIDTH_MAX ? SPEW_WIDTH_MAX : width;
    s->phase = 0;
    s->n_digits = 1;
    s->digits[SPEW_DIGITS - 1] = '0';
    for (uint32_t i = 0; i < sizeof s->table; i += SPEW_PATTERN_BYTES)
        memcpy(s->table + i, SPEW_PATTERN, SPEW_PATTERN_BYTES);
}

static inline void spew_count(struct spew *s)
{
    uint32_t i = SPEW_DIGITS - 1;

    s->phase = (s->phase + 1) % SPEW_PATTERN_BYTES;
    while (s->digits[i] == '9' && i > SPEW_DIGITS - s->n_digits)
        s->digits[i--] = '0';
    if (s->digits[i] != '9') {
        s->digits[i]++;
    } else if (s->n_digits < SPEW_DIGITS) { /* all were nines */
        s->digits[i] = '0';
        s->digits[i - 1] = '1';
        s->n_digits++;
    }
}

/* The next line into line, at least SPEW_LINE_MAX bytes (no terminating 0); how many it has. */
static inline uint32_t spew_line(struct spew *s, char *line)
{
    uint32_t n = s->n_digits;

    /* More than the number has, but so many for each: some loads and stores, no call and no loop. */
    __builtin_memcpy(line, s->digits + SPEW_DIGITS - n, SPEW_DIGITS);
    if (n < s->width) {
        line[n++] = ' ';
        memcpy(line + n, s->table + s->phase, s->width - n);
        n = s->width;
    }
    line[n++] = '\r';
    line[n++] = '\n';
    spew_count(s);
    return n;
}

#endif
