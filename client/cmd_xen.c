/* SPDX-License-Identifier: MIT */
/* vcons xen: what only the service in a Xen's dom0 can do. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "host/name.h"

static const struct verb {
    const char *words[2]; /* what is typed */
    const char *what;     /* wire/control.h */
    int names, needed;    /* of consoles, behind the domain's: at most, at least */
} verbs[] = {{{"console", "add"}, "console_add", 1, 0},
             {{"console", "remove"}, "console_remove", 1, 1},
             {{"release", NULL}, "release", 0, 0},
             {{"attach-ring", NULL}, "attach_ring", 1, 0}};

static const struct verb *verb_of(int n, char **words)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(words[0], verbs[i].words[0]) == 0 &&
            (verbs[i].words[1] == NULL || (n > 1 && strcmp(words[1], verbs[i].words[1]) == 0)))
            return &verbs[i];
    return NULL;
}

/* What it costs is said before it is done. */
static bool sure(const char *domain)
{
    char answer[8] = "";

    fprintf(stderr,
            "Nobody will serve the consoles of %s. A new kernel throws away what it prints until somebody does, an old "
            "one\n"
            "stands still once its ring is full. Release them? [y/N] ",
            domain);
    if (!isatty(STDIN_FILENO)) {
        fputs("\n", stderr);
        return false;
    }
    return fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

static int ask(const struct options *options, const struct verb *verb, const char *domain, const char *name, bool keep)
{
    json_t *body = json_pack("{s:s,s:s,s:s}", "op", "xen", "do", verb->what, "domain", domain), *ok = NULL;
    int status;

    if (name != NULL)
        json_object_set_new(body, "name", json_string(name));
    if (keep)
        json_object_set_new(body, "keep", json_true());
    status = conn_request(options, body, &ok);
    if (status == EXIT_DONE)
        puts(json_string_value(json_object_get(ok, "text")));
    json_decref(ok);
    return status;
}

static int run_xen(struct options *options, int argc, char **argv)
{
    static const struct option longs[] = {{"yes", no_argument, NULL, 'y'}, {"keep", no_argument, NULL, 'k'}, {0}};
    const struct verb *verb;
    const char *domain, *name;
    bool yes = false, keep = false;
    int option, at, left;

    while ((option = options_next(options, &command_xen, argc, argv, ":hky", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        yes = yes || option == 'y';
        keep = keep || option == 'k';
    }
    if (optind == argc || (verb = verb_of(argc - optind, argv + optind)) == NULL)
        return usage_error(&command_xen, "expected console add, console remove, release or attach-ring");
    at = optind + 1 + (verb->words[1] != NULL);
    left = argc - at - 1;
    if (left < verb->needed || left > verb->names)
        return usage_error(&command_xen, "%s",
                           left < 0 ? "expected a domain, by its name or id" : "too few or too many names");
    domain = argv[at];
    name = left > 0 ? argv[at + 1] : NULL;
    if (!name_ok(domain) || (name != NULL && !name_ok(name)))
        return usage_error(&command_xen, "'%s' is no name: expected [A-Za-z0-9][A-Za-z0-9._-]{0,31}",
                           name_ok(domain) ? name : domain);
    if (strcmp(verb->what, "release") == 0 && !yes && !sure(domain)) {
        fputs("vcons: nothing was released: answer y, or say --yes\n", stderr);
        return EXIT_FAILED;
    }
    if (keep && strcmp(verb->what, "console_add") != 0)
        return usage_error(&command_xen, "--keep is for console add");
    return ask(options, verb, domain, name, keep);
}

const struct command command_xen = {
    .name = "xen",
    .usage = "console add [--keep] DOMAIN [NAME] | console remove DOMAIN NAME | release [--yes] DOMAIN | attach-ring "
             "DOMAIN [NAME]",
    .about = "In a Xen's dom0: a running domain's PV consoles, by hand",
    .help = "  -k, --keep           add it again whenever the domain starts, until it is removed\n"
            "  -y, --yes            release without asking\n",
    .run = run_xen,
};
