/* SPDX-License-Identifier: MIT */
/* T26: what a guest can send a viewer; 5,000 generated cases, VCONS_LONG=1: ten million. The dangerous sequences are those of the reference on terminals (xterm ctlseqs). */
#include "unit.h"
#include <stdlib.h>
#include <string.h>

#include "client/safe.h"
#include "safe_check.h"

#define BIG (SAFE_SWALLOWED + 65536u) /* of one sequence: more than the filter swallows */

static struct safe filter;
static uint8_t *out;

static const struct {
    const char *name, *in;
    size_t n; /* 0: up to the NUL */
    const char *log, *colour, *live;
} rows[] = {
    {"text", "ok \xc3\xa9 \xe2\x9c\x93\n", 0, "ok \xc3\xa9 \xe2\x9c\x93\n", NULL, "ok \xc3\xa9 \xe2\x9c\x93\n"},
    {"lines of a serial port", "a\r\nb\r\r\nc\r\n", 0, "a\nb\nc\n", NULL, "a\r\nb\r\r\nc\r\n"},
    {"a line that overwrites itself", "safe\rEVIL\n", 0, "safe^MEVIL\n", NULL, "safe\rEVIL\n"},
    {"CR where nothing is to be overwritten", "\rx\n\r\x1b[?2004l\ry\n", 0, "x\ny\n", NULL, NULL},
    {"CR between colours", "\x1b[1m\r\x1b[mb", 0, "b", "\x1b[1m\x1b[mb", NULL},
    {"CR behind a colour", "a\x1b[m\rb", 0, "a^Mb", "a\x1b[m^Mb", NULL},
    {"colour", "\x1b[1;31mred\x1b[0m\n", 0, "red\n", "\x1b[1;31mred\x1b[0m\n", "\x1b[1;31mred\x1b[0m\n"},
    {"colour by C1",
     "\xc2\x9b"
     "31mred",
     0, "red", "\x1b[31mred", "\x1b[31mred"},
    {"a raw C1 byte",
     "\x9b"
     "31mred",
     0,
     "\xef\xbf\xbd"
     "31mred",
     NULL,
     "\xef\xbf\xbd"
     "31mred"},
    {"cursor and erase", "\x1b[2J\x1b[Hx", 0, "x", NULL, "\x1b[2J\x1b[Hx"},
    {"title", "\x1b]0;pwned\ax", 0, "x", NULL, "x"},
    {"title, by ST", "\x1b]2;pwned\x1b\\x", 0, "x", NULL, "x"},
    {"title, by C1 ST",
     "\xc2\x9d"
     "2;pwned\xc2\x9cx",
     0, "x", NULL, "x"},
    {"a title with a check mark in it", "\x1b]2;\xe2\x9c\x93 ok\ax", 0, "x", NULL, "x"},
    {"a title that never ends hides no line", "\x1b]0;abc\nnext\n", 0, "^[]0;abc\nnext\n", NULL, "\nnext\n"},
    {"a picture has lines", "\x1bPq#0~\n~\x1b\\x", 0, NULL, NULL, "x"},
    {"SUB ends a sequence", "\x1b[3\x1ax", 0, "^[[3^Zx", NULL, "x"},
    {"numbers no screen has", "\x1b[9999;1Hx\x1b[10000by\x1b[4294967297Az", 0, "xyz", NULL, "\x1b[9999;1Hxyz"},
    {"CAN ends a string", "\x1b]0;abc\x18x", 0, "^[]0;abc^Xx", NULL, "x"},
    {"clipboard", "\x1b]52;c;cm0gLXJmIH4=\ax", 0, "x", NULL, "x"},
    {"hyperlink", "\x1b]8;;http://a\x1b\\text\x1b]8;;\x1b\\", 0, "text", NULL, "text"},
    {"title report", "\x1b[21tx", 0, "x", NULL, "x"},
    {"cursor report", "\x1b[6nx", 0, "x", NULL, "x"},
    {"device attributes", "\x1b[c\x1b[>c\x1b[=c\x1bZx", 0, "x", NULL, "x"},
    {"DECRQSS", "\x1bP$q\"p\x1b\\x", 0, "x", NULL, "x"},
    {"answer-back", "\x05x", 0, "^Ex", NULL, "x"},
    {"keys defined", "\x1bP0;1|17/6c73\x1b\\x", 0, "x", NULL, "x"},
    {"printer", "\x1b[5ix\x1b[4i", 0, "x", NULL, "x"},
    {"screen's title", "\x1bkname\x1b\\x", 0, "x", NULL, "x"},
    {"132 columns", "\x1b[?3hx", 0, "x", NULL, "x"},
    {"a good and a bad mode together", "\x1b[?25;3hx", 0, "x", NULL, "x"},
    {"alternate screen", "\x1b[?1049hx\x1b[?1049l", 0, "x", NULL, "\x1b[?1049hx\x1b[?1049l"},
    {"character sets", "\x1b(0qq\x1b(B", 0, "qq", NULL, "\x1b(0qq\x1b(B"},
    {"character sets that begin a sequence", "a\x1b)[b\x1b*]c", 0, "abc", NULL, "abc"},
    {"8-bit controls switched on", "\x1b G\x9bx", 0, "\xef\xbf\xbdx", NULL, "\xef\xbf\xbdx"},
    {"keyboard locked", "\x1b[2hx", 0, "x", NULL, "x"},
    {"rectangle checksum", "\x1b[1;1;1;1;1;1*yx", 0, "x", NULL, "x"},
    {"kitty keyboard", "\x1b[>1u\x1b[?ux", 0, "x", NULL, "x"},
    {"ESC within a sequence begins anew", "\x1b[3\x1b[31mx", 0, "^[[3x", NULL, "\x1b[31mx"},
    {"overlong", "\xc0\x9bx\xe0\x82\x9bx", 0, "\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx", NULL,
     NULL},
    {"surrogate", "\xed\xa0\x80", 0, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", NULL, NULL},
    {"right-to-left override",
     "a\xe2\x80\xae"
     "b",
     0,
     "a\xef\xbf\xbd"
     "b",
     NULL,
     "a\xe2\x80\xae"
     "b"},
    {"NUL, BS, DEL", "a\0\b\x7fz", 5, "a^@^H^?z", NULL, "a\bz"},
    {"a cut character", "a\xe2\x9cz", 0, "a\xef\xbf\xbdz", NULL, "a\xef\xbf\xbdz"},
};

static size_t run(enum safe_mode mode, bool colour, bool queries, const uint8_t *in, size_t n, size_t cut)
{
    size_t have = 0;

    safe_init(&filter, mode, true, colour);
    safe_queries(&filter, queries);
    for (size_t at = 0; at < n; at += cut)
        have += safe_filter(&filter, in + at, n - at < cut ? n - at : cut, out + have);
    return have + safe_end(&filter, out + have);
}

static void expect(const char *name, const char *what, const char *want, size_t n)
{
    if (want != NULL && (strlen(want) != n || memcmp(out, want, n) != 0))
        fail_msg("%s, %s: got '%.*s'", name, what, (int)n, out);
}

static void each_sequence_is_judged(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        const uint8_t *in = (const uint8_t *)rows[i].in;
        size_t n = rows[i].n != 0 ? rows[i].n : strlen(rows[i].in);

        for (size_t cut = 1; cut <= n; cut++) {
            expect(rows[i].name, "log", rows[i].log, run(SAFE_LOG, false, false, in, n, cut));
            expect(rows[i].name, "colour", rows[i].colour, run(SAFE_LOG, true, false, in, n, cut));
            expect(rows[i].name, "live", rows[i].live, run(SAFE_LIVE, false, false, in, n, cut));
        }
    }
}

/*
 * Device ABI 7.3, row by row: what may not pass, by each introducer (7 bits, C1 in UTF-8, and the bare byte, which is no
 * introducer in UTF-8), before each end, cut in three at every two places.
 */
static const struct {
    const char *row;
    char introducer; /* behind ESC; 0: a whole sequence or control */
    const char *body;
} policy[] = {
    {"window and icon reports", '[', "20t"},
    {"title report", '[', "21t"},
    {"window state report", '[', "11t"},
    {"window position report", '[', "13t"},
    {"window size report", '[', "14t"},
    {"screen size report", '[', "15t"},
    {"cell size report", '[', "16t"},
    {"text size report", '[', "18t"},
    {"screen text size report", '[', "19t"},
    {"title", ']', "0;x"},
    {"icon title", ']', "1;x"},
    {"window title", ']', "2;x"},
    {"tab title", ']', "30;x"},
    {"title of screen", 'k', "x"},
    {"clipboard set", ']', "52;c;eA=="},
    {"clipboard asked", ']', "52;c;?"},
    {"DECRQSS", 'P', "$qm"},
    {"XTGETTCAP", 'P', "+q544e"},
    {"DECRQM by DCS", 'P', "$pm"},
    {"DA1", '[', "c"},
    {"DA2", '[', ">c"},
    {"DA3", '[', "=c"},
    {"DSR status", '[', "5n"},
    {"DSR cursor", '[', "6n"},
    {"DSR private", '[', "?15n"},
    {"DECXCPR", '[', "?6n"},
    {"XTVERSION", '[', ">q"},
    {"palette asked", ']', "4;1;?"},
    {"foreground asked", ']', "10;?"},
    {"background asked", ']', "11;?"},
    {"highlight asked", ']', "19;?"},
    {"answer-back", 0, "\x05"},
    {"DECID", 0, "\x1bZ"},
    {"iconify", '[', "2t"},
    {"window moved", '[', "3;1;1t"},
    {"window raised", '[', "5t"},
    {"window resized", '[', "8;9;9t"},
    {"window maximised", '[', "9;1t"},
    {"full screen", '[', "10;1t"},
    {"DECCOLM", '[', "?3h"},
    {"DECCOLM allowed", '[', "?40h"},
    {"working directory", ']', "7;file://x"},
    {"hyperlink", ']', "8;;http://x"},
    {"notification", ']', "9;x"},
    {"notification of kitty", ']', "99;;x"},
    {"notification of urxvt", ']', "777;notify;x;y"},
    {"file of iTerm", ']', "1337;File=name=eA==:eA=="},
    {"prompt mark", ']', "133;A"},
    {"sixel", 'P', "q#0~~"},
    {"image of kitty", '_', "Gf=100;eA=="},
    {"ReGIS", 'P', "pW(I(R))"},
    {"DECUDK", 'P', "0;1|17/41"},
    {"privacy message", '^', "x"},
    {"start of string", 'X', "x"},
    {"printer on", '[', "5i"},
    {"printer off", '[', "4i"},
    {"auto print", '[', "?5i"},
    {"C1 in 8 bits", 0, "\x1b G"},
    {"character set that makes C1 of bytes", 0, "\x1b%@"},
};

static void split_in_three(const char *row, const uint8_t *in, size_t n, const char *want)
{
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = i; j <= n; j++) {
            size_t have;

            safe_init(&filter, SAFE_LIVE, true, false);
            have = safe_filter(&filter, in, i, out);
            have += safe_filter(&filter, in + i, j - i, out + have);
            have += safe_filter(&filter, in + j, n - j, out + have);
            if (want != NULL)
                expect(row, "in three", want, have);
            else if (safe_check_live(out, have, false) != NULL)
                fail_msg("%s: %s", row, safe_check_live(out, have, false));
        }
    }
}

enum form { SEVEN_BITS, C1_IN_UTF8, C1_BARE, N_FORMS };

/* "a", the introducer in that form, the body, "b"; end: what the string ends by. */
static size_t write_row(char in[80], size_t row, enum form form, const char *end)
{
    static const char *const before[] = {"\x1b", "\xc2", ""};
    char c = policy[row].introducer, introducer[2] = {form == SEVEN_BITS ? c : (char)(c + 0x40), '\0'};

    return (size_t)snprintf(in, 80, "a%s%s%s%sb", c != 0 ? before[form] : "", c != 0 ? introducer : "",
                            policy[row].body, end);
}

static void each_row_of_the_policy_at_every_split(void **state)
{
    static const char *const ends[] = {"\x1b\\", "\xc2\x9c", "\x18", "\x1a", "\a"};

    (void)state;
    for (size_t i = 0; i < N_ROWS(policy); i++) {
        char c = policy[i].introducer, in[80];
        bool string = c != 0 && c != '[', title = c == ']' || c == 'k';
        size_t n_ends = string ? 4u + title : 1u,
               n_forms = c == 0 || c == 'k' ? 1 : N_FORMS; /* no C1 stands for those */

        for (size_t form = 0; form < n_forms; form++)
            for (size_t e = 0; e < n_ends; e++) {
                size_t n = write_row(in, i, (enum form)form, string ? ends[e] : "");

                split_in_three(policy[i].row, (const uint8_t *)in, n, form != C1_BARE ? "ab" : NULL);
            }
    }
}

static void what_does_not_end_is_given_up_in_silence(void **state)
{
    static const char *const begun[] = {"\x1b",
                                        "\x1b[3",
                                        "\x1b]0;abc",
                                        "\x1bPq",
                                        "\x1b]0;abc\x1b",
                                        "\xc2\x9b"
                                        "1"};
    uint8_t small[SAFE_OUT_BYTES(64)];

    (void)state;
    for (size_t i = 0; i < N_ROWS(begun); i++) {
        safe_init(&filter, SAFE_LIVE, true, false);
        assert_int_equal(safe_filter(&filter, (const uint8_t *)begun[i], strlen(begun[i]), small), 0);
        assert_true(safe_holds(&filter));
        assert_int_equal(safe_idle(&filter, small), 0);
        assert_false(safe_holds(&filter));
        assert_int_equal(safe_filter(&filter, (const uint8_t *)"on", 2, small), 2);
    }
    assert_int_equal(safe_filter(&filter, (const uint8_t *)"\xe2\x9c", 2, small), 0);
    assert_true(safe_holds(&filter));
    assert_int_equal(safe_idle(&filter, small), 3); /* U+FFFD */
    assert_int_equal(safe_filter(&filter, (const uint8_t *)"\xe2\x9c\x93", 3, small), 3);
}

static void questions_pass_only_for_the_writer_of_now(void **state)
{
    static const uint8_t ask[] = "\x1b[6n\x1b[c\x1b[>c\x1b[5n\x1b[?6n",
                         never[] = "\x1b[21t\x1b[18t\x1b[>q\x1b[=c\x1bP$qm\x1b\\";
    uint8_t small[SAFE_OUT_BYTES(64)];

    (void)state;
    assert_int_equal(run(SAFE_LIVE, false, true, ask, sizeof ask - 1, 1), sizeof ask - 1);
    assert_int_equal(run(SAFE_LIVE, false, true, never, sizeof never - 1, 1), 0);
    assert_int_equal(run(SAFE_LIVE, false, false, ask, sizeof ask - 1, 1), 0);
    safe_init(&filter, SAFE_LIVE, true, false); /* begun in what is old: it stays old */
    assert_int_equal(safe_filter(&filter, ask, 3, small), 0);
    safe_queries(&filter, true);
    assert_int_equal(safe_filter(&filter, ask + 3, 1, small), 0);
    assert_int_equal(safe_filter(&filter, ask + 4, 3, small), 3);
}

static void a_terminal_without_utf8_gets_ascii(void **state)
{
    uint8_t small[SAFE_OUT_BYTES(64)];

    (void)state;
    safe_init(&filter, SAFE_LIVE, false, false);
    assert_int_equal(safe_filter(&filter,
                                 (const uint8_t *)"\xdb\x9b"
                                                  "31m\xc2\x9b",
                                 7, small),
                     7);
    assert_memory_equal(small, "??31m??", 7);
}

static void the_terminal_is_put_back(void **state)
{
    uint8_t small[SAFE_OUT_BYTES(64)], reset[SAFE_RESET_BYTES];
    size_t n;

    (void)state;
    safe_init(&filter, SAFE_LIVE, true, false);
    safe_filter(&filter, (const uint8_t *)"plain\r\n", 7, small);
    assert_int_equal(safe_reset(&filter, reset), 0);
    safe_filter(&filter, (const uint8_t *)"\x1b[?1049h\x1b[?1000h\x1b[?2004h\x1b[?25l", 30, small);
    n = safe_reset(&filter, reset);
    assert_true(n > 0 && n < sizeof reset);
    reset[n] = '\0';
    assert_non_null(strstr((char *)reset, "\x1b[?1049l"));
    assert_non_null(strstr((char *)reset, "\x1b[?1000l"));
    assert_non_null(strstr((char *)reset, "\x1b[?2004l"));
    assert_non_null(strstr((char *)reset, "\x1b[?25h"));
    assert_int_equal(safe_reset(&filter, reset), 0); /* it was */
    safe_filter(&filter, (const uint8_t *)"\x1b[?1049h\x1b[1m\x1b[?1049l", 20, small);
    reset[safe_reset(&filter, reset)] = '\0';
    assert_null(strstr((char *)reset, "1049")); /* twice would move the cursor */
}

/* The corpus: each dangerous body behind each introducer, before each end, with what stands around it drawn. */
static const char *const introducers[] = {"\x1b",     "\x1b\x1b", "\xc2\x9b", "\x9b",    "\xc2\x9d", "\x9d",
                                          "\xc2\x90", "\x90",     "\xc2\x9f", "\x9f",    "\xc2\x98", "\x1b[3",
                                          "\x1b]0;",  "\x1bP",    "\x18\x1b", "\xe2\x1b"};
static const char *const bodies[] = {"[21t",
                                     "[20t",
                                     "[11t",
                                     "[18t",
                                     "[8;40;80t",
                                     "[3;0;0t",
                                     "[6n",
                                     "[5n",
                                     "[?6n",
                                     "[?15n",
                                     "[c",
                                     "[>c",
                                     "[=c",
                                     "[>q",
                                     "[0c",
                                     "[x",
                                     "[1;1;1;1;1T",
                                     "[5i",
                                     "[?5i",
                                     "[4i",
                                     "[?3h",
                                     "[?40h",
                                     "[?2004h",
                                     "[?1000;1006h",
                                     "[2h",
                                     "[12l",
                                     "[20h",
                                     "[?2004$p",
                                     "[1$w",
                                     "[1;2;3;4;5;6*y",
                                     "[1'|",
                                     "['z",
                                     "[?u",
                                     "[>4;1m",
                                     "[>1u",
                                     "[61\"p",
                                     "[\"v",
                                     "[1;1;3;3;1$v",
                                     "[31m",
                                     "[38;2;1;2;3m",
                                     "[2J",
                                     "[H",
                                     "]0;title",
                                     "]2;title",
                                     "]1;icon",
                                     "]4;1;?",
                                     "]10;?",
                                     "]11;?",
                                     "]50;font",
                                     "]52;c;aGk=",
                                     "]52;c;?",
                                     "]7;file://x",
                                     "]8;;http://x",
                                     "]9;note",
                                     "]99;x",
                                     "]777;notify;a;b",
                                     "]1337;File=name=eA==:eA==",
                                     "]133;A",
                                     "]30;x",
                                     "P$q\"p",
                                     "P+q544e",
                                     "P$pm",
                                     "Pq#0~~",
                                     "P1p",
                                     "P0;1|17/41",
                                     "_Gf=100;eA==",
                                     "^private",
                                     "Xstart",
                                     "kname",
                                     "Z",
                                     "c",
                                     " G",
                                     "%@",
                                     "%G",
                                     "(0",
                                     "l",
                                     "m",
                                     "#8",
                                     "[!p",
                                     "\x05",
                                     "[200~rm -rf ~\n[201~",
                                     "[?1049h",
                                     "N\x9b",
                                     "O",
                                     "V",
                                     "\\"};
static const char *const ends[] = {"",   "\a",   "\x1b\\", "\xc2\x9c", "\x9c", "\x18",         "\x1a", "\x1b",
                                   "\n", "\r\n", "\x1b[",  "\x1b]",    "\xc2", "\xe2\x80\xae", "\x05", "\x7f"};

static unsigned seed = 26;

static size_t pick(size_t n) { return (size_t)rand_r(&seed) % n; }

static size_t generate(uint8_t *in, size_t room)
{
    size_t n = 0, parts = 1 + pick(6);

    for (size_t i = 0; i < parts && n + 300 < room; i++) {
        const char *const three[] = {introducers[pick(N_ROWS(introducers))], bodies[pick(N_ROWS(bodies))],
                                     ends[pick(N_ROWS(ends))]};

        for (size_t j = 0; j < 3; j++) {
            memcpy(in + n, three[j], strlen(three[j]));
            n += strlen(three[j]);
        }
        for (size_t j = pick(20); j > 0; j--)
            in[n++] = pick(4) == 0 ? (uint8_t)pick(256) : (uint8_t)('0' + pick(60));
    }
    return n;
}

static void check(const uint8_t *in, size_t n, unsigned number)
{
    static uint8_t whole[16384];
    bool colour = pick(2) != 0, queries = pick(2) != 0;
    size_t cut = 1 + pick(7), got;
    const char *wrong;

    got = run(SAFE_LOG, colour, false, in, n, n + 1);
    wrong = safe_check_log(out, got, colour);
    if (wrong != NULL)
        fail_msg("case %u, log: %s", number, wrong);
    memcpy(whole, out, got);
    if (run(SAFE_LOG, colour, false, in, n, cut) != got || memcmp(whole, out, got) != 0)
        fail_msg("case %u, log: differs when cut each %zu bytes", number, cut);
    got = run(SAFE_LIVE, false, queries, in, n, n + 1);
    wrong = safe_check_live(out, got, queries);
    if (wrong != NULL)
        fail_msg("case %u, live: %s: %.*s", number, wrong, (int)n, in);
    memcpy(whole, out, got);
    if (run(SAFE_LIVE, false, queries, in, n, cut) != got || memcmp(whole, out, got) != 0)
        fail_msg("case %u, live: differs when cut each %zu bytes", number, cut);
}

static void nothing_active_comes_out_of_generated_cases(void **state)
{
    static uint8_t in[2048];
    unsigned cases = getenv("VCONS_LONG") != NULL ? 10000000 : 5000;

    (void)state;
    for (unsigned i = 0; i < cases; i++)
        check(in, generate(in, sizeof in), i);
}

static void a_sequence_of_a_mebibyte_stays_bounded(void **state)
{
    uint8_t *in = malloc(BIG);

    (void)state;
    assert_non_null(in);
    for (size_t i = 0; i < N_ROWS(bodies); i++) {
        size_t got, n = strlen(bodies[i]);

        memset(in, i % 2 == 0 ? '1' : ';', BIG);
        in[0] = 0x1b;
        memcpy(in + 1, bodies[i], n - (bodies[i][0] == '[' && n > 1 ? 1 : 0)); /* without its final byte */
        memcpy(in + BIG - 6, "tail\r\n", 6);
        got = run(SAFE_LOG, true, false, in, BIG, 65536);
        assert_null(safe_check_log(out, got, true));
        assert_memory_equal(out + got - 5, "tail\n", 5);
        got = run(SAFE_LIVE, false, true, in, BIG, 65536);
        assert_null(safe_check_live(out, got, true));
    }
    free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sequence_is_judged),
        cmocka_unit_test(each_row_of_the_policy_at_every_split),
        cmocka_unit_test(what_does_not_end_is_given_up_in_silence),
        cmocka_unit_test(questions_pass_only_for_the_writer_of_now),
        cmocka_unit_test(a_terminal_without_utf8_gets_ascii),
        cmocka_unit_test(the_terminal_is_put_back),
        cmocka_unit_test(nothing_active_comes_out_of_generated_cases),
        cmocka_unit_test(a_sequence_of_a_mebibyte_stays_bounded),
    };
    int failed;

    out = malloc(SAFE_OUT_BYTES((size_t)BIG));
    failed = out == NULL || cmocka_run_group_tests(tests, NULL, NULL) != 0;
    free(out);
    return failed;
}
