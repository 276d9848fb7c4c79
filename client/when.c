/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "when.h"

#define SECOND 1000000000ull

static const struct {
    const char *name;
    uint64_t ns;
} units[] = {{"usec", 1000},
             {"us", 1000},
             {"msec", 1000000},
             {"ms", 1000000},
             {"seconds", SECOND},
             {"second", SECOND},
             {"sec", SECOND},
             {"s", SECOND},
             {"minutes", 60 * SECOND},
             {"minute", 60 * SECOND},
             {"min", 60 * SECOND},
             {"months", 2629800 * SECOND},
             {"month", 2629800 * SECOND},
             {"m", 60 * SECOND},
             {"hours", 3600 * SECOND},
             {"hour", 3600 * SECOND},
             {"hr", 3600 * SECOND},
             {"h", 3600 * SECOND},
             {"days", 86400 * SECOND},
             {"day", 86400 * SECOND},
             {"d", 86400 * SECOND},
             {"weeks", 604800 * SECOND},
             {"week", 604800 * SECOND},
             {"w", 604800 * SECOND},
             {"years", 31557600 * SECOND},
             {"year", 31557600 * SECOND},
             {"y", 31557600 * SECOND}};

uint64_t when_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static const char *skip_spaces(const char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    return s;
}

/* Digits, at most 12 of them. NULL: none. */
static const char *number(const char *s, uint64_t *value)
{
    const char *start = s;

    for (*value = 0; isdigit((unsigned char)*s) && s - start < 12; s++)
        *value = *value * 10 + (uint64_t)(*s - '0');
    return s == start || isdigit((unsigned char)*s) ? NULL : s;
}

/* ".5", or nothing: nanoseconds. NULL: a point without digits. */
static const char *fraction(const char *s, uint64_t *ns)
{
    uint64_t place = SECOND;

    *ns = 0;
    if (*s != '.')
        return s;
    if (!isdigit((unsigned char)*++s))
        return NULL;
    for (; isdigit((unsigned char)*s); s++) {
        place /= 10;
        *ns += place * (uint64_t)(*s - '0');
    }
    return s;
}

static const char *unit(const char *s, uint64_t *ns)
{
    size_t n = 0;

    while (isalpha((unsigned char)s[n]))
        n++;
    *ns = SECOND; /* systemd.time: a number alone is seconds */
    for (size_t i = 0; n > 0 && i < sizeof units / sizeof units[0]; i++)
        if (strlen(units[i].name) == n && strncmp(s, units[i].name, n) == 0) {
            *ns = units[i].ns;
            return s + n;
        }
    return n == 0 ? s : NULL;
}

/* "1h 30min", up to the end or to "ago". NULL: no span of time. */
static const char *span(const char *s, uint64_t *ns)
{
    *ns = 0;
    do {
        uint64_t value, part, each;

        s = number(s, &value);
        if (s == NULL || (s = fraction(s, &part)) == NULL || (s = unit(skip_spaces(s), &each)) == NULL)
            return NULL;
        if (value > UINT64_MAX / 4 / each)
            return NULL;
        *ns += value * each + (uint64_t)((double)part * (double)each / (double)SECOND);
        if (*ns > UINT64_MAX / 4)
            return NULL;
        s = skip_spaces(s);
    } while (*s != '\0' && strncmp(s, "ago", 3) != 0);
    return s;
}

static bool relative(const char *text, uint64_t now, uint64_t *ns)
{
    uint64_t length;
    bool back = text[0] == '-', ahead = text[0] == '+';
    const char *rest = span(skip_spaces(text + (back || ahead)), &length);

    if (rest == NULL)
        return false;
    if (strcmp(rest, "ago") == 0 && !back && !ahead)
        back = true;
    else if (*rest != '\0' || (!back && !ahead))
        return false;
    *ns = back ? (length < now ? now - length : 0) : now + length;
    return true;
}

static bool field(const char **s, int digits, int low, int high, int *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++, (*s)++) {
        if (!isdigit((unsigned char)**s))
            return false;
        *value = *value * 10 + (**s - '0');
    }
    return *value >= low && *value <= high;
}

static bool date(const char **s, struct tm *tm)
{
    if (!field(s, 4, 1970, 9999, &tm->tm_year) || *(*s)++ != '-' || !field(s, 2, 1, 12, &tm->tm_mon) ||
        *(*s)++ != '-' || !field(s, 2, 1, 31, &tm->tm_mday))
        return false;
    tm->tm_year -= 1900;
    tm->tm_mon -= 1;
    return true;
}

static bool clock_time(const char **s, struct tm *tm, uint64_t *ns)
{
    *ns = 0;
    tm->tm_sec = 0;
    if (!field(s, 2, 0, 23, &tm->tm_hour) || *(*s)++ != ':' || !field(s, 2, 0, 59, &tm->tm_min))
        return false;
    if (**s != ':')
        return true;
    (*s)++;
    if (!field(s, 2, 0, 60, &tm->tm_sec))
        return false;
    *s = fraction(*s, ns);
    return *s != NULL;
}

/* "today" and its kin: days from now; false: another word. */
static bool day_word(const char **s, int *days)
{
    static const char *const words[] = {"yesterday", "today", "tomorrow"};

    for (int i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);

        if (strncasecmp(*s, words[i], n) == 0 && !isalpha((unsigned char)(*s)[n])) {
            *s += n;
            *days = i - 1;
            return true;
        }
    }
    return false;
}

/* The day that the text begins with, if it names one, at midnight; else today. False: not a day. */
static bool day(const char **s, struct tm *tm, bool *named)
{
    int days = 0;

    *named = true;
    if (isdigit((unsigned char)**s) && strchr(*s, '-') != NULL) {
        if (!date(s, tm))
            return false;
    } else {
        *named = day_word(s, &days);
    }
    tm->tm_mday += days;
    tm->tm_hour = tm->tm_min = tm->tm_sec = 0;
    tm->tm_isdst = -1;
    if (*named && **s == 'T')
        (*s)++;
    *s = skip_spaces(*s);
    return true;
}

static bool calendar(const char *s, uint64_t now, uint64_t *ns)
{
    time_t seconds = (time_t)(now / SECOND), result;
    const char *zone = strstr(s, "UTC");
    bool utc = zone != NULL && zone[3] == '\0', named;
    uint64_t part = 0;
    struct tm tm;

    if (utc)
        gmtime_r(&seconds, &tm);
    else
        localtime_r(&seconds, &tm);
    if (!day(&s, &tm, &named))
        return false;
    if (isdigit((unsigned char)*s) ? !clock_time(&s, &tm, &part) : !named)
        return false;
    s = skip_spaces(s);
    if (utc ? s != zone : *s != '\0')
        return false;
    result = utc ? timegm(&tm) : mktime(&tm);
    if (result < 0)
        return false;
    *ns = (uint64_t)result * SECOND + part;
    return true;
}

bool when_parse(const char *text, uint64_t now_ns, uint64_t *ns)
{
    uint64_t value, part;
    const char *s = skip_spaces(text);

    if (strcasecmp(s, "now") == 0) {
        *ns = now_ns;
        return true;
    }
    if (*s == '@') {
        s = number(s + 1, &value);
        if (s == NULL || (s = fraction(s, &part)) == NULL || *s != '\0' || value > UINT64_MAX / SECOND - 1)
            return false;
        *ns = value * SECOND + part;
        return true;
    }
    return relative(s, now_ns, ns) || calendar(s, now_ns, ns);
}

bool when_span(const char *text, uint64_t *ns)
{
    uint64_t all = 0;
    const char *end = span(skip_spaces(text), &all);

    if (end == NULL || *skip_spaces(end) != '\0' || all == 0)
        return false;
    *ns = all;
    return true;
}
