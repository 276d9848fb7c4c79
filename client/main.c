/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "host/file.h"
#include "host/message.h"
#include "host/paths.h"

static const struct command *const commands[] = {&command_run,    &command_ls,      &command_attach,  &command_log,
                                                 &command_send,   &command_save,    &command_restore, &command_stop,
                                                 &command_reset,  &command_console, &command_resize,  &command_status,
                                                 &command_config, &command_xen,     &command_upgrade, &command_lease,
                                                 &command_top,    &command_source,  &command_reload,  &command_demux};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static const char common_help[] = "  --socket PATH        the service's control socket (also VCONS_SOCKET)\n"
                                  "  --user, --system     only this user's service, or the machine's\n"
                                  "  -h, --help           this text\n";

static void help_program(FILE *to)
{
    fputs("usage: vcons COMMAND [OPTION]... [ARGUMENT]...\n\n"
          "Virtual consoles for hypervisors: every console in one place, nothing lost.\n\n",
          to);
    for (size_t i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-8s %s\n", commands[i]->name, commands[i]->about);
    fprintf(to,
            "\nA console is DOMAIN/CONSOLE; DOMAIN alone is its first one. All commands take:\n%s"
            "  --version            what this is\n\nvcons COMMAND --help says more; so does man vcons.\n",
            common_help);
}

static void help(const struct command *command)
{
    if (command == NULL)
        help_program(stdout);
    else
        printf("usage: vcons %s %s\n%s.\n\n%s%s", command->name, command->usage, command->about, command->help,
               common_help);
}

int usage_error(const struct command *command, const char *format, ...)
{
    struct problem p;
    va_list args;

    va_start(args, format);
    problem_setv(&p, 0, format, args);
    va_end(args);
    message("%s: see vcons %s%s--help", p.text, command != NULL ? command->name : "", command != NULL ? " " : "");
    return EXIT_USAGE;
}

void options_begin(void)
{
    optind = 0; /* glibc's way to forget the last scan */
    opterr = 0;
}

enum { OPTION_SOCKET = 256, OPTION_USER, OPTION_SYSTEM, OPTION_VERSION };
static const struct option common[] = {{"socket", required_argument, NULL, OPTION_SOCKET},
                                       {"user", no_argument, NULL, OPTION_USER},
                                       {"system", no_argument, NULL, OPTION_SYSTEM},
                                       {"help", no_argument, NULL, 'h'},
                                       {"version", no_argument, NULL, OPTION_VERSION}};
#define N_COMMON  (sizeof common / sizeof common[0])
#define LONGS_MAX 24u

static int common_option(struct options *options, const struct command *command, int option)
{
    switch (option) {
    case OPTION_SOCKET: options->socket = optarg; return 0;
    case OPTION_USER: options->scope = SCOPE_USER; return 0;
    case OPTION_SYSTEM: options->scope = SCOPE_SYSTEM; return 0;
    case OPTION_VERSION: puts("vcons " VCONS_VERSION); return OPTION_HELPED;
    case 'h': help(command); return OPTION_HELPED;
    default: return option;
    }
}

int options_next(struct options *options, const struct command *command, int argc, char **argv, const char *shorts,
                 const struct option *longs)
{
    struct option all[LONGS_MAX] = {{0}};
    size_t n = N_COMMON;
    int option;

    memcpy(all, common, sizeof common);
    for (; longs != NULL && longs->name != NULL && n < LONGS_MAX - 1; longs++)
        all[n++] = *longs;
    do {
        option = getopt_long(argc, argv, shorts, all, NULL);
        if (option == ':' || option == '?') {
            /* Behind it by now, wherever it stood among the arguments; a cluster of letters is not. */
            usage_error(command, option == ':' ? "option '%s' needs a value" : "option '%s' is not known",
                        argv[optind > 1 && argv[optind - 1][0] == '-' ? optind - 1 : optind]);
            return OPTION_WRONG;
        }
        option = common_option(options, command, option);
    } while (option == 0);
    return option;
}

int arguments_check(const struct command *command, int argc, int min, int max)
{
    if (argc - optind < min || argc - optind > max)
        return usage_error(command, "%s: expected: vcons %s%s%s",
                           argc - optind < min ? "too few arguments" : "too many arguments", command->name,
                           command->usage[0] != '\0' ? " " : "", command->usage);
    return 0;
}

bool seconds_parse(const char *text, double *seconds)
{
    char *end;

    errno = 0;
    *seconds = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && *seconds > 0 && *seconds < 1e9;
}

bool colour_allowed(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fd) && (no == NULL || no[0] == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
}

static int finish_output(int status)
{
    if (fflush(stdout) != 0 && errno != EPIPE && status == EXIT_DONE) {
        message("cannot write the output: %s", strerror(errno));
        return EXIT_FAILED;
    }
    return status;
}

static int run_command(struct options *options, int argc, char **argv)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[0], commands[i]->name) == 0) {
            options_begin();
            return finish_output(commands[i]->run(options, argc, argv));
        }
    return usage_error(NULL, "'%s' is no command", argv[0]);
}

/* "help COMMAND", as others have it. */
static int run_help(struct options *options, int argc, char **argv)
{
    char flag[] = "--help", *words[] = {argv[1], flag, NULL};

    if (argc > 1)
        return run_command(options, 2, words);
    help_program(stdout);
    return finish_output(EXIT_DONE);
}

int main(int argc, char **argv)
{
    struct options options = {.socket = getenv("VCONS_SOCKET")};
    int option;

    setlocale(LC_ALL, "");
    signal(SIGPIPE, SIG_IGN); /* each write looks for EPIPE: a reader that leaves is no failure */
    file_standard();
    message_program("vcons");
    options_begin();
    option = options_next(&options, NULL, argc, argv, "+:h", NULL);
    if (option != OPTION_END)
        return option == OPTION_HELPED ? finish_output(EXIT_DONE) : EXIT_USAGE;
    if (options.socket != NULL && options.socket[0] == '\0')
        options.socket = NULL;
    if (optind == argc) {
        help_program(stderr);
        return EXIT_USAGE;
    }
    argc -= optind;
    argv += optind;
    return strcmp(argv[0], "help") == 0 ? run_help(&options, argc, argv) : run_command(&options, argc, argv);
}
