/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"

static void print_scalar(const char *key, const json_t *value)
{
    char line[512];

    if (json_is_string(value))
        snprintf(line, sizeof line, "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(line, sizeof line, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        snprintf(line, sizeof line, "%.3f", json_real_value(value));
    else
        snprintf(line, sizeof line, "%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
    message_clean(line, strlen(line));
    printf("%-14s %s\n", key, line);
}

/* "lab1, pid 12, 4 consoles": what one entry of a list says, in the order in which the service says it. */
static void print_entry(const char *list, json_t *entry)
{
    char line[512] = "";
    const char *key;
    size_t n = 0;
    json_t *value;

    json_object_foreach(entry, key, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

        if (text != NULL && n < sizeof line)
            n += (size_t)snprintf(line + n, sizeof line - n, "%s%s %s", n > 0 ? ", " : "", key, text);
        free(text);
    }
    message_clean(line, strlen(line));
    printf("%-14s %s\n", list, line);
}

static void print_status(json_t *ok)
{
    const char *key;
    json_t *value, *entry;
    size_t index;

    json_object_foreach(ok, key, value)
    {
        if (json_is_array(value))
            json_array_foreach(value, index, entry) print_entry(key, entry);
        else if (json_is_object(value))
            print_entry(key, value);
        else
            print_scalar(key, value);
    }
}

static int run(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {{"json", no_argument, NULL, 'j'}, {0}};
    bool json = false;
    struct conn c;
    json_t *ok;
    int option, status;

    while ((option = options_next(options, &command_status, argc, argv, ":h", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        json = true;
    }
    if (arguments_check(&command_status, argc, 0, 0) != 0)
        return EXIT_USAGE;
    status = conn_open(&c, options);
    if (status == EXIT_DONE && (status = conn_ask(&c, json_pack("{s:s}", "op", "status"), &ok)) == EXIT_DONE) {
        json_object_set_new(ok, "socket", json_string(c.path));
        if (json) {
            json_dumpf(ok, stdout, JSON_INDENT(2));
            putchar('\n');
        } else {
            print_status(ok);
        }
        json_decref(ok);
    }
    conn_close(&c);
    return status;
}

const struct command command_status = {
    .name = "status",
    .usage = "[--json]",
    .about = "Say how the service is: its process, directories, hypervisors",
    .help = "  --json               one object, stable: see vcons(1)\n",
    .run = run,
};
