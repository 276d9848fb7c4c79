/* SPDX-License-Identifier: MIT */
/* vcons stop and vcons reset: the service asks the hypervisor that runs the domain. */
#include "conn.h"
#include "host/name.h"

static int request(const struct options *options, json_t *body)
{
    json_t *ok = NULL;
    int status = conn_request(options, body, &ok);

    json_decref(ok);
    return status;
}

static int scan(struct options *options, const struct command *command, int argc, char **argv, bool *all)
{
    static const struct option with_all[] = {{"all", no_argument, NULL, 'a'}, {0}};
    int option;

    while ((option = options_next(options, command, argc, argv, ":h", all != NULL ? with_all : NULL)) != OPTION_END) {
        if (option < 0)
            return option;
        *all = true;
    }
    return 0;
}

static int ask_domain(const struct options *options, const struct command *command, const char *domain)
{
    struct problem p;
    struct name name;

    if (name_split(domain, &name, &p) != 0)
        return usage_error(command, "%s", p.text);
    if (name.console[0] != '\0')
        return usage_error(command, "'%s' is a console: expected its domain, %s", domain, name.domain);
    return request(options, json_pack("{s:s,s:s}", "op", command->name, "domain", domain));
}

static int run_stop(struct options *options, int argc, char **argv)
{
    bool all = false;
    int result = scan(options, &command_stop, argc, argv, &all);

    if (result != 0)
        return result == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
    if (arguments_check(&command_stop, argc, all ? 0 : 1, all ? 0 : 1) != 0)
        return EXIT_USAGE;
    if (all)
        return request(options, json_pack("{s:s,s:b}", "op", "stop", "all", 1));
    return ask_domain(options, &command_stop, argv[optind]);
}

static int run_reset(struct options *options, int argc, char **argv)
{
    int result = scan(options, &command_reset, argc, argv, NULL);

    if (result != 0)
        return result == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
    if (arguments_check(&command_reset, argc, 1, 1) != 0)
        return EXIT_USAGE;
    return ask_domain(options, &command_reset, argv[optind]);
}

const struct command command_stop = {
    .name = "stop",
    .usage = "DOMAIN | --all",
    .about = "Stop a domain; its log stays. When none is left its hypervisor ends",
    .help = "  --all                every domain of every hypervisor\n",
    .run = run_stop,
};
const struct command command_reset = {
    .name = "reset",
    .usage = "DOMAIN",
    .about = "Boot a domain anew, as its reset button would",
    .help = "",
    .run = run_reset,
};
