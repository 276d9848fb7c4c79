/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "host/message.h"
#include "sink.h"

void sink_open(struct sink *s, int fd)
{
    char path[32];
    int own = -1;

    if (isatty(fd)) { /* a description of our own: O_NONBLOCK on the shared one would outlive us */
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    }
    *s = (struct sink){.fd = own >= 0 ? own : fd, .own = own >= 0, .last = '\n'};
}

void sink_close(struct sink *s)
{
    for (int i = 0; i < 50 && sink_waits(s); i++) {
        struct pollfd p = {.fd = s->fd, .events = POLLOUT};

        poll(&p, 1, 10);
        sink_flush(s);
    }
    if (s->own)
        close(s->fd);
    free(s->bytes);
    *s = (struct sink){.fd = -1};
}

uint8_t *sink_room(struct sink *s, size_t n)
{
    if (s->size - s->have < n) {
        uint8_t *more = realloc(s->bytes, s->have + n);

        if (more == NULL)
            return NULL;
        s->bytes = more;
        s->size = s->have + n;
    }
    return s->bytes + s->have;
}

void sink_took(struct sink *s, size_t n)
{
    s->have += n;
    if (n > 0)
        s->last = s->bytes[s->have - 1];
}

void sink_put(struct sink *s, const void *bytes, size_t n)
{
    uint8_t *room = n > 0 ? sink_room(s, n) : NULL;

    if (room == NULL)
        return;
    memcpy(room, bytes, n);
    sink_took(s, n);
}

static bool ready(const struct sink *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLOUT};

    return s->own || poll(&p, 1, 0) > 0;
}

void sink_flush(struct sink *s)
{
    size_t done = 0;

    /* A pipe that is ready takes PIPE_BUF bytes without blocking; a file takes anything. */
    while (done < s->have && !s->gone && ready(s)) {
        size_t n = s->have - done;
        ssize_t written = write(s->fd, s->bytes + done, n < PIPE_BUF ? n : PIPE_BUF);

        if (written > 0)
            done += (size_t)written;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR) {
            s->gone = true;
            s->error = errno;
        }
    }
    if (s->gone)
        done = s->have;
    if (done > 0)
        memmove(s->bytes, s->bytes + done, s->have - done);
    s->have -= done;
}

bool sink_waits(const struct sink *s) { return s->have > 0; }

int sink_status(const struct sink *s, bool terminal)
{
    if (terminal)
        return EXIT_FAILED;
    if (s->error == 0 || s->error == EPIPE)
        return EXIT_DONE;
    message("cannot write the output: %s", strerror(s->error));
    return EXIT_FAILED;
}
