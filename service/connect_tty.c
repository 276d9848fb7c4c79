/* SPDX-License-Identifier: MIT */
/* Sources that are terminals: "pty:PATH", whose master somebody else has, and "serial:PATH". */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "connector.h"

#define LOCKS "/var/lock" /* Filesystem Hierarchy Standard 3.0, 5.9 */

static int open_tty(const char *path, struct problem *p)
{
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    struct termios modes;

    if (fd < 0)
        return problem_set(p, -errno, "%s: %s", path,
                           errno == EIO ? "nobody is at the other end of it" : strerror(errno));
    if (tcgetattr(fd, &modes) == 0)
        return fd;
    close(fd);
    return problem_set(p, -ENOTTY, "%s: it is no terminal", path);
}

static int set_modes(int fd, const char *path, const struct termios *modes, struct problem *p)
{
    if (tcsetattr(fd, TCSANOW, modes) == 0)
        return fd;
    problem_set(p, -errno, "%s: its modes: %s", path, strerror(errno));
    close(fd);
    return -EIO;
}

int connect_open_pty(const char *path, struct problem *p)
{
    int fd = open_tty(path, p);
    struct termios modes;

    if (fd < 0)
        return fd;
    (void)tcgetattr(fd, &modes);
    cfmakeraw(&modes);
    return set_modes(fd, path, &modes, p);
}

static int open_pty(struct connector *k, struct problem *p) { return connect_open_pty(k->place.where, p); }

const struct connect_way connect_pty = {.type = "pty", .tty = true, .sizes = true, .begin = open_pty};

/* Serial ports: who has one says so in a file that the others look at. */

/* Whose it is, if it is somebody's who lives; else 0, and a file that nobody stands for is away. */
static pid_t lock_holder(const char *lock)
{
    char text[16] = "";
    int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    pid_t pid = n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;

    if (fd >= 0)
        close(fd);
    if (pid > 0 && (kill(pid, 0) == 0 || errno == EPERM))
        return pid;
    unlink(lock);
    return 0;
}

/* 0 as well where such files cannot be made at all: then nobody else makes them either. */
static int lock_port(struct connector *k, struct problem *p)
{
    const char *name = strrchr(k->place.where, '/') + 1; /* source_text.c: it has one */
    char pid[16];
    pid_t holder;
    int fd, n = snprintf(k->lock, sizeof k->lock, LOCKS "/LCK..%s", name);

    for (int i = 0; n < (int)sizeof k->lock && i < 2; i++) {
        fd = open(k->lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd >= 0) {
            n = snprintf(pid, sizeof pid, "%10d\n", (int)getpid());
            (void)fchmod(fd, 0644); /* for the others to read */
            (void)!write(fd, pid, (size_t)n);
            close(fd);
            return 0;
        }
        if (errno != EEXIST)
            break;
        holder = lock_holder(k->lock);
        if (holder != 0) {
            k->lock[0] = '\0';
            return problem_set(p, -EBUSY, "%s: pid %d has it, says " LOCKS "/LCK..%s", k->place.where, (int)holder,
                               name);
        }
    }
    k->lock[0] = '\0';
    return 0;
}

static void unlock_port(struct connector *k)
{
    if (k->lock[0] != '\0')
        unlink(k->lock);
    k->lock[0] = '\0';
}

static void serial_modes(const struct console_settings *s, struct termios *modes)
{
    static const tcflag_t sizes[] = {CS5, CS6, CS7, CS8};

    cfmakeraw(modes);
    modes->c_cflag &= ~(tcflag_t)(CSIZE | PARENB | PARODD | CSTOPB | CRTSCTS | CLOCAL);
    modes->c_cflag |= CREAD | sizes[s->bits - 5];
    modes->c_cflag |= (s->modem ? 0 : CLOCAL | 0u) | (s->stop == 2 ? CSTOPB : 0u);
    modes->c_cflag |= s->parity == SETTINGS_PARITY_NONE  ? 0u
                      : s->parity == SETTINGS_PARITY_ODD ? PARENB | PARODD
                                                         : PARENB | 0u;
    if (s->flow == SETTINGS_FLOW_RTSCTS)
        modes->c_cflag |= CRTSCTS;
    if (s->flow == SETTINGS_FLOW_XONXOFF)
        modes->c_iflag |= IXON | IXOFF;
    cfsetspeed(modes, settings_termios_speed(s->speed));
}

static int open_serial(struct connector *k, struct problem *p)
{
    const char *path = k->place.where;
    int fd, lines = 0, error = lock_port(k, p);
    struct termios modes;

    if (error)
        return error;
    fd = open_tty(path, p);
    if (fd < 0)
        return fd;
    (void)tcgetattr(fd, &modes);
    serial_modes(&k->settings, &modes);
    fd = set_modes(fd, path, &modes, p);
    if (fd < 0 || !k->settings.modem || ioctl(fd, TIOCMGET, &lines) != 0 || (lines & TIOCM_CAR) != 0)
        return fd;
    close(fd);
    return problem_set(p, -ENOTCONN, "%s: no carrier: nothing that is switched on is at the other end", path);
}

static void lock_again(struct connector *k)
{
    struct problem p;

    if (lock_port(k, &p) != 0)
        message("%s", p.text);
}

const struct connect_way connect_serial = {.type = "serial",
                                           .tty = true,
                                           .breaks = true,
                                           .begin = open_serial,
                                           .adopted = lock_again,
                                           .released = unlock_port};
