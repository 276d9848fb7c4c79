/* SPDX-License-Identifier: MIT */
/*
 * socket_feed: N consoles that say what they have to say as fast as it is taken. Arguments: the directory of their sockets,
 * N, the bytes of a piece, which is what one write takes. Says "listening", then "connected" when each has somebody, and for
 * each line "PIECES" on standard input has every console say so many, one write each at a time; "drained" once the last
 * byte was taken from its socket. Or: check PIECE, and on standard input lines "CONSOLE PIECES FILE", one or
 * several files of a console in their order: together they are so many pieces, and nothing else.
 */
#include "sockets.h"
#include <errno.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

struct feed {
    int listening, fd; /* fd -1: nobody is there */
    uint64_t said, to_say;
    uint32_t part; /* bytes of the piece under way that are out */
    bool waits;    /* its socket is full */
};

static struct feed *feeds;
static uint32_t n_feeds, n_connected, piece_bytes;
static const char *dir;
static int epoll;
static uint8_t piece[PIECE_MOST];

static void listen_all(void)
{
    for (uint32_t c = 0; c < n_feeds; c++) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = c};

        socket_path(address.sun_path, sizeof address.sun_path, dir, c);
        feeds[c].fd = -1;
        feeds[c].listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        require(feeds[c].listening >= 0);
        require(bind(feeds[c].listening, (struct sockaddr *)&address, sizeof address) == 0);
        require(listen(feeds[c].listening, 4) == 0);
        require(epoll_ctl(epoll, EPOLL_CTL_ADD, feeds[c].listening, &event) == 0);
    }
    puts("{\"event\": \"listening\"}");
    fflush(stdout);
}

static void take_caller(uint32_t c)
{
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET, .data.u64 = c};
    int fd = accept4(feeds[c].listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0)
        return;
    if (feeds[c].fd >= 0) {
        close(fd);
        return;
    }
    feeds[c].fd = fd;
    feeds[c].waits = false;
    require(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    if (++n_connected == n_feeds) {
        puts("{\"event\": \"connected\"}");
        fflush(stdout);
    }
}

/* One piece, or what of it goes out. */
static void say(uint32_t c)
{
    struct feed *f = &feeds[c];
    ssize_t n;

    piece_number(piece, c, f->said);
    n = send(f->fd, piece + f->part, piece_bytes - f->part, MSG_NOSIGNAL);
    if (n < 0) {
        require(errno == EAGAIN);
        f->waits = true;
        return;
    }
    f->part += (uint32_t)n;
    if (f->part == piece_bytes) {
        f->part = 0;
        f->said++;
    }
}

static bool drained(const struct feed *f)
{
    int queued;

    require(ioctl(f->fd, SIOCOUTQ, &queued) == 0);
    return queued == 0;
}

static void wait_for_room(int timeout_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(epoll, events, 256, timeout_ms);

    for (int i = 0; i < n; i++)
        if (events[i].events & EPOLLIN)
            take_caller((uint32_t)events[i].data.u64);
        else
            feeds[events[i].data.u64].waits = false;
}

static void flood(uint64_t pieces)
{
    uint32_t left = n_feeds;

    for (uint32_t c = 0; c < n_feeds; c++)
        feeds[c].to_say = feeds[c].said + pieces;
    while (left > 0) {
        bool said = false;

        left = 0;
        for (uint32_t c = 0; c < n_feeds; c++) {
            left += feeds[c].said < feeds[c].to_say;
            if (feeds[c].said < feeds[c].to_say && !feeds[c].waits) {
                say(c);
                said = true;
            }
        }
        wait_for_room(said || left == 0 ? 0 : -1);
    }
    for (uint32_t c = 0; c < n_feeds; c++)
        while (!drained(&feeds[c]))
            usleep(100);
    puts("{\"event\": \"drained\"}");
    fflush(stdout);
}

static int feed(void)
{
    char line[64];

    epoll = epoll_create1(EPOLL_CLOEXEC);
    feeds = calloc(n_feeds, sizeof *feeds);
    require(epoll >= 0 && feeds != NULL);
    listen_all();
    while (n_connected < n_feeds)
        wait_for_room(-1);
    while (fgets(line, sizeof line, stdin) != NULL)
        flood(strtoull(line, NULL, 10));
    return 0;
}

struct said { /* what a console's files, one behind the other, have held so far */
    uint32_t console;
    uint64_t pieces;
    uint32_t part;
};

static void check_file(struct said *s, const char *path)
{
    static uint8_t found[PIECE_MOST];
    FILE *f = fopen(path, "rbe");
    size_t n;

    require(f != NULL);
    while ((n = fread(found, 1, piece_bytes - s->part, f)) > 0) {
        piece_number(piece, s->console, s->pieces);
        if (memcmp(piece + s->part, found, n) != 0) {
            fprintf(stderr, "%s: piece %lu of console %u is not as it was said\n", path, s->pieces, s->console);
            exit(1);
        }
        s->part = (s->part + (uint32_t)n) % piece_bytes;
        s->pieces += s->part == 0;
    }
    fclose(f);
}

static int check(void)
{
    char line[4352], path[4096];
    struct said s = {0};
    uint64_t wanted = 0, pieces;
    uint32_t c;

    while (fgets(line, sizeof line, stdin) != NULL) {
        require(sscanf(line, "%u %lu %4095[^\n]", &c, &pieces, path) == 3);
        if (c != s.console) {
            require(s.pieces == wanted && s.part == 0);
            s = (struct said){.console = c};
        }
        wanted = pieces;
        check_file(&s, path);
    }
    require(s.pieces == wanted && s.part == 0);
    return 0;
}

int main(int argc, char **argv)
{
    struct rlimit most;

    require(argc == 3 || argc == 4);
    require(getrlimit(RLIMIT_NOFILE, &most) == 0);
    most.rlim_cur = most.rlim_max;
    require(setrlimit(RLIMIT_NOFILE, &most) == 0);
    piece_bytes = (uint32_t)strtoul(argv[argc - 1], NULL, 10);
    require(piece_bytes > PIECE_HEAD && piece_bytes <= PIECE_MOST);
    piece_begin(piece, piece_bytes);
    if (argc == 3 && strcmp(argv[1], "check") == 0)
        return check();
    require(argc == 4);
    dir = argv[1];
    n_feeds = (uint32_t)strtoul(argv[2], NULL, 10);
    return feed();
}
