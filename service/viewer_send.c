/* SPDX-License-Identifier: MIT */
/* What goes out to a viewer: frames of output straight from the log, others from a few bytes in the viewer. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "console.h"
#include "viewer_private.h"

/* Frames. */

static void small_begin(struct viewer *v, enum vc_control_frame_type type, uint32_t length)
{
    struct vc_control_frame head = {.length = length, .type = (uint8_t)type};

    memcpy(v->small, &head, sizeof head);
    v->small_n = sizeof head;
    v->small_done = 0;
}

static void small_add(struct viewer *v, const void *bytes, size_t n)
{
    assert(v->small_n + n <= VIEWER_SMALL);
    memcpy(v->small + v->small_n, bytes, n);
    v->small_n = (uint8_t)(v->small_n + n);
}

/* The head of a frame of output, n bytes from this offset on. */
static void out_head(struct viewer *v, uint64_t offset, uint32_t n)
{
    v->small_n = v->small_done = 0;
    if (!v->frames)
        return;
    small_begin(v, VC_CONTROL_OUT, (uint32_t)sizeof offset + n);
    small_add(v, &offset, sizeof offset);
}

static void small_token(struct viewer *v)
{
    struct vc_control_token t = {.since_ns = v->console->token.since_ns};

    token_who(v->console, t.holder);
    if (v->console->token.holder == v)
        t.state = VC_CONTROL_YOURS;
    else if (token_free(v->console))
        t.state = VC_CONTROL_FREE;
    else
        t.state = v->refused ? VC_CONTROL_REFUSED : VC_CONTROL_OTHERS;
    if (v->refused && t.state == VC_CONTROL_FREE)
        t.state = VC_CONTROL_REFUSED; /* it typed without having asked, or may not write at all */
    v->refused = false;
    small_begin(v, VC_CONTROL_TOKEN, sizeof t);
    small_add(v, &t, sizeof t);
}

static void small_lease(struct viewer *v)
{
    const struct lease *l = token_leased(v->console);
    struct vc_control_lease lease = {.until_ns = 0};

    if (l != NULL) {
        lease.since_ns = l->since_ns;
        lease.until_ns = l->until_ns;
        memcpy(lease.who, l->who, sizeof lease.who);
        memcpy(lease.note, l->note, sizeof lease.note);
    }
    small_begin(v, VC_CONTROL_LEASE, sizeof lease);
    small_add(v, &lease, sizeof lease);
}

static void small_asked(struct viewer *v)
{
    const char *who = v->console->token.asks != NULL ? v->console->token.asks : "";

    small_begin(v, VC_CONTROL_ASKED, (uint32_t)strlen(who) + 1);
    small_add(v, who, strlen(who) + 1);
}

static void small_mark(struct viewer *v, const struct log_item *item)
{
    small_begin(v, VC_CONTROL_MARK, sizeof item->record);
    small_add(v, &item->record, sizeof item->record);
}

void viewer_small_end(struct viewer *v)
{
    static const char *const texts[] = {
        [VC_CONTROL_END_DONE] = "done",
        [VC_CONTROL_END_CONSOLE] = "the console is gone",
        [VC_CONTROL_END_SERVICE] = "the service stops",
        [VC_CONTROL_END_BAD] = "a frame that breaks the protocol",
    };
    const char *text = texts[v->end_reason];

    small_begin(v, VC_CONTROL_END, 1 + (uint32_t)strlen(text));
    small_add(v, &v->end_reason, 1);
    small_add(v, text, strlen(text));
    v->closing = true;
}

/* The next frame that is no output. False: there is none. */
static bool small_next(struct viewer *v)
{
    if (!v->frames) {
        v->pending &= PENDING_END; /* after the last byte: send_next */
        return false;
    }
    if (v->pending & PENDING_TOKEN) {
        v->pending &= ~(uint32_t)PENDING_TOKEN;
        small_token(v);
    } else if (v->pending & PENDING_LEASE) {
        v->pending &= ~(uint32_t)PENDING_LEASE;
        small_lease(v);
    } else if (v->pending & PENDING_ASKED) {
        v->pending &= ~(uint32_t)PENDING_ASKED;
        small_asked(v);
    } else if (v->pending & PENDING_SYNC) {
        v->pending &= ~(uint32_t)PENDING_SYNC;
        small_begin(v, VC_CONTROL_SYNC, v->sync_n);
        small_add(v, v->sync, v->sync_n);
    } else if ((v->pending & PENDING_END) && v->end_reason != VC_CONTROL_END_CONSOLE) {
        v->pending = 0;
        viewer_small_end(v);
    } else {
        return false;
    }
    return true;
}

/* Sending. */

static bool would_block(void) { return errno == EAGAIN || errno == EINTR || errno == ENOBUFS; }

/* What the socket took of small, then of n bytes. False: the client is gone. *stuck: it takes no more for now. */
static bool send_both(struct viewer *v, const void *bytes, uint32_t n, uint32_t *taken, bool *stuck)
{
    struct iovec iov[2] = {{v->small + v->small_done, (size_t)(v->small_n - v->small_done)},
                           {(void *)(uintptr_t)bytes, n}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
    size_t head = iov[0].iov_len;
    ssize_t sent = v->pty != NULL ? writev(v->watch.fd, iov, 2) : sendmsg(v->watch.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

    *taken = 0;
    *stuck = sent < (ssize_t)(head + n);
    if (sent < 0 && !would_block())
        v->mute = true;
    if (sent < 0)
        return !v->mute;
    if ((size_t)sent < head)
        head = (size_t)sent;
    v->small_done = (uint8_t)(v->small_done + head);
    *taken = (uint32_t)((size_t)sent - head);
    return true;
}

enum viewer_step viewer_send_small(struct viewer *v)
{
    uint32_t taken;
    bool stuck;

    if (!send_both(v, NULL, 0, &taken, &stuck))
        return STEP_DEAD;
    return stuck ? STEP_STUCK : STEP_ON;
}

/* Read the next piece of output, n bytes at most. 0: what stood there is a gap now. False: the log cannot be read. */
static bool read_piece(struct viewer *v, const struct log_item *item, uint64_t n, const uint8_t **piece, size_t *got)
{
    ptrdiff_t read = viewer_piece(v, item, n, piece);

    *got = read > 0 ? (size_t)read : 0;
    return read >= 0; /* else nothing honest can be sent */
}

static enum viewer_step send_piece(struct viewer *v, const uint8_t *piece, size_t n)
{
    uint32_t taken;
    bool stuck;

    if (!send_both(v, piece, (uint32_t)n, &taken, &stuck))
        return STEP_DEAD;
    if (taken > 0)
        log_cursor_take(&v->cursor, taken);
    v->frame_left -= taken;
    return stuck ? STEP_STUCK : STEP_ON;
}

/* Go on with the frame of output under way. */
static enum viewer_step send_output(struct viewer *v, const struct log_item *item)
{
    const uint8_t *piece;
    size_t n;

    if (!read_piece(v, item, v->frame_left, &piece, &n) || n == 0)
        return STEP_DEAD; /* the rest of what the frame promised cannot be had */
    return send_piece(v, piece, n);
}

/* A frame is as long as what was read for it: damage that shows now stands between frames, as a gap. */
static enum viewer_step begin_output(struct viewer *v, const struct log_item *item)
{
    const uint8_t *piece;
    size_t n;

    if (!read_piece(v, item, v->end - item->offset, &piece, &n))
        return STEP_DEAD;
    if (n == 0)
        return STEP_ON;
    v->frame_left = (uint32_t)n;
    out_head(v, item->offset, v->frame_left);
    return send_piece(v, piece, n);
}

/* Nothing stands before the cursor, and nothing can come without viewers_flow seeing us LIVE: all under its lock. */
static enum viewer_step go_live(struct viewer *v)
{
    struct log_item item = {.kind = LOG_NOTHING};
    bool error;

    pthread_mutex_lock(&v->console->live);
    error = log_cursor_next(&v->cursor, &item) != 0;
    if (!error && item.kind == LOG_NOTHING)
        v->state = VIEWER_LIVE;
    pthread_mutex_unlock(&v->console->live);
    if (error)
        return STEP_DEAD;
    if (item.kind == LOG_MARK)
        small_mark(v, &item); /* taken by the call: it is ours to send */
    return item.kind == LOG_NOTHING ? STEP_LIVE : STEP_ON;
}

static enum viewer_step at_the_end(struct viewer *v, enum vc_control_end reason)
{
    v->end_reason = (uint8_t)reason;
    v->pending = 0;
    if (v->frames)
        viewer_small_end(v);
    v->closing = true;
    return STEP_ON;
}

static enum viewer_step send_next(struct viewer *v)
{
    struct log_item item;

    if (log_cursor_next(&v->cursor, &item) != 0)
        return STEP_DEAD;
    if (item.kind == LOG_BYTES && v->cursor.offset >= v->end) /* marks that stand at the end are still its own */
        return at_the_end(v, VC_CONTROL_END_DONE);
    if (item.kind == LOG_BYTES)
        return begin_output(v, &item);
    if (item.kind == LOG_MARK) {
        small_mark(v, &item);
        return STEP_ON;
    }
    if (v->end != UINT64_MAX)
        return at_the_end(v, VC_CONTROL_END_DONE); /* retention or a gap took what was to come */
    if (v->pending & PENDING_END)
        return at_the_end(v, VC_CONTROL_END_CONSOLE);
    return go_live(v);
}

enum viewer_step viewer_step(struct viewer *v)
{
    struct log_item item;

    if (v->small_done < v->small_n && v->frame_left == 0)
        return viewer_send_small(v);
    if (v->frame_left > 0) {
        if (log_cursor_next(&v->cursor, &item) != 0 || (item.kind != LOG_BYTES && v->frames))
            return STEP_DEAD; /* retention took the rest of a frame that has begun */
        if (item.kind == LOG_BYTES)
            return send_output(v, &item);
        v->frame_left = 0; /* raw bytes have no frames that could break */
    }
    if (v->closing)
        return STEP_DEAD;
    if (small_next(v))
        return STEP_ON;
    return send_next(v);
}

/* The append thread. */

bool viewer_send_direct(struct viewer *v, const void *bytes, uint32_t n, uint64_t offset)
{
    uint32_t taken = 0;
    bool stuck = false;

    out_head(v, offset, n);
    if (!send_both(v, bytes, n, &taken, &stuck))
        return false; /* pump will find it dead */
    if (taken > 0)
        log_cursor_take(&v->cursor, taken);
    if (!stuck)
        return true;
    if (v->small_done == 0 && taken == 0)
        v->small_n = 0; /* nothing of the frame went out */
    else
        v->frame_left = n - taken;
    return false;
}
