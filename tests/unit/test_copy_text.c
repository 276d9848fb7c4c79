/* SPDX-License-Identifier: MIT */
#include "copy_text.h"
#include "random.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

#define T "[2026-11-21 08:13:01] "

static const time_t now = 1795248781; /* 2026-11-21 08:13:01 UTC */

static void lines_and_their_times(void **state)
{
    static const struct {
        const char *name;
        bool times, replace_escape;
        const char *pieces[4], *want;
    } rows[] = {
        {"as it is", false, false, {"a\r\n\033[1mb\r\r\n"}, "a\r\n\033[1mb\r\r\n"},
        {"ESC becomes a dot", false, true, {"a\033[1mb\n\033"}, "a.[1mb\n."},
        {"a time before each line", true, false, {"a\nb\n"}, T "a\n" T "b\n"},
        {"none before a line that does not come", true, false, {"a\n", ""}, T "a\n"},
        {"a line in pieces has one", true, false, {"a", "b", "\nc"}, T "ab\n" T "c"},
        {"an empty line has one", true, false, {"\n\n"}, T "\n" T "\n"},
        {"CR at the end of a line stays", true, false, {"a\r\nb"}, T "a\r\n" T "b"},
        {"CR behind a newline goes", true, false, {"a\n\r\rb\n\r"}, T "a\n" T "b\n"},
        {"also in the next piece", true, false, {"a\n", "\r", "\rb"}, T "a\n" T "b"},
        {"CR within a line stays", true, false, {"10%\r20%\r"}, T "10%\r20%\r"},
        {"CR of an empty line goes", true, false, {"a\r\n\r\nb"}, T "a\r\n" T "\n" T "b"},
        {"both", true, true, {"\033[2J\n", "\033"}, T ".[2J\n" T "."},
    };
    char text[256];
    size_t n, all;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        struct copy_text t = {.times = rows[i].times, .replace_escape = rows[i].replace_escape};

        all = 0;
        for (size_t j = 0; j < 4 && rows[i].pieces[j] != NULL; j++) {
            size_t length = strlen(rows[i].pieces[j]);

            if (copy_text(&t, now, (const uint8_t *)rows[i].pieces[j], length, text + all, sizeof text - all, &n) !=
                length)
                fail_msg("%s: not all of piece %zu", rows[i].name, j);
            all += n;
        }
        if (all != strlen(rows[i].want) || memcmp(text, rows[i].want, all) != 0)
            fail_msg("%s: %.*s", rows[i].name, (int)all, text);
    }
}

static void zeros_are_bytes(void **state)
{
    struct copy_text t = {.times = true};
    char text[64];
    size_t n;

    (void)state;
    assert_int_equal(copy_text(&t, now, (const uint8_t *)"\0\xff\n\0", 4, text, sizeof text, &n), 4);
    assert_int_equal(n, 2 * COPY_STAMP + 4);
    assert_memory_equal(text, T "\0\xff\n" T "\0", n);
}

/* However the bytes come and however little room there is the text is the same; so is its length at another time. */
static void pieces_do_not_matter(void **state)
{
    static const char letters[] = "ab\n\r\033";
    enum { N = 300 };
    uint64_t seed = 11;
    uint8_t bytes[N];
    char whole[N * (COPY_STAMP + 1)], text[sizeof whole];
    size_t n, whole_n;

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        struct copy_text a = {.times = round % 4 != 0, .replace_escape = round % 2 == 0}, b = a;
        size_t at = 0, all = 0;

        for (unsigned i = 0; i < N; i++)
            bytes[i] = (uint8_t)letters[random_next(&seed) % (sizeof letters - 1)];
        assert_int_equal(copy_text(&a, now, bytes, N, whole, sizeof whole, &whole_n), N);
        while (at < N) {
            size_t piece = 1 + random_next(&seed) % 20, room = COPY_STAMP + 1 + random_next(&seed) % 30;
            char *to = malloc(room); /* to the byte: a sanitizer sees one too many */

            size_t used = copy_text(&b, now + (round % 3 == 0 ? 0 : 86400), bytes + at, piece < N - at ? piece : N - at,
                                    to, room, &n);

            assert_true(used > 0);
            memcpy(text + all, to, n);
            free(to);
            at += used;
            all += n;
        }
        assert_int_equal(all, whole_n);
        assert_true(round % 3 != 0 || memcmp(text, whole, all) == 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_and_their_times),
        cmocka_unit_test(zeros_are_bytes),
        cmocka_unit_test(pieces_do_not_matter),
    };
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
