/* SPDX-License-Identifier: MIT */
/*
 * vcons run: parent of all. It keeps the terminal's settings while the hypervisor has the terminal, so that they come back even
 * after a SIGKILL of the hypervisor, and passes on how that ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/config.h"
#include "run.h"
#include "signals.h"

#define OURS_MAX 5 /* arguments that we put before those for the hypervisor, and the end */

/* In sight of the user before the terminal is the guests'. */
static void say_where(const struct run *r)
{
    if (r->service > 0)
        message("started the console service (pid %d), %s; logs in %s", r->service, r->socket, r->log_dir);
    else
        message("using the console service at %s; logs in %s", r->socket, r->log_dir);
    if (!r->detach)
        message("from another terminal: vcons ls, vcons attach NAME, vcons log NAME");
}

/* The hypervisor's argv: the program, the words before, NULL at their end, and what is for it. The caller's to free, with
 * program in it; NULL: a message was given. */
static char **vmm_arguments(const struct run *r, char program[PATH_MAX], char *const *before)
{
    struct problem p;
    char **argv;
    size_t n = 0;

    if (paths_program(program, "vcons-vmm", &p) != 0) {
        message("%s", p.text);
        return NULL;
    }
    while (r->arguments[n] != NULL)
        n++;
    argv = calloc(n + OURS_MAX, sizeof *argv);
    if (argv == NULL) {
        message("no memory");
        return NULL;
    }
    n = 0;
    argv[n++] = program;
    while (*before != NULL)
        argv[n++] = *before++;
    for (size_t i = 0; r->arguments[i] != NULL; i++)
        argv[n++] = r->arguments[i];
    return argv;
}

/* In the foreground: it has our terminal and our process group. */
static pid_t spawn_in_front(char *const argv[], int keep_fd)
{
    pid_t pid = fork();

    if (pid == 0)
        run_become(argv, keep_fd);
    return pid < 0 ? -errno : pid;
}

/* Signals for us are meant for the hypervisor, which knows what to do with its guests. What a key or a hang-up of the terminal
 * sends (si_code of the kernel) has reached it already, except for a hang-up that only the session's leader sees. */
static void pass_signal(const struct run *r, const struct signalfd_siginfo *info)
{
    int number = (int)info->ssi_signo;

    if (number == SIGCHLD || number == SIGWINCH || number == SIGCONT)
        return;
    if (info->ssi_code == SI_KERNEL && number != SIGHUP)
        return;
    kill(r->vmm, number == SIGINT || number == SIGQUIT ? SIGTERM : number);
}

static void take_signals(const struct run *r)
{
    struct signalfd_siginfo info;

    while (read(r->signals, &info, sizeof info) == (ssize_t)sizeof info)
        pass_signal(r, &info);
}

/* What the terminal looks like after a program that could not clean up: text attributes, cursor, screen, mouse. */
static void mend_screen(void)
{
    static const char mend[] = "\x1b[?1049l\x1b[!p\x1b[m\x1b[?25h\x1b[?1000l\x1b[?2004l\r\n";

    if (isatty(STDOUT_FILENO) && write(STDOUT_FILENO, mend, sizeof mend - 1) < 0)
        return;
}

static int ended(struct run *r, int state)
{
    tty_restore(&r->tty);
    if (WIFEXITED(state))
        return WEXITSTATUS(state);
    if (r->tty.saved)
        mend_screen();
    message("vcons-vmm was killed by signal %d (%s) and its guests with it; what they printed is in %s",
            WTERMSIG(state), strsignal(WTERMSIG(state)), r->log_dir);
    return EXIT_SIGNAL + WTERMSIG(state);
}

static int went_on(struct run *r, const char *how)
{
    tty_restore(&r->tty);
    message("the guests %s in the background (vcons-vmm, pid %d): vcons ls, vcons attach NAME, vcons stop --all", how,
            r->vmm);
    return EXIT_DONE;
}

/* Until the hypervisor ends or is left alone. */
static int wait_for_vmm(struct run *r, int told)
{
    struct pollfd fds[2] = {{.fd = r->signals, .events = POLLIN}, {.fd = told, .events = POLLIN}};
    int state;
    char letter;

    for (;;) {
        if (waitpid(r->vmm, &state, WNOHANG) == r->vmm)
            return ended(r, state);
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return EXIT_FAILED;
        take_signals(r);
        if (fds[1].fd < 0 || fds[1].revents == 0)
            continue;
        if (read(told, &letter, 1) != 1)
            fds[1].fd = -1; /* it has closed it; its end comes by SIGCHLD */
        else if (letter == 's' && r->detach)
            return went_on(r, "run");
        else if (letter == 'd')
            return went_on(r, "go on");
    }
}

static int start_vmm(struct run *r)
{
    char *before[] = {"--link", r->link, r->detach ? "--detached" : NULL, NULL};
    char program[PATH_MAX], file[PATH_MAX], number[16], **argv;
    int told[2], status = EXIT_FAILED;
    struct problem p = {""};
    off_t length;

    if (paths_make(r->scope, &r->paths, &p) != 0 || paths_format(file, "%s/vcons-vmm.err", r->paths.state) != 0 ||
        pipe2(told, O_CLOEXEC) != 0) {
        message("%s", p.text[0] != '\0' ? p.text : strerror(errno));
        return EXIT_FAILED;
    }
    snprintf(number, sizeof number, "%d", told[1]);
    setenv("VCONS_RUN_FD", number, 1);
    length = run_length(file);
    argv = vmm_arguments(r, program, before);
    if (argv != NULL)
        r->vmm = r->detach ? run_spawn(argv, file, told[1]) : spawn_in_front(argv, told[1]);
    free(argv);
    close(told[1]);
    if (argv == NULL) {
        status = EXIT_FAILED;
    } else if (r->vmm < 0) {
        message("%s: %s", program, strerror(-r->vmm));
        status = EXIT_FAILED;
    } else {
        status = wait_for_vmm(r, told[0]);
        if (r->detach && status != EXIT_DONE)
            run_tell(file, length);
    }
    close(told[0]);
    return status;
}

/* A file that is wrong is told before anything starts. */
static int check_file(const char *path)
{
    struct problem p;
    char *text;
    size_t bytes;

    if (path == NULL)
        return 0;
    if (config_read(path, &text, &bytes, &p) != 0) {
        message("%s", p.text);
        return EXIT_USAGE;
    }
    free(text);
    return 0;
}

/* The hypervisor looks at its arguments and file: what is wrong with them is told before anything starts. */
static int check_domains(const struct run *r)
{
    char program[PATH_MAX], *before[] = {"--check", NULL}, **argv = vmm_arguments(r, program, before);
    int state;
    pid_t pid;

    if (argv == NULL)
        return EXIT_FAILED;
    pid = spawn_in_front(argv, -1);
    free(argv);
    if (pid < 0 || waitpid(pid, &state, 0) != pid || !WIFEXITED(state)) {
        message("%s --check: %s", program, pid < 0 ? strerror(-pid) : "it was killed");
        return EXIT_FAILED;
    }
    return WEXITSTATUS(state);
}

int run_all(struct run *r)
{
    int status = check_domains(r);

    if (status != EXIT_DONE)
        return status;
    r->signals = signals_open();
    tty_save(&r->tty, STDIN_FILENO);
    if (r->private && (status = run_private_make(r)) != 0)
        return status;
    status = run_service(r);
    if (status == EXIT_DONE) {
        say_where(r);
        status = start_vmm(r);
    }
    if (r->private)
        run_private_end(r, status != EXIT_DONE);
    return status;
}

enum {
    OPTION_PRIVATE = 1,
    OPTION_ENGINE,
    OPTION_NAME,
    OPTION_CONSOLE,
    OPTION_TREE,
    OPTION_MODULE,
    OPTION_IMAGEBUILDER
};

static const struct option longs[] = {{"detach", no_argument, NULL, 'd'},
                                      {"private", no_argument, NULL, OPTION_PRIVATE},
                                      {"engine", required_argument, NULL, OPTION_ENGINE},
                                      {"name", required_argument, NULL, OPTION_NAME},
                                      {"kernel", required_argument, NULL, 'k'},
                                      {"ramdisk", required_argument, NULL, 'i'},
                                      {"cmdline", required_argument, NULL, 'a'},
                                      {"memory", required_argument, NULL, 'm'},
                                      {"console", required_argument, NULL, OPTION_CONSOLE},
                                      {"device-tree", required_argument, NULL, OPTION_TREE},
                                      {"module", required_argument, NULL, OPTION_MODULE},
                                      {"imagebuilder", required_argument, NULL, OPTION_IMAGEBUILDER},
                                      {0}};

/* The hypervisor's word for an option that it takes; NULL: it is for us. */
static char *passed_as(int option)
{
    static const struct {
        int option;
        char *word;
    } passed[] = {{'k', "-k"},
                  {'i', "-i"},
                  {'a', "-a"},
                  {'m', "-m"},
                  {OPTION_CONSOLE, "--console"},
                  {OPTION_ENGINE, "--engine"},
                  {OPTION_NAME, "--name"},
                  {OPTION_TREE, "--device-tree"},
                  {OPTION_MODULE, "--module"},
                  {OPTION_IMAGEBUILDER, "--imagebuilder"}};

    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++)
        if (passed[i].option == option)
            return passed[i].word;
    return NULL;
}

static int check_options(const struct run *r, const bool *seen, int argc)
{
    bool tree = seen[OPTION_TREE] || seen[OPTION_IMAGEBUILDER], kernel = seen['k'];

    if (arguments_check(&command_run, argc, kernel || tree ? 0 : 1, kernel || tree ? 0 : 1) != 0)
        return EXIT_USAGE;
    if (r->private && r->detach)
        return usage_error(&command_run, "--private ends everything with the run: not with -d");
    if (seen[OPTION_CONSOLE] && !kernel)
        return usage_error(&command_run, "--console is for -k: a file says what consoles its domains have");
    if (kernel && tree)
        return usage_error(&command_run, "-k is one domain without a file: not with --device-tree or --imagebuilder");
    if (seen[OPTION_MODULE] && !seen[OPTION_TREE])
        return usage_error(&command_run, "--module is for --device-tree, whose modules it names");
    return 0;
}

/* arguments has room for two for each of ours. */
static int run_with(struct options *options, int argc, char **argv, char **arguments)
{
    struct run r = {.options = options, .arguments = arguments};
    bool seen[128] = {false}; /* by option */
    int option, n = 0;

    while ((option = options_next(options, &command_run, argc, argv, ":hdk:i:a:m:", longs)) != OPTION_END) {
        if (option < 0)
            return option == OPTION_HELPED ? EXIT_DONE : EXIT_USAGE;
        r.detach |= option == 'd';
        r.private |= option == OPTION_PRIVATE;
        seen[option] = true;
        if (passed_as(option) != NULL) {
            arguments[n++] = passed_as(option);
            arguments[n++] = optarg;
        }
    }
    if (check_options(&r, seen, argc) != 0)
        return EXIT_USAGE;
    arguments[n] = argv[optind]; /* NULL without a file */
    if (check_file(argv[optind]) != 0)
        return EXIT_USAGE;
    return run_all(&r);
}

static int run(struct options *options, int argc, char **argv)
{
    char **arguments = calloc(2 * (size_t)argc + 2, sizeof *arguments);
    int status = EXIT_FAILED;

    if (arguments != NULL)
        status = run_with(options, argc, argv, arguments);
    else
        message("no memory");
    free(arguments);
    return status;
}

const struct command command_run = {
    .name = "run",
    .usage = "[-d] [--private] CONFIG | --device-tree TREE | -k KERNEL [-i RAMDISK] [-a CMDLINE] [-m MIB]",
    .about = "Run the domains of a file; start the console service if none runs",
    .help = "  -d, --detach         return when all domains run\n"
            "  --private            a service and directories for this run alone, gone with it; if it fails\n"
            "                       its logs are kept\n"
            "  -k KERNEL            one domain without a file; with -i RAMDISK, -a CMDLINE, -m MIB\n"
            "  --console TYPE,...   its consoles: xen, 16550 (a serial port), console_io; without it one of type xen\n"
            "  --device-tree TREE   the domains below /chosen of a tree for Xen, .dtb or, by dtc, .dts\n"
            "  --module ADDR=FILE   the file that is where the tree has a kernel or ramdisk; for each\n"
            "  --imagebuilder FILE  ImageBuilder's configuration: the files of the tree, or in its place\n"
            "  --engine ENGINE      kvm, process or auto, for domains that do not say\n"
            "  --name NAME          the hypervisor's name\n",
    .run = run,
};
