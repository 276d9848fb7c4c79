/* SPDX-License-Identifier: MIT */
/* A keeper's life, in a process of its own with one thread: nothing of the VMM's memory is used but the environment. */
#include "command_keeper.h"
#include "engine.h"
#include "host/clock.h"
#include "host/sock.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 4096u

extern char **environ;

struct keeper {
    int socket, children; /* children: a signalfd */
    bool settled;         /* working directory and privileges are what programs get */
    pid_t program;        /* the terminal's session leader; 0: it has ended */
    bool running;         /* something may be left of the last start */
    bool killing;
    uint64_t kill_at_ms; /* when SIGTERM has had its time; 0: nobody asked */
    char packet[sizeof(struct keeper_message) + KEEPER_MAX_BYTES + 1];
    char *argv[ARGS_MAX + 1];
};

static void say(struct keeper *k, enum keeper_kind kind, int32_t value, int fd)
{
    const struct keeper_message m = {.kind = kind, .value = value};

    sock_send_fds(k->socket, &m, sizeof m, &fd, fd >= 0 ? 1 : 0);
}

/* ---- The program. ---- */

/* What is the VMM's is no business of the program's: paths, sockets and tokens are named VCONS_…. */
static void clean_environment(const char *domain, const char *directory)
{
    for (char **at = environ; *at != NULL;) {
        char name[256];
        size_t n = strcspn(*at, "=");

        if (strncmp(*at, "VCONS_", 6) != 0 || n >= sizeof name) {
            at++;
            continue;
        }
        memcpy(name, *at, n);
        name[n] = '\0';
        unsetenv(name); /* moves the rest up */
    }
    setenv("VCONS_DOMAIN", domain, 1);
    if (directory[0] != '\0')
        setenv("VCONS_DOMAIN_DIR", directory, 1);
    setenv("TERM", "vt100", 0);
}

static void default_signals(void)
{
    sigset_t none;

    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* select(2) breaks with descriptors above 1024; the VMM raised the limit for itself. */
static void usual_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > 1024) {
        limit.rlim_cur = 1024;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Between fork and exec; what fails goes as an errno into the pipe, which exec closes. */
static _Noreturn void become_program(struct keeper *k, const char *terminal, int failure)
{
    int fd, error;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    default_signals();
    usual_limits();
    setsid();
    fd = open(terminal, O_RDWR); /* the first a session leader opens becomes its controlling one */
    if (fd >= 0 && ioctl(fd, TIOCSCTTY, 0) == 0 && dup2(fd, 0) == 0 && dup2(fd, 1) == 1 && dup2(fd, 2) == 2) {
        dup2(failure, 3);
        fcntl(3, F_SETFD, FD_CLOEXEC);
        failure = 3;
        close_range(4, ~0u, 0);
        execvp(k->argv[0], k->argv);
    }
    error = errno;
    if (write(failure, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

static int fork_program(struct keeper *k, const char *terminal)
{
    int pipe_fds[2], error = 0;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return errno;
    k->program = fork();
    if (k->program == 0)
        become_program(k, terminal, pipe_fds[1]);
    close(pipe_fds[1]);
    if (k->program < 0) {
        error = errno;
        k->program = 0;
    } else if (read(pipe_fds[0], &error, sizeof error) != (ssize_t)sizeof error) {
        error = 0; /* closed by exec */
    }
    close(pipe_fds[0]);
    return error;
}

static int open_terminal(char *name, size_t name_bytes, uint16_t rows, uint16_t columns)
{
    const struct winsize size = {.ws_row = rows, .ws_col = columns};
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0 && ptsname_r(fd, name, name_bytes) == 0) {
        ioctl(fd, TIOCSWINSZ, &size);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Once, so that the terminal is the program's own: first the directory, which root alone may be able to reach. */
static int settle(struct keeper *k, const char *domain, const char *directory, const char *working_directory)
{
    int error;

    if (k->settled)
        return 0;
    if (chdir(working_directory) != 0)
        return errno;
    error = domain_drop_privileges();
    if (error != 0)
        return -error;
    clean_environment(domain, directory);
    k->settled = true;
    return 0;
}

/* The packet's strings, each ended within it. */
static bool take_strings(struct keeper *k, size_t n, const char *names[3])
{
    char *at = k->packet + sizeof(struct keeper_message), *end = k->packet + n;
    size_t count = 0;

    for (*end = '\0'; at < end; at += strlen(at) + 1, count++) {
        if (count < 3)
            names[count] = at;
        else if (count - 3 < ARGS_MAX)
            k->argv[count - 3] = at;
        else
            return false;
    }
    if (count < 4)
        return false;
    k->argv[count - 3] = NULL;
    return true;
}

static void start(struct keeper *k, size_t n)
{
    struct keeper_message m;
    const char *names[3];
    char terminal_name[64];
    int error, terminal;

    memcpy(&m, k->packet, sizeof m);
    if (k->running || !take_strings(k, n, names)) {
        say(k, KEEPER_FAILED, EINVAL, -1);
        return;
    }
    error = settle(k, names[0], names[1], names[2]);
    if (error != 0) {
        say(k, KEEPER_FAILED, error, -1);
        return;
    }
    terminal = open_terminal(terminal_name, sizeof terminal_name, m.rows, m.columns);
    error = terminal < 0 ? errno : fork_program(k, terminal_name);
    if (error != 0)
        say(k, KEEPER_FAILED, error, -1);
    else
        say(k, KEEPER_STARTED, 0, terminal);
    k->running = error == 0;
    k->killing = false;
    k->kill_at_ms = 0;
    if (error != 0 && k->program > 0)
        waitpid(k->program, NULL, 0);
    if (error != 0)
        k->program = 0;
    if (terminal >= 0)
        close(terminal);
}

/* ---- Its end. ---- */

/* The parent of a process: the second number behind the name, which may hold anything. 0: gone. */
static pid_t parent_of(const char *pid)
{
    char path[64], text[512], *name_end;
    ssize_t n;
    int fd, parent = 0;

    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    name_end = strrchr(text, ')');
    return name_end != NULL && sscanf(name_end, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* Our children of now. Theirs become ours when they die, and are met in the next round. */
static void kill_children(void)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;

    while (proc != NULL && (entry = readdir(proc)) != NULL)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && parent_of(entry->d_name) == getpid())
            kill((pid_t)atoi(entry->d_name), SIGKILL);
    if (proc != NULL)
        closedir(proc);
}

static int32_t status_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

/* Collect the dead; false: no child is left. */
static bool reap(struct keeper *k)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == k->program) {
            k->program = 0;
            k->killing = true; /* it was the guest: what it leaves has no purpose */
            say(k, KEEPER_EXITED, status_of(status), -1);
        }
    return pid == 0;
}

static void ask_to_end(struct keeper *k)
{
    if (!k->running || k->kill_at_ms != 0)
        return;
    if (k->program > 0)
        kill(-k->program, SIGTERM); /* its group, as it is a session leader's */
    k->kill_at_ms = clock_ms() + KEEPER_GRACE_MS;
}

static void move_on(struct keeper *k)
{
    if (!k->running)
        return;
    if (k->kill_at_ms != 0 && clock_ms() >= k->kill_at_ms)
        k->killing = true;
    if (!reap(k)) {
        k->running = false;
        say(k, KEEPER_GONE, 0, -1);
    } else if (k->killing) {
        kill_children();
    }
}

static _Noreturn void leave(struct keeper *k)
{
    while (k->running) {
        kill_children();
        k->running = reap(k);
        if (k->running)
            poll(NULL, 0, 1);
    }
    _exit(0);
}

static void hear(struct keeper *k)
{
    ssize_t n = recv(k->socket, k->packet, sizeof k->packet - 1, MSG_DONTWAIT);
    struct keeper_message m;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < (ssize_t)sizeof m)
        leave(k); /* the VMM has closed it, or is gone */
    memcpy(&m, k->packet, sizeof m);
    if (m.kind == KEEPER_START)
        start(k, (size_t)n);
    else if (m.kind == KEEPER_STOP)
        ask_to_end(k);
}

static int wait_ms(const struct keeper *k)
{
    uint64_t now = clock_ms();

    if (!k->running)
        return -1;
    if (k->killing)
        return 5; /* orphans arrive without a signal */
    if (k->kill_at_ms == 0)
        return -1;
    return k->kill_at_ms > now ? (int)(k->kill_at_ms - now) : 0;
}

_Noreturn void keeper_main(int socket)
{
    static struct keeper k; /* the process's own */
    struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};
    struct signalfd_siginfo info;
    sigset_t child;

    k.socket = socket;
    default_signals();
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_NAME, "vcons-keeper");
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    k.children = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    fcntl(socket, F_SETFD, FD_CLOEXEC);
    fds[0].fd = socket;
    fds[1].fd = k.children;
    for (;;) {
        poll(fds, 2, wait_ms(&k));
        while (read(k.children, &info, sizeof info) > 0)
            continue;
        if (fds[0].revents != 0)
            hear(&k);
        move_on(&k);
    }
}
