/* SPDX-License-Identifier: MIT */
/* Frames both ways, after attach. Little-endian, as the machines we run on. */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "conn.h"
#include "host/message.h"

int conn_frame(struct conn *c, struct frame *f)
{
    struct vc_control_frame head;
    size_t there = c->have - c->taken, length;

    if (there < sizeof head)
        return 0;
    memcpy(&head, c->in + c->taken, sizeof head);
    length = le32toh(head.length);
    if (length > VC_CONTROL_OUT_MAX + sizeof(uint64_t))
        return -EPROTO;
    if (there < sizeof head + length)
        return 0;
    *f = (struct frame){.type = head.type, .bytes = c->in + c->taken + sizeof head, .n = length};
    c->taken += sizeof head + length;
    return 1;
}

int conn_flush(struct conn *c)
{
    size_t done = 0;
    int error = 0;

    while (done < c->out_have && error == 0) {
        ssize_t n = send(c->fd, c->out + done, c->out_have - done, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n >= 0)
            done += (size_t)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            error = -errno;
    }
    if (done > 0)
        memmove(c->out, c->out + done, c->out_have - done);
    c->out_have -= done;
    return error;
}

bool conn_token(const struct frame *f, struct vc_control_token *t)
{
    if (f->n != sizeof *t)
        return false;
    memcpy(t, f->bytes, sizeof *t);
    t->holder[sizeof t->holder - 1] = '\0';
    message_clean(t->holder, strlen(t->holder));
    return true;
}

int conn_send(struct conn *c, enum vc_control_frame_type type, const void *bytes, size_t n)
{
    struct vc_control_frame head = {.length = htole32((uint32_t)n), .type = (uint8_t)type};
    size_t need = c->out_have + sizeof head + n;

    if (need > c->out_size) {
        uint8_t *more = realloc(c->out, 2 * need);

        if (more == NULL)
            return -ENOMEM;
        c->out = more;
        c->out_size = 2 * need;
    }
    memcpy(c->out + c->out_have, &head, sizeof head);
    if (n > 0)
        memcpy(c->out + c->out_have + sizeof head, bytes, n);
    c->out_have = need;
    return conn_flush(c);
}

void conn_send_input(struct conn *c, const void *bytes, size_t n)
{
    for (const uint8_t *at = bytes; n > 0;) {
        size_t part = n < VC_CONTROL_IN_MAX ? n : VC_CONTROL_IN_MAX;

        conn_send(c, VC_CONTROL_IN, at, part);
        at += part;
        n -= part;
    }
}

bool conn_waits(const struct conn *c) { return c->out_have > 0; }

bool conn_wait(struct conn *c, int timeout_ms)
{
    struct pollfd p = {.fd = c->fd, .events = (short)(POLLIN | (conn_waits(c) ? POLLOUT : 0))};
    int n = poll(&p, 1, timeout_ms);

    if (n > 0 && (p.revents & POLLOUT) != 0)
        conn_flush(c); /* a connection that is lost is seen by the reader */
    return n != 0;
}
