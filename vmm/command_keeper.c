/* SPDX-License-Identifier: MIT */
/* The VMM's side of keepers, and the launcher. */
#include "command_keeper.h"
#include "host/sock.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define START_LIMIT_MS 10000

/* One for the process: it must be forked while that has one thread and no sandbox. */
static int launcher = -1;

/* Every descriptor that the VMM has or ever gets stays with the VMM. */
static void keep_only(int *socket)
{
    if (*socket != 3 && dup2(*socket, 3) < 0)
        _exit(1);
    *socket = 3;
    close_range(4, ~0u, 0);
}

/* Fork a keeper for each socket that comes, until the VMM is gone. */
static _Noreturn void launch(int socket)
{
    setsid(); /* keys of the VMM's terminal send it no signals */
    signal(SIGCHLD, SIG_IGN);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* a keeper that was killed leaves its program to us */
    keep_only(&socket);
    for (;;) {
        int keeper;
        unsigned n_fds;
        char byte;
        ssize_t n = sock_recv_fds(socket, &byte, 1, &keeper, 1, &n_fds);

        if (n == -EINTR)
            continue;
        if (n <= 0)
            _exit(0);
        if (n_fds != 1)
            continue;
        if (fork() == 0) {
            keep_only(&keeper);
            keeper_main(keeper);
        }
        close(keeper);
    }
}

int keeper_prepare(struct problem *problem)
{
    int pair[2];
    pid_t pid;

    if (launcher >= 0)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return problem_set(problem, -1, "no socket for commands: %s", strerror(errno));
    pid = fork();
    if (pid == 0) {
        close(pair[0]);
        launch(pair[1]);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return problem_set(problem, -1, "no process for commands: %s", strerror(errno));
    }
    launcher = pair[0];
    return 0;
}

int keeper_create(struct problem *problem)
{
    int pair[2];
    ssize_t sent;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return problem_set(problem, -1, "no socket for a command: %s", strerror(errno));
    sent = sock_send_fds(launcher, "k", 1, &pair[1], 1);
    close(pair[1]);
    if (sent == 1)
        return pair[0];
    close(pair[0]);
    return problem_set(problem, -1, "no process for a command: %s", strerror((int)-sent));
}

size_t keeper_command_bytes(const struct keeper_command *c)
{
    size_t n = strlen(c->domain) + strlen(c->directory ? c->directory : "") + strlen(c->working_directory) + 3;

    for (char *const *arg = c->argv; *arg != NULL; arg++)
        n += strlen(*arg) + 1;
    return n;
}

static void add(char **at, const char *string)
{
    size_t n = strlen(string) + 1;

    memcpy(*at, string, n);
    *at += n;
}

static int send_start(int keeper, const struct keeper_command *c, uint16_t rows, uint16_t columns)
{
    struct keeper_message head = {.kind = KEEPER_START, .rows = rows, .columns = columns};
    char packet[sizeof head + KEEPER_MAX_BYTES], *at = packet + sizeof head;
    ssize_t sent;

    if (keeper_command_bytes(c) > KEEPER_MAX_BYTES)
        return -E2BIG;
    memcpy(packet, &head, sizeof head);
    add(&at, c->domain);
    add(&at, c->directory ? c->directory : "");
    add(&at, c->working_directory);
    for (char *const *arg = c->argv; *arg != NULL; arg++)
        add(&at, *arg);
    sent = sock_send_fds(keeper, packet, (size_t)(at - packet), NULL, 0);
    return sent < 0 ? (int)sent : 0;
}

/* The answer to a start; what the end of an earlier run still has to say is skipped. */
static int await_start(int keeper, struct keeper_message *m, int *terminal)
{
    struct pollfd answer = {.fd = keeper, .events = POLLIN};

    do {
        unsigned n_fds = 0;

        *terminal = -1;
        if (poll(&answer, 1, START_LIMIT_MS) != 1 ||
            sock_recv_fds(keeper, m, sizeof *m, terminal, 1, &n_fds) != (ssize_t)sizeof *m)
            return -1;
    } while (m->kind != KEEPER_STARTED && m->kind != KEEPER_FAILED);
    return 0;
}

int keeper_start(int keeper, const struct keeper_command *c, uint16_t rows, uint16_t columns, struct problem *problem)
{
    int result = send_start(keeper, c, rows, columns), terminal;
    struct keeper_message m;

    if (result != 0)
        return problem_set(problem, -1, "the command's process does not listen: %s", strerror(-result));
    if (await_start(keeper, &m, &terminal) != 0)
        return problem_set(problem, -1, "the command's process does not answer");
    if (m.kind == KEEPER_FAILED)
        return problem_set(problem, -1, "%s: %s", c->argv[0], strerror(m.value));
    return terminal;
}

int keeper_hear(int keeper, struct keeper_message *m)
{
    ssize_t n = recv(keeper, m, sizeof *m, MSG_DONTWAIT);

    if (n == (ssize_t)sizeof *m)
        return 1;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

void keeper_stop(int keeper)
{
    const struct keeper_message m = {.kind = KEEPER_STOP};

    send(keeper, &m, sizeof m, MSG_NOSIGNAL | MSG_DONTWAIT);
}
