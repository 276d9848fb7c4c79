/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <string.h>

#include "safe_sequence.h"

bool sequence_parse(const uint8_t *seq, size_t n, struct csi *c)
{
    size_t i = 2;

    *c = (struct csi){.final = seq[n - 1]};
    if (seq[i] >= '<' && seq[i] <= '?')
        c->prefix = seq[i++];
    for (; i < n - 1 && ((seq[i] >= '0' && seq[i] <= '9') || seq[i] == ';' || seq[i] == ':'); i++) {
        uint32_t *p = &c->parameter[c->n];

        if (seq[i] == ';' || seq[i] == ':') {
            if (++c->n == SEQUENCE_PARAMETERS)
                return false;
        } else {
            *p = *p * 10 + (uint32_t)(seq[i] - '0');
            if (*p > SEQUENCE_NUMBER_MAX)
                return false;
        }
    }
    c->n++;
    if (i < n - 1 && seq[i] >= ' ' && seq[i] <= '/')
        c->intermediate = seq[i++];
    return i == n - 1;
}

static const struct {
    uint32_t mode, bit;
} private_modes[] = {
    {1, SEQUENCE_TOUCHED},  /* DECCKM, cursor keys */
    {5, SEQUENCE_TOUCHED},  /* DECSCNM, reverse screen */
    {6, SEQUENCE_TOUCHED},  /* DECOM, origin */
    {7, SEQUENCE_TOUCHED},  /* DECAWM, wrap around */
    {12, SEQUENCE_TOUCHED}, /* cursor blinks */
    {25, SEQUENCE_TOUCHED}, /* DECTCEM, cursor shows */
    {66, SEQUENCE_TOUCHED}, /* DECNKM, keypad */
    {47, SEQUENCE_ALTERNATE}, {1047, SEQUENCE_ALTERNATE}, {1048, SEQUENCE_TOUCHED}, {1049, SEQUENCE_ALTERNATE},
    {1000, SEQUENCE_MOUSE},   {1002, SEQUENCE_MOUSE},     {1003, SEQUENCE_MOUSE},   {1005, SEQUENCE_MOUSE},
    {1006, SEQUENCE_MOUSE},   {1015, SEQUENCE_MOUSE},     {1004, SEQUENCE_FOCUS},   {2004, SEQUENCE_PASTE},
    {2026, SEQUENCE_TOUCHED}, /* synchronized output; terminals end it by themselves */
};

static uint32_t private_mode(uint32_t mode) /* 0: not one that passes */
{
    for (size_t i = 0; i < sizeof private_modes / sizeof private_modes[0]; i++)
        if (private_modes[i].mode == mode)
            return private_modes[i].bit;
    return 0;
}

/* DECSET and DECRST: every mode that is named must be one that passes. */
static enum sequence_verdict judge_private_modes(const struct csi *c, uint32_t *modes)
{
    uint32_t bits = 0;

    for (unsigned i = 0; i < c->n; i++) {
        uint32_t bit = private_mode(c->parameter[i]);

        if (bit == 0)
            return SEQUENCE_DROP;
        bits |= bit;
    }
    if (c->final == 'l' && bits == SEQUENCE_ALTERNATE)
        *modes &= ~bits; /* leaving it twice would move the cursor */
    else
        *modes |= bits;
    return SEQUENCE_PASS;
}

static enum sequence_verdict judge_private(const struct csi *c, uint32_t *modes)
{
    switch (c->final) {
    case 'h':
    case 'l': return judge_private_modes(c, modes);
    case 'J': /* DECSED */
    case 'K': /* DECSEL */ return SEQUENCE_PASS;
    case 'n': return c->n == 1 && c->parameter[0] == 6 ? SEQUENCE_QUERY : SEQUENCE_DROP; /* DECXCPR */
    default: return SEQUENCE_DROP;
    }
}

static enum sequence_verdict judge_plain(const struct csi *c, uint32_t *modes)
{
    switch (c->final) {
    case 'm': *modes |= SEQUENCE_TOUCHED; return SEQUENCE_COLOUR;
    case 'c': return c->n == 1 && c->parameter[0] == 0 ? SEQUENCE_QUERY : SEQUENCE_DROP; /* DA */
    case 'n': /* DSR: 5 operating status, 6 cursor position */
        return c->n == 1 && (c->parameter[0] == 5 || c->parameter[0] == 6) ? SEQUENCE_QUERY : SEQUENCE_DROP;
    case 'h':
    case 'l': /* SM, RM: insert mode only; 2 locks the keyboard, 12 echoes, 20 changes what Enter sends */
        *modes |= SEQUENCE_TOUCHED;
        return c->n == 1 && c->parameter[0] == 4 ? SEQUENCE_PASS : SEQUENCE_DROP;
    case 'T': return c->n == 1 ? SEQUENCE_PASS : SEQUENCE_DROP; /* SD; with five it tracks the mouse */
    case 'r': *modes |= SEQUENCE_TOUCHED; return SEQUENCE_PASS; /* DECSTBM */
    default: return strchr("@ABCDEFGHIJKLMPSXZ`abdefgsu", c->final) != NULL ? SEQUENCE_PASS : SEQUENCE_DROP;
    }
}

static enum sequence_verdict judge_csi(const uint8_t *seq, size_t n, uint32_t *modes)
{
    struct csi c;

    if (n < 3 || !sequence_parse(seq, n, &c))
        return SEQUENCE_DROP;
    if (c.intermediate != 0) { /* DECSTR, DECSCUSR, DECSCA */
        bool passes = c.prefix == 0 && ((c.intermediate == '!' && c.final == 'p') ||
                                        ((c.intermediate == ' ' || c.intermediate == '"') && c.final == 'q'));

        *modes |= passes ? SEQUENCE_TOUCHED : 0u;
        return passes ? SEQUENCE_PASS : SEQUENCE_DROP;
    }
    if (c.prefix == '?')
        return judge_private(&c, modes);
    if (c.prefix == '>') /* secondary DA; the rest asks or changes what keys send */
        return c.final == 'c' && c.n == 1 && c.parameter[0] == 0 ? SEQUENCE_QUERY : SEQUENCE_DROP;
    return c.prefix == 0 ? judge_plain(&c, modes) : SEQUENCE_DROP;
}

static enum sequence_verdict judge_escape(const uint8_t *seq, size_t n, uint32_t *modes)
{
    bool passes = false;

    if (n == 2) /* DECSC, DECRC, DECKPAM, DECKPNM, IND, NEL, HTS, RI, RIS, locking shifts, backward and
                   forward index */
        passes = strchr("78=>DEHMcno|}~69", seq[1]) != NULL;
    else if (n == 3 &&
             strchr("()*+-./", seq[1]) != NULL) /* designate a character set; some terminals take ESC ) [ for ESC [ */
        passes = strchr("[]PX^_NO\\", seq[2]) == NULL;
    else if (n == 3 && seq[1] == '#') /* line width and DECALN */
        passes = strchr("34568", seq[2]) != NULL;
    else if (n == 3 && seq[1] == '%') /* UTF-8, and back */
        passes = seq[2] == 'G';
    if (passes)
        *modes |= SEQUENCE_TOUCHED;
    return passes ? SEQUENCE_PASS : SEQUENCE_DROP;
}

enum sequence_verdict sequence_judge(const uint8_t *seq, size_t n, uint32_t *modes)
{
    if (n < 2)
        return SEQUENCE_DROP;
    return seq[1] == '[' ? judge_csi(seq, n, modes) : judge_escape(seq, n, modes);
}

size_t sequence_reset(uint32_t modes, uint8_t *out, size_t room)
{
    static const struct {
        uint32_t bit;
        const char *text;
    } resets[] = {
        {SEQUENCE_ALTERNATE, "\x1b[?1049l"},
        {SEQUENCE_MOUSE, "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1005l\x1b[?1006l\x1b[?1015l"},
        {SEQUENCE_FOCUS, "\x1b[?1004l"},
        {SEQUENCE_PASTE, "\x1b[?2004l"},
        /* DECSTR leaves the screen's text alone; terminals that lack it get the rest one by one. */
        {~0u, "\x1b[!p\x1b[m\x1b[?25h\x1b[?1l\x1b[?5l\x1b[?6l\x1b[?7h\x1b[4l\x1b>\x1b(B\x0f"},
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof resets / sizeof resets[0]; i++) {
        size_t length = strlen(resets[i].text);

        if ((modes & resets[i].bit) != 0 && n + length <= room) {
            memcpy(out + n, resets[i].text, length);
            n += length;
        }
    }
    return n;
}
