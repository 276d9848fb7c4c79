/* SPDX-License-Identifier: MIT */
/* vcons restore: a hypervisor for the one domain of a file that vcons save wrote, in the background as other tools do it. */
#include "host/name.h"
#include "run.h"

enum { OPTION_PRIVATE = 1, OPTION_NAME };

static int run(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {{"console", no_argument, NULL, 'c'},
                                          {"private", no_argument, NULL, OPTION_PRIVATE},
                                          {"name", required_argument, NULL, OPTION_NAME},
                                          {0}};
    char *arguments[] = {"--restore", NULL, NULL, NULL, NULL};
    struct run r = {.options = options, .arguments = arguments, .detach = true};
    char *name = NULL;
    int option;

    while ((option = options_next(options, &command_restore, argc, argv, ":hc", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        if (option == 'c')
            r.detach = false;
        else if (option == OPTION_PRIVATE)
            r.private = true;
        else
            name = optarg;
    }
    if (arguments_check(&command_restore, argc, 1, 1) != 0)
        return EXIT_USAGE;
    if (r.private && r.detach)
        return usage_error(&command_restore, "--private ends everything with the run: expected -c with it");
    if (name != NULL && !name_ok(name))
        return usage_error(&command_restore, "--name %s: expected a name, 1 to 32 of A-Z a-z 0-9 . _ -", name);
    arguments[1] = argv[optind];
    if (name != NULL) {
        arguments[2] = "--restore-as";
        arguments[3] = name;
    }
    return run_all(&r);
}

const struct command command_restore = {
    .name = "restore",
    .usage = "[-c] [--name NAME] FILE",
    .about = "Have a saved domain go on; return when it runs",
    .help = "  -c, --console        stay, with the terminal as its console, as vcons run does\n"
            "  --name NAME          as another domain than the one that was saved\n"
            "  --private            with -c: a service and directories for this run alone\n",
    .run = run,
};
