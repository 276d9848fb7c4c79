/* SPDX-License-Identifier: MIT */
/* The process of starter.h: one thread, which never waits for a name or a command; both are children of its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "host/sock.h"
#include "starter.h"

#define RESOLVERS 16u   /* names looked up at once: further ones wait in the socket */
#define GRACE_MS  1000u /* between SIGHUP and SIGKILL */

struct job {
    struct job *next;
    pid_t pid;
    uint32_t serial;
    bool resolves, exited, ending;
    uint64_t kill_ms; /* CLOCK_MONOTONIC: when its session is killed; of one that is ending */
};

struct process {
    int fd, signals;
    struct job *jobs;
    uint32_t n_resolvers;
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void answer(const struct process *p, struct starter_answer *a, int fd)
{
    (void)sock_send_fds(p->fd, a, sizeof *a, &fd, fd >= 0 ? 1 : 0); /* it fails when the service is gone: poll tells */
}

static void refuse(const struct process *p, const struct starter_ask *ask, int error)
{
    struct starter_answer a = {.serial = ask->serial, .what = ask->what, .error = error};

    snprintf(a.text, sizeof a.text, "%s", strerror(error));
    answer(p, &a, -1);
}

static struct job *make_job(uint32_t serial, bool resolves)
{
    struct job *j = malloc(sizeof *j);

    if (j != NULL)
        *j = (struct job){.serial = serial, .resolves = resolves};
    return j;
}

static void begin_job(struct process *p, struct job *j, pid_t pid)
{
    j->pid = pid;
    j->next = p->jobs;
    p->jobs = j;
    p->n_resolvers += j->resolves;
}

static void be_a_child(void)
{
    sigset_t none;

    sigemptyset(&none);
    for (int s = 1; s < 32; s++)
        signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Names: starter_lookup.c. */

static void resolve(struct process *p, const struct starter_ask *ask)
{
    struct job *j = make_job(ask->serial, true);
    pid_t pid = j != NULL ? fork() : -1;

    if (pid == 0) {
        be_a_child();
        starter_look_up(p->fd, ask);
    }
    if (pid > 0) {
        begin_job(p, j, pid);
        return;
    }
    free(j);
    refuse(p, ask, EAGAIN);
}

/* Commands. */

_Noreturn static void become(int slave, const char *command)
{
    const struct winsize size = {.ws_row = 24, .ws_col = 80};

    be_a_child();
    setsid();
    ioctl(slave, TIOCSCTTY, 0);
    ioctl(slave, TIOCSWINSZ, &size);
    dup2(slave, STDIN_FILENO);
    dup2(slave, STDOUT_FILENO);
    dup2(slave, STDERR_FILENO);
    close_range(3, ~0u, 0);
    setenv("TERM", "vt220", 0);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

/* Both ends of a new one. 0 or an errno. */
static int open_pair(int *master, int *slave)
{
    int error;

    *slave = -1;
    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (*master < 0)
        return errno;
    if (unlockpt(*master) == 0)
        *slave = ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*slave >= 0)
        return 0;
    error = errno;
    close(*master);
    return error;
}

static void run(struct process *p, const struct starter_ask *ask)
{
    struct starter_answer a = {.serial = ask->serial, .what = STARTER_RUN};
    struct job *j = make_job(ask->serial, false); /* first: who cannot be remembered is not begun */
    int master = -1, slave = -1, error = j != NULL ? open_pair(&master, &slave) : ENOMEM;
    pid_t pid = error == 0 ? fork() : -1;

    if (pid == 0)
        become(slave, ask->text);
    if (error == 0 && pid < 0)
        error = errno;
    if (error == 0)
        begin_job(p, j, pid);
    else
        free(j);
    if (error)
        refuse(p, ask, error);
    else
        answer(p, &a, master);
    if (slave >= 0) {
        close(slave);
        close(master);
    }
}

/* The session of a process, which is the sixth field of its stat; 0: it is no more. */
static pid_t session_of(const char *pid)
{
    char path[64], text[512];
    const char *end;
    int fd, session = 0;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    end = strrchr(text, ')'); /* its name may hold anything */
    return end != NULL && sscanf(end + 1, " %*c %*d %*d %d", &session) == 1 ? session : 0;
}

/* Its first process is not reaped before: until then nobody else can have that number. */
static void signal_session(pid_t leader, int number)
{
    DIR *all = opendir("/proc");
    const struct dirent *e;

    while (all != NULL && (e = readdir(all)) != NULL)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && session_of(e->d_name) == leader)
            kill((pid_t)strtol(e->d_name, NULL, 10), number);
    if (all != NULL)
        closedir(all);
}

static void begin_end(struct job *j)
{
    if (j->ending)
        return;
    j->ending = true;
    j->kill_ms = now_ms() + GRACE_MS;
    signal_session(j->pid, SIGHUP);
    signal_session(j->pid, SIGCONT);
}

static void tell_exit(const struct process *p, const struct job *j, const siginfo_t *how)
{
    struct starter_answer a = {.serial = j->serial, .what = STARTER_EXITED};

    if (how->si_code == CLD_EXITED)
        snprintf(a.text, sizeof a.text, "the command has ended with status %d", how->si_status);
    else
        snprintf(a.text, sizeof a.text, "the command was ended by signal %d", how->si_status);
    answer(p, &a, -1);
}

static bool has_exited(const struct process *p, struct job *j)
{
    siginfo_t how = {.si_pid = 0};

    if (j->exited)
        return true;
    if (waitid(P_PID, (id_t)j->pid, &how, WEXITED | WNOHANG | WNOWAIT) != 0 || how.si_pid == 0)
        return false;
    j->exited = true;
    if (!j->resolves) {
        tell_exit(p, j, &how);
        begin_end(j);
    } else if (how.si_code != CLD_EXITED) {
        const struct starter_ask ask = {.serial = j->serial, .what = STARTER_RESOLVE};

        refuse(p, &ask, ETIMEDOUT);
    }
    return true;
}

/* Everything that is to be done about children; *wait_ms: until it is to be looked at again. */
static void look_at_jobs(struct process *p, int *wait_ms)
{
    struct job **at = &p->jobs, *j;

    *wait_ms = -1;
    while ((j = *at) != NULL) {
        bool exited = has_exited(p, j), over = j->resolves ? exited : j->ending && now_ms() >= j->kill_ms;

        if (!over) {
            if (j->ending)
                *wait_ms = (int)GRACE_MS / 10;
            at = &j->next;
            continue;
        }
        if (!j->resolves)
            signal_session(j->pid, SIGKILL);
        waitpid(j->pid, NULL, 0);
        p->n_resolvers -= j->resolves;
        *at = j->next;
        free(j);
    }
}

static void listen_at(struct process *p, const struct starter_ask *ask)
{
    struct starter_answer a = {.serial = ask->serial, .what = STARTER_LISTEN};
    struct problem why;
    int fd = sock_listen(ask->text, SOCK_STREAM, 0600, &why);

    if (fd < 0) {
        a.error = -fd;
        snprintf(a.text, sizeof a.text, "%.*s", (int)sizeof a.text - 1, why.text);
    }
    answer(p, &a, fd);
    if (fd >= 0)
        close(fd);
}

static void unlink_socket(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
}

static void obey(struct process *p, const struct starter_ask *ask)
{
    switch (ask->what) {
    case STARTER_RESOLVE:
    case STARTER_XL: resolve(p, ask); break;
    case STARTER_RUN: run(p, ask); break;
    case STARTER_LISTEN: listen_at(p, ask); break;
    case STARTER_UNLINK: unlink_socket(ask->text); break;
    case STARTER_END:
        for (struct job *j = p->jobs; j != NULL; j = j->next)
            if (j->serial == ask->serial && !j->resolves)
                begin_end(j);
        break;
    default: break;
    }
}

/* False: the service is gone. */
static bool read_ask(struct process *p)
{
    struct starter_ask ask;
    ssize_t n = recv(p->fd, &ask, sizeof ask, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    ask.text[sizeof ask.text - 1] = '\0';
    if (n == (ssize_t)sizeof ask)
        obey(p, &ask);
    return n > 0;
}

static void set_up(struct process *p)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t children;

    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd); /* whoever reads the service's messages is not to wait for our end */
    dup2(p->fd, 3);
    close_range(4, ~0u, 0);
    p->fd = 3;
    fcntl(p->fd, F_SETFD, FD_CLOEXEC);
    prctl(PR_SET_NAME, "vconsd-starter");
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signal(SIGINT, SIG_IGN); /* these are the service's, which then lets go of us */
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, NULL);
    p->signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

_Noreturn void starter_process(int fd)
{
    struct process p = {.fd = fd};
    struct signalfd_siginfo ignored;
    bool serving = true;
    int wait_ms;

    set_up(&p);
    malloc_trim(
        0); /* of what the configuration took to be read: the service uses that memory again, and here it would be ours */
    for (look_at_jobs(&p, &wait_ms); serving || p.jobs != NULL; look_at_jobs(&p, &wait_ms)) {
        struct pollfd polled[] = {{.fd = serving && p.n_resolvers < RESOLVERS ? p.fd : -1, .events = POLLIN},
                                  {.fd = p.signals, .events = POLLIN}};

        if (poll(polled, 2, wait_ms) > 0 && polled[0].revents != 0)
            serving = read_ask(&p);
        while (read(p.signals, &ignored, sizeof ignored) > 0) {
        }
        for (struct job *j = p.jobs; j != NULL && !serving; j = j->next)
            begin_end(j);
    }
    _exit(0);
}
