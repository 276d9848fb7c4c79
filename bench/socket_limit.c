/* SPDX-License-Identifier: MIT */
/*
 * socket_limit: the least that a console service fed by sockets, terminals or programs on them can do: read what is there, append it to a file,
 * for each of N consoles. No index, no marks, no bounds. Arguments: "sockets", "ptys" or "fifos", their directory, N, that of the logs
 * (NNNNN.log); and, for one viewer of one console, who may type, the path where he is listened for, and the console.
 */
#include "sockets.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

struct console {
    int fd, log;
};

static struct console *consoles, *viewed; /* the last of them is the viewer, who has no log, or who is listened for */
static int viewer = -1;

static int open_socket(const char *path, int (*how)(int fd, const struct sockaddr *address, socklen_t bytes))
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    require(fd >= 0 &&
            (size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s", path) < sizeof address.sun_path);
    require(how(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* A terminal on which a program says what comes through a FIFO. */
static int run_cat(const char *fifo)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), slave;
    struct termios modes;

    require(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    require(slave >= 0 && tcgetattr(slave, &modes) == 0);
    cfmakeraw(&modes);
    require(tcsetattr(slave, TCSANOW, &modes) == 0);
    if (fork() == 0) {
        require(setsid() >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0 && dup2(slave, STDOUT_FILENO) == STDOUT_FILENO);
        execlp("cat", "cat", fifo, (char *)NULL);
        _exit(127);
    }
    close(slave);
    return master;
}

static int dial(char kind, const char *dir, uint32_t c)
{
    char path[4096];

    socket_path(path, sizeof path, dir, c);
    if (kind == 'f')
        return run_cat(path);
    return kind == 'p' ? open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : open_socket(path, connect);
}

static void watch(int epoll, struct console *k)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = k};

    require(k->fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, k->fd, &event) == 0);
}

static void move(const struct console *k)
{
    static uint8_t bytes[64 * 1024];
    ssize_t n = read(k->fd, bytes, sizeof bytes);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        exit(0);
    require(write(k->log, bytes, (size_t)n) == n);
    if (k == viewed && viewer >= 0)
        require(write(viewer, bytes, (size_t)n) == n);
}

static void type(void)
{
    char typed[4096];
    ssize_t n = read(viewer, typed, sizeof typed);

    if (n <= 0)
        exit(0);
    require(write(viewed->fd, typed, (size_t)n) == n);
}

static void serve(int epoll, struct console *k)
{
    if (k->log >= 0)
        move(k);
    else if (viewer >= 0)
        type();
    else {
        viewer = accept4(k->fd, NULL, NULL, SOCK_CLOEXEC);
        close(k->fd);
        k->fd = viewer;
        watch(epoll, k);
    }
}

int main(int argc, char **argv)
{
    struct rlimit most;
    uint32_t n;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    require((argc == 5 || argc == 7) && epoll >= 0);
    n = (uint32_t)strtoul(argv[3], NULL, 10);
    require(getrlimit(RLIMIT_NOFILE, &most) == 0);
    most.rlim_cur = most.rlim_max;
    require(setrlimit(RLIMIT_NOFILE, &most) == 0);
    consoles = calloc(n + 1, sizeof *consoles);
    require(consoles != NULL);
    if (argc == 7) {
        viewed = &consoles[strtoul(argv[6], NULL, 10)];
        consoles[n] = (struct console){open_socket(argv[5], bind), -1};
        require(listen(consoles[n].fd, 1) == 0);
        watch(epoll, &consoles[n]);
    }
    for (uint32_t c = 0; c < n; c++) {
        char path[4096];

        snprintf(path, sizeof path, "%s/%05u.log", argv[4], c);
        consoles[c].log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        consoles[c].fd = dial(*argv[1], argv[2], c);
        require(consoles[c].log >= 0);
        watch(epoll, &consoles[c]);
    }
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(epoll, events, 64, -1);

        for (int i = 0; i < ready; i++)
            serve(epoll, events[i].data.ptr);
    }
}
