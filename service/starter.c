/* SPDX-License-Identifier: MIT */
#include "starter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "connector.h"
#include "host/sock.h"
#include "service.h"

#define ANSWERS_A_TURN 64u

/* What the service has open is none of its business: a state lock, a Xen's devices, who waits for us to answer. */
static void close_others(unsigned fd)
{
    if ((fd > STDERR_FILENO + 1 && syscall(SYS_close_range, STDERR_FILENO + 1, fd - 1, 0) != 0) ||
        syscall(SYS_close_range, fd + 1, ~0u, 0) != 0)
        _exit(1);
}

int starter_fork(struct starter *starter, struct problem *p)
{
    int ends[2];
    pid_t child;

    *starter = (struct starter){.fd = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return problem_set(p, -errno, "socketpair: %s", strerror(errno));
    child = fork();
    if (child == 0) {
        close_others((unsigned)ends[1]);
        starter_process(ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        int error = problem_set(p, -errno, "fork: %s", strerror(errno));

        close(ends[0]);
        return error;
    }
    starter->fd = ends[0];
    starter->pid = child;
    return 0;
}

void starter_discard(struct starter *starter)
{
    if (starter->fd < 0)
        return;
    close(starter->fd); /* by which it ends */
    while (waitpid(starter->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    starter->fd = -1;
}

/* False: nothing more now. */
static bool read_answer(struct service *s)
{
    struct starter_answer answer;
    struct iovec iov = {&answer, sizeof answer};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    const struct cmsghdr *head;
    ssize_t n = recvmsg(s->starter.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int fd = -1;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        message("the process that runs commands and looks up names is gone: sources that need it stay away");
        starter_close(s);
        return false;
    }
    head = CMSG_FIRSTHDR(&m);
    if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
        head->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(head), sizeof fd);
    answer.text[sizeof answer.text - 1] = '\0';
    if (n != (ssize_t)sizeof answer || answer.n > STARTER_ADDRESSES || !connector_answered(s, &answer, fd))
        if (fd >= 0)
            close(fd); /* whoever asked is gone */
    return true;
}

static void answers_ready(struct watch *w, uint32_t events)
{
    struct service *s = (struct service *)((char *)w - offsetof(struct service, starter.watch));

    (void)events;
    for (unsigned i = 0; i < ANSWERS_A_TURN && read_answer(s); i++) {
    }
}

int starter_watch(struct service *s)
{
    if (s->starter.fd < 0)
        return 0;
    s->starter.watch = (struct watch){.ready = answers_ready, .fd = s->starter.fd};
    return watch_set(&s->watches, &s->starter.watch, EPOLLIN);
}

void starter_close(struct service *s)
{
    if (s->starter.fd < 0)
        return;
    watch_end(&s->watches, &s->starter.watch);
    close(s->starter.fd);
    s->starter.fd = -1;
}

static bool send_request(struct service *s, const struct starter_ask *ask)
{
    return s->starter.fd >= 0 &&
           send(s->starter.fd, ask, sizeof *ask, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof *ask;
}

uint32_t starter_request(struct service *s, enum starter_what what, const char *text)
{
    struct starter_ask ask = {.what = what};

    if (++s->starter.next == 0)
        s->starter.next = 1;
    ask.serial = s->starter.next;
    snprintf(ask.text, sizeof ask.text, "%s", text);
    return send_request(s, &ask) ? ask.serial : 0;
}

void starter_unlink(struct service *s, const char *path)
{
    struct starter_ask ask = {.what = STARTER_UNLINK};

    snprintf(ask.text, sizeof ask.text, "%s", path);
    (void)send_request(s, &ask); /* if it cannot be told: who listens there next replaces it */
}

void starter_end(struct service *s, uint32_t serial)
{
    const struct starter_ask ask = {.serial = serial, .what = STARTER_END};

    (void)send_request(s, &ask); /* if it cannot be told: its terminal is gone, and the kernel hangs up */
}
