/* SPDX-License-Identifier: MIT */
/*
 * vcons save: the domain's hypervisor writes the file, through a descriptor that we opened: with our user's rights, under another
 * name, so that FILE is either what it was or all of the domain.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "host/name.h"

static int ask(const struct options *options, const char *domain, int fd)
{
    struct conn c;
    json_t *ok = NULL;
    int status = conn_open(&c, options);

    if (status == EXIT_DONE)
        status = conn_ask_with(&c, json_pack("{s:s,s:s}", "op", "save", "domain", domain), fd, &ok);
    json_decref(ok);
    conn_close(&c);
    return status;
}

/* The name in its directory is on the disk, too. */
static int sync_directory(const char *path)
{
    char copy[PATH_MAX];
    int fd, result;

    snprintf(copy, sizeof copy, "%s", path);
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    result = fsync(fd);
    close(fd);
    return result;
}

static int save(const struct options *options, const char *domain, const char *path)
{
    char unfinished[PATH_MAX];
    int fd, status;

    if ((size_t)snprintf(unfinished, sizeof unfinished, "%s.XXXXXX", path) >= sizeof unfinished) {
        message("%s: %s", path, strerror(ENAMETOOLONG));
        return EXIT_FAILED;
    }
    fd = mkostemp(unfinished, O_CLOEXEC); /* 0600: what a guest knows is its own */
    if (fd < 0) {
        message("%s: %s", unfinished, strerror(errno));
        return EXIT_FAILED;
    }
    status = ask(options, domain, fd);
    close(fd);
    if (status != EXIT_DONE) {
        unlink(unfinished);
        return status;
    }
    if (rename(unfinished, path) == 0 && sync_directory(path) == 0)
        return EXIT_DONE;
    message("%s: %s; the domain is saved, in %s", path, strerror(errno), unfinished);
    return EXIT_FAILED;
}

static int run(struct options *options, int argc, char **argv)
{
    struct problem p;
    struct name name;
    int option;

    while ((option = options_next(options, &command_save, argc, argv, ":h", NULL)) != OPTION_END)
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
    if (arguments_check(&command_save, argc, 2, 2) != 0)
        return EXIT_USAGE;
    if (name_split(argv[optind], &name, &p) != 0)
        return usage_error(&command_save, "%s", p.text);
    if (name.console[0] != '\0')
        return usage_error(&command_save, "'%s' is a console: expected its domain, %s", argv[optind], name.domain);
    return save(options, argv[optind], argv[optind + 1]);
}

const struct command command_save = {
    .name = "save",
    .usage = "DOMAIN FILE",
    .about = "Save a running domain to a file and stop it; see restore",
    .help = "",
    .run = run,
};
