/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "paths.h"
#include "sock.h"

static int address(const char *path, struct sockaddr_un *at, struct problem *p)
{
    size_t n = strlen(path);

    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (n == 0)
        return problem_set(p, -EINVAL, "a socket's path is empty"); /* the kernel would make up a name */
    if (n >= sizeof at->sun_path)
        return problem_set(p, -ENAMETOOLONG, "%s: %zu bytes, and a socket's path has at most %u", path, n,
                           PATHS_SOCKET_BYTES - 1);
    memcpy(at->sun_path, path, n + 1);
    return 0;
}

/* True: nobody listens there. */
static bool is_dead(const struct sockaddr_un *at, int type)
{
    int fd, refused;

    fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    refused = connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* The name, which is mostly free. What a dead program left there goes; anything else stays. */
static int take_name(int fd, const char *path, const struct sockaddr_un *at, int type, bool ours)
{
    struct stat st;

    if (bind(fd, (const struct sockaddr *)at, sizeof *at) == 0)
        return 0;
    if (errno != EADDRINUSE)
        return -errno;
    if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode) || (!ours && !is_dead(at, type)) || unlink(path) != 0)
        return -EADDRINUSE;
    return bind(fd, (const struct sockaddr *)at, sizeof *at) == 0 ? 0 : -errno;
}

__attribute__((nonnull(1))) static int listen_at(const char *path, int type, mode_t mode, bool ours, struct problem *p)
{
    struct sockaddr_un at;
    int fd, error = address(path, &at, p);

    if (error != 0)
        return error;
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return problem_set(p, -errno, "%s: cannot make a socket: %s", path, strerror(errno));
    /* The mode of the inode that bind makes comes from the socket's own: no moment with a wider one. */
    error = fchmod(fd, mode) != 0 ? -errno : take_name(fd, path, &at, type, ours);
    if (error == -EADDRINUSE)
        problem_set(p, error, "%s: in use: another program listens there, or it is no socket", path);
    else if (error)
        problem_set(p, error, "%s: cannot bind: %s", path, strerror(-error));
    if (error)
        goto close_fd;
    /* What a umask took away, which is nothing of its own user's. */
    if (((mode & 077) != 0 && chmod(path, mode) != 0) || listen(fd, SOMAXCONN) != 0) {
        error = problem_set(p, -errno, "%s: cannot listen: %s", path, strerror(errno));
        goto unlink_path;
    }
    return fd;

unlink_path:
    unlink(path);
close_fd:
    close(fd);
    return error;
}

int sock_listen(const char *path, int type, mode_t mode, struct problem *p)
{
    return listen_at(path, type, mode, false, p);
}

int sock_listen_ours(const char *path, int type, mode_t mode, struct problem *p)
{
    return listen_at(path, type, mode, true, p);
}

int sock_connect(const char *path, int type, struct problem *p)
{
    struct sockaddr_un at;
    int fd, error = address(path, &at, p);

    if (error != 0)
        return error;
    fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return problem_set(p, -errno, "%s: cannot make a socket: %s", path, strerror(errno));
    while (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        if (errno == EINTR)
            continue;
        error = problem_set(p, -errno, "%s: %s", path, strerror(errno));
        close(fd);
        return error;
    }
    return fd;
}

int sock_peer(int fd, struct ucred *peer)
{
    socklen_t n = sizeof *peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &n) == 0 && n == sizeof *peer ? 0 : -errno;
}

union control { /* aligned as the kernel wants it */
    char bytes[CMSG_SPACE(SOCK_FDS_MAX * sizeof(int))];
    struct cmsghdr align;
};

ssize_t sock_send_fds(int fd, const void *bytes, size_t n, const int *fds, unsigned n_fds)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    union control control = {.bytes = {0}};
    struct cmsghdr *c;
    ssize_t sent;

    if (n_fds > SOCK_FDS_MAX)
        return -EINVAL;
    if (n_fds > 0) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        c = CMSG_FIRSTHDR(&msg);
        *c = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n_fds * sizeof(int))};
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    do {
        sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

/* Take the descriptors out of one control message: up to max stay, the rest are closed. False: some did not fit. */
static bool take_fds(const struct cmsghdr *c, int *fds, unsigned max, unsigned *n_fds)
{
    size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    bool fits = true;

    for (size_t i = 0; i < count; i++) {
        int one;

        memcpy(&one, CMSG_DATA(c) + i * sizeof one, sizeof one);
        if (*n_fds < max) {
            fds[(*n_fds)++] = one;
        } else {
            close(one);
            fits = false;
        }
    }
    return fits;
}

ssize_t sock_recv_fds(int fd, void *bytes, size_t n, int *fds, unsigned max, unsigned *n_fds)
{
    struct iovec iov = {.iov_base = bytes, .iov_len = n};
    union control control;
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    bool fits = true;
    ssize_t got;

    *n_fds = 0;
    do {
        got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            fits = take_fds(c, fds, max, n_fds) && fits;
    if (fits && (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
        return got;
    while (*n_fds > 0)
        close(fds[--*n_fds]);
    return -EMSGSIZE;
}
