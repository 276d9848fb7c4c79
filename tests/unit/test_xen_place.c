/* SPDX-License-Identifier: MIT */
/* Texts of XenStore's nodes, as toolstacks and hostile guests write them: frames, ports, names. */
#include "unit.h"

#include "../../xen/place.h"
#include <string.h>

static void numbers(void **state)
{
    static const struct {
        const char *text;
        uint64_t max, n;
        bool ok;
    } rows[] = {
        {"0", 10, 0, true},
        {"7", 10, 7, true},
        {"10", 10, 10, true},
        {"11", 10, 0, false},
        {"3", 2, 0, false},
        {"1044479", PLACE_FRAME_MAX, 1044479, true},
        {"4503599627370495", PLACE_FRAME_MAX, PLACE_FRAME_MAX, true},
        {"4503599627370496", PLACE_FRAME_MAX, 0, false},
        {"18446744073709551615", UINT64_MAX, UINT64_MAX, true},
        {"18446744073709551616", UINT64_MAX, 0, false},
        {"99999999999999999999999999", UINT64_MAX, 0, false},
        {"", 10, 0, false},
        {"-1", 10, 0, false},
        {"+1", 10, 0, false},
        {" 1", 10, 0, false},
        {"1 ", 10, 0, false},
        {"1\n", 10, 0, false},
        {"01", 10, 0, false},
        {"0x1", 10, 0, false},
        {"1e1", 10, 0, false},
        {"one", 10, 0, false},
        {"\xd9\xa1", 10, 0, false}, /* a digit, in another script */
    };
    uint64_t n;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        if (place_number(rows[i].text, rows[i].max, &n) != rows[i].ok || n != rows[i].n)
            fail_msg("'%s' up to %llu", rows[i].text, (unsigned long long)rows[i].max);
}

static void places(void **state)
{
    static const struct {
        const char *what, *ref, *port;
        uint64_t max;
        bool ok;
    } rows[] = {
        {"as libxl writes them", "739330", "2", PLACE_FRAME_MAX, true},
        {"the highest port there is", "1", "131071", PLACE_FRAME_MAX, true},
        {"a port that no ABI has", "1", "131072", PLACE_FRAME_MAX, false},
        {"port 0, which is none", "1", "0", PLACE_FRAME_MAX, false},
        {"no port", "1", "", PLACE_FRAME_MAX, false},
        {"no frame", "", "2", PLACE_FRAME_MAX, false},
        {"a frame beyond memory", "18446744073709551615", "2", PLACE_FRAME_MAX, false},
        {"a grant", "8", "8", PLACE_GRANT_MAX, true},
        {"a grant of more than 32 bits", "4294967296", "8", PLACE_GRANT_MAX, false},
        {"words", "frame", "port", PLACE_FRAME_MAX, false},
    };
    struct place place;

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++)
        if (place_of(rows[i].ref, rows[i].port, rows[i].max, &place) != rows[i].ok || (place.port != 0) != rows[i].ok)
            fail_msg("%s", rows[i].what);
}

static void names(void **state)
{
    static const struct {
        const char *text, *name;
    } rows[] = {
        {"web", "web"},
        {"web-1.example_x", "web-1.example_x"},
        {"-web", "%2Dweb"},
        {".hidden", "%2Ehidden"},
        {"../../etc", "%2E.%2F..%2Fetc"},
        {"two words", "two%20words"},
        {"100%", "100%25"},
        {"a%20b", "a%2520b"}, /* not the same as "a b" */
        {"\xc3\xbc", "%C3%BC"},
        {"x\033[2J", "x%1B%5B2J"},
        {"0123456789012345678901234567890", "0123456789012345678901234567890"},
        {"01234567890123456789012345678901", "01234567890123456789012345678901"},
    };
    char name[NAME_BYTES], other[NAME_BYTES];

    (void)state;
    for (size_t i = 0; i < N_ROWS(rows); i++) {
        if (!place_name(rows[i].text, name) || strcmp(name, rows[i].name) != 0)
            fail_msg("'%s' became '%s'", rows[i].text, name);
        if (!name_ok(name))
            fail_msg("'%s' is no console's name", name);
    }
    assert_false(place_name("", name));
    /* Too long, alike at the beginning: still two names, and legal ones. */
    assert_true(place_name("012345678901234567890123456789012", name));
    assert_true(place_name("012345678901234567890123456789013", other));
    assert_true(name_ok(name) && name_ok(other) && strcmp(name, other) != 0);
    assert_memory_equal(name, "01234567890123456789012-", 24);
    assert_true(place_name("\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc", name) && name_ok(name));
}

/* What host/name.h takes of such names, and what not. */
static void escapes(void **state)
{
    static const char *const refused[] = {"%", "a%", "a%2", "a%2g", "a%2f", "%zz", "a%%20", "a%20/b%2"};

    (void)state;
    assert_true(name_ok("%2Da") && name_ok("a%20b") && name_ok("a%20"));
    for (size_t i = 0; i < N_ROWS(refused); i++)
        if (name_ok(refused[i]))
            fail_msg("'%s' is taken", refused[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(places), cmocka_unit_test(names),
                                       cmocka_unit_test(escapes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
