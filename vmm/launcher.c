/* SPDX-License-Identifier: MIT */
#include "launcher.h"
#include "engine.h"
#include "host/sock.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct request {
    uint32_t index, n_fds;
};
struct answer { /* with it, when error is 0: pidfd and the pipe's reading end */
    int error;
    pid_t pid;
};

struct child {
    pid_t pid;
    int status_fd;
};
struct launching { /* the launcher's own state */
    const struct vmm_config *config;
    int fd, signals;
    struct child children[CONFIG_DOMAINS_MAX]; /* one for each domain that runs; pid 0: none */
};

/* ---- In the child of the launcher: becomes the program. ---- */

_Noreturn static void become(struct launching *l, uint32_t index, const int *fds, unsigned n_fds, int report)
{
    const struct domain_config *config = &l->config->domains[index];
    const struct engine_ops *engine = engine_find(config->engine);
    sigset_t none;
    int error;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    close(l->fd);
    if (engine != NULL && engine->exec != NULL)
        engine->exec(config, fds, n_fds);
    error = errno;
    if (write(report, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

/* ---- The launcher. ---- */

/* 0, or why the program could not be executed: the pipe closes by itself when it was. */
static int exec_error(int report)
{
    int error = 0;
    ssize_t n;

    do
        n = read(report, &error, sizeof error);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof error ? error : 0;
}

static int spawn(struct launching *l, uint32_t index, const int *fds, unsigned n_fds, pid_t *pid)
{
    int report[2], error;

    if (pipe2(report, O_CLOEXEC) != 0)
        return errno;
    *pid = fork();
    if (*pid == 0)
        become(l, index, fds, n_fds, report[1]);
    error = *pid < 0 ? errno : 0;
    close(report[1]);
    if (error == 0)
        error = exec_error(report[0]);
    close(report[0]);
    if (error != 0 && *pid > 0)
        waitpid(*pid, NULL, 0);
    return error;
}

static int launch(struct launching *l, const struct request *r, const int *fds, struct answer *answer, int out[2])
{
    struct child *child;
    int status[2], error;

    if (r->index >= l->config->n_domains || l->children[r->index].pid != 0)
        return EINVAL;
    child = &l->children[r->index];
    if (pipe2(status, O_CLOEXEC) != 0)
        return errno;
    error = spawn(l, r->index, fds, r->n_fds, &answer->pid);
    out[0] = error == 0 ? (int)syscall(SYS_pidfd_open, answer->pid, 0) : -1;
    out[1] = status[0];
    if (error == 0 && out[0] < 0) {
        error = errno;
        kill(answer->pid, SIGKILL);
        waitpid(answer->pid, NULL, 0);
    }
    if (error == 0)
        *child = (struct child){answer->pid, status[1]};
    else {
        close(status[0]);
        close(status[1]);
    }
    return error;
}

/* False: the VMM has gone. */
static bool serve(struct launching *l)
{
    struct request request;
    struct answer answer = {0};
    int fds[LAUNCH_FDS_MAX], out[2] = {-1, -1};
    unsigned n_fds;
    ssize_t n = sock_recv_fds(l->fd, &request, sizeof request, fds, LAUNCH_FDS_MAX, &n_fds);

    if (n <= 0)
        return false;
    answer.error =
        n == (ssize_t)sizeof request && n_fds == request.n_fds ? launch(l, &request, fds, &answer, out) : EINVAL;
    for (unsigned i = 0; i < n_fds; i++)
        close(fds[i]);
    n = sock_send_fds(l->fd, &answer, sizeof answer, out, answer.error == 0 ? 2 : 0);
    if (answer.error == 0) {
        close(out[0]);
        close(out[1]);
    }
    return n == (ssize_t)sizeof answer;
}

static void tell(struct launching *l, pid_t pid, int wait_status)
{
    int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);

    for (size_t i = 0; i < l->config->n_domains; i++)
        if (l->children[i].pid == pid) {
            l->children[i].pid = 0;
            (void)!write(l->children[i].status_fd, &status, sizeof status); /* maybe nobody waits for it */
            close(l->children[i].status_fd);
        }
}

/* Also what the programs left behind: we are their subreaper. */
static void reap(struct launching *l)
{
    struct signalfd_siginfo info;
    int status;
    pid_t pid;

    if (read(l->signals, &info, sizeof info) < 0 && errno != EAGAIN)
        return;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        tell(l, pid, status);
}

_Noreturn static void run_launcher(struct launching *l)
{
    struct pollfd fds[2] = {{.fd = l->fd, .events = POLLIN}, {.fd = l->signals, .events = POLLIN}};
    bool alive = true;

    while (alive) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        if (fds[1].revents != 0)
            reap(l);
        if (fds[0].revents != 0)
            alive = serve(l);
    }
    for (size_t i = 0; i < l->config->n_domains; i++)
        if (l->children[i].pid != 0)
            kill(l->children[i].pid, SIGKILL);
    _exit(0);
}

/* Signals of the terminal are the VMM's matter; our end is its end. */
_Noreturn static void become_launcher(const struct vmm_config *config, int fd)
{
    static struct launching launching;
    sigset_t blocked;

    sigfillset(&blocked);
    sigdelset(&blocked, SIGSEGV);
    sigdelset(&blocked, SIGABRT);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "vcons-launcher");
    launching = (struct launching){.config = config, .fd = fd};
    launching.signals = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
    run_launcher(&launching);
}

/* ---- In the VMM. ---- */

int launcher_init(struct launcher *l, const struct vmm_config *config, struct problem *problem)
{
    int fds[2];

    *l = (struct launcher){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0)
        return problem_set(problem, -1, "cannot talk to a launcher: %s", strerror(errno));
    l->pid = fork();
    if (l->pid == 0) {
        close(fds[0]);
        become_launcher(config, fds[1]);
    }
    close(fds[1]);
    l->fd = fds[0];
    return l->pid > 0 ? 0 : problem_set(problem, -1, "cannot make a launcher: %s", strerror(errno));
}

int launcher_start(struct launcher *l, uint32_t index, const int *fds, unsigned n_fds, struct launched *launched,
                   struct problem *problem)
{
    struct request request = {index, n_fds};
    struct answer answer = {0};
    int got[2] = {-1, -1};
    unsigned n_got = 0;

    *launched = (struct launched){-1, -1, -1};
    if (sock_send_fds(l->fd, &request, sizeof request, fds, n_fds) != (ssize_t)sizeof request ||
        sock_recv_fds(l->fd, &answer, sizeof answer, got, 2, &n_got) != (ssize_t)sizeof answer)
        return problem_set(problem, -1, "the launcher has gone");
    if (answer.error != 0 || n_got != 2)
        return problem_set(problem, -1, "its program does not start: %s", strerror(answer.error));
    *launched = (struct launched){answer.pid, got[0], got[1]};
    return 0;
}

void launcher_finish(struct launcher *l)
{
    if (l->pid <= 0)
        return;
    close(l->fd);
    waitpid(l->pid, NULL, 0);
    *l = (struct launcher){.fd = -1};
}

int launched_wait(const struct launched *launched)
{
    int status;
    ssize_t n;

    do
        n = read(launched->status_fd, &status, sizeof status);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof status ? status : -1;
}

void launched_kill(const struct launched *launched)
{
    syscall(SYS_pidfd_send_signal, launched->pidfd, SIGKILL, NULL, 0); /* ESRCH: it is dead already */
}

void launched_close(struct launched *launched)
{
    if (launched->pidfd >= 0)
        close(launched->pidfd);
    if (launched->status_fd >= 0)
        close(launched->status_fd);
    *launched = (struct launched){-1, -1, -1};
}
