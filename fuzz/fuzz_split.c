/* SPDX-License-Identifier: MIT */
/*
 * The splitter of a line that carries many domains. Whatever comes: the same goes out wherever the line was cut, in its order, and
 * nothing is lost but marks, nothing made up but a CR before a LF. From a Xen of some processors, as the lab has seen it speak: each
 * domain gets what it said, byte by byte.
 */
#include "split_model.h"

enum { SHORT = 1024, PROCESSORS = 3 };

/* Anything. */

/* The length of a mark that is left out, if one begins there. */
static size_t left_out(enum split_form form, const uint8_t *bytes, size_t n)
{
    static const char xen[] = "(XEN) ", dom[] = "DOM";
    const char *ends;
    size_t at = 0, digits;
    bool long_form = form == SPLIT_XEN && n >= 6 && memcmp(bytes, xen, 6) == 0;

    if (long_form && (n < 9 || memcmp(bytes + 6, dom, 3) != 0))
        return 6;
    if (!long_form && form == SPLIT_XEN && n >= 3 && memcmp(bytes, dom, 3) == 0)
        digits = at = 3, ends = ": ";
    else if (!long_form && (n < 2 || bytes[0] != '(' || bytes[1] != 'd'))
        return 0;
    else
        digits = at = long_form ? 9 : 2, ends = long_form ? ": " : ") ";
    while (at < n && bytes[at] >= '0' && bytes[at] <= '9')
        at++;
    if (at == digits || n - at < 2 || memcmp(bytes + at, ends, 2) != 0)
        return long_form ? 6 : 0;
    return at + 2;
}

static size_t without_cr(uint8_t *to, const uint8_t *bytes, size_t n)
{
    size_t have = 0;

    for (size_t i = 0; i < n; i++)
        if (bytes[i] != '\r')
            to[have++] = bytes[i];
    return have;
}

/* What went out is what came in, but for CRs and some of the marks: by every way to leave marks out at once. */
static void nothing_lost(enum split_form form, const uint8_t *bytes, size_t n)
{
    static uint8_t in[MOST], got[3 * MOST];
    static bool here[SHORT + 1][SHORT + 1]; /* at this byte of the input, with so many left out */
    size_t n_in = without_cr(in, bytes, n), n_got = without_cr(got, whole.bytes, whole.n), missing = n_in - n_got;

    require(n_got <= n_in);
    if (n_in > SHORT)
        return; /* that would take long */
    for (size_t i = 0; i <= n_in; i++)
        memset(here[i], 0, missing + 1);
    here[0][0] = true;
    for (size_t i = 0; i < n_in; i++) {
        size_t mark = left_out(form, in + i, n_in - i);

        for (size_t gone = 0; gone <= missing && gone <= i; gone++) {
            if (!here[i][gone])
                continue;
            if (i - gone < n_got && in[i] == got[i - gone])
                here[i + 1][gone] = true;
            if (mark > 0 && gone + mark <= missing)
                here[i + mark][gone + mark] = true;
            if (form == SPLIT_XEN && mark > 6 && gone + 6 <= missing)
                here[i + 6][gone + 6] = true;
        }
    }
    require(here[n_in][missing]);
}

/* Bytes as they are, or letters of marks, which are found sooner so. */
static size_t anything(struct input *in, bool letters, uint8_t *bytes)
{
    static const char words[][34] = {"(",
                                     "d",
                                     "1",
                                     ") ",
                                     "(d1) ",
                                     "(d42",
                                     "(XEN) ",
                                     "(XE",
                                     "DOM2: ",
                                     "(XEN) DOM1: ",
                                     "*** Serial input to ",
                                     "*** Serial input to DOM2 (",
                                     "*** Serial input to Xen\r\n",
                                     "\r\n",
                                     "\r",
                                     "\n",
                                     "\r\r\n",
                                     "x",
                                     "text"};
    size_t n = 0;

    while (in->left > 0 && n + sizeof words[0] < MOST) {
        uint8_t byte = (uint8_t)take(in, 1);
        const char *word = words[byte % (sizeof words / sizeof words[0])];

        if (!letters || byte >= 250) {
            bytes[n++] = byte;
            continue;
        }
        memcpy(bytes + n, word, strlen(word));
        n += strlen(word);
    }
    return n;
}

/* A Xen's line. */

static bool stands_open[PROCESSORS];

static void line_has(const void *bytes, size_t n)
{
    require(m.n + n <= sizeof m.line);
    memcpy(m.line + m.n, bytes, n);
    m.n += n;
    m.open = n > 0 ? ((const uint8_t *)bytes)[n - 1] != '\n' : m.open;
}

/* A processor's first one from this on whose line stands so; PROCESSORS: none. */
static size_t processor(size_t from, bool open)
{
    for (size_t i = 0; i < PROCESSORS; i++)
        if (stands_open[(from + i) % PROCESSORS] == open)
            return (from + i) % PROCESSORS;
    return PROCESSORS;
}

/* dom0's, as it comes, where it could be told from a line that goes on. */
static void dom0_speaks(const uint8_t *bytes, size_t n)
{
    bool focused = m.focus != DOM0 && m.focus != HYPERVISOR;

    if ((m.open && m.owner != DOM0) || (focused && processor(0, true) != PROCESSORS))
        return;
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n')
            line_has("\r", 1);
        line_has(bytes + i, 1);
    }
    wants(DOM0, bytes, n);
    m.owner = DOM0;
}

/* The domain with the focus, character by character, and from one processor to another. Xen puts a CR before each LF. */
static void speaks(size_t who, const uint8_t *bytes, size_t n, size_t on)
{
    for (size_t i = 0; i < n; i++) {
        on = bytes[i] % 32 == 1 ? (on + 1) % PROCESSORS : on;
        if (m.open && m.owner == DOM0)
            on = processor(on, false); /* else it would be dom0's */
        if (on == PROCESSORS)
            return;
        if (!stands_open[on])
            line_has("(XEN) ", 6);
        if (bytes[i] == '\n')
            line_has("\r", 1);
        line_has(bytes + i, 1);
        wants(who, bytes + i, 1);
        stands_open[on] = m.open;
        m.owner = who;
    }
}

/* A line of a domain without the focus, or Xen's own, wherever the terminal stands; the open line goes on behind it. */
static void marked(size_t who, uint8_t *bytes, size_t n, bool pv, size_t on)
{
    char mark[24];
    size_t n_mark;

    if (who == HYPERVISOR || pv)
        on = processor(on, false); /* else there is no mark */
    if (on == PROCESSORS)
        return;
    n_mark = (size_t)(pv ? snprintf(mark, sizeof mark, "(d%zu) ", who)
                         : snprintf(mark, sizeof mark, "%sDOM%zu: ", stands_open[on] ? "" : "(XEN) ", who));
    for (size_t i = 0; i < n; i++)
        if (bytes[i] == '\n' || (i + 1 == n && bytes[i] == '\r'))
            bytes[i] = '.';
    line_has(mark, who == HYPERVISOR ? 6 : n_mark);
    if (who == HYPERVISOR)
        wants(who, mark, 6);
    line_has(bytes, n);
    line_has(pv ? "\r\n" : "\r\r\n", pv ? 2 : 3);
    wants(who, bytes, n);
    wants(who, "\r\n", 2);
    stands_open[on] = false;
}

static void notice(size_t to, size_t on)
{
    char text[NOTICE];
    size_t n = notice_of(to, text), n_mark = stands_open[on] ? 0 : 6;

    line_has("(XEN) ", n_mark);
    wants(HYPERVISOR, "(XEN) ", n_mark);
    line_has(text, n);
    wants(HYPERVISOR, text, n);
    stands_open[on] = false;
    m.focus = to;
}

static void from_xen(void)
{
    uint8_t bytes[CHUNK];

    memset(stands_open, 0, sizeof stands_open);
    while (m.in.left > 2 && m.n < MOST - 20 * CHUNK) {
        uint8_t op = (uint8_t)take(&m.in, 1);
        size_t who = op % WHO, on = op / WHO % PROCESSORS, n;

        if (op >= 208) {
            notice(who, on);
            continue;
        }
        n = text(bytes);
        if (who == DOM0)
            dom0_speaks(bytes, n);
        else if (who == m.focus && who != HYPERVISOR)
            speaks(who, bytes, n, on);
        else if (who != HYPERVISOR || m.focus == HYPERVISOR || m.focus == DOM0)
            marked(who, bytes, n, who != HYPERVISOR && op >= 128, on);
    }
    compare(SPLIT_XEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[MOST];
    struct input in = {data, size};
    uint8_t kind = (uint8_t)take(&in, 1);
    enum split_form form = kind / 4 % 2 != 0 ? SPLIT_XEN : SPLIT_VCONS;

    if (kind % 4 != 0) {
        size_t cut = 1 + take(&in, 1) % 40, n = anything(&in, kind % 2 != 0, bytes);

        split_both(form, bytes, n, cut);
        nothing_lost(form, bytes, n);
        return 0;
    }
    memset(&m, 0, sizeof m);
    m.in = in;
    from_xen();
    return 0;
}
