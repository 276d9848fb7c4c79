/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conn.h"
#include "when.h"

#define COLUMNS    8u
#define CELL_BYTES 96u

struct row {
    char cell[COLUMNS][CELL_BYTES];
};

static const char *const titles[COLUMNS] = {"CONSOLE", "STATE",   "DOOR",   "ENGINE",
                                            "SIZE",    "VIEWERS", "WRITER", "LAST OUTPUT"};

static void cell(char out[CELL_BYTES], const char *text)
{
    snprintf(out, CELL_BYTES, "%s", text != NULL && text[0] != '\0' ? text : "-");
    message_clean(out, strlen(out)); /* names and states come from others */
}

static void size_cell(char out[CELL_BYTES], uint64_t bytes)
{
    static const char units[] = "KMGTPE";
    double value = (double)bytes;
    int unit = -1;

    while (value >= 1000 && unit < 5) {
        value /= 1024;
        unit++;
    }
    if (unit < 0)
        snprintf(out, CELL_BYTES, "%" PRIu64, bytes);
    else
        snprintf(out, CELL_BYTES, value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

static void age_cell(char out[CELL_BYTES], const json_t *seconds)
{
    double age = (double)when_now() / 1e9 - json_number_value(seconds);

    if (!json_is_number(seconds))
        cell(out, "never");
    else if (age < 1)
        cell(out, "now");
    else if (age < 120)
        snprintf(out, CELL_BYTES, "%.0f s ago", age);
    else if (age < 7200)
        snprintf(out, CELL_BYTES, "%.0f min ago", age / 60);
    else if (age < 172800)
        snprintf(out, CELL_BYTES, "%.0f h ago", age / 3600);
    else
        snprintf(out, CELL_BYTES, "%.0f days ago", age / 86400);
}

static const char *text(const json_t *console, const char *key)
{
    return json_string_value(json_object_get(console, key));
}

/* A port that the guest has not opened hears nothing that is typed. */
static void door_cell(char out[CELL_BYTES], const char *door, const char *guest)
{
    char both[CELL_BYTES];

    snprintf(both, sizeof both, "%s%s", door != NULL ? door : "",
             guest != NULL && strcmp(guest, "closed") == 0 ? " (closed)" : "");
    cell(out, both);
}

static void writer_cell(char out[CELL_BYTES], const char *writer, const char *lease)
{
    char both[CELL_BYTES];

    snprintf(both, sizeof both, "%s%s%s%s", writer != NULL ? writer : "", lease != NULL ? " (lease of " : "",
             lease != NULL ? lease : "", lease != NULL ? ")" : "");
    cell(out, both[0] == ' ' ? both + 1 : both);
}

static void fill(struct row *row, const json_t *console)
{
    cell(row->cell[0], text(console, "name"));
    cell(row->cell[1], text(console, "state"));
    door_cell(row->cell[2], text(console, "door"), text(console, "guest"));
    cell(row->cell[3], text(console, "engine"));
    size_cell(row->cell[4], (uint64_t)json_integer_value(json_object_get(console, "bytes")));
    snprintf(row->cell[5], CELL_BYTES, "%" JSON_INTEGER_FORMAT,
             json_integer_value(json_object_get(console, "viewers")));
    writer_cell(row->cell[6], text(console, "writer"), text(json_object_get(console, "lease"), "who"));
    age_cell(row->cell[7], json_object_get(console, "last_output"));
}

static const char *colour(const char *state)
{
    if (strcmp(state, "running") == 0)
        return "\x1b[32m";
    return strcmp(state, "crashed") == 0 ? "\x1b[31m" : "\x1b[2m";
}

static void print_row(const struct row *row, const size_t width[COLUMNS], bool colours)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        bool coloured = colours && i == 1;
        size_t n = strlen(row->cell[i]);

        printf("%s%s%s%*s", coloured ? colour(row->cell[i]) : "", row->cell[i], coloured ? "\x1b[m" : "",
               i + 1 < COLUMNS ? (int)(width[i] - n + 2) : 0, "");
    }
    putchar('\n');
}

/* Why a console that has a source is not connected to it, below the table: a sentence has no place in a column. */
static void print_reasons(const json_t *consoles)
{
    size_t index;
    const json_t *console;
    char name[CELL_BYTES], reason[CELL_BYTES * 2];

    json_array_foreach(consoles, index, console)
    {
        if (text(console, "reason") == NULL)
            continue;
        cell(name, text(console, "name"));
        snprintf(reason, sizeof reason, "%s", text(console, "reason"));
        message_clean(reason, strlen(reason));
        printf("%s: %s\n", name, reason);
    }
}

static void print_table(const json_t *consoles)
{
    bool colours = colour_allowed(STDOUT_FILENO);
    size_t width[COLUMNS] = {0}, index;
    const json_t *console;
    struct row row;

    for (size_t i = 0; i < COLUMNS; i++)
        width[i] = strlen(titles[i]);
    json_array_foreach(consoles, index, console)
    {
        fill(&row, console);
        for (size_t i = 0; i < COLUMNS; i++)
            width[i] = strlen(row.cell[i]) > width[i] ? strlen(row.cell[i]) : width[i];
    }
    for (size_t i = 0; i < COLUMNS; i++)
        printf("%-*s", i + 1 < COLUMNS ? (int)width[i] + 2 : 0, titles[i]);
    putchar('\n');
    json_array_foreach(consoles, index, console)
    {
        fill(&row, console);
        print_row(&row, width, colours);
    }
    print_reasons(consoles);
}

static int run(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {{"json", no_argument, NULL, 'j'}, {0}};
    bool json = false;
    struct conn c;
    json_t *ok, *consoles;
    int option, status;

    while ((option = options_next(options, &command_ls, argc, argv, ":h", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        json = true;
    }
    if (arguments_check(&command_ls, argc, 0, 0) != 0)
        return EXIT_USAGE;
    status = conn_open(&c, options);
    if (status == EXIT_DONE && (status = conn_ask(&c, json_pack("{s:s}", "op", "ls"), &ok)) == EXIT_DONE) {
        consoles = json_object_get(ok, "consoles");
        if (json) {
            json_dumpf(consoles, stdout, JSON_INDENT(2));
            putchar('\n');
        } else if (json_array_size(consoles) == 0) {
            message("no consoles yet: start a hypervisor with vcons run CONFIG");
        } else {
            print_table(consoles);
        }
        json_decref(ok);
    }
    conn_close(&c);
    return status;
}

const struct command command_ls = {
    .name = "ls",
    .usage = "[--json]",
    .about = "List every console: state, door, engine, size of its log, viewers, writer, last output",
    .help = "  --json               an array of objects, stable: see vcons(1)\n",
    .run = run,
};
