/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "modes.h"
#include "safe_sequence.h"

static const struct {
    uint16_t mode;
    bool on; /* after a reset */
} private_modes[] = {{1, false},    {5, false},    {6, false},    {7, true},     {12, false},
                     {25, true},    {66, false},   {1000, false}, {1002, false}, {1003, false},
                     {1004, false}, {1005, false}, {1006, false}, {1015, false}, {2004, false}};
#define N_PRIVATE (sizeof private_modes / sizeof private_modes[0])
enum {
    ORIGIN = 1 << 2,
    CURSOR = 1 << 5,
    SOFT = 1 << 0 | ORIGIN | 1 << 3 | CURSOR | 1 << 6
}; /* DECSTR: 1, 6, 7, 25, 66 */

static void private_mode(struct modes *m, uint32_t mode, bool on)
{
    for (size_t i = 0; i < N_PRIVATE; i++)
        if (private_modes[i].mode == mode)
            m->changed = (m->changed & ~(1u << i)) | (on != private_modes[i].on ? 1u << i : 0);
}

static void soft_reset(struct modes *m)
{
    uint32_t stays = m->changed & ~(uint32_t)SOFT;
    uint8_t cursor = m->cursor;

    *m = (struct modes){.changed = stays, .cursor = cursor};
}

static void cleared(struct modes *m)
{
    uint64_t since = m->passed - m->cleared;

    m->between = m->cleared != 0 && since <= MODES_PICTURE ? (uint32_t)since : 0;
    m->cleared = m->passed;
}

static void note_csi(struct modes *m, const struct csi *c)
{
    if (c->intermediate == '!') {
        soft_reset(m);
    } else if (c->intermediate == ' ') {
        m->cursor = (uint8_t)c->parameter[0];
    } else if (c->prefix == '?' && (c->final == 'h' || c->final == 'l')) {
        for (unsigned i = 0; i < c->n; i++)
            private_mode(m, c->parameter[i], c->final == 'h');
    } else if (c->prefix == 0 && c->intermediate == 0 && (c->final == 'h' || c->final == 'l')) {
        m->insert = c->final == 'h'; /* the only one that passes */
    } else if (c->prefix == 0 && c->final == 'J' && (c->parameter[0] == 0 || c->parameter[0] == 2)) {
        cleared(m);
    } else if (c->prefix == 0 && c->intermediate == 0 && c->final == 'r') {
        m->top = (uint16_t)c->parameter[0];
        m->bottom = c->n > 1 ? (uint16_t)c->parameter[1] : 0;
    }
}

static void note_escape(struct modes *m, const uint8_t *seq, size_t n)
{
    static const char sets[] = "()*+";
    const char *set = n == 3 ? strchr(sets, seq[1]) : NULL;

    if (set != NULL && seq[1] != 0)
        m->set[set - sets] = seq[2];
    if (n != 2)
        return;
    switch (seq[1]) {
    case 'c': *m = (struct modes){0}; break;
    case '=': m->keypad = true; break;
    case '>': m->keypad = false; break;
    case 'n':
    case 'o': m->locked = seq[1] == 'n' ? 2 : 3; break;
    default: break;
    }
}

void modes_note(struct modes *m, const uint8_t *seq, size_t n)
{
    struct csi c;

    if (n < 2)
        return;
    if (seq[1] != '[')
        note_escape(m, seq, n);
    else if (n >= 3 && sequence_parse(seq, n, &c))
        note_csi(m, &c);
}

void modes_shift(struct modes *m, bool out)
{
    m->shift = out;
    m->locked = 0;
}

bool modes_placed(const struct modes *m)
{
    bool redrawn = m->between > 0 && m->passed - m->cleared <= MODES_PICTURE;

    return (m->changed & (CURSOR | ORIGIN)) != 0 || m->top > 1 || m->bottom != 0 || redrawn;
}

bool modes_origin(const struct modes *m) { return (m->changed & ORIGIN) != 0; }

struct text {
    char *at;
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(t->at + t->n, MODES_BYTES - t->n, format, args);
    va_end(args);
    if (n > 0 && t->n + (size_t)n < MODES_BYTES)
        t->n += (size_t)n;
}

/* The private modes that differ from a reset, as m has them or as a reset has them. */
static void write_private(struct text *t, const struct modes *m, bool reset)
{
    for (size_t i = 0; i < N_PRIVATE; i++)
        if (m->changed & 1u << i)
            add(t, "\x1b[?%u%c", private_modes[i].mode, private_modes[i].on == reset ? 'h' : 'l');
}

size_t modes_write(const struct modes *m, char out[MODES_BYTES])
{
    static const char sets[] = "()*+";
    struct text t = {out, 0};

    if (m->bottom != 0)
        add(&t, "\x1b[%u;%ur", m->top, m->bottom);
    else if (m->top != 0)
        add(&t, "\x1b[%ur", m->top);
    write_private(&t, m, false);
    for (unsigned i = 0; i < 4; i++)
        if (m->set[i] != 0)
            add(&t, "\x1b%c%c", sets[i], m->set[i]);
    if (m->shift)
        add(&t, "\x0e");
    if (m->locked != 0)
        add(&t, "\x1b%c", m->locked == 2 ? 'n' : 'o');
    if (m->insert)
        add(&t, "\x1b[4h");
    if (m->keypad)
        add(&t, "\x1b=");
    if (m->cursor != 0)
        add(&t, "\x1b[%u q", m->cursor);
    return t.n;
}

size_t modes_plain(const struct modes *m, char out[MODES_BYTES])
{
    struct text t = {out, 0};

    add(&t, "\x1b[m");
    if (m->shift || m->locked != 0)
        add(&t, "\x0f");
    if (m->set[0] != 0)
        add(&t, "\x1b(B");
    if (m->insert)
        add(&t, "\x1b[4l");
    if (m->keypad)
        add(&t, "\x1b>");
    write_private(&t, m, true);
    if (m->cursor != 0)
        add(&t, "\x1b[0 q");
    add(&t, "\x1b[?6l\x1b[r\x1b[H"); /* in any case: terminals differ in what a soft reset does to these */
    return t.n;
}
