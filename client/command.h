/* SPDX-License-Identifier: MIT */
/*
 * command.h: what the commands of vcons share: exit codes, options that all take, the table entry of each.
 *
 * Spec:  docs/vcons.1 (OPTIONS, EXIT STATUS).
 * Owner: strings in struct options are the command line's and live as long as the program.
 * Lock:  none: the client has one thread.
 * Trust: the command line is the user's own.
 */
#ifndef CLIENT_COMMAND_H
#define CLIENT_COMMAND_H
#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

enum exit_code {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2, /* or a bad configuration */
    EXIT_NO_CONSOLE = 3,
    EXIT_NOT_ALLOWED = 4,
    EXIT_NO_SERVICE = 5,
    EXIT_ENDED = 6,     /* the console ended first */
    EXIT_NO_ENGINE = 7, /* the wanted engine cannot be used here; comes from vcons-vmm */
    EXIT_TIMEOUT = 124,
    EXIT_SIGNAL = 128, /* + its number */
};

enum scope { SCOPE_ANY, SCOPE_USER, SCOPE_SYSTEM };

struct options {
    const char *socket; /* --socket, or VCONS_SOCKET; NULL: look for it */
    enum scope scope;
};

struct command {
    const char *name;
    const char *usage;                                          /* one line, behind "vcons NAME " */
    const char *about;                                          /* one line, for the list of commands */
    const char *help;                                           /* the options and what they do, lines ended by \n */
    int (*run)(struct options *options, int argc, char **argv); /* argv[0] is the command; returns the exit status */
};

extern const struct command command_run, command_ls, command_attach, command_log, command_send, command_save,
    command_restore, command_console, command_resize, command_stop, command_reset, command_status, command_config,
    command_xen, command_upgrade, command_lease, command_top, command_source, command_reload, command_demux;

/* Values that options_next returns besides a command's own. */
enum { OPTION_END = -1, OPTION_WRONG = -2, OPTION_HELPED = -3 };
/* Let a command's scan begin: getopt starts anew. */
void options_begin(void);
/* The next option of a command, as getopt_long; those that all commands take are dealt with inside. OPTION_END: optind
 * is the first argument. OPTION_WRONG: a message was given, leave with EXIT_USAGE. OPTION_HELPED: leave with EXIT_DONE. longs
 * may be NULL and ends with a zeroed entry; command is NULL for the program itself. */
int options_next(struct options *options, const struct command *command, int argc, char **argv, const char *shorts,
                 const struct option *longs);
/* Say "what: see vcons NAME --help" and return EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int usage_error(const struct command *command, const char *format, ...);
/* Exactly min..max arguments are left from optind on; else a message and EXIT_USAGE. 0: fine. */
int arguments_check(const struct command *command, int argc, int min, int max);
/* Seconds, "2.5" too, more than 0; false: not that. */
bool seconds_parse(const char *text, double *seconds);
/* Whether output to this descriptor may have colours: a terminal, and no NO_COLOR. */
bool colour_allowed(int fd);

#endif
