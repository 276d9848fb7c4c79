/* SPDX-License-Identifier: MIT */
/* vcons config check FILE: says which kind of file it is and has the program check it that reads it. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "host/config.h"
#include "host/paths.h"

static bool has_word(const char *text, const char *const *words)
{
    size_t at = 0;
    char word[64];

    while (config_word(text, &at, word))
        for (size_t i = 0; words[i] != NULL; i++)
            if (strcmp(word, words[i]) == 0)
                return true;
    return false;
}

/* By the words at its top; where every one of them is misspelt, by its name. */
static bool is_domains(const char *path, const char *text)
{
    static const char *const domains[] = {"domain", "hypervisor", NULL};
    static const char *const service[] = {"segment_size", "console_size", "total_size", "access", "socket", NULL};
    const char *base = strrchr(path, '/');

    if (has_word(text, domains) || has_word(text, service))
        return has_word(text, domains);
    return strncmp(base != NULL ? base + 1 : path, "vconsd", 6) != 0;
}

static int run_checker(const char *path, bool domains)
{
    char program[PATH_MAX], *argv[5] = {program, "--check", NULL};
    struct problem p;

    if (paths_program(program, domains ? "vcons-vmm" : "vconsd", &p) != 0) {
        message("%s", p.text);
        return EXIT_FAILED;
    }
    argv[2] = domains ? (char *)(uintptr_t)path : "--config";
    argv[3] = domains ? NULL : (char *)(uintptr_t)path;
    execv(program, argv);
    message("%s: %s", program, strerror(errno));
    return EXIT_FAILED;
}

static int run(struct options *options, int argc, char **argv)
{
    struct problem p;
    char *text;
    size_t bytes;
    bool domains;
    int option;

    while ((option = options_next(options, &command_config, argc, argv, ":h", NULL)) != OPTION_END)
        return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
    if (arguments_check(&command_config, argc, 2, 2) != 0)
        return EXIT_USAGE;
    if (strcmp(argv[optind], "check") != 0)
        return usage_error(&command_config, "config '%s': expected check", argv[optind]);
    if (config_read(argv[optind + 1], &text, &bytes, &p) != 0) {
        message("%s", p.text);
        return EXIT_USAGE;
    }
    domains = is_domains(argv[optind + 1], text);
    free(text);
    return run_checker(argv[optind + 1], domains);
}

const struct command command_config = {
    .name = "config",
    .usage = "check FILE",
    .about = "Check a file of domains, or the service's, without starting anything",
    .help = "",
    .run = run,
};
