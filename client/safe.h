/* SPDX-License-Identifier: MIT */
/*
 * safe.h: takes out of a guest's output what would act on the viewer's terminal, machine or keyboard.
 *
 * Spec:  ECMA-48 5.4 (control sequences), 5.6 (control strings); xterm's ctlseqs for what is private; UTF-8 as RFC
 *        3629. What is let through is listed here, everything else is not: no title, clipboard, hyperlink,
 *        notification, image, window, printer or key definition, no answer-back (ENQ), no report, and 8-bit C1 in no
 *        encoding.
 * Owner: the caller places struct safe; nothing is allocated, and no input makes it grow.
 * Lock:  the caller's, one for each filter.
 * Trust: the bytes are the guest's. Sequences may be cut anywhere between calls: the output is the same for every
 *        cut.
 *
 * SAFE_LOG, for people who read a log: text, tab and newline; colours (SGR) if asked for. Complete sequences vanish;
 * what is none, or has no end within SAFE_HELD bytes or its line, is shown: ESC as ^[, as cat -v does, so that a
 * guest can hide nothing. SAFE_LIVE, for a terminal that a person drives: what full-screen programs need passes
 * (cursor, colours, character sets, alternate screen, mouse and paste modes); questions to the terminal pass only
 * where safe_queries says so. In both a number beyond 9999 is no number that a program draws with: such a sequence is dropped.
 */
#ifndef CLIENT_SAFE_H
#define CLIENT_SAFE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "modes.h"

#define SAFE_HELD         4096u          /* bytes of one sequence that are kept, at most */
#define SAFE_SWALLOWED    (1024u * 1024) /* SAFE_LIVE: bytes of one string that vanish before it counts as text again */
#define SAFE_OUT_BYTES(n) (4 * ((n) + SAFE_HELD)) /* room that n bytes of input may need */
#define SAFE_RESET_BYTES  192u
#define SAFE_IDLE_MS      1000

enum safe_mode { SAFE_LOG, SAFE_LIVE };

struct safe { /* for the caller to place, not to read */
    enum safe_mode mode;
    bool utf8, colour, queries;
    uint8_t state;        /* enum state in safe.c */
    bool seq_queries;     /* queries, when the sequence under way began */
    bool bel_ends;        /* the string under way is an OSC */
    uint8_t character[4]; /* of UTF-8, begun; within a string, its last byte in [0] */
    uint8_t have, want;
    bool in_line;       /* SAFE_LOG: something stands on the line already */
    uint32_t crs;       /* SAFE_LOG: carriage returns that wait for what follows */
    uint32_t swallowed; /* SAFE_LIVE: of the string under way */
    uint32_t modes;     /* what the terminal must be put back from, enum in safe_sequence.h */
    struct modes seen;  /* SAFE_LIVE: as what passed has left them */
    bool text_last;     /* the last that passed was a character, no control or sequence */
    uint32_t held;
    uint8_t seq[SAFE_HELD]; /* the sequence under way, from its ESC on */
    uint8_t *out;
    size_t n;
};

/* utf8: the terminal decodes UTF-8; if not, bytes from 0x80 on become '?'. colour: SAFE_LOG lets SGR through.
 */
void safe_init(struct safe *s, enum safe_mode mode, bool utf8, bool colour);
/* From the next sequence on: whether questions (DSR, DA) pass, for this terminal answers as the console's
 * writer. At first they do not. */
void safe_queries(struct safe *s, bool pass);
/* Filter n bytes; returns how many went to out, which has room for SAFE_OUT_BYTES(n). */
size_t safe_filter(struct safe *s, const uint8_t *in, size_t n, uint8_t *out);
/* SAFE_LIVE: something is held, a sequence or character whose end has not come. */
bool safe_holds(const struct safe *s);
/* Nothing has come for SAFE_IDLE_MS: its end will not come, what comes next is something new. out as for 0 bytes. */
size_t safe_idle(struct safe *s, uint8_t *out);
/* The stream ends: what is still held, made visible (SAFE_LOG). out as for 0 bytes. */
size_t safe_end(struct safe *s, uint8_t *out);
/* What puts the terminal back into its usual state after all that passed, and makes that forgotten; 0 if nothing needs it. */
size_t safe_reset(struct safe *s, uint8_t out[SAFE_RESET_BYTES]);

#endif
