/* SPDX-License-Identifier: MIT */
#include "focus.h"
#include "memory.h"

#define LINE_MAX   (VC_FOCUS_LINE_BYTES - 1) /* Xen: a line is emitted when it reaches 255 */
#define TEXT_BYTES 384u                      /* "(d4294967295) ", a line, LF; or any message */

struct text { /* a line being put together; what does not fit is cut */
    uint32_t n;
    uint8_t bytes[TEXT_BYTES];
};

static void add(struct text *t, uint8_t byte)
{
    if (t->n < TEXT_BYTES)
        t->bytes[t->n++] = byte;
}

static void add_text(struct text *t, const char *s)
{
    while (*s != '\0')
        add(t, (uint8_t)*s++);
}

static void add_number(struct text *t, uint64_t number)
{
    uint8_t digits[20];
    uint32_t n = 0;

    do
        digits[n++] = (uint8_t)('0' + number % 10);
    while ((number /= 10) > 0);
    while (n > 0)
        add(t, digits[--n]);
}

static void add_prefix(struct text *t, const struct vc_focus_domain *d)
{
    add_text(t, "(d");
    add_number(t, d->id);
    add_text(t, ") ");
}

static void add_mark(struct text *t, uint64_t skipped)
{
    add_text(t, "[vcons: ");
    add_number(t, skipped);
    add_text(t, " bytes not shown]\n");
}

static uint32_t room(const struct vc_focus *f) { return f->output_size - (f->output_prod - f->output_cons); }

/* How much of it a domain may take: a quarter is the hypervisor's. */
static uint32_t domain_room(const struct vc_focus *f)
{
    uint32_t free = room(f), kept = f->output_size / 4;

    return free <= kept ? 0 : free - kept;
}

/* How many of n bytes go into so much room. */
static uint32_t fitting(const struct vc_focus *f, const uint8_t *bytes, uint32_t n, uint32_t space)
{
    uint32_t used = 0, i = 0;

    if (!f->cooked)
        return n < space ? n : space;
    if (n <= space / 2) /* whatever they are */
        return n;
    for (; i < n; i++) {
        used += bytes[i] == '\n' ? 2 : 1; /* at most */
        if (used > space)
            break;
    }
    return i;
}

static void append(struct vc_focus *f, const uint8_t *bytes, uint32_t n)
{
    uint32_t slot = f->output_prod & (f->output_size - 1);
    uint32_t first = n < f->output_size - slot ? n : f->output_size - slot;

    if (n == 0)
        return;
    memcpy(f->output + slot, bytes, first);
    if (n > first)
        memcpy(f->output, bytes + first, n - first);
    f->output_prod += n;
    f->last = bytes[n - 1];
}

/* The first LF from there on; n: none. Eight bytes at a time: all that guests print comes by here. */
static uint32_t find_lf(const uint8_t *bytes, uint32_t from, uint32_t n)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);

    for (; n - from >= sizeof ones; from += (uint32_t)sizeof ones) {
        uint64_t word;

        memcpy(&word, bytes + from, sizeof word);
        word ^= ones * '\n';
        if (((word - ones) & ~word & ones << 7) != 0) /* a byte of it is 0 */
            break;
    }
    while (from < n && bytes[from] != '\n')
        from++;
    return from;
}

/* n bytes for which there is room, also cooked. */
static void show(struct vc_focus *f, const uint8_t *bytes, uint32_t n)
{
    bool empty = f->output_prod == f->output_cons;
    uint32_t from = 0;

    for (uint32_t i = f->cooked ? find_lf(bytes, 0, n) : n; i < n; i = find_lf(bytes, i + 1, n)) {
        append(f, bytes + from, i - from);
        from = i;
        if (f->last != '\r')
            append(f, (const uint8_t *)"\r", 1);
    }
    append(f, bytes + from, n - from);
    if (empty && n > 0)
        f->env->ready(f->ctx);
}

static void close_line(struct vc_focus *f)
{
    if (f->last != '\n')
        show(f, (const uint8_t *)"\n", 1);
}

static void skip(struct vc_focus_domain *d, uint64_t n)
{
    d->skipped += n;
    d->counts.not_shown += n;
}

/* A whole line or message of d's; room was asked for. */
static void show_text(struct vc_focus *f, const struct text *t)
{
    close_line(f);
    show(f, t->bytes, t->n);
}

static void show_mark(struct vc_focus *f, struct vc_focus_domain *d)
{
    struct text t = {.n = 0};

    if (f->focus != d)
        add_prefix(&t, d);
    add_mark(&t, d->skipped);
    d->skipped = 0;
    show_text(f, &t);
}

/* Whether so many bytes are left of a budget; the clock is asked only if not. */
static bool budgeted(struct vc_focus *f, struct vc_focus_budget *b, uint32_t whole, uint32_t n)
{
    if (b->left < n) {
        uint64_t now = f->env->now_ms(f->ctx);

        if (now - b->since_ms >= VC_FOCUS_BUDGET_MS)
            *b = (struct vc_focus_budget){.left = whole, .since_ms = now};
    }
    return b->left >= n;
}

/* Out of focus: whether d may show a line and its marks now. */
static bool affords(struct vc_focus *f, struct vc_focus_domain *d)
{
    return budgeted(f, &d->lines, VC_FOCUS_LINES_BYTES, 2 * TEXT_BYTES) && domain_room(f) >= 4 * TEXT_BYTES;
}

/* The first bytes that are not shown: say so at once, the number follows when it is known. */
static void begin_skipping(struct vc_focus *f, const struct vc_focus_domain *d)
{
    struct text t = {.n = 0};

    if (d->skipped > 0 || domain_room(f) < TEXT_BYTES)
        return;
    if (f->focus != d)
        add_prefix(&t, d);
    add_text(&t, "[vcons: too much at once; not shown from here on]\n");
    show_text(f, &t);
}

/* Printable ASCII, tab, LF: what may reach a terminal that somebody else is looking at. */
static bool harmless(uint8_t byte) { return (byte >= 0x20 && byte < 0x7f) || byte == '\t' || byte == '\n'; }

/* The line buffer, as a line of its own. */
static void show_line(struct vc_focus *f, struct vc_focus_domain *d)
{
    struct text t = {.n = 0};

    if (!affords(f, d)) {
        begin_skipping(f, d);
        skip(d, d->n);
        d->n = 0;
        return;
    }
    if (d->skipped > 0)
        show_mark(f, d);
    add_prefix(&t, d);
    for (uint32_t i = 0; i < d->n; i++)
        if (harmless(d->line[i]))
            add(&t, d->line[i]);
    if (t.bytes[t.n - 1] != '\n')
        add(&t, '\n');
    d->n = 0;
    d->lines.left -= t.n;
    show_text(f, &t);
}

/* Bytes up to and with the last LF. */
static uint32_t whole_lines(const uint8_t *bytes, uint32_t n)
{
    while (n > 0 && bytes[n - 1] != '\n')
        n--;
    return n;
}

static void show_lines(struct vc_focus *f, struct vc_focus_domain *d, const uint8_t *bytes, uint32_t n)
{
    uint32_t i = 0;

    if (d->skipped > 0 && !affords(f, d)) { /* a flood: look at no more of it than needed */
        i = whole_lines(bytes, n);
        if (i > 0) {
            skip(d, (uint64_t)d->n + i);
            d->n = 0;
        }
    }
    for (; i < n; i++) {
        if (d->n == LINE_MAX && bytes[i] != '\n')
            show_line(f, d);
        d->line[d->n++] = bytes[i];
        if (bytes[i] == '\n')
            show_line(f, d);
    }
}

static void show_raw(struct vc_focus *f, struct vc_focus_domain *d, const uint8_t *bytes, uint32_t n)
{
    bool all = budgeted(f, &d->raw, VC_FOCUS_RAW_BYTES, n);
    uint32_t fits;

    if (d->skipped > 0) {
        if (!all || domain_room(f) < f->output_size / 4) { /* not for a few bytes between two marks */
            skip(d, n);
            return;
        }
        show_mark(f, d);
    }
    fits = fitting(f, bytes, all ? n : d->raw.left, domain_room(f));
    show(f, bytes, fits);
    d->raw.left -= fits;
    if (!all)
        begin_skipping(f, d);
    skip(d, n - fits);
}

void vc_focus_show(struct vc_focus *f, struct vc_focus_domain *d, const uint8_t *bytes, uint32_t n)
{
    if (f->focus == d)
        show_raw(f, d, bytes, n);
    else
        show_lines(f, d, bytes, n);
}

void vc_focus_push_partial(struct vc_focus *f, struct vc_focus_domain *d)
{
    show_raw(f, d, d->line, d->n); /* its mark, if any, comes first */
    d->n = 0;
}

void vc_focus_end_line(struct vc_focus *f, struct vc_focus_domain *d)
{
    if (d->n > 0)
        show_line(f, d);
    if (d->skipped > 0 && room(f) >= TEXT_BYTES) /* no later line of it will say so */
        show_mark(f, d);
}

void vc_focus_catch_up(struct vc_focus *f)
{
    struct vc_focus_domain *d = f->focus;

    if (f->output_prod == f->output_cons && d != NULL && d->skipped > 0 && d->raw.left > 0)
        show_mark(f, d);
}

static uint32_t length(const char *text)
{
    uint32_t n = 0;

    while (text[n] != '\0')
        n++;
    return n;
}

void vc_focus_say(struct vc_focus *f, const char *text)
{
    uint32_t n = length(text);
    struct text mark = {.n = 0};

    if (room(f) < 2 * (n + TEXT_BYTES)) {
        f->skipped += n;
        return;
    }
    if (f->skipped > 0) {
        add_mark(&mark, f->skipped);
        f->skipped = 0;
        show_text(f, &mark);
    }
    close_line(f);
    show(f, (const uint8_t *)text, n);
}

void vc_focus_announce(struct vc_focus *f)
{
    const char *notice = f->focus != NULL ? f->focus->notice : f->notice;
    struct text t = {.n = 0};

    add_text(&t, "*** Serial input to ");
    add_text(&t, f->focus != NULL ? "DOM" : "Xen");
    if (f->focus != NULL)
        add_number(&t, f->focus->id);
    if (f->letter != 0) {
        add_text(&t, " (type 'CTRL-");
        add(&t, (uint8_t)f->letter);
        add_text(&t, "' three times to switch input)");
    }
    add(&t, '\n');
    add(&t, '\0');
    vc_focus_say(f, (const char *)t.bytes);
    if (notice != NULL) {
        vc_focus_say(f, notice);
        close_line(f);
    }
}
