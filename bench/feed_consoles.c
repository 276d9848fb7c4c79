/* SPDX-License-Identifier: MIT */
#include "feed.h"
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>

#define LINE UINT64_MAX /* what epoll says of standard input */

struct feed *feeds;
uint32_t n_feeds;

static enum feed_kind kind;
static const char *dir;
static uint32_t piece_bytes, n_connected;
static int epoll;
static uint8_t piece[PIECE_MOST];

static void event(const char *what)
{
    printf("{\"event\": \"%s\"}\n", what);
    fflush(stdout);
}

static void watch(int fd, uint32_t events, uint64_t c)
{
    struct epoll_event e = {.events = events, .data.u64 = c};

    require(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0);
}

static void begin(uint32_t c, int fd)
{
    feeds[c].fd = fd;
    watch(fd, EPOLLOUT | EPOLLIN | EPOLLET, c);
    if (++n_connected == n_feeds)
        event("connected");
}

static int listen_at(uint32_t c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    socket_path(address.sun_path, sizeof address.sun_path, dir, c);
    require(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 4) == 0);
    watch(fd, EPOLLIN, c);
    return fd;
}

/* Who serves 10,000 consoles has 20,000 descriptors at most: there is one caller, and no second one is waited for. */
static void take_caller(uint32_t c)
{
    int fd = accept4(feeds[c].listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    close(feeds[c].listening);
    feeds[c].listening = -1;
    begin(c, fd);
}

/* The next number in the list of them. */
static int inherited_pipe(void)
{
    static FILE *list;
    int fd;

    if (list == NULL)
        list = fopen(dir, "re");
    require(list != NULL && fscanf(list, "%d", &fd) == 1);
    return fd;
}

/* A terminal under the name of the console's socket. */
static int open_terminal(uint32_t c)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK), slave;
    struct termios modes;
    char path[4096];

    require(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    require(slave >= 0 && tcgetattr(slave, &modes) == 0);
    cfmakeraw(&modes);
    require(tcsetattr(slave, TCSANOW, &modes) == 0);
    socket_path(path, sizeof path, dir, c);
    require(symlink(ptsname(master), path) == 0);
    close(slave);
    return master;
}

static void make_fifo(uint32_t c)
{
    char path[4096];

    socket_path(path, sizeof path, dir, c);
    require(mkfifo(path, 0600) == 0);
}

static int open_fifo(uint32_t c)
{
    char path[4096];
    int fd;

    socket_path(path, sizeof path, dir, c);
    while ((fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0 && errno == ENXIO)
        usleep(1000);
    require(fd >= 0);
    return fd;
}

/* Whose other side is closed has hung up: nobody tells when that ends. */
static void wait_for_reader(int master)
{
    struct pollfd p = {.fd = master, .events = POLLOUT};

    while (poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0)
        usleep(1000);
}

void feed_open(enum feed_kind of, const char *at, uint32_t n, uint32_t bytes)
{
    kind = of;
    dir = at;
    n_feeds = n;
    piece_bytes = bytes;
    piece_begin(piece, piece_bytes);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    feeds = calloc(n_feeds, sizeof *feeds);
    require(epoll >= 0 && feeds != NULL);
    watch(STDIN_FILENO, EPOLLIN, LINE);
    for (uint32_t c = 0; c < n_feeds; c++) {
        feeds[c].fd = feeds[c].listening = -1;
        switch (kind) {
        case FEED_SOCKETS: feeds[c].listening = listen_at(c); break;
        case FEED_PTYS: feeds[c].fd = open_terminal(c); break;
        case FEED_PIPES: feeds[c].fd = inherited_pipe(); break;
        case FEED_FIFOS: make_fifo(c); break;
        }
    }
    event("listening");
    for (uint32_t c = 0; c < n_feeds && kind != FEED_SOCKETS; c++) {
        if (kind == FEED_PTYS)
            wait_for_reader(feeds[c].fd);
        if (kind == FEED_FIFOS)
            feeds[c].fd = open_fifo(c);
        require(fcntl(feeds[c].fd, F_SETFL, O_NONBLOCK) == 0);
        begin(c, feeds[c].fd);
    }
    while (n_connected < n_feeds)
        (void)feed_wait(-1, false);
}

static ssize_t put(int fd, const void *bytes, size_t n)
{
    return kind == FEED_SOCKETS ? send(fd, bytes, n, MSG_NOSIGNAL) : write(fd, bytes, n);
}

uint32_t feed_say(uint32_t c)
{
    struct feed *f = &feeds[c];
    ssize_t n;

    piece_number(piece, c, f->said);
    n = put(f->fd, piece + f->part, piece_bytes - f->part);
    if (n < 0) {
        require(errno == EAGAIN);
        f->waits = true;
        return 0;
    }
    f->part += (uint32_t)n;
    if (f->part == piece_bytes) {
        f->part = 0;
        f->said++;
    }
    return (uint32_t)n;
}

static void echo(int fd)
{
    char typed[256];
    ssize_t n = kind == FEED_PIPES || kind == FEED_FIFOS ? -1 : read(fd, typed, sizeof typed);

    if (n > 0)
        (void)!put(fd, typed, (size_t)n);
}

bool feed_wait(int timeout_ms, bool line)
{
    struct epoll_event events[256];
    int n = epoll_wait(epoll, events, 256, timeout_ms);
    bool told = false;

    for (int i = 0; i < n; i++) {
        uint64_t c = events[i].data.u64;

        if (c == LINE)
            told = true;
        else if (feeds[c].fd < 0)
            take_caller((uint32_t)c);
        else if (events[i].events & EPOLLIN)
            echo(feeds[c].fd);
        if (c != LINE && (events[i].events & EPOLLOUT))
            feeds[c].waits = false;
    }
    return !told || !line;
}

static bool drained(const struct feed *f)
{
    int queued = 0;

    require(kind == FEED_PTYS || ioctl(f->fd, kind == FEED_SOCKETS ? SIOCOUTQ : FIONREAD, &queued) == 0);
    return queued == 0;
}

void feed_drain(void)
{
    for (uint32_t c = 0; c < n_feeds; c++)
        while (!drained(&feeds[c]))
            usleep(100);
    event("drained");
}
