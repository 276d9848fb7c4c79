/* SPDX-License-Identifier: MIT */
#include "source_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct sock {
    struct source source;
    void (*ended)(void *ctx);
    void *ctx;
    bool again;
    uint32_t begin, end; /* bytes[begin..end) were received and not taken */
    uint8_t bytes[SOCKET_BUFFER];
};

static struct sock *sock_of(const struct source *s) { return (struct sock *)(uintptr_t)s; }

/* VC_ENOENT: the connection is over. */
static int fill(struct sock *k)
{
    ssize_t n;

    if (k->begin < k->end)
        return VC_OK;
    do
        n = recv(k->source.bytes_fd, k->bytes, sizeof k->bytes, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? VC_OK : VC_ENOENT;
    k->begin = 0;
    k->end = (uint32_t)n;
    return n > 0 ? VC_OK : VC_ENOENT;
}

static int sock_peek(struct source *s, struct vc_span spans[2], uint32_t *n)
{
    struct sock *k = sock_of(s);
    int error = fill(k);

    *n = k->end - k->begin;
    spans[0] = (struct vc_span){k->bytes + k->begin, *n};
    spans[1] = (struct vc_span){k->bytes, 0};
    return error;
}

static void sock_commit(struct source *s, uint32_t n) { sock_of(s)->begin += n; }

/* Polled edge-triggered: nothing is left once a recv has said so, and an end of file counts as something. */
static bool sock_rest(struct source *s)
{
    struct sock *k = sock_of(s);

    return fill(k) == VC_OK && k->begin == k->end;
}

static uint32_t sock_index(const struct source *s)
{
    (void)s;
    return 0;
}

static int sock_revive(struct source *s)
{
    (void)s;
    return VC_OK; /* it never breaks: it ends */
}

static bool sock_used(const struct source *s) { return sock_of(s)->again; }

/* Writable means that three quarters of the send buffer are free (unix_writable in Linux net/unix/af_unix.c), far more than
 * SOCKET_PUT: what room promises, put can keep. */
static int sock_room(struct source *s, uint32_t *room)
{
    struct pollfd p = {.fd = s->room_fd, .events = POLLOUT};

    *room = poll(&p, 1, 0) == 1 && p.revents == POLLOUT ? SOCKET_PUT : 0;
    return VC_OK;
}

static int sock_put(struct source *s, const void *bytes, uint32_t n, uint32_t *put)
{
    ssize_t sent = send(s->room_fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);

    *put = sent > 0 ? (uint32_t)sent : 0;
    return sent < 0 && errno != EAGAIN && errno != EINTR ? VC_ENOENT : VC_OK;
}

static bool sock_room_rest(struct source *s)
{
    uint32_t room;

    (void)sock_room(s, &room);
    return room == 0;
}

static void sock_destroy(struct source *s)
{
    struct sock *k = sock_of(s);

    close(s->bytes_fd);
    k->ended(k->ctx);
    free(k);
}

static const struct source_ops sock_ops = {
    .type = "socket",
    .used = sock_used,
    .peek = sock_peek,
    .commit = sock_commit,
    .rest = sock_rest,
    .index = sock_index,
    .revive = sock_revive,
    .room = sock_room,
    .put = sock_put,
    .room_rest = sock_room_rest,
    .destroy = sock_destroy,
};

struct source *socket_create(int fd, bool again, void (*ended)(void *ctx), void *ctx)
{
    struct sock *k = malloc(sizeof *k); /* not the buffer: its pages come with use */

    if (k == NULL)
        return NULL;
    k->source = (struct source){.ops = &sock_ops,
                                .bytes_fd = fd,
                                .room_fd = fd,
                                .bytes_events = EPOLLIN | EPOLLRDHUP,
                                .room_events = EPOLLOUT,
                                .holds = 1024 * 1024}; /* of a peer's send buffer and ours, more than either has */
    k->ended = ended;
    k->ctx = ctx;
    k->again = again;
    k->begin = k->end = 0;
    return &k->source;
}

void socket_abandon(struct source *s) { free(sock_of(s)); }
