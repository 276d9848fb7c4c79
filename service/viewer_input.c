/* SPDX-License-Identifier: MIT */
#include "viewer_input.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "audit.h"
#include "console.h"
#include "pty.h"
#include "service.h"
#include "source.h"
#include "viewer.h"

#define FEW    64u /* bytes: what a person types, not what a program sends */
#define ROUNDS 16u /* of one client before the others have their turn */

static enum input failed(ssize_t n) { return n < 0 && (errno == EAGAIN || errno == EINTR) ? INPUT_MORE : INPUT_END; }

/* As recv, but what came with the head is first. */
static ssize_t receive(struct viewer *v, uint8_t *to, size_t max)
{
    size_t early = v->has_early ? 1 : 0;
    ssize_t n = 0;

    if (early) {
        to[0] = v->early;
        v->has_early = false;
    }
    if (max > early && v->pty != NULL)
        n = read(v->watch.fd, to + early, max - early);
    else if (max > early)
        n = recv(v->watch.fd, to + early, max - early, MSG_DONTWAIT);
    return early == 0 ? n : n > 0 ? n + 1 : 1;
}

static uint32_t room_of(struct console *c)
{
    uint32_t room = 0;

    if (c->source != NULL && !c->removing)
        (void)c->source->ops->room(c->source, &room); /* broken: no room */
    return room;
}

/* Bytes for the line, no more than it takes now. *went: so many. INPUT_MORE with *went == 0: nothing is there. */
static enum input read_bytes(struct viewer *v, uint32_t max, uint32_t *went)
{
    uint8_t bytes[VC_CONTROL_IN_MAX];
    struct console *c = v->console;
    uint32_t room = room_of(c), put = 0;
    ssize_t n;

    *went = 0;
    if (room == 0 && console_wait_room(c))
        return INPUT_BLOCKED;
    room = room_of(c);
    if (room == 0)
        return INPUT_BLOCKED;
    n = receive(v, bytes, room < max ? room : max);
    if (n <= 0)
        return failed(n);
    c->source->ops->put(c->source, bytes, (uint32_t)n, &put);
    audit_typed(v, bytes, (uint32_t)n);
    append_typed(&c->service->append, c, put);
    *went = (uint32_t)n;
    return INPUT_MORE;
}

/* Bytes of somebody who may not type, or has not got the token. */
static enum input read_refused(struct viewer *v, uint32_t max, uint32_t *went)
{
    uint8_t bytes[VC_CONTROL_IN_MAX];
    ssize_t n = receive(v, bytes, max < sizeof bytes ? max : sizeof bytes);

    *went = n > 0 ? (uint32_t)n : 0;
    v->console->refused += *went;
    return n > 0 ? INPUT_MORE : failed(n);
}

/* Raw sockets and ptys: the first byte asks for the token. */
static enum input read_raw(struct viewer *v, uint32_t *went)
{
    bool writes = v->may_write && token_request(v->console, v, TOKEN_IF_FREE);

    if (writes && v->pty != NULL)
        pty_typed(v->pty);
    return writes ? read_bytes(v, VC_CONTROL_IN_MAX, went) : read_refused(v, VC_CONTROL_IN_MAX, went);
}

static bool length_ok(const struct vc_control_frame *f)
{
    switch (f->type) {
    case VC_CONTROL_IN: return f->length <= VC_CONTROL_IN_MAX;
    case VC_CONTROL_TOKEN: return f->length == 1;
    case VC_CONTROL_RESIZE: return f->length == 4;
    case VC_CONTROL_BREAK: return f->length == 0;
    case VC_CONTROL_SYNC: return f->length <= sizeof((struct viewer *)0)->sync;
    default: return false;
    }
}

static struct vc_control_frame head_of(const struct viewer *v)
{
    struct vc_control_frame f;

    memcpy(&f, v->head, sizeof f);
    return f;
}

/* A head, and one byte more in the same call: behind the head of a key that is all there is. */
static enum input read_head(struct viewer *v, uint32_t *went)
{
    uint8_t bytes[sizeof v->head + 1] = {0};
    size_t missing = sizeof v->head - v->head_have;
    ssize_t n = receive(v, bytes, missing + 1);
    struct vc_control_frame f;

    if (n <= 0)
        return failed(n);
    *went = (uint32_t)n;
    v->has_early = (size_t)n > missing;
    v->early = bytes[missing];
    if ((size_t)n < missing)
        missing = (size_t)n;
    memcpy(v->head + v->head_have, bytes, missing);
    v->head_have = (uint8_t)(v->head_have + missing);
    if (v->head_have < sizeof v->head)
        return INPUT_MORE;
    f = head_of(v);
    if (!length_ok(&f))
        return INPUT_BAD;
    v->in_left = f.length;
    v->payload_have = 0;
    return INPUT_MORE;
}

static enum input token_frame(struct viewer *v)
{
    static const enum token_wish wishes[] = {
        [VC_CONTROL_REQUEST] = TOKEN_IF_FREE, [VC_CONTROL_STEAL] = TOKEN_STEAL, [VC_CONTROL_FORCE] = TOKEN_FORCE};
    uint8_t op = v->payload[0];

    if (op == VC_CONTROL_RELEASE) {
        token_release(v->console, v);
        return INPUT_MORE;
    }
    if (op >= sizeof wishes / sizeof wishes[0])
        return INPUT_BAD;
    v->refused = !v->may_write || !token_request(v->console, v, wishes[op]);
    if (v->refused && v->may_write && op == VC_CONTROL_REQUEST)
        token_ask(v->console, v);
    return INPUT_ANSWER;
}

static enum input break_frame(struct viewer *v)
{
    struct console *c = v->console;

    if (!v->may_break || c->token.holder != v || c->source == NULL || c->removing || c->source->ops->post == NULL)
        return INPUT_MORE;
    audit_break(v);
    c->source->ops->post(c->source, VC_INDEX_BREAK, 0);
    return INPUT_MORE;
}

/* A terminal that does not know its size says 0. */
static enum input resize_frame(struct viewer *v, uint32_t rows, uint32_t columns)
{
    if (v->console->token.holder == v && rows > 0 && columns > 0)
        console_resize(v->console, rows << 16 | columns);
    return INPUT_MORE;
}

/* A whole frame other than IN. */
static enum input act(struct viewer *v)
{
    uint32_t rows = v->payload[0] | (uint32_t)v->payload[1] << 8;
    uint32_t columns = v->payload[2] | (uint32_t)v->payload[3] << 8;

    switch (head_of(v).type) {
    case VC_CONTROL_TOKEN: return token_frame(v);
    case VC_CONTROL_RESIZE: return resize_frame(v, rows, columns);
    case VC_CONTROL_BREAK: return break_frame(v);
    case VC_CONTROL_SYNC:
        v->sync_n = v->payload_have;
        memcpy(v->sync, v->payload, v->sync_n);
        return INPUT_SYNC;
    default: return INPUT_MORE; /* an IN frame, done */
    }
}

static enum input read_in(struct viewer *v, uint32_t *went)
{
    bool writes = v->console->token.holder == v;
    enum input i = writes ? read_bytes(v, v->in_left, went) : read_refused(v, v->in_left, went);

    v->in_left -= *went;
    if (!writes && *went > 0 && v->in_left == 0)
        v->refused = true;
    return i;
}

static enum input read_payload(struct viewer *v, uint32_t *went)
{
    ssize_t n = receive(v, v->payload + v->payload_have, v->in_left);

    if (n <= 0)
        return failed(n);
    *went = (uint32_t)n;
    v->payload_have = (uint8_t)(v->payload_have + n);
    v->in_left -= *went;
    return INPUT_MORE;
}

/* The byte that came with a head is used in the same step: the socket tells of it no more. */
static enum input read_frames(struct viewer *v, uint32_t *went)
{
    enum input i = INPUT_MORE;
    uint32_t head = 0;

    *went = 0;
    if (v->head_have < sizeof v->head)
        i = read_head(v, &head);
    if (i == INPUT_MORE && v->in_left > 0 && (head == 0 || v->has_early))
        i = head_of(v).type == VC_CONTROL_IN ? read_in(v, went) : read_payload(v, went);
    *went += head;
    if (i != INPUT_MORE || *went == 0 || v->head_have < sizeof v->head || v->in_left > 0)
        return i;
    v->head_have = 0;
    if (v->refused && head_of(v).type == VC_CONTROL_IN)
        return INPUT_ANSWER;
    return act(v);
}

enum input input_read(struct viewer *v)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t went = 0;
        enum input result = v->frames ? read_frames(v, &went) : read_raw(v, &went);

        if (result != INPUT_MORE || went == 0)
            return result;
        if (v->head_have == 0 && went < FEW)
            break; /* a key: no call just to see that there is no second one */
    }
    return INPUT_MORE; /* level-triggered: the rest is reported again */
}
