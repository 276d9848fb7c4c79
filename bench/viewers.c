/* SPDX-License-Identifier: MIT */
/*
 * viewers: N viewers of one console. One in ten never reads, one in ten reads 1 KiB a second, and all others read all there is
 * and compare it with what the console says. Arguments: attach.h's kind, where, the console's name, its number, the bytes of a
 * piece, N. Says "attached", and then does what standard input says:
 *
 *     until PIECES     "done" when every viewer who reads has that many, from the first on; and the bytes that they have read
 *     read             how many they have read so far
 *
 * conman drops what a viewer does not take in time, and conserver cuts it: what comes from those is counted only.
 */
#include "attach.h"
#include "sockets.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <vcons/wire/control.h>

#define SLOW_BYTES 1024
#define LINE       UINT64_MAX /* what epoll says of standard input */
#define SECOND     (UINT64_MAX - 1)

enum pace { ALL, NOTHING, SLOWLY };

struct viewer {
    int fd;
    enum pace pace;
    uint64_t got;  /* bytes of output */
    uint32_t left; /* of the frame under way; 0: its head comes next */
    uint32_t have; /* bytes of that */
    _Alignas(8) uint8_t head[sizeof(struct vc_control_frame) + sizeof(uint64_t)];
};

static struct viewer *viewers;
static uint32_t n_viewers, n_reading, n_done, console, piece_bytes;
static uint64_t wanted = UINT64_MAX, total; /* total: of who reads all */
static bool frames, counts;
static int epoll;
static uint8_t piece[PIECE_MOST];

static void compare(struct viewer *v, const uint8_t *bytes, size_t n)
{
    uint64_t before = v->got;

    for (size_t done = 0; done < n && !counts;) {
        uint32_t at = (uint32_t)(v->got % piece_bytes), part = piece_bytes - at;

        if (part > n - done)
            part = (uint32_t)(n - done);
        piece_number(piece, console, v->got / piece_bytes);
        require(memcmp(bytes + done, piece + at, part) == 0);
        v->got += part;
        done += part;
    }
    if (counts)
        v->got += n;
    total += v->pace == ALL ? n : 0;
    n_done += before < wanted && v->got >= wanted;
}

static enum vc_control_frame_type type_of(const struct viewer *v)
{
    return ((const struct vc_control_frame *)(const void *)v->head)->type;
}

/* Of the head of a frame, with the offset before its output. How many of these belong to it. */
static size_t take_head(struct viewer *v, const uint8_t *bytes, size_t n)
{
    struct vc_control_frame frame;
    size_t whole = v->have < sizeof frame ? sizeof frame : sizeof v->head, part = whole - v->have;

    if (part > n)
        part = n;
    memcpy(v->head + v->have, bytes, part);
    v->have += (uint32_t)part;
    if (v->have < whole)
        return part;
    memcpy(&frame, v->head, sizeof frame);
    require(frame.type != VC_CONTROL_END && frame.length > 0);
    if (frame.type != VC_CONTROL_OUT)
        v->left = frame.length;
    else if (whole == sizeof v->head)
        v->left = frame.length - (uint32_t)sizeof(uint64_t);
    return part;
}

static void take_frames(struct viewer *v, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        size_t part = n < v->left ? n : v->left;

        if (v->left == 0)
            part = take_head(v, bytes, n);
        else {
            if (type_of(v) == VC_CONTROL_OUT)
                compare(v, bytes, part);
            v->left -= (uint32_t)part;
            if (v->left == 0)
                v->have = 0;
        }
        bytes += part;
        n -= part;
    }
}

static void take(struct viewer *v, size_t most)
{
    static uint8_t bytes[64 * 1024];
    ssize_t n = recv(v->fd, bytes, most < sizeof bytes ? most : sizeof bytes, MSG_DONTWAIT);

    require(n > 0 || (n < 0 && errno == EAGAIN) || counts);
    if (n <= 0 && errno != EAGAIN && v->pace == ALL)
        require(epoll_ctl(epoll, EPOLL_CTL_DEL, v->fd, NULL) == 0); /* conserver has cut it */
    if (n > 0 && frames)
        take_frames(v, bytes, (size_t)n);
    else if (n > 0)
        compare(v, bytes, (size_t)n);
}

static void watch(int fd, uint64_t what)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = what};

    require(fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0);
}

static void attach_all(char **argv)
{
    viewers = calloc(n_viewers, sizeof *viewers);
    require(viewers != NULL);
    for (uint32_t i = 0; i < n_viewers; i++) {
        viewers[i].fd = attach(argv[1], argv[2], argv[3]);
        viewers[i].pace = i % 10 == 8 ? NOTHING : i % 10 == 9 ? SLOWLY : ALL;
    }
    if (counts)
        attach_quiet(viewers[n_viewers - 1].fd); /* what they say of themselves is no output: it came by then */
    for (uint32_t i = 0; i < n_viewers; i++)
        if (viewers[i].pace == ALL) {
            n_reading++;
            watch(viewers[i].fd, i);
        }
    puts("{\"event\": \"attached\"}");
    fflush(stdout);
}

static void answer(const char *event)
{
    printf("{\"event\": \"%s\", \"bytes\": %lu, \"readers\": %u}\n", event, total, n_reading);
    fflush(stdout);
}

static void obey(void)
{
    char line[64];

    if (fgets(line, sizeof line, stdin) == NULL)
        exit(0);
    if (sscanf(line, "until %lu", &wanted) != 1) {
        answer("read");
        return;
    }
    wanted *= piece_bytes;
    n_done = 0;
    for (uint32_t i = 0; i < n_viewers; i++)
        n_done += viewers[i].pace == ALL && viewers[i].got >= wanted;
}

static void a_second(int timer)
{
    uint64_t times;

    require(read(timer, &times, sizeof times) == sizeof times);
    for (uint32_t i = 9; i < n_viewers; i += 10)
        take(&viewers[i], SLOW_BYTES);
}

static int start_timer(void)
{
    struct itimerspec second = {.it_interval = {.tv_sec = 1}, .it_value = {.tv_sec = 1}};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    require(timer >= 0 && timerfd_settime(timer, 0, &second, NULL) == 0);
    return timer;
}

static void look(int timer)
{
    struct epoll_event events[256];
    int n = epoll_wait(epoll, events, 256, -1);

    for (int i = 0; i < n; i++)
        if (events[i].data.u64 == LINE)
            obey();
        else if (events[i].data.u64 == SECOND)
            a_second(timer);
        else
            take(&viewers[events[i].data.u64], SIZE_MAX);
}

int main(int argc, char **argv)
{
    struct rlimit most;
    int timer = start_timer();

    require(argc == 7 && getrlimit(RLIMIT_NOFILE, &most) == 0);
    most.rlim_cur = most.rlim_max;
    require(setrlimit(RLIMIT_NOFILE, &most) == 0);
    setvbuf(stdin, NULL, _IONBF, 0);
    frames = strcmp(argv[1], "vconsd") == 0;
    counts = strncmp(argv[1], "con", 3) == 0;
    console = (uint32_t)atoi(argv[4]);
    piece_bytes = (uint32_t)atoi(argv[5]);
    n_viewers = (uint32_t)atoi(argv[6]);
    piece_begin(piece, piece_bytes);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(STDIN_FILENO, LINE);
    watch(timer, SECOND);
    attach_all(argv);
    for (;;) {
        look(timer);
        if (wanted != UINT64_MAX && n_done == n_reading) {
            wanted = UINT64_MAX;
            answer("done");
        }
    }
}
