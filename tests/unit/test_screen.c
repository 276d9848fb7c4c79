/* SPDX-License-Identifier: MIT */
/*
 * What a stream of output has arrived at is painted on a second terminal: the same cells, colours, cursor and modes, and the
 * bytes that follow do the same to both. Both are libvterm's, looked at from outside of client/screen.h; tests/client/test_screen.py
 * holds it to a terminal that is not.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <vterm.h>

#include "client/safe.h"
#include "client/screen.h"

enum { ROWS = 6, COLUMNS = 20 };

static const struct {
    const char *name, *in, *then; /* what came before the painting, and after it */
} rows[] = {
    {"text", "one\r\ntwo", "three"},
    {"a full screen that scrolls", "1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8", "\r\n9\r\n10"},
    {"colours and attributes", "\x1b[1;31mred\x1b[0;4;38;5;200mpink\x1b[7;48;2;1;2;3mrgb\x1b[0;3;9;5;93;104mx",
     "y\x1b[mz"},
    {"a coloured screen", "\x1b[44m\x1b[2J\x1b[Hblue", " and blue\r\n"},
    {"characters",
     "\xc3\xa4\xe2\x9c\x93\xe4\xb8\xad\xe6\x96\x87"
     "e\xcc\x81\xf0\x9f\x98\x80",
     "\xc3\xa9"},
    {"the last column", "\x1b[3;1H01234567890123456789", "x"},
    {"before the last column", "\x1b[3;1H0123456789012345678", "xy"},
    {"the last column of the last row", "\x1b[6;1H01234567890123456789", "x"},
    {"a wide one in the last columns", "\x1b[2;19H\xe4\xb8\xad", "x"},
    {"no wrapping", "\x1b[?7l\x1b[2;1H0123456789012345678901", "xyz"},
    {"a region", "top\x1b[2;4r\x1b[2;1Ha\r\nb\r\nc\r\nd", "\r\ne\r\nf"},
    {"origin", "\x1b[3;5r\x1b[?6h\x1b[2;2Hhere", "\x1b[1;1Hthere"},
    {"line drawing", "\x1b(0lqk\x1b(B ok \x1b)0\x0eqqq", "x\x0f x"},
    {"inserting", "abcdef\x1b[1;3H\x1b[4h12", "34"},
    {"cursor keys, keypad, paste, mouse", "\x1b[?1h\x1b=\x1b[?2004h\x1b[?1002;1006hx", "\x1b[?1ly"},
    {"no cursor", "\x1b[?25lx", "\x1b[?25h"},
    {"the alternate screen", "shell\r\nprompt$ \x1b[?1049h\x1b[2J\x1b[4;4Hinside", "\x1b[?1049l and on"},
    {"the alternate screen of old", "shell\x1b[?47h\x1b[Hinside", "\x1b[?47lon"},
    {"there and back", "\x1b[?1049hx\x1b[?1049lback", " again"},
    {"reset",
     "\x1b[31m\x1b[2;4rx\x1b"
     "cnew",
     " one"},
    {"soft reset", "\x1b[2;4r\x1b[?6h\x1b[4hx\x1b[!pnew", " one"},
    {"tabs and backspaces", "a\tb\b\bc", "\td"},
    {"repeated", "ab\x1b[3b\x1b[bc\x1b[4b", "d\x1b[2bx"},
    {"erased", "0123456789\x1b[4G\x1b[K\x1b[2;3Hx\x1b[1J", "y"},
    {"the bottom row in colour", "\x1b[6;1H\x1b[42m\x1b[K\x1b[1;1H\x1b[m", "x"},
};

struct terminal { /* of the person: what comes out of the client */
    VTerm *vterm;
    VTermScreen *screen;
    int property[VTERM_N_PROPS];
};

static int on_property(VTermProp property, VTermValue *value, void *user)
{
    struct terminal *t = user;

    if (vterm_get_prop_type(property) == VTERM_VALUETYPE_BOOL)
        t->property[property] = value->boolean;
    if (vterm_get_prop_type(property) == VTERM_VALUETYPE_INT)
        t->property[property] = value->number;
    return 1;
}

static void terminal_open(struct terminal *t)
{
    static const VTermScreenCallbacks callbacks = {.settermprop = on_property};

    *t = (struct terminal){.vterm = vterm_new(ROWS, COLUMNS)};
    vterm_set_utf8(t->vterm, 1);
    t->screen = vterm_obtain_screen(t->vterm);
    vterm_screen_enable_altscreen(t->screen, 1);
    vterm_screen_set_callbacks(t->screen, &callbacks, t);
    vterm_screen_reset(t->screen, 1);
}

static bool same_colour(const VTermColor *a, const VTermColor *b, bool background)
{
    bool a_default = background ? VTERM_COLOR_IS_DEFAULT_BG(a) : VTERM_COLOR_IS_DEFAULT_FG(a);
    bool b_default = background ? VTERM_COLOR_IS_DEFAULT_BG(b) : VTERM_COLOR_IS_DEFAULT_FG(b);

    return a_default || b_default ? a_default == b_default : vterm_color_is_equal(a, b) != 0;
}

static void same_cells(const char *name, const char *when, const struct terminal *a, const struct terminal *b)
{
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        VTermPos at = {i / COLUMNS, i % COLUMNS};
        VTermScreenCell x = {0}, y = {0};
        bool same;

        vterm_screen_get_cell(a->screen, at, &x);
        vterm_screen_get_cell(b->screen, at, &y);
        if (x.chars[0] == 0)
            x.chars[0] = ' '; /* nothing, or a space: the same to see */
        if (y.chars[0] == 0)
            y.chars[0] = ' ';
        same = memcmp(x.chars, y.chars, sizeof x.chars) == 0 && x.attrs.bold == y.attrs.bold &&
               x.attrs.underline == y.attrs.underline && x.attrs.italic == y.attrs.italic &&
               x.attrs.blink == y.attrs.blink && x.attrs.reverse == y.attrs.reverse &&
               x.attrs.strike == y.attrs.strike && same_colour(&x.bg, &y.bg, true);
        if (same && x.chars[0] != ' ')
            same = same_colour(&x.fg, &y.fg, false);
        if (!same)
            fail_msg("%s, %s: row %d, column %d: U+%04X %02x/%02x %02x%02x%02x and U+%04X %02x/%02x", name, when,
                     at.row, at.col, x.chars[0], x.fg.type, x.bg.type, x.fg.rgb.red, x.attrs.underline, x.attrs.bold,
                     y.chars[0], y.fg.type, y.bg.type);
    }
}

static void same(const char *name, const char *when, const struct terminal *a, const struct terminal *b)
{
    VTermPos x, y;

    same_cells(name, when, a, b);
    vterm_state_get_cursorpos(vterm_obtain_state(a->vterm), &x);
    vterm_state_get_cursorpos(vterm_obtain_state(b->vterm), &y);
    if (x.row != y.row || x.col != y.col)
        fail_msg("%s, %s: the cursor is at %d,%d and %d,%d", name, when, x.row, x.col, y.row, y.col);
    for (int i = 0; i < VTERM_N_PROPS; i++)
        if (a->property[i] != b->property[i])
            fail_msg("%s, %s: property %d is %d and %d", name, when, i, a->property[i], b->property[i]);
}

struct client {
    struct safe safe;
    struct screen screen;
};

static void client_feed(struct client *c, struct terminal *direct, struct terminal *other, const char *in, size_t n)
{
    static uint8_t out[SAFE_OUT_BYTES(512)];
    size_t got = safe_filter(&c->safe, (const uint8_t *)in, n, out);

    screen_feed(&c->screen, out, got, c->safe.text_last);
    vterm_input_write(direct->vterm, (char *)out, got);
    if (other != NULL)
        vterm_input_write(other->vterm, (char *)out, got);
}

static void paint(const struct client *c, bool again, struct terminal *to)
{
    struct sink s = {.fd = -1};

    screen_paint(&c->screen, &c->safe.seen, again, &s);
    vterm_input_write(to->vterm, (char *)s.bytes, s.have);
    free(s.bytes);
}

/* Painted behind each of the bytes of in, on a terminal where something stood; then the rest, live. */
static void painted_at(const char *name, const char *in, const char *then, size_t cut)
{
    struct terminal direct, painted;
    struct client c = {.safe = {0}};

    safe_init(&c.safe, SAFE_LIVE, true, false);
    assert_true(screen_open(&c.screen, ROWS, COLUMNS));
    terminal_open(&direct);
    terminal_open(&painted);
    vterm_input_write(painted.vterm, "$ vcons attach web\r\n", 20);
    client_feed(&c, &direct, NULL, in, cut);
    paint(&c, false, &painted);
    same(name, "painted", &direct, &painted);
    paint(&c, true, &painted);
    same(name, "painted again", &direct, &painted);
    client_feed(&c, &direct, &painted, in + cut, strlen(in) - cut);
    same(name, "going on", &direct, &painted);
    client_feed(&c, &direct, &painted, then, strlen(then));
    same(name, "afterwards", &direct, &painted);
    screen_close(&c.screen);
    vterm_free(direct.vterm);
    vterm_free(painted.vterm);
}

static void a_second_terminal_comes_to_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        for (size_t cut = 0; cut <= strlen(rows[i].in); cut++)
            painted_at(rows[i].name, rows[i].in, rows[i].then, cut);
}

static void a_notice_comes_and_goes(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct terminal direct, covered;
        struct client c = {.safe = {0}};
        struct sink s = {.fd = -1};

        safe_init(&c.safe, SAFE_LIVE, true, false);
        assert_true(screen_open(&c.screen, ROWS, COLUMNS));
        terminal_open(&direct);
        terminal_open(&covered);
        client_feed(&c, &direct, &covered, rows[i].in, strlen(rows[i].in));
        screen_overlay(&c.screen, &c.safe.seen, "[vcons: longer than a row of this terminal]", &s);
        screen_overlay(&c.screen, &c.safe.seen, NULL, &s);
        vterm_input_write(covered.vterm, (char *)s.bytes, s.have);
        same(rows[i].name, "uncovered", &direct, &covered);
        client_feed(&c, &direct, &covered, rows[i].then, strlen(rows[i].then));
        same(rows[i].name, "uncovered, going on", &direct, &covered);
        free(s.bytes);
        screen_close(&c.screen);
        vterm_free(direct.vterm);
        vterm_free(covered.vterm);
    }
}

static void who_has_the_screen_for_itself(void **state)
{
    static const struct {
        const char *name, *in;
        bool full;
    } programs[] = {
        {"nothing", "", false},
        {"lines", "boot\r\nlogin: ", false},
        {"a shell's prompt", "\x1b[?2004h\x1b[32muser\x1b[m$ ls\r\n\x1b[?2004l", false},
        {"a screen that was cleared once", "\x1b[H\x1b[2J\x1b[3Jlogin: ", false},
        {"an editor", "\x1b[?1049h\x1b[1;1Htext", true},
        {"an editor that was left", "\x1b[?1049h\x1b[1;1Htext\x1b[?1049l$ ", false},
        {"a menu", "GNU GRUB\r\n\r\nLinux\r\nmemory test\x1b[3;1H", true},
        {"an installer", "\x1b[?25l\x1b[44m+--+\r\n", true},
        {"a status line", "\x1b[1;5r\x1b[5;1Hx", true},
        {"top of busybox", "\x1b[H\x1b[Jfirst\x1b[H\x1b[Jsecond", true},
    };

    (void)state;
    for (size_t i = 0; i < N_ROWS(programs); i++) {
        struct terminal direct;
        struct client c = {.safe = {0}};

        safe_init(&c.safe, SAFE_LIVE, true, false);
        assert_true(screen_open(&c.screen, ROWS, COLUMNS));
        terminal_open(&direct);
        client_feed(&c, &direct, NULL, programs[i].in, strlen(programs[i].in));
        if (screen_full(&c.screen, &c.safe.seen) != programs[i].full)
            fail_msg("%s: %s", programs[i].name, programs[i].full ? "taken for lines" : "taken for a picture");
        screen_close(&c.screen);
        vterm_free(direct.vterm);
    }
}

/* Where libvterm would go on for ever. */
static void nothing_is_repeated(void **state)
{
    static const char *const said[] = {"\x1b[b",         "\xcc\x81\x1b[5b", "\xe2\x80\x8b\x1b[5b",
                                       "\x1b[99999999b", "x\x1b[99999999b", "\xe4\xb8\xad\x1b[9999b"};

    (void)state;
    for (size_t i = 0; i < N_ROWS(said); i++) {
        struct screen s;

        assert_true(screen_open(&s, ROWS, COLUMNS));
        screen_feed(&s, said[i], strlen(said[i]), false);
        screen_close(&s);
    }
}

static void lines_are_lines(void **state)
{
    struct client c = {.safe = {0}};
    struct sink s = {.fd = -1};
    struct terminal direct;

    (void)state;
    safe_init(&c.safe, SAFE_LIVE, true, false);
    assert_true(screen_open(&c.screen, ROWS, COLUMNS));
    terminal_open(&direct);
    client_feed(&c, &direct, NULL, "1\r\n2\r\n\x1b[31m3\x1b[m\r\n$ ", 19);
    screen_paint_lines(&c.screen, &c.safe.seen, 3, &s);
    sink_put(&s, "", 1);
    assert_string_equal((char *)s.bytes, "\x1b[0m2\x1b[m\r\n\x1b[0;31m3\x1b[m\r\n\x1b[0m$ \x1b[m\r\x1b[2C\x1b[0m");
    free(s.bytes);
    screen_close(&c.screen);
    vterm_free(direct.vterm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_terminal_comes_to_the_same),
        cmocka_unit_test(a_notice_comes_and_goes),
        cmocka_unit_test(who_has_the_screen_for_itself),
        cmocka_unit_test(nothing_is_repeated),
        cmocka_unit_test(lines_are_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
