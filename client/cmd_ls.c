/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "listing.h"
#include "live.h"
#include "tty.h"

#define COLUMNS 8u

static const enum listing_cell columns[COLUMNS] = {LISTING_NAME, LISTING_STATE,   LISTING_DOOR,   LISTING_ENGINE,
                                                   LISTING_SIZE, LISTING_VIEWERS, LISTING_WRITER, LISTING_LAST};

struct row {
    char cell[COLUMNS][LISTING_CELL_BYTES];
};

static const char *text(const json_t *console, const char *key)
{
    return json_string_value(json_object_get(console, key));
}

static void fill(struct row *row, const json_t *console)
{
    for (size_t i = 0; i < COLUMNS; i++)
        listing_cell(row->cell[i], columns[i], console, 0);
}

/* Nothing behind the last cell: a terminal's last column may be its. */
static void print_row(const struct row *row, const size_t width[COLUMNS], bool colours)
{
    size_t blanks = 0;

    for (size_t i = 0; i < COLUMNS; i++) {
        bool coloured = colours && columns[i] == LISTING_STATE;

        if (width[i] == 0)
            continue;
        printf("%*s%s%s%s", (int)blanks, "", coloured ? listing_colour(row->cell[i]) : "", row->cell[i],
               coloured ? "\x1b[m" : "");
        blanks = width[i] - strlen(row->cell[i]) + 2;
    }
    putchar('\n');
}

/* Why a console that has a source is not connected to it, below the table: a sentence has no place in a column. */
static void print_reasons(const json_t *consoles)
{
    size_t index;
    const json_t *console;
    char name[LISTING_CELL_BYTES], reason[LISTING_CELL_BYTES * 2];

    json_array_foreach(consoles, index, console)
    {
        if (text(console, "reason") == NULL)
            continue;
        listing_cell(name, LISTING_NAME, console, 0);
        snprintf(reason, sizeof reason, "%s", text(console, "reason"));
        message_clean(reason, strlen(reason));
        printf("%s: %s\n", name, reason);
    }
}

static void print_table(const json_t *consoles)
{
    bool colours = colour_allowed(STDOUT_FILENO);
    uint16_t rows, room;
    size_t width[COLUMNS] = {0}, index;
    const json_t *console;
    struct row row;

    for (size_t i = 0; i < COLUMNS; i++)
        width[i] = strlen(listing_title(columns[i]));
    json_array_foreach(consoles, index, console)
    {
        fill(&row, console);
        for (size_t i = 0; i < COLUMNS; i++)
            width[i] = strlen(row.cell[i]) > width[i] ? strlen(row.cell[i]) : width[i];
    }
    if (tty_size(STDOUT_FILENO, &rows, &room))
        listing_fit(columns, width, COLUMNS, room);
    for (size_t i = 0; i < COLUMNS; i++)
        snprintf(row.cell[i], sizeof row.cell[i], "%s", listing_title(columns[i]));
    print_row(&row, width, false);
    json_array_foreach(consoles, index, console)
    {
        fill(&row, console);
        print_row(&row, width, colours);
    }
    print_reasons(consoles);
}

static int run(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {{"json", no_argument, NULL, 'j'}, {"watch", no_argument, NULL, 'w'}, {0}};
    static const struct live live = {.columns = columns, .n_columns = COLUMNS};
    bool json = false, watch = false;
    struct conn c;
    json_t *ok, *consoles;
    int option, status;

    while ((option = options_next(options, &command_ls, argc, argv, ":h", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        json |= option == 'j';
        watch |= option == 'w';
    }
    if (arguments_check(&command_ls, argc, 0, 0) != 0)
        return EXIT_USAGE;
    if (watch)
        return json ? usage_error(&command_ls, "--watch and --json exclude each other") : live_run(options, &live);
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
    .usage = "[--json | --watch]",
    .about = "List every console: state, size of its log, writer, last output",
    .help = "  --json               an array of objects, stable: see vcons(1)\n"
            "  --watch              on the whole terminal, looked at anew each second, until q\n",
    .run = run,
};
