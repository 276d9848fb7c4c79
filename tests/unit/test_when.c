/* SPDX-License-Identifier: MIT */
/* Moments as systemd.time(7) writes them; now is Saturday 2026-11-21 12:30:05.25 in Berlin, which is UTC+1 then. */
#include "unit.h"
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "client/from.h"
#include "client/when.h"

#define NOW 1795260605250000000ull
#define S   1000000000ull
#define BAD UINT64_MAX

static const struct {
    const char *text;
    uint64_t ns;
} rows[] = {
    {"now", NOW},
    {"NOW", NOW},
    {"-10m", NOW - 600 * S},
    {"-10min", NOW - 600 * S},
    {"- 10 minutes", NOW - 600 * S},
    {"+1h", NOW + 3600 * S},
    {"-1h 30min", NOW - 5400 * S},
    {"-1h30m", NOW - 5400 * S},
    {"2 hours ago", NOW - 7200 * S},
    {"1 week 2 days ago", NOW - 9 * 86400 * S},
    {"-1.5s", NOW - 3 * S / 2},
    {"-500ms", NOW - S / 2},
    {"-20", NOW - 20 * S},
    {"-100 years", 0},
    {"-9999 years", BAD},
    {"@0", 0},
    {"@1700000000", 1700000000 * S},
    {"@1700000000.25", 1700000000 * S + S / 4},
    {"today", NOW - 45005 * S - S / 4},
    {"yesterday", NOW - 45005 * S - S / 4 - 86400 * S},
    {"tomorrow", NOW - 45005 * S - S / 4 + 86400 * S},
    {"today 12:30", NOW - 5 * S - S / 4},
    {"yesterday 12:30:05", NOW - S / 4 - 86400 * S},
    {"12:30", NOW - 5 * S - S / 4},
    {"12:30:05.25", NOW},
    {"2026-11-21", NOW - 45005 * S - S / 4},
    {"2026-11-21 12:30", NOW - 5 * S - S / 4},
    {"2026-11-21T12:30:05", NOW - S / 4},
    {"2026-11-21 11:30:05 UTC", NOW - S / 4},
    {"2026-07-01 12:00:00", 1782900000 * S}, /* summer: UTC+2 */
    {"  now", NOW},
    {"", BAD},
    {"-", BAD},
    {"ago", BAD},
    {"10m", BAD}, /* before or after? */
    {"-10 parsecs", BAD},
    {"-10m ago", BAD},
    {"-1.h", BAD},
    {"-99999999999999999999s", BAD},
    {"-999999999999 years", BAD},
    {"@", BAD},
    {"@-5", BAD},
    {"@99999999999", BAD},
    {"@1x", BAD},
    {"25:00", BAD},
    {"12:60", BAD},
    {"12:5", BAD},
    {"12:30:05.", BAD},
    {"2026-13-01", BAD},
    {"2026-1-1", BAD},
    {"2026-11-21 12:30 CET", BAD},
    {"2026-11-21x", BAD},
    {"todayx", BAD},
    {"tomrrow", BAD},
    {"2026-11-21 UTC UTC", BAD},
};

static void each_moment(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        uint64_t ns = 42;
        bool fine = when_parse(rows[i].text, NOW, &ns);

        if (fine != (rows[i].ns != BAD) || ns != (fine ? rows[i].ns : 42))
            fail_msg("'%s': %s, %" PRIu64, rows[i].text, fine ? "taken" : "refused", ns);
    }
}

static void each_place(void **state)
{
    static const struct {
        const char *text, *json; /* NULL: refused */
    } places[] = {{"start", "\"start\""},
                  {"now", "\"now\""},
                  {"boot", "{\"boot\":-1}"},
                  {"0", "{\"offset\":0}"},
                  {"4096", "{\"offset\":4096}"},
                  {"@17", "{\"time_ns\":17000000000}"},
                  {"18446744073709551616", NULL},
                  {"99999999999999999999999", NULL},
                  {"later", NULL},
                  {"", NULL},
                  {"-", NULL},
                  {"12k", NULL}};

    (void)state;
    for (size_t i = 0; i < N_ROWS(places); i++) {
        json_t *from = from_parse(places[i].text);
        char *text = from != NULL ? json_dumps(from, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

        if ((text == NULL) != (places[i].json == NULL))
            fail_msg("'%s': %s", places[i].text, text != NULL ? text : "refused");
        if (text != NULL)
            assert_string_equal(text, places[i].json);
        free(text);
        json_decref(from);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_moment), cmocka_unit_test(each_place)};

    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1); /* Berlin's rules, without its file */
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
