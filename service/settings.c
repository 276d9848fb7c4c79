/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "append_limit.h"
#include "log.h"
#include "source_text.h"

/* Values. Each writes what the text says to *to, or answers what it expected. */

static bool number_of(const char *text, uint32_t most, uint32_t *n)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    *n = (uint32_t)value;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && strlen(text) <= 9 && value <= most;
}

static const char *read_bool(const char *text, void *to)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};

    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0) {
            *(bool *)to = i % 2 != 0;
            return NULL;
        }
    return "yes or no";
}

/* Texts are the struct's own: the one before goes. */
static const char *keep_text(const char *text, void *to)
{
    char **at = to, *copy = strlen(text) < SETTINGS_TEXT_BYTES ? strdup(text) : NULL;

    if (copy == NULL)
        return "less text";
    free(*at);
    *at = copy;
    return NULL;
}

static const char *read_source(const char *text, void *to)
{
    struct source_place place;
    const char *expected = source_text_parse(text, &place);

    return expected != NULL ? expected : keep_text(text, to);
}

static const struct {
    uint32_t speed;
    speed_t name;
} speeds[] = {{1200, B1200},       {2400, B2400},       {4800, B4800},       {9600, B9600},       {19200, B19200},
              {38400, B38400},     {57600, B57600},     {115200, B115200},   {230400, B230400},   {460800, B460800},
              {500000, B500000},   {576000, B576000},   {921600, B921600},   {1000000, B1000000}, {1152000, B1152000},
              {1500000, B1500000}, {2000000, B2000000}, {3000000, B3000000}, {4000000, B4000000}};
enum { SPEEDS = sizeof speeds / sizeof speeds[0] };

speed_t settings_termios_speed(uint32_t speed)
{
    for (unsigned i = 0; i < SPEEDS; i++)
        if (speeds[i].speed == speed)
            return speeds[i].name;
    return B115200;
}

static const char *read_speed(const char *text, void *to)
{
    uint32_t n;

    if (number_of(text, 4000000, &n))
        for (unsigned i = 0; i < SPEEDS; i++)
            if (speeds[i].speed == n) {
                *(uint32_t *)to = n;
                return NULL;
            }
    return "a speed that serial ports have, as 9600 or 115200";
}

static const char *read_bits(const char *text, void *to)
{
    uint32_t n;

    if (!number_of(text, 8, &n) || n < 5)
        return "5 to 8";
    *(uint8_t *)to = (uint8_t)n;
    return NULL;
}

static const char *read_stop(const char *text, void *to)
{
    uint32_t n;

    if (!number_of(text, 2, &n) || n < 1)
        return "1 or 2";
    *(uint8_t *)to = (uint8_t)n;
    return NULL;
}

static const char *read_delay(const char *text, void *to)
{
    return number_of(text, 1000000, to) ? NULL : "microseconds, at most 1000000";
}

static bool read_word(const char *text, const char *const *words, uint8_t *to)
{
    for (uint8_t i = 0; words[i] != NULL; i++)
        if (strcmp(text, words[i]) == 0) {
            *to = i;
            return true;
        }
    return false;
}

static const char *read_parity(const char *text, void *to)
{
    static const char *const words[] = {
        [SETTINGS_PARITY_NONE] = "none", [SETTINGS_PARITY_ODD] = "odd", [SETTINGS_PARITY_EVEN] = "even", NULL};

    return read_word(text, words, to) ? NULL : "none, odd or even";
}

static const char *read_flow(const char *text, void *to)
{
    static const char *const words[] = {
        [SETTINGS_FLOW_NONE] = "none", [SETTINGS_FLOW_XONXOFF] = "xonxoff", [SETTINGS_FLOW_RTSCTS] = "rtscts", NULL};

    return read_word(text, words, to) ? NULL : "none, xonxoff or rtscts";
}

/* Bytes a second, with K, M or G behind them for 1024s. */
static const char *read_limit(const char *text, void *to)
{
    static const char expected[] = "no, or bytes a second from 1K to 4G, as 64K", units[] = "KMG";
    uint64_t n = 0;
    const char *unit;

    if (strcmp(text, "no") == 0) {
        *(uint64_t *)to = 0;
        return NULL;
    }
    for (; *text >= '0' && *text <= '9' && n <= LIMIT_MAX; text++)
        n = n * 10 + (uint64_t)(*text - '0');
    unit = *text != '\0' ? strchr(units, *text) : NULL;
    if (n > LIMIT_MAX || (*text != '\0' && (unit == NULL || text[1] != '\0')))
        return expected;
    n <<= unit != NULL ? 10 * (unit - units + 1) : 0;
    if (n < LIMIT_MIN || n > LIMIT_MAX)
        return expected;
    *(uint64_t *)to = n;
    return NULL;
}

static const char *read_over(const char *text, void *to)
{
    *(bool *)to = strcmp(text, "drop") == 0;
    return *(bool *)to || strcmp(text, "hold") == 0 ? NULL : "hold or drop";
}

static const char *read_connect(const char *text, void *to)
{
    static const char *const words[] = {"always", "viewer", NULL};
    uint8_t word;

    if (!read_word(text, words, &word))
        return "always or viewer";
    *(bool *)to = word != 0;
    return NULL;
}

static const char *read_linger(const char *text, void *to)
{
    return number_of(text, 86400, to) ? NULL : "seconds, at most 86400";
}

/* The keys, in the order of enum setting. */
static const struct key {
    const char *name;
    const char *(*read)(const char *text, void *to);
    size_t at, bytes; /* its member of struct console_settings */
    bool text;        /* which is a pointer to text */
} keys[] = {
#define MEMBER(m) offsetof(struct console_settings, m), sizeof((struct console_settings *)0)->m
    [SETTING_SOURCE] = {"source", read_source, MEMBER(source), .text = true},
    [SETTING_PTY] = {"pty", read_bool, MEMBER(pty), .text = false},
    [SETTING_SPEED] = {"speed", read_speed, MEMBER(speed), .text = false},
    [SETTING_BITS] = {"bits", read_bits, MEMBER(bits), .text = false},
    [SETTING_PARITY] = {"parity", read_parity, MEMBER(parity), .text = false},
    [SETTING_STOP] = {"stop", read_stop, MEMBER(stop), .text = false},
    [SETTING_FLOW] = {"flow", read_flow, MEMBER(flow), .text = false},
    [SETTING_MODEM] = {"modem", read_bool, MEMBER(modem), .text = false},
    [SETTING_DELAY] = {"delay", read_delay, MEMBER(delay_us), .text = false},
    [SETTING_ECHO_CHECK] = {"echo_check", read_bool, MEMBER(echo_check), .text = false},
    [SETTING_CONNECT] = {"connect", read_connect, MEMBER(on_demand), .text = false},
    [SETTING_LINGER] = {"linger", read_linger, MEMBER(linger_s), .text = false},
    [SETTING_LIMIT] = {"limit", read_limit, MEMBER(limit), .text = false},
    [SETTING_OVER_LIMIT] = {"over_limit", read_over, MEMBER(drop_over_limit), .text = false},
    [SETTING_SEGMENT_SIZE] = {"segment_size", settings_read_size, MEMBER(segment_bytes), .text = false},
    [SETTING_SEGMENT_AGE] = {"segment_age", settings_read_age, MEMBER(segment_age_ns), .text = false},
    [SETTING_KEEP_SIZE] = {"keep_size", settings_read_size, MEMBER(keep_bytes), .text = false},
    [SETTING_KEEP_AGE] = {"keep_age", settings_read_age, MEMBER(keep_age_ns), .text = false},
    [SETTING_PIN_BOOT] = {"pin_boot", settings_read_pin, MEMBER(pin_bytes), .text = false},
    [SETTING_COMPRESS] = {"compress", read_bool, MEMBER(compress), .text = false},
    [SETTING_FSYNC] = {"fsync", settings_read_fsync, MEMBER(sync_ns), .text = false},
#undef MEMBER
};
_Static_assert(sizeof keys / sizeof keys[0] == SETTINGS, "one row each");
_Static_assert(SETTINGS <= 64, "has is that wide");

static void *member(struct console_settings *s, const struct key *key) { return (char *)s + key->at; }

static char **text_of(struct console_settings *s, const struct key *key) { return (char **)member(s, key); }

const char *settings_set(struct console_settings *s, const char *name, const char *value)
{
    for (unsigned i = 0; i < SETTINGS; i++) {
        const char *expected;

        if (strcmp(name, keys[i].name) != 0)
            continue;
        expected = keys[i].read(value, member(s, &keys[i]));
        if (expected == NULL)
            s->has |= UINT64_C(1) << i;
        return expected;
    }
    return "another key";
}

const char *settings_key(uint32_t n) { return n < SETTINGS ? keys[n].name : NULL; }

void settings_inherit(struct console_settings *to, const struct console_settings *from)
{
    for (unsigned i = 0; i < SETTINGS; i++)
        if ((from->has & ~to->has & UINT64_C(1) << i) != 0)
            memcpy(member(to, &keys[i]), (const char *)from + keys[i].at, keys[i].bytes);
    to->has |= from->has;
}

void settings_complete(struct console_settings *s)
{
    static const struct console_settings without = {
        .speed = 115200, .bits = 8, .stop = 1, .linger_s = 10, .pin_bytes = LOG_PIN_BYTES, .compress = true};

    for (unsigned i = 0; i < SETTINGS; i++)
        if ((s->has & UINT64_C(1) << i) == 0)
            memcpy(member(s, &keys[i]), (const char *)&without + keys[i].at, keys[i].bytes);
}

static bool same_text(const char *a, const char *b) { return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0; }

static bool of_source(unsigned i) { return i == SETTING_SOURCE || (i >= SETTING_SPEED && i <= SETTING_LINGER); }

bool settings_of_source(const char *name)
{
    for (unsigned i = 0; i < SETTINGS; i++)
        if (strcmp(name, keys[i].name) == 0)
            return of_source(i);
    return false;
}

bool settings_same_source(const struct console_settings *a, const struct console_settings *b)
{
    for (unsigned i = 0; i < SETTINGS; i++) {
        const char *one = (const char *)a + keys[i].at, *other = (const char *)b + keys[i].at;

        if (!of_source(i))
            continue;
        if (keys[i].text ? !same_text(*(char *const *)(const void *)one, *(char *const *)(const void *)other)
                         : memcmp(one, other, keys[i].bytes) != 0)
            return false;
    }
    return true;
}

bool settings_own(struct console_settings *s)
{
    bool all = true;

    for (unsigned i = 0; i < SETTINGS; i++) {
        char **text = text_of(s, &keys[i]);

        if (!keys[i].text || *text == NULL)
            continue;
        *text = strdup(*text);
        all = all && *text != NULL;
    }
    if (!all)
        settings_free(s);
    return all;
}

void settings_free(struct console_settings *s)
{
    for (unsigned i = 0; i < SETTINGS; i++)
        if (keys[i].text)
            free(*text_of(s, &keys[i]));
    *s = (struct console_settings){0};
}
