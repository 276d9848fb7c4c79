/* SPDX-License-Identifier: MIT */
/*
 * fanout_limit: the least that many viewers of one console can cost: what the console says is kept in memory and appended to
 * a file, and written to each viewer's socket with one write(2) for all it takes. Arguments: the directory of the console's
 * socket, that of the log, the path where viewers are listened for, how many come, the bytes that the console says in all.
 */
#include "sockets.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#define PIECE  (64u * 1024)
#define SOURCE UINT64_MAX

struct viewer {
    int fd;
    bool full;
    uint64_t sent;
};

static struct viewer *viewers;
static uint32_t n_viewers;
static uint8_t *said;
static uint64_t n_said, all;
static int epoll, source, file;

static int open_socket(const char *path, bool listening)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    require(fd >= 0 &&
            (size_t)snprintf(address.sun_path, sizeof address.sun_path, "%s", path) < sizeof address.sun_path);
    if (listening)
        require(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 4096) == 0);
    else
        require(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

static void watch(int fd, uint32_t events, uint64_t what)
{
    struct epoll_event e = {.events = events, .data.u64 = what};

    require(fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0);
}

static void hear(void)
{
    ssize_t n = recv(source, said + n_said, all - n_said < PIECE ? all - n_said : PIECE, MSG_DONTWAIT);

    if (n <= 0 && errno != EAGAIN)
        exit(0);
    if (n <= 0)
        return;
    require(write(file, said + n_said, (size_t)n) == n);
    n_said += (uint64_t)n;
}

static void tell(struct viewer *v)
{
    uint64_t left = n_said - v->sent;
    ssize_t n = left > 0 && !v->full
                    ? send(v->fd, said + v->sent, left < PIECE ? left : PIECE, MSG_NOSIGNAL | MSG_DONTWAIT)
                    : 0;

    if (n > 0)
        v->sent += (uint64_t)n;
    v->full |= left > 0 && n < (ssize_t)(left < PIECE ? left : PIECE);
}

/* Whether somebody could be told more at once. */
static bool tell_all(void)
{
    bool more = false;

    for (uint32_t i = 0; i < n_viewers; i++) {
        tell(&viewers[i]);
        more |= !viewers[i].full && viewers[i].sent < n_said;
    }
    return more;
}

static void meet(const char *path)
{
    int listening = open_socket(path, true);

    viewers = calloc(n_viewers, sizeof *viewers);
    require(viewers != NULL);
    for (uint32_t i = 0; i < n_viewers; i++) {
        viewers[i].fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        watch(viewers[i].fd, EPOLLOUT | EPOLLET, i);
    }
}

int main(int argc, char **argv)
{
    char path[4096];
    bool more = false;

    require(argc == 6);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    n_viewers = (uint32_t)atoi(argv[4]);
    all = strtoull(argv[5], NULL, 10);
    said = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    require(said != MAP_FAILED);
    snprintf(path, sizeof path, "%s/00000.log", argv[2]);
    file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    socket_path(path, sizeof path, argv[1], 0);
    source = open_socket(path, false);
    meet(argv[3]);
    watch(source, EPOLLIN, SOURCE);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll, events, 256, more ? 0 : -1);

        for (int i = 0; i < ready; i++)
            if (events[i].data.u64 == SOURCE)
                hear();
            else
                viewers[events[i].data.u64].full = false;
        more = tell_all();
    }
}
