/* SPDX-License-Identifier: MIT */
/*
 * socket_limit: the least that a console service fed by sockets can do: read what is there, append it to a file, for each of
 * N consoles. No index, no marks, no viewers, no bounds. Arguments: the directory of the sockets, N, that of the logs
 * (NNNNN.log).
 */
#include "sockets.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

struct console {
    int fd, log;
};

static int dial(const char *dir, uint32_t c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    require(fd >= 0);
    socket_path(address.sun_path, sizeof address.sun_path, dir, c);
    require(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
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
}

int main(int argc, char **argv)
{
    struct rlimit most;
    struct console *consoles;
    uint32_t n;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    require(argc == 4 && epoll >= 0);
    n = (uint32_t)strtoul(argv[2], NULL, 10);
    require(getrlimit(RLIMIT_NOFILE, &most) == 0);
    most.rlim_cur = most.rlim_max;
    require(setrlimit(RLIMIT_NOFILE, &most) == 0);
    consoles = calloc(n, sizeof *consoles);
    require(consoles != NULL);
    for (uint32_t c = 0; c < n; c++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &consoles[c]};
        char path[4096];

        snprintf(path, sizeof path, "%s/%05u.log", argv[3], c);
        consoles[c].log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        consoles[c].fd = dial(argv[1], c);
        require(consoles[c].log >= 0);
        require(epoll_ctl(epoll, EPOLL_CTL_ADD, consoles[c].fd, &event) == 0);
    }
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(epoll, events, 64, -1);

        for (int i = 0; i < ready; i++)
            move(events[i].data.ptr);
    }
}
