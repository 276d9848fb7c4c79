/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "safe.h"
#include "safe_sequence.h"

enum {
    BEL = 0x07,
    TAB = 0x09,
    LF = 0x0a,
    CR = 0x0d,
    SO = 0x0e,
    SI = 0x0f,
    CAN = 0x18,
    SUB = 0x1a,
    ESC = 0x1b,
    DEL = 0x7f
};

enum state {
    GROUND,
    ESCAPE,     /* ESC came */
    CSI,        /* ESC [ came */
    CSI_IGNORE, /* more than SAFE_CSI bytes of one; it ends as any other */
    STRING,     /* ESC ] and its kin came */
    STRING_ESC, /* ESC within a string: a backslash ends it */
};

static void one_byte(struct safe *s, uint8_t c);

void safe_init(struct safe *s, enum safe_mode mode, bool utf8, bool colour)
{
    *s = (struct safe){.mode = mode, .utf8 = utf8, .colour = colour};
}

void safe_queries(struct safe *s, bool pass) { s->queries = pass; }

static void put(struct safe *s, uint8_t c)
{
    s->seen.passed++;
    s->out[s->n++] = c;
    s->in_line = c != '\n';
    s->text_last = c >= ' ';
}

static void put_bytes(struct safe *s, const void *bytes, size_t n)
{
    memcpy(s->out + s->n, bytes, n);
    s->n += n;
    s->seen.passed += n;
    s->in_line = true;
    s->text_last = true;
}

static void put_unknown(struct safe *s)
{
    if (s->utf8)
        put_bytes(s, "\xef\xbf\xbd", 3); /* U+FFFD */
    else
        put(s, '?');
}

/* One byte in sight: ^X for a control, for a reader who must not be fooled. */
static void put_visible(struct safe *s, uint8_t c)
{
    if (c >= 0x80) {
        put_unknown(s);
    } else if (c < ' ' || c == DEL) {
        put(s, '^');
        put(s, c ^ 0x40);
    } else {
        put(s, c);
    }
}

/* What is held was no sequence after all: SAFE_LOG shows it, a terminal never sees it. */
static void abandon(struct safe *s)
{
    uint32_t held = s->held;

    s->state = GROUND;
    s->held = 0;
    if (s->mode == SAFE_LOG)
        for (uint32_t i = 0; i < held; i++)
            put_visible(s, s->seq[i]);
}

static void hold(struct safe *s, uint8_t c)
{
    if (s->held < SAFE_HELD)
        s->seq[s->held++] = c;
}

static void begin(struct safe *s, uint8_t introducer) /* 0: ESC alone so far */
{
    s->held = 0;
    s->swallowed = 0;
    s->seq_queries = s->queries;
    s->state = ESCAPE;
    hold(s, ESC);
    if (introducer != 0)
        one_byte(s, introducer);
}

static void finish(struct safe *s)
{
    uint32_t n = s->held;
    bool in_line = s->in_line, passes;
    enum sequence_verdict verdict = SEQUENCE_DROP;

    s->state = GROUND;
    s->held = 0;
    if (n > 0 && n <= SAFE_CSI)
        verdict = sequence_judge(s->seq, n, &s->modes);
    if (s->mode == SAFE_LOG)
        passes = s->colour && verdict == SEQUENCE_COLOUR;
    else
        passes = verdict >= SEQUENCE_PASS || (verdict == SEQUENCE_QUERY && s->seq_queries);
    if (passes) {
        put_bytes(s, s->seq, n);
        modes_note(&s->seen, s->seq, n);
        s->text_last = false;
    }
    s->in_line = in_line; /* a colour is not something on the line */
}

static void ground_control(struct safe *s, uint8_t c)
{
    static const char passes[] = "\a\b\t\n\v\f\r\x0e\x0f"; /* of C0, to a terminal; ENQ asks, NUL is nothing */

    if (c == ESC) {
        begin(s, 0);
    } else if (s->mode == SAFE_LIVE) {
        if (c != 0 && strchr(passes, c) != NULL)
            put(s, c);
        if (c == SO)
            s->modes |= SEQUENCE_TOUCHED;
        if (c == SO || c == SI)
            modes_shift(&s->seen, c == SO);
    } else if (c == CR) {
        if (s->crs == SAFE_CSI && s->in_line)
            put_visible(s, CR); /* no line ends with so many */
        else if (s->crs < SAFE_CSI)
            s->crs++;
    } else if (c == TAB || c == LF) {
        put(s, c);
    } else {
        put_visible(s, c);
    }
}

/* Of a character of UTF-8: how long it is by its first byte, 0 if that cannot begin one. */
static uint8_t length_of(uint8_t lead)
{
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if ((lead & 0xf0) == 0xe0)
        return 3;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/* RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
static bool continues(const struct safe *s, uint8_t c)
{
    uint8_t lead = s->character[0];

    if ((c & 0xc0) != 0x80)
        return false;
    if (s->have > 1)
        return true;
    return !(lead == 0xe0 && c < 0xa0) && !(lead == 0xed && c > 0x9f) && !(lead == 0xf0 && c < 0x90) &&
           !(lead == 0xf4 && c > 0x8f);
}

/* Marks that change the order of what is read, and the other line ends: text that is not what it seems. */
static bool deceives(const uint8_t c[4], uint8_t n)
{
    if (n == 2)
        return c[0] == 0xd8 && c[1] == 0x9c; /* U+061C */
    if (n != 3 || c[0] != 0xe2)
        return false;
    return (c[1] == 0x80 && (c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae))) ||
           (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

static void put_character(struct safe *s)
{
    uint8_t n = s->have;

    s->have = 0;
    if (n == 2 && s->character[0] == 0xc2 && s->character[1] < 0xa0)
        begin(s, s->character[1] - 0x40); /* C1: the same as ESC and that letter, and judged as such */
    else if (s->mode == SAFE_LOG && deceives(s->character, n))
        put_unknown(s);
    else
        put_bytes(s, s->character, n);
}

static void high_byte(struct safe *s, uint8_t c)
{
    uint8_t n = length_of(c);

    if (!s->utf8 || n == 0) {
        put_unknown(s);
        return;
    }
    s->character[0] = c;
    s->have = 1;
    s->want = n;
}

static void ground(struct safe *s, uint8_t c)
{
    if (s->have > 0) {
        if (continues(s, c)) {
            s->character[s->have++] = c;
            if (s->have == s->want)
                put_character(s);
            return;
        }
        s->have = 0;
        put_unknown(s);
    }
    if (s->crs > 0 && c != CR) {
        if (c == LF || !s->in_line)
            s->crs = 0; /* how a serial line ends, or nothing; elsewhere it would let a line overwrite itself */
        for (; s->crs > 0; s->crs--)
            put_visible(s, CR);
    }
    if (c < ' ' || c == DEL)
        ground_control(s, c);
    else if (c >= 0x80)
        high_byte(s, c);
    else
        put(s, c);
}

static void escape(struct safe *s, uint8_t c)
{
    if (c < ' ' || c >= DEL) {
        abandon(s);
        one_byte(s, c);
        return;
    }
    hold(s, c);
    if (s->held == 2 && c == '[') {
        s->state = CSI;
    } else if (s->held == 2 && strchr("]P_^Xk", c) != NULL) {
        s->state = STRING;
        s->bel_ends = c == ']' || c == 'k';
    } else if (c >= '0') {
        finish(s);
    } else if (s->held >= SAFE_CSI) {
        abandon(s); /* intermediate bytes without end */
    }
}

static void csi(struct safe *s, uint8_t c)
{
    if (c < ' ' || c >= DEL) {
        abandon(s);
        one_byte(s, c);
        return;
    }
    if (s->state == CSI && s->held == SAFE_CSI) {
        if (s->mode == SAFE_LOG) {
            abandon(s);
            one_byte(s, c);
            return;
        }
        s->state = CSI_IGNORE;
    }
    if (s->state == CSI)
        hold(s, c);
    if (c < '@')
        return;
    if (s->state == CSI_IGNORE)
        abandon(s);
    else
        finish(s);
}

static bool string_too_long(const struct safe *s)
{
    return s->mode == SAFE_LOG ? s->held == SAFE_HELD : s->swallowed == SAFE_SWALLOWED;
}

static void string(struct safe *s, uint8_t c)
{
    /* No string takes the next line of a log with it, nor a title that of a screen: its guest may have died within it. */
    bool line_ends = c == LF && (s->mode == SAFE_LOG || s->bel_ends);
    bool c1_st = c == 0x9c && (!s->utf8 || s->character[0] == 0xc2);

    if (c == CAN || c == SUB || line_ends || string_too_long(s)) {
        abandon(s);
        one_byte(s, c);
    } else if (c1_st || (c == BEL && s->bel_ends)) {
        s->held = 0;
        finish(s);
    } else {
        if (c == ESC)
            s->state = STRING_ESC;
        else if (s->mode == SAFE_LOG)
            hold(s, c);
        s->swallowed++;
        s->character[0] = c;
    }
}

static void string_escape(struct safe *s, uint8_t c)
{
    if (c == '\\') {
        s->held = 0;
        finish(s);
        return;
    }
    abandon(s); /* ESC ends a string even where no string terminator follows */
    begin(s, 0);
    one_byte(s, c);
}

static void one_byte(struct safe *s, uint8_t c)
{
    switch ((enum state)s->state) {
    case GROUND: ground(s, c); break;
    case ESCAPE: escape(s, c); break;
    case CSI:
    case CSI_IGNORE: csi(s, c); break;
    case STRING: string(s, c); break;
    case STRING_ESC: string_escape(s, c); break;
    }
}

size_t safe_filter(struct safe *s, const uint8_t *in, size_t n, uint8_t *out)
{
    s->out = out;
    s->n = 0;
    for (size_t i = 0; i < n; i++)
        one_byte(s, in[i]);
    s->out = NULL;
    return s->n;
}

size_t safe_idle(struct safe *s, uint8_t *out)
{
    s->out = out;
    s->n = 0;
    if (s->mode == SAFE_LIVE) {
        if (s->have > 0)
            put_unknown(s);
        s->have = 0;
        abandon(s);
    }
    s->out = NULL;
    return s->n;
}

bool safe_holds(const struct safe *s) { return s->have > 0 || s->state != GROUND; }

size_t safe_end(struct safe *s, uint8_t *out)
{
    s->out = out;
    s->n = 0;
    if (s->have > 0 && s->mode == SAFE_LOG)
        put_unknown(s);
    s->have = 0;
    s->crs = 0;
    abandon(s);
    s->out = NULL;
    return s->n;
}

size_t safe_reset(struct safe *s, uint8_t out[SAFE_RESET_BYTES])
{
    size_t n = sequence_reset(s->modes, out, SAFE_RESET_BYTES);

    s->modes = 0;
    s->seen = (struct modes){0};
    return n;
}
