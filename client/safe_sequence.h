/* SPDX-License-Identifier: MIT */
/*
 * safe_sequence.h: what one complete escape or control sequence does to a terminal. Private to safe.c.
 *
 * Spec:  ECMA-48 8.3; xterm ctlseqs (private modes, DECSCUSR, DSR, DA). A list of what passes: the unknown does not.
 * Owner: nothing is kept.
 * Lock:  none.
 * Trust: the bytes are a guest's; they begin with ESC and end as a sequence does.
 */
#ifndef CLIENT_SAFE_SEQUENCE_H
#define CLIENT_SAFE_SEQUENCE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEQUENCE_PARAMETERS 16u
#define SEQUENCE_NUMBER_MAX 9999u /* no screen is larger; more keeps some terminals busy for long */

#define SAFE_CSI 64u /* bytes of one sequence that could be judged */

enum sequence_verdict {
    SEQUENCE_DROP,
    SEQUENCE_QUERY,  /* the terminal answers, with numbers of its own: DSR, DA */
    SEQUENCE_PASS,   /* draws, moves, or sets a mode that sequence_reset undoes */
    SEQUENCE_COLOUR, /* SGR: passes, even in a log */
};

enum { /* what a terminal must be brought back from */
       SEQUENCE_TOUCHED = 1 << 0,
       SEQUENCE_ALTERNATE = 1 << 1,
       SEQUENCE_MOUSE = 1 << 2,
       SEQUENCE_PASTE = 1 << 3,
       SEQUENCE_FOCUS = 1 << 4,
};

struct csi {
    uint8_t prefix, intermediate, final;     /* prefix, intermediate: 0 if there is none */
    unsigned n;                              /* parameters */
    uint32_t parameter[SEQUENCE_PARAMETERS]; /* 0 where it was left out */
};

/* ESC [ prefix? digits and ; or : intermediates? final. False: anything else, too many parameters or too large a one. n: 3 and more. */
bool sequence_parse(const uint8_t *seq, size_t n, struct csi *c);

/* n: 2..SAFE_CSI. *modes is brought up to date if the verdict is PASS or COLOUR. */
enum sequence_verdict sequence_judge(const uint8_t *seq, size_t n, uint32_t *modes);
size_t sequence_reset(uint32_t modes, uint8_t *out, size_t room);

#endif
