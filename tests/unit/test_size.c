/* SPDX-License-Identifier: MIT */
/* The size of a terminal as people write it. */
#include "unit.h"

#include "client/size.h"

static const struct {
    const char *text;
    uint16_t columns, rows; /* 0: it is none */
} rows[] = {
    {"80x25", 80, 25},
    {"1x1", 1, 1},
    {"65535x65535", 65535, 65535},
    {"0080x025", 80, 25},
    {"", 0, 0},
    {"x", 0, 0},
    {"80", 0, 0},
    {"80x", 0, 0},
    {"x25", 0, 0},
    {"0x25", 0, 0},
    {"80x0", 0, 0},
    {"65536x25", 0, 0},
    {"80x65536", 0, 0},
    {"4294967376x25", 0, 0}, /* 80, in 32 bits */
    {"18446744073709551696x25", 0, 0},
    {"-80x25", 0, 0},
    {"+80x25", 0, 0},
    {" 80x25", 0, 0},
    {"80x25 ", 0, 0},
    {"80 x 25", 0, 0},
    {"80X25", 0, 0},
    {"80x25x3", 0, 0},
    {"80*25", 0, 0},
    {"0x50x25", 0, 0},
};

static void all_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint16_t columns = 7, high = 9;
        bool is_size = size_parse(rows[i].text, &columns, &high);

        if (is_size != (rows[i].columns != 0) || columns != (is_size ? rows[i].columns : 7) ||
            high != (is_size ? rows[i].rows : 9))
            fail_msg("'%s': %d, %ux%u", rows[i].text, is_size, columns, high);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_rows)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
