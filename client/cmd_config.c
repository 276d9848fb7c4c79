/* SPDX-License-Identifier: MIT */
/* vcons config check FILE: says which kind of file it is and has the program check it that reads it. */
#include <errno.h>
#include <fcntl.h>
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
    static const char *const service[] = {"segment_size", "console_size", "total_size", "access", "console",
                                          "text",         "xen",          "include",    NULL};
    const char *base = strrchr(path, '/');

    if (has_word(text, domains) || has_word(text, service))
        return has_word(text, domains);
    return strncmp(base != NULL ? base + 1 : path, "vconsd", 6) != 0;
}

/* A device tree, as a blob or as a source: nothing else begins so. */
static bool is_tree(const char *path)
{
    static const char blob[] = "\xd0\x0d\xfe\xed", source[] = "/dts-v1/";
    const char *end = strrchr(path, '.');
    char head[sizeof source] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0 && read(fd, head, sizeof head - 1) < 0)
        head[0] = '\0';
    if (fd >= 0)
        close(fd);
    return memcmp(head, blob, sizeof blob - 1) == 0 || memcmp(head, source, sizeof source - 1) == 0 ||
           (end != NULL && (strcmp(end, ".dtb") == 0 || strcmp(end, ".dts") == 0));
}

static int become(const char *name, char **argv)
{
    static char program[PATH_MAX];
    struct problem p;

    if (paths_program(program, name, &p) != 0) {
        message("%s", p.text);
        return EXIT_FAILED;
    }
    argv[0] = program;
    execv(program, argv);
    message("%s: %s", program, strerror(errno));
    return EXIT_FAILED;
}

static int check_file(char *path)
{
    struct problem p;
    char *text;
    size_t bytes;
    bool domains;

    if (config_read(path, &text, &bytes, &p) != 0) {
        message("%s", p.text);
        return EXIT_USAGE;
    }
    domains = is_domains(path, text);
    free(text);
    if (domains)
        return become("vcons-vmm", (char *[]){NULL, "--check", path, NULL});
    return become("vconsd", (char *[]){NULL, "--check", "--config", path, NULL});
}

/* Its domains are shown, and what cannot be honoured; argv has what says which file its modules are. */
static int check_tree(char *path, char **argv, int n)
{
    argv[1] = (char *)(uintptr_t) "--list";
    if (path != NULL) {
        argv[n++] = (char *)(uintptr_t) "--device-tree";
        argv[n++] = path;
    }
    argv[n] = NULL;
    return become("vcons-vmm", argv);
}

enum { OPTION_MODULE = 1, OPTION_IMAGEBUILDER };

static int run_check(struct options *options, int argc, char **argv, char **passed)
{
    static const struct option longs[] = {{"module", required_argument, NULL, OPTION_MODULE},
                                          {"imagebuilder", required_argument, NULL, OPTION_IMAGEBUILDER},
                                          {0}};
    bool builder = false;
    int option, n = 2; /* behind the program, and the word of what it is to do */
    char *file;

    while ((option = options_next(options, &command_config, argc, argv, ":h", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        builder |= option == OPTION_IMAGEBUILDER;
        passed[n++] = (char *)(uintptr_t)(option == OPTION_MODULE ? "--module" : "--imagebuilder");
        passed[n++] = optarg;
    }
    if (arguments_check(&command_config, argc, builder ? 1 : 2, 2) != 0)
        return EXIT_USAGE;
    if (strcmp(argv[optind], "check") != 0)
        return usage_error(&command_config, "config '%s': expected check", argv[optind]);
    file = argv[optind + 1]; /* NULL: none */
    if (file == NULL || is_tree(file))
        return check_tree(file, passed, n);
    if (n > 2)
        return usage_error(&command_config, "%s is no device tree: --module and --imagebuilder are for one", file);
    return check_file(file);
}

static int run(struct options *options, int argc, char **argv)
{
    char **passed = calloc(2 * (size_t)argc + 5, sizeof *passed);
    int status;

    if (passed == NULL) {
        message("no memory");
        return EXIT_FAILED;
    }
    status = run_check(options, argc, argv, passed);
    free(passed);
    return status;
}

const struct command command_config = {
    .name = "config",
    .usage = "check [--module ADDR=FILE]... [--imagebuilder FILE] FILE",
    .about = "Check a file of domains, or the service's, without starting anything",
    .help = "  Of a device tree for Xen (.dtb, or .dts by dtc) the domains are shown too, and what is not honoured.\n"
            "  --module ADDR=FILE   what lies where the tree has a module; else only the tree is looked at\n"
            "  --imagebuilder FILE  ImageBuilder's configuration: the files of the tree, or in its place\n",
    .run = run,
};
