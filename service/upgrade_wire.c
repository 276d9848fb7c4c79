/* SPDX-License-Identifier: MIT */
#include "upgrade_wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/sock.h"
#include "upgrade.h"

static int wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n;

    do
        n = poll(&p, 1, (int)(UPGRADE_WAIT_S * 1000));
    while (n < 0 && errno == EINTR);
    return n > 0 ? 0 : n < 0 ? -errno : -ETIMEDOUT;
}

int upgrade_send_bytes(int to, const void *bytes, size_t n, int fd)
{
    const char *at = bytes;

    while (n > 0) {
        int error = wait_for(to, POLLOUT);
        ssize_t sent = error ? error : sock_send_fds(to, at, n, &fd, fd >= 0 ? 1 : 0);

        if (sent == -EAGAIN)
            continue;
        if (sent < 0)
            return (int)sent;
        at += sent;
        n -= (size_t)sent;
        fd = -1; /* it went with the first byte */
    }
    return 0;
}

int upgrade_send(int to, uint32_t type, int fd, const void *payload, uint32_t n)
{
    struct upgrade_head head = {.magic = UPGRADE_MAGIC, .type = type, .has_fd = fd >= 0 ? 1 : 0, .bytes = n};
    int error = upgrade_send_bytes(to, &head, sizeof head, fd);

    return error || n == 0 ? error : upgrade_send_bytes(to, payload, n, -1);
}

/* All n bytes, and the descriptor that came with them, if one did. */
static int receive_all(int from, void *bytes, size_t n, int *fd)
{
    char *at = bytes;
    unsigned n_fds = 0;

    *fd = -1;
    while (n > 0) {
        int one = -1, error = wait_for(from, POLLIN);
        ssize_t got = error ? error : sock_recv_fds(from, at, n, &one, 1, &n_fds);

        if (n_fds > 0 && *fd >= 0)
            close(*fd);
        if (n_fds > 0)
            *fd = one;
        n_fds = 0;
        if (got == -EAGAIN)
            continue;
        if (got <= 0)
            return got < 0 ? (int)got : -EPIPE;
        at += got;
        n -= (size_t)got;
    }
    return 0;
}

int upgrade_receive_byte(int from, char *byte)
{
    int fd, error = receive_all(from, byte, 1, &fd);

    if (fd >= 0)
        close(fd);
    return error;
}

int upgrade_receive(int from, struct upgrade_head *head, int *fd, void *payload)
{
    int stray = -1, error = receive_all(from, head, sizeof *head, fd);

    if (error == 0 &&
        (head->magic != UPGRADE_MAGIC || head->bytes > UPGRADE_PAYLOAD || (head->has_fd != 0) != (*fd >= 0)))
        error = -EPROTO;
    if (error == 0 && head->bytes > 0)
        error = receive_all(from, payload, head->bytes, &stray);
    if (stray >= 0)
        close(stray);
    if (error && *fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return error;
}
