/* SPDX-License-Identifier: MIT */
/* The settings that concern a console's log: sizes, ages. */
#include "settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* A number with one of these behind it, each of which is so many times the first. False: it is none, or too large. */
static bool number_with_unit(const char *text, const char *units, const uint64_t *times, uint64_t *value)
{
    uint64_t factor = times[0];
    unsigned long long n;
    const char *unit;
    char *end;

    errno = 0;
    n = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno != 0)
        return false;
    if (*end != '\0') {
        unit = strchr(units, *end);
        if (unit == NULL || end[1] != '\0')
            return false;
        factor = times[unit - units + 1];
    }
    return !__builtin_mul_overflow(n, factor, value);
}

static bool size_of(const char *text, uint64_t *bytes)
{
    static const uint64_t times[] = {1, 1 << 10, 1 << 20, 1 << 30, UINT64_C(1) << 40};

    return number_with_unit(text, "KMGT", times, bytes);
}

const char *settings_read_size(const char *text, void *to)
{
    uint64_t bytes;

    if (!size_of(text, &bytes) || bytes < 65536)
        return "a size from 64K on, as \"16M\"";
    *(uint64_t *)to = bytes;
    return NULL;
}

const char *settings_read_pin(const char *text, void *to)
{
    uint64_t bytes;

    if (!size_of(text, &bytes))
        return "a size, as \"1M\", or 0";
    *(uint64_t *)to = bytes;
    return NULL;
}

#define SECOND_NS UINT64_C(1000000000)

const char *settings_read_age(const char *text, void *to)
{
    static const uint64_t times[] = {SECOND_NS,        SECOND_NS,         60 * SECOND_NS,
                                     3600 * SECOND_NS, 86400 * SECOND_NS, 7 * 86400 * SECOND_NS};
    uint64_t ns;

    if (!number_with_unit(text, "smhdw", times, &ns) || ns == 0 || ns > INT64_MAX / 4)
        return "an age, as \"90s\", \"12h\", \"30d\" or \"8w\"";
    *(uint64_t *)to = ns;
    return NULL;
}

/* Seconds, with a part of one behind a dot. */
static bool seconds_of(const char *text, uint64_t *ns)
{
    char *end;
    double seconds = strtod(text, &end);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || strspn(text, "0123456789.") != strlen(text) || seconds > 3600)
        return false;
    *ns = (uint64_t)(seconds * (double)SECOND_NS);
    return *ns >= SECOND_NS / 100;
}

const char *settings_read_fsync(const char *text, void *to)
{
    uint64_t ns = strcmp(text, "always") == 0 ? 1 : 0;

    if (ns == 0 && strcmp(text, "no") != 0 && !seconds_of(text, &ns))
        return "no, always, or seconds from 0.01 to 3600";
    *(uint64_t *)to = ns;
    return NULL;
}

void settings_log(const struct console_settings *s, struct log_rules *rules)
{
    *rules = (struct log_rules){.segment_bytes = s->segment_bytes,
                                .segment_age_ns = s->segment_age_ns,
                                .keep_bytes = s->keep_bytes,
                                .keep_age_ns = s->keep_age_ns,
                                .pin_bytes = s->pin_bytes,
                                .raw = !s->compress,
                                .sync_ns = s->sync_ns};
}
