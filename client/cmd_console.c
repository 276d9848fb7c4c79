/* SPDX-License-Identifier: MIT */
/* vcons console add|remove, vcons resize: what a console is may change while its domain runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "host/name.h"
#include "size.h"

/* Prints the answer, or what it has of that key, if asked to. */
static int request(const struct options *options, json_t *body, bool json, const char *key)
{
    json_t *ok = NULL;
    int status = conn_request(options, body, &ok);

    if (status == EXIT_DONE && json) {
        json_dumpf(key != NULL ? json_object_get(ok, key) : ok, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_decref(ok);
    return status;
}

static bool device_parse(const char *text, unsigned *device)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    *device = (unsigned)value;
    return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0' && value < VC_CONTROL_DEVICES;
}

struct wish { /* of `console add` and `console remove` */
    bool json, port, device_given;
    unsigned device;
};

static int add_or_remove(const struct options *options, const char *verb, char **names, const struct wish *wish)
{
    bool adds = strcmp(verb, "add") == 0;
    struct problem p;
    struct name name;
    json_t *body;

    if (!adds && strcmp(verb, "remove") != 0)
        return usage_error(&command_console, "console '%s': expected add or remove", verb);
    if (!adds && (wish->port || wish->device_given))
        return usage_error(&command_console, "--device and --port are for add");
    if (name_split(names[0], &name, &p) != 0)
        return usage_error(&command_console, "%s", p.text);
    if (name.console[0] != '\0')
        return usage_error(&command_console, "'%s' is a console: expected its domain, %s", names[0], name.domain);
    if (!name_ok(names[1]))
        return usage_error(&command_console, "'%s' is no name: expected [A-Za-z0-9][A-Za-z0-9._-]{0,31}", names[1]);
    body =
        json_pack("{s:s,s:s,s:s}", "op", adds ? "console_add" : "console_remove", "domain", names[0], "name", names[1]);
    if (adds && json_object_update_new(body, json_pack("{s:s,s:i}", "type", wish->port ? "virtio-port" : "virtio",
                                                       "device", (int)wish->device)) != 0) {
        json_decref(body);
        body = NULL;
    }
    return request(options, body, wish->json, "console");
}

static int run_console(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {{"device", required_argument, NULL, 'd'},
                                          {"port", no_argument, NULL, 'p'},
                                          {"json", no_argument, NULL, 'j'},
                                          {0}};
    struct wish wish = {0};
    int option;

    while ((option = options_next(options, &command_console, argc, argv, ":h", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        wish.json |= option == 'j';
        wish.port |= option == 'p';
        wish.device_given |= option == 'd';
        if (option == 'd' && !device_parse(optarg, &wish.device))
            return usage_error(&command_console, "--device '%s': expected a number from 0 to %u", optarg,
                               VC_CONTROL_DEVICES - 1);
    }
    if (arguments_check(&command_console, argc, 3, 3) != 0)
        return EXIT_USAGE;
    return add_or_remove(options, argv[optind], argv + optind + 1, &wish);
}

static int run_resize(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {{"json", no_argument, NULL, 'j'}, {0}};
    uint16_t columns, rows;
    struct problem p;
    struct name name;
    bool json = false;
    int option;

    while ((option = options_next(options, &command_resize, argc, argv, ":h", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        json = true;
    }
    if (arguments_check(&command_resize, argc, 2, 2) != 0)
        return EXIT_USAGE;
    if (name_split(argv[optind], &name, &p) != 0)
        return usage_error(&command_resize, "%s", p.text);
    if (!size_parse(argv[optind + 1], &columns, &rows))
        return usage_error(&command_resize, "'%s' is no size: expected " SIZE_EXPECTED, argv[optind + 1]);
    return request(options,
                   json_pack("{s:s,s:s,s:i,s:i}", "op", "resize", "console", argv[optind], "rows", (int)rows, "columns",
                             (int)columns),
                   json, NULL);
}

const struct command command_console = {
    .name = "console",
    .usage = "add [--device N] [--port] DOMAIN NAME | remove DOMAIN NAME",
    .about = "Give a running domain one more virtio console, or take one away",
    .help = "  --device N           the domain's virtio device that gets the port; without it 0\n"
            "  --port               a named port, /dev/virtio-ports/NAME to Linux, that is no console to the guest\n"
            "  --json               print the console as an object, as ls --json does\n",
    .run = run_console,
};
const struct command command_resize = {
    .name = "resize",
    .usage = "[--json] CONSOLE COLUMNSxROWS",
    .about = "Tell a console's guest the size of its terminal",
    .help = "  --json               print the console's name and the size\n",
    .run = run_resize,
};
