/* SPDX-License-Identifier: MIT */
/* Sources that are terminals: "pty:PATH", whose master somebody else has, and "serial:PATH". */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "connector.h"

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

/* A link to one is not what others would look for. */
static bool is_device(const char *path) { return strncmp(path, "/dev/", 5) == 0; }

static int open_pty(struct connector *k, struct problem *p)
{
    const char *path = k->place.where;
    int error = is_device(path) ? connect_lock(k, path, p) : 0;

    return error ? error : connect_open_pty(path, p);
}

static void lock_pty_again(struct connector *k)
{
    if (is_device(k->place.where))
        connect_lock_again(k, k->place.where);
}

const struct connect_way connect_pty = {.type = "pty",
                                        .tty = true,
                                        .sizes = true,
                                        .begin = open_pty,
                                        .adopted = lock_pty_again,
                                        .released = connect_unlock};

/* Serial ports. */

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
    int fd, lines = 0, error = connect_lock(k, path, p);
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

static void lock_again(struct connector *k) { connect_lock_again(k, k->place.where); }

const struct connect_way connect_serial = {.type = "serial",
                                           .tty = true,
                                           .breaks = true,
                                           .begin = open_serial,
                                           .adopted = lock_again,
                                           .released = connect_unlock};
