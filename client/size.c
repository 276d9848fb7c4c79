/* SPDX-License-Identifier: MIT */
#include "size.h"

/* Digits alone, from 1 to 65535, up to *end. */
static bool side(const char *text, const char **end, uint16_t *value)
{
    uint32_t n = 0;

    for (*end = text; **end >= '0' && **end <= '9' && n <= UINT16_MAX; ++*end)
        n = 10 * n + (uint32_t)(**end - '0');
    *value = (uint16_t)n;
    return n >= 1 && n <= UINT16_MAX;
}

bool size_parse(const char *text, uint16_t *columns, uint16_t *rows)
{
    uint16_t wide, high;
    const char *end;

    if (!side(text, &end, &wide) || *end != 'x' || !side(end + 1, &end, &high) || *end != '\0')
        return false;
    *columns = wide;
    *rows = high;
    return true;
}
