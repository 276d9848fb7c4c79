/* SPDX-License-Identifier: MIT */
#include "nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 10000 /* a daemon that takes longer is as good as gone: it is asked again by a new connection */

static int lose(struct nodes *s, int error)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->lost = true;
    return error;
}

bool nodes_lost(const struct nodes *s) { return s->lost; }

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Opening. */

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, error;

    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

int nodes_dial(void)
{
    static const char device[] = "/dev/xen/xenbus";
    const char *asked = getenv("XENSTORED_PATH");
    int fd;

    if (asked != NULL)
        return dial(asked);
    fd = dial("/run/xenstored/socket");
    if (fd != -ENOENT && fd != -ECONNREFUSED)
        return fd;
    fd = open(device, O_RDWR | O_CLOEXEC | O_NONBLOCK); /* a store in a domain of its own */
    return fd >= 0 ? fd : -errno;
}

void nodes_take(struct nodes *s, int fd, void (*event)(void *ctx, const char *path, const char *token), void *ctx)
{
    *s = (struct nodes){.fd = fd, .event = event, .ctx = ctx};
}

int nodes_open(struct nodes *s, void (*event)(void *ctx, const char *path, const char *token), void *ctx,
               struct problem *p)
{
    nodes_take(s, nodes_dial(), event, ctx);
    if (s->fd >= 0)
        return 0;
    return problem_set(p, s->fd, "XenStore does not answer: %s: is xenstored running?", strerror(-s->fd));
}

void nodes_close(struct nodes *s)
{
    if (s->event != NULL && s->fd >= 0)
        close(s->fd);
    *s = (struct nodes){.fd = -1};
}

/* Messages. */

/* What the socket has of the message that comes in. 1: it is whole; 0: nothing more is there now. */
static int receive(struct nodes *s)
{
    for (;;) {
        bool head = s->got < sizeof s->head;
        char *to = head ? (char *)&s->head + s->got : s->payload + (s->got - sizeof s->head);
        size_t want = head ? sizeof s->head - s->got : s->head.len - (s->got - sizeof s->head);
        ssize_t n;

        if (!head && want == 0) {
            s->payload[s->head.len] = '\0';
            s->got = 0;
            return 1;
        }
        n = read(s->fd, to, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0)
            return lose(s, -EPIPE);
        s->got += (uint32_t)n;
        if (s->got == sizeof s->head && s->head.len > XENSTORE_PAYLOAD_MAX)
            return lose(s, -EPROTO);
    }
}

/* "path\0token\0" */
static void fired(struct nodes *s)
{
    size_t path = strlen(s->payload);

    if (path < s->head.len)
        s->event(s->ctx, s->payload, s->payload + path + 1);
}

static int wait_until(struct nodes *s, short events, int64_t end_ms)
{
    struct pollfd p = {.fd = s->fd, .events = events};
    int64_t left = end_ms - now_ms();

    if (left <= 0 || poll(&p, 1, (int)left) == 0)
        return lose(s, -ETIMEDOUT);
    return 0;
}

static int send_all(struct nodes *s, struct iovec *parts, int n, int64_t end_ms)
{
    while (n > 0) {
        ssize_t sent = writev(s->fd, parts, n);

        if (sent < 0 && errno == EAGAIN) {
            int error = wait_until(s, POLLOUT, end_ms);

            if (error)
                return error;
            continue;
        }
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return lose(s, -EPIPE);
        while (n > 0 && (size_t)sent >= parts->iov_len) {
            sent -= (ssize_t)parts->iov_len;
            parts++;
            n--;
        }
        if (n > 0) {
            parts->iov_base = (char *)parts->iov_base + sent;
            parts->iov_len -= (size_t)sent;
        }
    }
    return 0;
}

/* The store says what went wrong in words (docs/misc/xenstore.txt). */
static int error_of(const char *word)
{
    static const struct {
        const char *word;
        int error;
    } known[] = {{"EINVAL", EINVAL},       {"EACCES", EACCES}, {"EEXIST", EEXIST}, {"EISDIR", EISDIR},
                 {"ENOENT", ENOENT},       {"ENOMEM", ENOMEM}, {"ENOSPC", ENOSPC}, {"EIO", EIO},
                 {"ENOTEMPTY", ENOTEMPTY}, {"ENOSYS", ENOSYS}, {"EROFS", EROFS},   {"EBUSY", EBUSY},
                 {"EAGAIN", EAGAIN},       {"EPERM", EPERM},   {"E2BIG", E2BIG},   {"EISCONN", EISCONN}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].word, word) == 0)
            return -known[i].error;
    return -EINVAL;
}

/* The answer to the request, in head and payload; what watches say meanwhile is told. */
static int answer(struct nodes *s, uint32_t type, int64_t end_ms)
{
    for (;;) {
        int got = receive(s);

        if (got == 0)
            got = wait_until(s, POLLIN, end_ms);
        else if (got > 0 && s->head.type == XS_WATCH_EVENT)
            fired(s);
        else if (got > 0 && s->head.req_id != s->request)
            return lose(s, -EPROTO);
        else if (got > 0 && s->head.type == XS_ERROR)
            return error_of(s->payload);
        else if (got > 0)
            return s->head.type == type ? 0 : lose(s, -EPROTO);
        if (got < 0)
            return got;
    }
}

/* Each text goes with its NUL, but the last of a write, which is the value. */
static int ask(struct nodes *s, uint32_t type, const char *first, const char *second)
{
    size_t one = strlen(first) + 1, two = second != NULL ? strlen(second) + (type != XS_WRITE) : 0;
    struct xsd_sockmsg head = {.type = type, .req_id = ++s->request, .tx_id = s->transaction};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)(uintptr_t)first, one}, {(void *)(uintptr_t)second, two}};
    int64_t end_ms = now_ms() + ANSWER_MS;
    int error;

    if (s->fd < 0)
        return -EPIPE;
    if (one + two > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    head.len = (uint32_t)(one + two);
    error = send_all(s, parts, 3, end_ms);
    return error ? error : answer(s, type, end_ms);
}

int nodes_events(struct nodes *s)
{
    for (;;) {
        int got = s->fd < 0 ? -EPIPE : receive(s);

        if (got <= 0)
            return got;
        if (s->head.type != XS_WATCH_EVENT)
            return lose(s, -EPROTO);
        fired(s);
    }
}

/* Requests. */

int nodes_read(struct nodes *s, char value[NODES_VALUE_BYTES], const char *path)
{
    int error = ask(s, XS_READ, path, NULL);

    value[0] = '\0';
    if (error)
        return error;
    if (s->head.len >= NODES_VALUE_BYTES)
        return -E2BIG;
    if (memchr(s->payload, '\0', s->head.len) != NULL)
        return -EILSEQ;
    memcpy(value, s->payload, s->head.len + 1);
    return 0;
}

int nodes_write(struct nodes *s, const char *path, const char *value) { return ask(s, XS_WRITE, path, value); }

int nodes_mkdir(struct nodes *s, const char *path)
{
    int error = ask(s, XS_MKDIR, path, NULL);

    return error == -EEXIST ? 0 : error;
}

int nodes_remove(struct nodes *s, const char *path)
{
    int error = ask(s, XS_RM, path, NULL);

    return error == -ENOENT ? 0 : error;
}

int nodes_list(struct nodes *s, const char *path, const char **names, uint32_t *bytes)
{
    int error = ask(s, XS_DIRECTORY, path, NULL);

    *names = s->payload;
    *bytes = error == 0 ? s->head.len : 0;
    if (error == 0 && *bytes > 0 && s->payload[*bytes - 1] != '\0')
        return lose(s, -EPROTO);
    return error;
}

int nodes_permit(struct nodes *s, const char *path, uint32_t owner, uint32_t reader)
{
    char who[64];
    struct iovec parts[3];
    struct xsd_sockmsg head = {.type = XS_SET_PERMS, .req_id = ++s->request, .tx_id = s->transaction};
    int64_t end_ms = now_ms() + ANSWER_MS;
    int n = snprintf(who, sizeof who, "n%u%cr%u", owner, '\0', reader) + 1, error;

    if (s->fd < 0)
        return -EPIPE;
    parts[0] = (struct iovec){&head, sizeof head};
    parts[1] = (struct iovec){(void *)(uintptr_t)path, strlen(path) + 1};
    parts[2] = (struct iovec){who, (size_t)n};
    head.len = (uint32_t)(parts[1].iov_len + parts[2].iov_len);
    error = send_all(s, parts, 3, end_ms);
    return error ? error : answer(s, XS_SET_PERMS, end_ms);
}

int nodes_guarded(struct nodes *s, const char *path)
{
    int error = ask(s, XS_GET_PERMS, path, NULL), others = 0;
    const char *who = s->payload, *end;

    if (error)
        return error;
    end = s->payload + s->head.len; /* and a NUL of ours stands there */
    if (s->head.len < 2 || strcmp(who + 1, "0") != 0)
        return 0;
    for (; who < end; who += strlen(who) + 1) /* the first says what all others may, those behind it what one may */
        others += who[0] != 'n' && who[0] != 'r';
    return others == 0;
}

int nodes_watch(struct nodes *s, const char *path, const char *token)
{
    int error = ask(s, XS_WATCH, path, token);

    return error == -EEXIST ? 0 : error;
}

int nodes_unwatch(struct nodes *s, const char *path, const char *token)
{
    int error = ask(s, XS_UNWATCH, path, token);

    return error == -ENOENT ? 0 : error;
}

int nodes_begin(struct nodes *s)
{
    int error = ask(s, XS_TRANSACTION_START, "", NULL);

    if (error == 0)
        s->transaction = (uint32_t)strtoul(s->payload, NULL, 10);
    return error;
}

int nodes_end(struct nodes *s, bool commit)
{
    int error = ask(s, XS_TRANSACTION_END, commit ? "T" : "F", NULL);

    s->transaction = 0;
    return error;
}
