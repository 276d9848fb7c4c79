/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "source_text.h"

/* Values. Each writes what the text says to *to, or answers what it expected. */

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
    static const struct console_settings without = {.source = NULL};

    for (unsigned i = 0; i < SETTINGS; i++)
        if ((s->has & UINT64_C(1) << i) == 0)
            memcpy(member(s, &keys[i]), (const char *)&without + keys[i].at, keys[i].bytes);
}

static bool same_text(const char *a, const char *b) { return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0; }

bool settings_equal(const struct console_settings *a, const struct console_settings *b)
{
    for (unsigned i = 0; i < SETTINGS; i++) {
        const char *one = (const char *)a + keys[i].at, *other = (const char *)b + keys[i].at;

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
