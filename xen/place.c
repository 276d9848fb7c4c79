/* SPDX-License-Identifier: MIT */
#include "place.h"

#include <stdio.h>
#include <string.h>

#define HASH_CHARS 9u /* "-" and eight digits */

bool place_number(const char *text, uint64_t max, uint64_t *n)
{
    uint64_t value = 0;

    *n = 0;
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    for (; *text != '\0'; text++) {
        unsigned digit = (unsigned)((unsigned char)*text - '0');

        if (digit > 9 || digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *n = value;
    return true;
}

bool place_of(const char *ring_ref, const char *port, uint64_t ref_max, struct place *place)
{
    uint64_t frame, number;

    *place = (struct place){0};
    if (!place_number(ring_ref, ref_max, &frame) || !place_number(port, PLACE_PORT_MAX, &number) || number == 0)
        return false;
    *place = (struct place){frame, (uint32_t)number};
    return true;
}

static bool plain(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (!first && (c == '.' || c == '_' || c == '-'));
}

static uint32_t hash_of(const char *text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

bool place_name(const char *text, char name[NAME_BYTES])
{
    size_t n = 0, whole = 0; /* whole: characters that leave room for a hash behind them */
    const char *at = text;

    for (; *at != '\0'; at++) {
        bool as_is = plain(*at, at == text);
        size_t more = as_is ? 1 : 3;

        if (n + more > NAME_CHARS)
            break;
        if (as_is)
            name[n] = *at;
        else
            snprintf(name + n, 4, "%%%02X", (unsigned)(uint8_t)*at);
        n += more;
        if (n <= NAME_CHARS - HASH_CHARS)
            whole = n;
    }
    name[n] = '\0';
    if (*at != '\0')
        snprintf(name + whole, HASH_CHARS + 1, "-%08X", (unsigned)hash_of(text));
    return n > 0;
}
