/* SPDX-License-Identifier: MIT */
#include "dialer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/sandbox.h"

#define ANSWER_MS 10000
#define OWN_FD    3 /* of the dialer, beside the standard three */

union control { /* room for one descriptor, aligned as CMSG_ macros want it */
    struct cmsghdr head;
    char bytes[CMSG_SPACE(sizeof(int))];
};

/* The dialer. */

static void answer(int to, int fd)
{
    uint8_t error = fd < 0 && fd > -256 ? (uint8_t)-fd : fd < 0 ? EIO : 0;
    struct iovec part = {&error, 1};
    union control control = {.bytes = {0}};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd >= 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = sizeof control.bytes;
        control.head =
            (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    }
    (void)sendmsg(to, &m, MSG_NOSIGNAL);
}

static _Noreturn void serve(int fd, int (*dial)(void))
{
    static const char *const syscalls[] = {"socket", "connect", "openat", "recvfrom", "sendmsg", "fcntl", NULL};
    struct problem p;
    uint8_t byte;

    /* Locks of the service's descriptors, and whoever waits for one of them to be closed, are none of its business. */
    if (dup2(fd, OWN_FD) < 0 || syscall(SYS_close_range, OWN_FD + 1, ~0u, 0) != 0)
        _exit(1);
    (void)prctl(PR_SET_NAME, "xenstore-dialer");
    signal(SIGINT, SIG_IGN); /* it ends with the service, which may have much to drain */
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (sandbox_enter(syscalls, &p) != 0)
        _exit(1);
    while (recv(OWN_FD, &byte, 1, 0) == 1) {
        int got = dial();

        answer(OWN_FD, got);
        if (got >= 0)
            close(got);
    }
    _exit(0);
}

/* The service. */

int dialer_start(struct dialer *d, int (*dial)(void), struct problem *p)
{
    int ends[2];
    pid_t pid;

    d->fd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return problem_set(p, -errno, "socketpair: %s", strerror(errno));
    pid = fork();
    if (pid == 0)
        serve(ends[1], dial);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return problem_set(p, -EAGAIN, "no process for connections to XenStore");
    }
    d->fd = ends[0];
    return 0;
}

static int receive(int from)
{
    uint8_t error;
    struct iovec part = {&error, 1};
    union control control;
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    const struct cmsghdr *head;
    int fd;

    if (recvmsg(from, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1)
        return -EPIPE;
    head = CMSG_FIRSTHDR(&m);
    if (head == NULL || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof fd))
        return error != 0 ? -(int)error : -EPIPE;
    memcpy(&fd, CMSG_DATA(head), sizeof fd);
    return fd;
}

int dialer_ask(struct dialer *d)
{
    struct pollfd answered = {.fd = d->fd, .events = POLLIN};
    int error = -EPIPE;

    if (d->fd < 0)
        return error;
    if (send(d->fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 && poll(&answered, 1, ANSWER_MS) == 1) {
        error = receive(d->fd);
        if (error != -EPIPE)
            return error;
    }
    dialer_close(d); /* whatever it still says would be the answer to another question */
    return error;
}

void dialer_close(struct dialer *d)
{
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}
