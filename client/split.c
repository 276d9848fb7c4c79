/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "split.h"

#define CR_MAX   4u
#define OPEN_MAX 4096u /* Xen knows no more processors */

enum mark { MARK_LINE, MARK_FOCUS, MARK_FOCUS_XEN, MARK_XEN, MARK_OWN };

/*
 * '#': a number; '$': what ends a word, and is no part of the mark. The longest that fits counts. prefixed: Xen put it in front of
 * a line that one of its processors begins, see n_open.
 */
static const struct {
    const char *text;
    enum mark mark;
    bool only_xen, prefixed;
} marks[] = {
    {"(d#) ", MARK_LINE, false, true},
    {"*** Serial input to DOM#$", MARK_FOCUS, false, false},
    {"*** Serial input to Xen$", MARK_FOCUS_XEN, false, false},
    {"DOM#: ", MARK_LINE, true, false},
    {"(XEN) DOM#: ", MARK_LINE, true, true},
    {"(XEN) *** Serial input to DOM#$", MARK_FOCUS, true, true},
    {"(XEN) *** Serial input to Xen$", MARK_FOCUS_XEN, true, true},
    {"(XEN) ", MARK_XEN, true, true},
    {"<G><#>", MARK_OWN, true, false}, /* a message about a guest, in a line that stood open: Xen leaves its level in */
};
#define N_MARKS (sizeof marks / sizeof marks[0])

void split_init(struct split *s, enum split_form form, const struct split_to *to, void *ctx)
{
    uint64_t first = form == SPLIT_XEN ? 0 : SPLIT_HYPERVISOR;

    *s = (struct split){.form = form, .to = to, .ctx = ctx, .focus = SPLIT_HYPERVISOR, .owner = first};
}

static void say(struct split *s, uint64_t id, const void *bytes, size_t n)
{
    if (n > 0)
        s->to->out(s->ctx, id, bytes, n);
}

/* A domain's id, as printf writes it. Digits taken; 0: none. */
static size_t number(const uint8_t *bytes, size_t n, uint64_t *id)
{
    size_t i = 0;

    for (*id = 0; i < n && bytes[i] >= '0' && bytes[i] <= '9' && (i == 0 || *id > 0); i++) {
        *id = *id * 10 + (bytes[i] - '0');
        if (*id > UINT32_MAX)
            return 0;
    }
    return i;
}

enum fit { FIT_NOT, FIT_SO_FAR, FIT_WHOLE };

static enum fit fits(const char *text, const uint8_t *bytes, size_t n, size_t *length, uint64_t *id)
{
    size_t at = 0;

    for (; *text != '\0'; text++) {
        size_t digits;

        if (at == n)
            return FIT_SO_FAR;
        if (*text == '$')
            return strchr(" \r\n", bytes[at]) != NULL && bytes[at] != '\0' ? (*length = at, FIT_WHOLE) : FIT_NOT;
        if (*text != '#') {
            if (bytes[at++] != (uint8_t)*text)
                return FIT_NOT;
            continue;
        }
        digits = number(bytes + at, n - at, id);
        if (digits == 0)
            return FIT_NOT;
        at += digits;
    }
    *length = at;
    return FIT_WHOLE;
}

struct found {
    enum mark mark;
    size_t length; /* 0: none */
    uint64_t id;
    bool prefixed, more; /* more: a longer one may come of it */
};

static struct found find(const struct split *s)
{
    struct found best = {.length = 0};

    for (size_t i = 0; i < N_MARKS; i++) {
        size_t length = 0;
        uint64_t id = 0;
        enum fit fit = FIT_NOT;

        if (s->form == SPLIT_XEN || !marks[i].only_xen)
            fit = fits(marks[i].text, s->held, s->n_held, &length, &id);
        best.more |= fit == FIT_SO_FAR;
        if (fit == FIT_WHOLE && length > best.length)
            best = (struct found){marks[i].mark, length, id, marks[i].prefixed, best.more};
    }
    return best;
}

static void begin_line(struct split *s, uint64_t owner)
{
    s->owner = owner;
    s->in_line = s->marked = s->printed = true;
}

static void flush_cr(struct split *s)
{
    static const uint8_t cr[CR_MAX + 1] = {'\r', '\r', '\r', '\r', '\r'};

    say(s, s->owner, cr, s->n_cr);
    s->n_cr = 0;
}

static void take_focus(struct split *s, uint64_t id)
{
    s->focus = id;
    begin_line(s, SPLIT_HYPERVISOR);
    s->n_own = s->form == SPLIT_VCONS ? 2 : 1; /* vcons-vmm says a line more: the domain's name */
    s->to->focus(s->ctx, id);
}

static void take_mark(struct split *s, const struct found *found)
{
    uint64_t of_xen = s->focus == 0 ? SPLIT_HYPERVISOR : s->focus;

    flush_cr(s);
    if (found->prefixed && s->n_open < OPEN_MAX)
        s->n_open++;
    switch (found->mark) {
    case MARK_LINE: begin_line(s, found->id); return;
    case MARK_FOCUS: take_focus(s, found->id); break;
    case MARK_FOCUS_XEN: take_focus(s, SPLIT_HYPERVISOR); break;
    case MARK_OWN: begin_line(s, SPLIT_HYPERVISOR); break;
    case MARK_XEN:
        begin_line(s, of_xen);
        s->marked = of_xen == SPLIT_HYPERVISOR; /* what a domain shows itself may be broken into */
        if (of_xen != SPLIT_HYPERVISOR)
            return;
    }
    say(s, s->owner, s->held, found->length); /* the hypervisor's own stays as it is */
}

/* A line begins that has no mark: the domain with the focus may go on in one that stands open. */
static uint64_t owner_of_bare(struct split *s)
{
    if (s->n_own > 0)
        return SPLIT_HYPERVISOR;
    if (s->form == SPLIT_VCONS)
        return s->focus;
    s->printed = s->n_open > 0 && s->focus != SPLIT_HYPERVISOR && s->focus != 0;
    return s->printed ? s->focus : 0;
}

static void end_line(struct split *s)
{
    if (s->marked) { /* its own CR was dropped where the mark was put on */
        say(s, s->owner, "\r\n", 2);
        s->n_cr = 0;
    } else {
        if (s->form == SPLIT_XEN && s->n_cr > 0)
            s->n_cr--; /* Xen's own */
        flush_cr(s);
        say(s, s->owner, "\n", 1);
    }
    if (s->printed && s->n_open > 0)
        s->n_open--;
    if (s->n_own > 0 && s->owner == SPLIT_HYPERVISOR)
        s->n_own--;
    s->in_line = s->marked = s->printed = false;
}

static void bare(struct split *s)
{
    if (!s->in_line)
        s->owner = owner_of_bare(s);
    s->in_line = true;
}

static void text(struct split *s, const uint8_t *bytes, size_t n)
{
    bare(s);
    flush_cr(s);
    say(s, s->owner, bytes, n);
}

static bool may_begin(const struct split *s, uint8_t byte)
{
    if (s->form == SPLIT_XEN)
        return byte == '(' || byte == '*' || byte == 'D' || byte == '<';
    return (byte == '(' || byte == '*') && !s->in_line && s->n_cr == 0;
}

/* A byte that cannot begin a mark, or did not. */
static void plain(struct split *s, uint8_t byte)
{
    bool keeps_cr = s->form == SPLIT_XEN || s->marked;

    if (byte == '\n') {
        bare(s);
        end_line(s);
    } else if (byte == '\r' && keeps_cr) {
        bare(s);
        if (s->n_cr == CR_MAX)
            flush_cr(s);
        s->n_cr++;
    } else {
        text(s, &byte, 1);
    }
}

static void put_byte(struct split *s, uint8_t byte);

/* What is held: a mark, not yet, or none. */
static void look(struct split *s)
{
    struct found found = find(s);
    uint8_t rest[SPLIT_HELD];
    size_t n = s->n_held, from = found.length;

    if (found.more)
        return;
    memcpy(rest, s->held, n);
    s->n_held = 0;
    if (found.length > 0)
        take_mark(s, &found);
    else
        plain(s, rest[from++]);
    while (from < n)
        put_byte(s, rest[from++]);
}

static void put_byte(struct split *s, uint8_t byte)
{
    if (s->n_held > 0 || may_begin(s, byte)) {
        s->held[s->n_held++] = byte;
        look(s);
    } else {
        plain(s, byte);
    }
}

/* As far as nothing happens. */
static size_t run_of_text(const struct split *s, const uint8_t *bytes, size_t n)
{
    size_t i = 0;

    while (i < n && bytes[i] != '\n' && bytes[i] != '\r' && (s->form != SPLIT_XEN || !may_begin(s, bytes[i])))
        i++;
    return i;
}

void split_put(struct split *s, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        size_t run = s->n_held == 0 && s->in_line ? run_of_text(s, bytes, n) : 0;

        if (run > 0)
            text(s, bytes, run);
        else
            put_byte(s, bytes[run++]);
        bytes += run;
        n -= run;
    }
}

void split_end(struct split *s)
{
    if (s->n_held > 0)
        text(s, s->held, s->n_held);
    flush_cr(s);
    split_init(s, s->form, s->to, s->ctx);
}
