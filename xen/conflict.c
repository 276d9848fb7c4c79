/* SPDX-License-Identifier: MIT */
#include "conflict.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DAEMON    "xenconsoled"
#define MOMENTS   1000 /* that are looked at: one that prints without end waits for its next 200 ms most of the time */
#define MOMENT_NS 1000000L
#define STOPS     1000 /* looks at whether it has stopped */

/* Text of /proc/PID/NAME, "" if there is none. */
static void read_proc(const char *pid, const char *name, char *text, size_t bytes)
{
    char path[PATH_MAX];
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%s/%s", pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, text, bytes - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
}

/* 'S', 'T', 'Z' ... (proc(5)); 0: it is gone. Its name, in parentheses before, may hold anything. */
static char state_of(const char *pid)
{
    char text[512];
    const char *end;

    read_proc(pid, "stat", text, sizeof text);
    end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' ? end[2] : 0;
}

/* By its name, or its program's, which stays when it is replaced by a newer one: then " (deleted)" is behind it. */
static bool has_name(const char *pid)
{
    char path[64], text[PATH_MAX];
    const char *base;
    ssize_t n;

    read_proc(pid, "comm", text, sizeof text);
    if (strcmp(text, DAEMON "\n") == 0)
        return true;
    snprintf(path, sizeof path, "/proc/%.20s/exe", pid);
    n = readlink(path, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    base = strrchr(text, '/');
    return base != NULL && strncmp(base + 1, DAEMON, strlen(DAEMON)) == 0;
}

static bool runs_our_program(const char *pid)
{
    char path[64];
    struct stat theirs, ours;

    snprintf(path, sizeof path, "/proc/%.20s/exe", pid);
    return stat(path, &theirs) == 0 && stat("/proc/self/exe", &ours) == 0 && theirs.st_dev == ours.st_dev &&
           theirs.st_ino == ours.st_ino;
}

bool conflict_is(const char *pid)
{
    char path[64];
    struct stat owner;
    char state = state_of(pid);

    snprintf(path, sizeof path, "/proc/%.20s", pid);
    return state != 0 && strchr("ZXx", state) == NULL && has_name(pid) && !runs_our_program(pid) &&
           stat(path, &owner) == 0 && (owner.st_uid == 0 || owner.st_uid == geteuid());
}

int conflict_find(struct problem *p)
{
    DIR *proc = opendir("/proc");
    const struct dirent *entry;
    int pid = 0;

    if (proc == NULL)
        return problem_set(p, -errno, "/proc: %s", strerror(errno));
    while (pid == 0 && (entry = readdir(proc)) != NULL)
        if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9' && conflict_is(entry->d_name))
            pid = (int)strtol(entry->d_name, NULL, 10);
    closedir(proc);
    return pid;
}

/* Its end. */

static void pause_a_moment(void)
{
    const struct timespec moment = {.tv_nsec = MOMENT_NS};

    nanosleep(&moment, NULL);
}

static int send_to(int pid_fd, int signal) { return (int)syscall(SYS_pidfd_send_signal, pid_fd, signal, NULL, 0); }

struct at {    /* where it is: proc(5), syscall */
    long call; /* -1: in none; LONG_MIN: it runs */
    uint64_t sp, pc;
};

static struct at where(const char *pid)
{
    char text[256], *end;
    struct at at;

    read_proc(pid, "syscall", text, sizeof text);
    at.call = strtol(text, &end, 10);
    if (end == text)
        return (struct at){.call = LONG_MIN};
    text[strcspn(text, "\n")] = '\0';
    end = strrchr(text, ' ');
    at.pc = end != NULL ? strtoull(end + 1, NULL, 16) : 0;
    if (end != NULL)
        *end = '\0';
    end = strrchr(text, ' ');
    at.sp = end != NULL ? strtoull(end + 1, NULL, 16) : 0;
    return at;
}

/* There it has nothing in hand. */
static bool is_poll(long call)
{
#ifdef SYS_poll
    if (call == SYS_poll)
        return true;
#endif
    return call == SYS_ppoll;
}

/*
 * Asleep in poll, then stopped, and still there. On arm64 who is stopped is in no call any more, but stands in front of the
 * instruction that makes it again.
 */
static bool is_still(const struct at *asleep, const struct at *stopped)
{
    if (stopped->call != -1)
        return is_poll(stopped->call);
    return stopped->sp == asleep->sp && (stopped->pc == asleep->pc || stopped->pc == asleep->pc - 4);
}

/* Stopped while it waits in poll, or false, and it runs. */
static bool stop_in_poll(const char *pid, int pid_fd)
{
    for (int i = 0; i < MOMENTS; i++) {
        struct at asleep = where(pid), stopped;

        if (!is_poll(asleep.call)) {
            pause_a_moment();
            continue;
        }
        if (send_to(pid_fd, SIGSTOP) != 0)
            return false;
        for (int looks = 0; looks < STOPS && strchr("SRD", state_of(pid)) != NULL; looks++)
            pause_a_moment();
        stopped = where(pid);
        if (state_of(pid) == 'T' && is_still(&asleep, &stopped))
            return true;
        if (send_to(pid_fd, SIGCONT) != 0)
            return false;
    }
    return false;
}

static int wait_for_end(int pid_fd, int pid, int patience_ms, struct problem *p)
{
    struct pollfd gone = {.fd = pid_fd, .events = POLLIN};
    int n;

    do
        n = poll(&gone, 1, patience_ms);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return 0;
    return problem_set(
        p, -ETIMEDOUT,
        "xenconsoled, pid %d, has not ended %d s after SIGTERM, and is left alone: end it, then start again", pid,
        patience_ms / 1000);
}

int conflict_end(int pid, int patience_ms, bool *exact, struct problem *p)
{
    char text[16];
    int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0), error;

    *exact = true;
    if (pid_fd < 0)
        return errno == ESRCH ? 0 : problem_set(p, -errno, "pid %d: %s", pid, strerror(errno));
    snprintf(text, sizeof text, "%d", pid);
    error = 0;
    if (conflict_is(text)) {
        *exact = stop_in_poll(text, pid_fd);
        error = send_to(pid_fd, SIGTERM) != 0 && errno != ESRCH ? -errno : 0;
        (void)send_to(pid_fd, SIGCONT); /* what is stopped ends all the same, but where it has a handler */
        error = error ? problem_set(p, error, "xenconsoled, pid %d: %s", pid, strerror(-error))
                      : wait_for_end(pid_fd, pid, patience_ms, p);
    }
    close(pid_fd);
    return error;
}
