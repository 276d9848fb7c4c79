/* SPDX-License-Identifier: MIT */
/* vcons source: consoles by hand, for as long as the service runs; vcons reload: the service's configuration anew. */
#include <stdio.h>
#include <string.h>

#include "conn.h"
#include "host/name.h"

/* KEY=VALUE... as an object; NULL: something else is among them. */
static json_t *settings_of(int n, char **words)
{
    json_t *settings = json_object();

    for (int i = 0; i < n; i++) {
        const char *equals = strchr(words[i], '=');
        char key[64];

        if (equals == NULL || equals == words[i] || (size_t)(equals - words[i]) >= sizeof key) {
            usage_error(&command_source, "'%s': expected KEY=VALUE", words[i]);
            json_decref(settings);
            return NULL;
        }
        snprintf(key, sizeof key, "%.*s", (int)(equals - words[i]), words[i]);
        json_object_set_new(settings, key, json_string(equals + 1));
    }
    return settings;
}

static int ask(const struct options *options, json_t *body)
{
    json_t *ok = NULL;
    int status = conn_request(options, body, &ok);

    json_decref(ok);
    return status;
}

static int add(const struct options *options, int n, char **words, bool keep)
{
    struct problem p;
    struct name name;
    json_t *settings;

    if (n < 2)
        return usage_error(&command_source, "expected add NAME SOURCE");
    if (name_split(words[0], &name, &p) != 0)
        return usage_error(&command_source, "%s", p.text);
    settings = settings_of(n - 2, words + 2);
    if (settings == NULL)
        return EXIT_USAGE;
    return ask(options, json_pack("{s:s,s:s,s:s,s:o,s:b}", "op", "source_add", "name", words[0], "source", words[1],
                                  "settings", settings, "keep", (int)keep));
}

static int run_source(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {{"keep", no_argument, NULL, 'k'}, {0}};
    bool keep = false;
    int option, n;

    while ((option = options_next(options, &command_source, argc, argv, ":h", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        keep = true;
    }
    n = argc - optind;
    if (n > 0 && strcmp(argv[optind], "add") == 0)
        return add(options, n - 1, argv + optind + 1, keep);
    if (n == 2 && strcmp(argv[optind], "remove") == 0)
        return ask(options, json_pack("{s:s,s:s}", "op", "source_remove", "name", argv[optind + 1]));
    return usage_error(&command_source, "expected add NAME SOURCE, or remove NAME");
}

const struct command command_source = {
    .name = "source",
    .usage = "add [--keep] NAME SOURCE [KEY=VALUE...] | remove NAME",
    .about = "Give the service one more console, from SOURCE, or take one away",
    .help = "  --keep               also after a restart of the service\n"
            "SOURCE and its keys are those of vconsd.conf(5).\n",
    .run = run_source,
};

static int run_reload(struct options *options, int argc, char **argv)
{
    static const char *const words[] = {"added", "changed", "removed", "same"};
    json_t *ok = NULL;
    int option, status;

    option = options_next(options, &command_reload, argc, argv, ":h", NULL);
    if (option != OPTION_END)
        return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
    if (arguments_check(&command_reload, argc, 0, 0) != 0)
        return EXIT_USAGE;
    status = conn_request(options, json_pack("{s:s}", "op", "reload"), &ok);
    if (status == EXIT_DONE)
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            printf("%" JSON_INTEGER_FORMAT " %s%s", json_integer_value(json_object_get(ok, words[i])), words[i],
                   i + 1 < sizeof words / sizeof words[0] ? ", " : "\n");
    json_decref(ok);
    return status;
}

const struct command command_reload = {
    .name = "reload",
    .usage = "",
    .about = "Have the service read its configuration anew; nobody is dropped",
    .help = "",
    .run = run_reload,
};
