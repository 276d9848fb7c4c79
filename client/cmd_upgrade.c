/* SPDX-License-Identifier: MIT */
/* vcons upgrade: the vconsd that is installed now takes the place of the one that runs, with that one's options. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "host/message.h"
#include "host/paths.h"

#define WORDS_MAX   64
#define WORDS_BYTES 8192u

/* A file of /proc/PID, with a NUL behind it. Its bytes, or -1. */
static ssize_t read_proc(int pid, const char *name, char *text, size_t bytes)
{
    char path[64];
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, text, bytes - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n;
}

/* "vconsd.service" if that is what systemd runs it as; else "". */
static void unit_of(int pid, char *unit, size_t bytes)
{
    char text[1024];
    const char *slash, *end;

    unit[0] = '\0';
    if (read_proc(pid, "cgroup", text, sizeof text) <= 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    slash = strrchr(text, '/');
    end = slash != NULL ? strrchr(slash, '.') : NULL;
    if (end != NULL && strcmp(end, ".service") == 0)
        snprintf(unit, bytes, "%s", slash + 1);
}

/* Its words, without --foreground: this one is to go into the background. False: too many. */
static bool words_of(int pid, char *text, size_t bytes, char *program, char *words[WORDS_MAX + 2])
{
    static char upgrade[] = "--upgrade";
    ssize_t n = read_proc(pid, "cmdline", text, bytes);
    int count = 1;
    bool first = true;

    if (n <= 0 || (size_t)n == bytes - 1)
        return false;
    words[0] = program;
    for (char *at = text; at < text + n; at += strlen(at) + 1) {
        if (!first && strcmp(at, "--foreground") != 0 && strcmp(at, "--upgrade") != 0 && count < WORDS_MAX)
            words[count++] = at;
        first = false;
    }
    words[count] = upgrade;
    words[count + 1] = NULL;
    return count < WORDS_MAX;
}

/* Relative paths in its words are those of its directory; ours are its directories. */
static void stand_there(int pid, const json_t *status)
{
    static const char *const names[][2] = {
        {"VCONS_RUNTIME_DIR", "runtime_dir"}, {"VCONS_STATE_DIR", "state_dir"}, {"VCONS_LOG_DIR", "log_dir"}};
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/cwd", pid);
    if (chdir(path) != 0)
        message("%s: %s; relative paths in its options mean this directory", path, strerror(errno));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = json_string_value(json_object_get(status, names[i][1]));

        if (value != NULL)
            setenv(names[i][0], value, 1);
    }
}

static int start(int pid, const json_t *status)
{
    char unit[128], program[PATH_MAX], text[WORDS_BYTES], *words[WORDS_MAX + 2];
    struct problem p;

    unit_of(pid, unit, sizeof unit);
    if (unit[0] != '\0') {
        message("pid %d is run by systemd as %s: say systemctl restart %s", pid, unit, unit);
        return EXIT_FAILED;
    }
    if (paths_program(program, "vconsd", &p) != 0) {
        message("%s", p.text);
        return EXIT_FAILED;
    }
    if (!words_of(pid, text, sizeof text, program, words)) {
        message("the options of pid %d cannot be read: start vconsd --upgrade with them", pid);
        return EXIT_FAILED;
    }
    stand_there(pid, status);
    execv(program, words);
    message("%s: %s", program, strerror(errno));
    return EXIT_FAILED;
}

static int run(struct options *options, int argc, char **argv)
{
    json_t *ok;
    int option, status;

    option = options_next(options, &command_upgrade, argc, argv, ":h", NULL);
    if (option != OPTION_END)
        return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
    if (arguments_check(&command_upgrade, argc, 0, 0) != 0)
        return EXIT_USAGE;
    status = conn_request(options, json_pack("{s:s}", "op", "status"), &ok);
    if (status != EXIT_DONE)
        return status;
    status = start((int)json_integer_value(json_object_get(ok, "pid")), ok);
    json_decref(ok);
    return status;
}

const struct command command_upgrade = {
    .name = "upgrade",
    .usage = "",
    .about = "Have a new service take the place of the running one, without loss",
    .help = "",
    .run = run,
};
