/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/message.h"
#include "listing.h"
#include "when.h"

static const char *const titles[LISTING_CELLS] = {
    [LISTING_NAME] = "CONSOLE",    [LISTING_STATE] = "STATE",   [LISTING_DOOR] = "DOOR",
    [LISTING_ENGINE] = "ENGINE",   [LISTING_SIZE] = "SIZE",     [LISTING_RATE] = "RATE",
    [LISTING_VIEWERS] = "VIEWERS", [LISTING_WRITER] = "WRITER", [LISTING_LAST] = "LAST OUTPUT"};

const char *listing_title(enum listing_cell which) { return titles[which]; }

static void cell(char out[LISTING_CELL_BYTES], const char *text)
{
    snprintf(out, LISTING_CELL_BYTES, "%s", text != NULL && text[0] != '\0' ? text : "-");
    message_clean(out, strlen(out)); /* names and states come from others */
}

static void size_cell(char out[LISTING_CELL_BYTES], uint64_t bytes)
{
    static const char units[] = "KMGTPE";
    double value = (double)bytes;
    int unit = -1;

    while (value >= 1000 && unit < 5) {
        value /= 1024;
        unit++;
    }
    if (unit < 0)
        snprintf(out, LISTING_CELL_BYTES, "%" PRIu64, bytes);
    else
        snprintf(out, LISTING_CELL_BYTES, value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

static void age_cell(char out[LISTING_CELL_BYTES], const json_t *seconds)
{
    double age = (double)when_now() / 1e9 - json_number_value(seconds);

    if (!json_is_number(seconds))
        cell(out, "never");
    else if (age < 1)
        cell(out, "now");
    else if (age < 120)
        snprintf(out, LISTING_CELL_BYTES, "%.0f s ago", age);
    else if (age < 7200)
        snprintf(out, LISTING_CELL_BYTES, "%.0f min ago", age / 60);
    else if (age < 172800)
        snprintf(out, LISTING_CELL_BYTES, "%.0f h ago", age / 3600);
    else
        snprintf(out, LISTING_CELL_BYTES, "%.0f days ago", age / 86400);
}

static const char *text(const json_t *console, const char *key)
{
    return json_string_value(json_object_get(console, key));
}

/* What a guest has, or else the kind of source. A port that the guest has not opened hears nothing that is typed. */
static void door_cell(char out[LISTING_CELL_BYTES], const json_t *console)
{
    const char *door = text(console, "door"), *source = text(console, "source"), *guest = text(console, "guest");
    bool none = door == NULL || strcmp(door, "none") == 0;
    char both[LISTING_CELL_BYTES];

    if (none && source != NULL)
        snprintf(both, sizeof both, "%.*s", (int)strcspn(source, ":"), source);
    else
        snprintf(both, sizeof both, "%s%s", none ? "" : door,
                 guest != NULL && strcmp(guest, "closed") == 0 ? " (closed)" : "");
    cell(out, both);
}

static void writer_cell(char out[LISTING_CELL_BYTES], const char *writer, const char *lease)
{
    char both[LISTING_CELL_BYTES];

    snprintf(both, sizeof both, "%s%s%s%s", writer != NULL ? writer : "", lease != NULL ? " (lease of " : "",
             lease != NULL ? lease : "", lease != NULL ? ")" : "");
    cell(out, both[0] == ' ' ? both + 1 : both);
}

void listing_rate(char out[LISTING_CELL_BYTES], double bytes_a_second)
{
    char amount[LISTING_CELL_BYTES];

    if (bytes_a_second < 0.5) {
        cell(out, NULL);
        return;
    }
    size_cell(amount, (uint64_t)(bytes_a_second + 0.5));
    snprintf(out, LISTING_CELL_BYTES, "%.90s/s", amount);
}

void listing_cell(char out[LISTING_CELL_BYTES], enum listing_cell which, const json_t *console, double rate)
{
    switch (which) {
    case LISTING_NAME: cell(out, text(console, "name")); break;
    case LISTING_STATE: cell(out, text(console, "state")); break;
    case LISTING_DOOR: door_cell(out, console); break;
    case LISTING_ENGINE: cell(out, text(console, "engine")); break;
    case LISTING_SIZE: size_cell(out, (uint64_t)json_integer_value(json_object_get(console, "bytes"))); break;
    case LISTING_RATE: listing_rate(out, rate); break;
    case LISTING_VIEWERS:
        snprintf(out, LISTING_CELL_BYTES, "%" JSON_INTEGER_FORMAT,
                 json_integer_value(json_object_get(console, "viewers")));
        break;
    case LISTING_WRITER:
        writer_cell(out, text(console, "writer"), text(json_object_get(console, "lease"), "who"));
        break;
    case LISTING_LAST: age_cell(out, json_object_get(console, "last_output")); break;
    case LISTING_CELLS: break;
    }
}

void listing_fit(const enum listing_cell *columns, size_t *width, size_t n, size_t room)
{
    static const enum listing_cell goes[] = {LISTING_ENGINE, LISTING_DOOR,   LISTING_VIEWERS, LISTING_LAST,
                                             LISTING_SIZE,   LISTING_WRITER, LISTING_RATE};
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += width[i] + 2;
    for (size_t which = 0; which < sizeof goes / sizeof goes[0]; which++)
        for (size_t i = 0; i < n && total > room + 2; i++)
            if (columns[i] == goes[which]) {
                total -= width[i] + 2;
                width[i] = 0;
            }
}

const char *listing_colour(const char *state)
{
    if (strcmp(state, "running") == 0)
        return "\x1b[32m";
    return strcmp(state, "crashed") == 0 ? "\x1b[31m" : "\x1b[2m";
}
