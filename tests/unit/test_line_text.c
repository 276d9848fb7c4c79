/* SPDX-License-Identifier: MIT */
/* The line that a console is writing: what its terminal would show of it, and where it ends. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "client/line.h"
#include "client/safe.h"

static const struct {
    const char *name, *in, *lines; /* each ended by |; the rest is not whole yet */
} rows[] = {
    {"lines", "one\r\ntwo\nthree", "one|two|three"},
    {"rubbed out", "cat\b\b\bdog", "dog"},
    {"rubbed out as terminals do", "ab\b \bc", "ac"},
    {"a line drawn anew", "10 %\r20 %\r100 %\r\n", "100 %|"},
    {"shorter than what was there", "long line\rshort\x1b[K\n", "short|"},
    {"erased to the left", "abcdef\x1b[3D\x1b[1Kx\n", "   xef|"},
    {"erased", "abc\x1b[2K\rx", "x"},
    {"moved", "abc\x1b[2Dx\x1b[Cy\x1b[1Gz", "zxcy"},
    {"beyond the end", "a\x1b[5Cb", "a     b"},
    {"characters taken out and put in", "abcdef\x1b[4D\x1b[2P\x1b[@x", "abxef"},
    {"blanked", "abcdef\x1b[4D\x1b[2X", "ab  ef"},
    {"colours and modes are no text", "\x1b[1;31mred\x1b[m\x1b[?2004h\x1b(B!", "red!"},
    {"tabs", "a\tb\tc", "a       b       c"},
    {"characters of several bytes", "\xc3\xa4\xe2\x9c\x93\xf0\x9f\x98\x80\b.", "\xc3\xa4\xe2\x9c\x93."},
    {"a prompt of readline", "\x1b[?2004h$ ls -l\b\b\b\x1b[K\r\nfile\r\n", "$ ls|file|"},
};

static size_t through(struct line *l, struct safe *safe, const char *in, size_t n, char *out)
{
    static uint8_t filtered[SAFE_OUT_BYTES(4096)];
    size_t got = safe_filter(safe, (const uint8_t *)in, n, filtered), done = 0, have = 0;

    while (done < got) {
        char text[LINE_TEXT_BYTES];
        bool ended;

        done += line_put(l, filtered + done, got - done, &ended);
        if (!ended)
            break;
        have += (size_t)sprintf(out + have, "%.*s|", (int)line_text(l, text), text);
        line_clear(l);
    }
    out[have] = '\0';
    return have;
}

static void each_line_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        for (size_t cut = 0; cut <= strlen(rows[i].in); cut++) {
            char out[512], text[LINE_TEXT_BYTES];
            struct line l = {.n = 0};
            struct safe safe;
            size_t have;

            safe_init(&safe, SAFE_LIVE, true, false);
            have = through(&l, &safe, rows[i].in, cut, out);
            through(&l, &safe, rows[i].in + cut, strlen(rows[i].in) - cut, out + have);
            line_text(&l, text);
            strcat(out, text);
            if (strcmp(out, rows[i].lines) != 0)
                fail_msg("%s, cut at %zu: got '%s'", rows[i].name, cut, out);
        }
}

static void a_long_one_is_two(void **state)
{
    static char in[LINE_CELLS + 11], out[2 * LINE_CELLS];
    struct line l = {.n = 0};
    struct safe safe;

    (void)state;
    memset(in, 'x', sizeof in - 1);
    safe_init(&safe, SAFE_LIVE, true, false);
    assert_int_equal(through(&l, &safe, in, sizeof in - 1, out), LINE_CELLS + 1);
    assert_int_equal(l.n, 10);
    assert_int_equal(through(&l, &safe, "\x1b[9999C\x1b[9999@y\x1b[9999D\x1b[9999P\r", 30, out), 0);
    assert_int_equal(l.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_line_at_every_split),
        cmocka_unit_test(a_long_one_is_two),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
