/* SPDX-License-Identifier: MIT */
#include "viewer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "console.h"
#include "service.h"
#include "viewer_input.h"

#define PIECE      (64u * 1024)  /* of output in one frame */
#define PUMP_BYTES (512u * 1024) /* to one viewer before the others have their turn */

enum pending { PENDING_TOKEN = 1, PENDING_SYNC = 2, PENDING_END = 4 };

static struct viewer *viewer_of(struct watch *w) { return (struct viewer *)(void *)w; }

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

static void small_mark(struct viewer *v, const struct log_item *item)
{
    small_begin(v, VC_CONTROL_MARK, sizeof item->record);
    small_add(v, &item->record, sizeof item->record);
}

static void small_end(struct viewer *v)
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
    } else if (v->pending & PENDING_SYNC) {
        v->pending &= ~(uint32_t)PENDING_SYNC;
        small_begin(v, VC_CONTROL_SYNC, v->sync_n);
        small_add(v, v->sync, v->sync_n);
    } else if ((v->pending & PENDING_END) && v->end_reason != VC_CONTROL_END_CONSOLE) {
        v->pending = 0;
        small_end(v);
    } else {
        return false;
    }
    return true;
}

/* Life. */

static void update_watch(struct viewer *v)
{
    uint32_t events = v->stuck ? EPOLLOUT : 0;

    if (!v->deaf && !(v->pending & PENDING_SYNC)) /* one sync at a time is kept */
        events |= v->blocked ? EPOLLRDHUP : EPOLLIN;
    watch_set(&v->console->service->watches, &v->watch, events);
}

/* Out of the append thread's hands. */
static void take_back(struct viewer *v)
{
    pthread_mutex_lock(&v->console->live);
    v->state = VIEWER_BEHIND;
    pthread_mutex_unlock(&v->console->live);
}

static void viewer_destroy(struct viewer *v)
{
    struct console *c = v->console;
    struct viewer **at = &c->viewers;

    pthread_mutex_lock(&c->live);
    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    c->n_viewers--;
    pthread_mutex_unlock(&c->live);
    c->service->n_viewers--;
    token_release(c, v);
    watch_end(&c->service->watches, &v->watch);
    close(v->watch.fd);
    log_cursor_close(&v->cursor);
    free(v);
    service_idle_check(c->service);
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
    ssize_t sent = sendmsg(v->watch.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

    *taken = 0;
    *stuck = sent < (ssize_t)(head + n);
    if (sent < 0)
        return would_block();
    if ((size_t)sent < head)
        head = (size_t)sent;
    v->small_done = (uint8_t)(v->small_done + head);
    *taken = (uint32_t)((size_t)sent - head);
    return true;
}

enum step { STEP_ON, STEP_STUCK, STEP_LIVE, STEP_DEAD };

static enum step send_small(struct viewer *v)
{
    uint32_t taken;
    bool stuck;

    if (!send_both(v, NULL, 0, &taken, &stuck))
        return STEP_DEAD;
    return stuck ? STEP_STUCK : STEP_ON;
}

/* Go on with the frame of output under way. */
static enum step send_output(struct viewer *v, const struct log_item *item)
{
    static uint8_t piece[PIECE];
    uint64_t n = item->n < v->frame_left ? item->n : v->frame_left;
    ssize_t got = pread(item->fd, piece, n < PIECE ? n : PIECE, (off_t)item->position);
    uint32_t taken;
    bool stuck;

    if (got <= 0)
        return STEP_DEAD; /* the log cannot be read: nothing honest can be sent */
    if (!send_both(v, piece, (uint32_t)got, &taken, &stuck))
        return STEP_DEAD;
    if (taken > 0)
        log_cursor_take(&v->cursor, taken);
    v->frame_left -= taken;
    return stuck ? STEP_STUCK : STEP_ON;
}

static enum step begin_output(struct viewer *v, const struct log_item *item)
{
    uint64_t n = item->n;

    if (n > v->end - item->offset)
        n = v->end - item->offset;
    if (n > PIECE)
        n = PIECE;
    v->frame_left = (uint32_t)n;
    out_head(v, item->offset, v->frame_left);
    return send_output(v, item);
}

/* Nothing stands before the cursor, and nothing can come without viewers_flow seeing us LIVE: all under its lock. */
static enum step go_live(struct viewer *v)
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

static enum step at_the_end(struct viewer *v, enum vc_control_end reason)
{
    v->end_reason = (uint8_t)reason;
    v->pending = 0;
    if (v->frames)
        small_end(v);
    v->closing = true;
    return STEP_ON;
}

static enum step send_next(struct viewer *v)
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

static enum step step(struct viewer *v)
{
    struct log_item item;

    if (v->small_done < v->small_n && v->frame_left == 0)
        return send_small(v);
    if (v->frame_left > 0) {
        if (log_cursor_next(&v->cursor, &item) != 0 || item.kind != LOG_BYTES)
            return STEP_DEAD; /* retention took the rest of a frame that has begun */
        return send_output(v, &item);
    }
    if (v->closing)
        return STEP_DEAD;
    if (small_next(v))
        return STEP_ON;
    return send_next(v);
}

/* Send while the socket takes it. v may be gone afterwards. */
static void pump(struct viewer *v)
{
    uint64_t limit;
    enum step s;

    take_back(v);
    limit = v->cursor.offset + PUMP_BYTES;
    do {
        s = step(v);
    } while (s == STEP_ON && v->cursor.offset < limit);
    if (s == STEP_DEAD) {
        viewer_destroy(v);
        return;
    }
    v->stuck = s != STEP_LIVE; /* also when the limit was reached: the socket will poll writable at once */
    update_watch(v);
}

static bool is_behind(struct viewer *v)
{
    bool behind;

    pthread_mutex_lock(&v->console->live);
    behind = v->state == VIEWER_BEHIND;
    pthread_mutex_unlock(&v->console->live);
    return behind;
}

void viewers_pump(struct console *c)
{
    struct viewer *next;

    for (struct viewer *v = c->viewers; v != NULL; v = next) {
        next = v->next;
        if (!v->stuck && v->watch.on && is_behind(v))
            pump(v);
    }
}

/* Something else than output is to be said. */
static void announce(struct viewer *v, uint32_t pending)
{
    v->pending |= pending;
    if (!v->stuck && v->watch.on)
        pump(v);
}

void viewers_tell_token(struct console *c)
{
    /* Sent by the loop, not here: whoever changes the token may stand in the middle of a viewer of this list. */
    for (struct viewer *v = c->viewers; v != NULL; v = v->next) {
        if (!v->frames)
            continue;
        v->pending |= PENDING_TOKEN;
        take_back(v);
        if (v->watch.on) {
            v->stuck = true;
            update_watch(v);
        }
    }
}

void viewers_end(struct console *c)
{
    struct viewer *next;

    for (struct viewer *v = c->viewers; v != NULL; v = next) {
        next = v->next;
        v->end_reason = VC_CONTROL_END_CONSOLE;
        announce(v, PENDING_END);
    }
}

void viewers_drop(struct console *c)
{
    while (c->viewers != NULL) {
        struct viewer *v = c->viewers;

        take_back(v);
        if (v->frames && v->frame_left == 0 && v->small_done == v->small_n) {
            v->end_reason = VC_CONTROL_END_SERVICE;
            small_end(v);
            (void)send_small(v);
        }
        viewer_destroy(v);
    }
}

/* Receiving. */

static void read_input(struct viewer *v)
{
    enum input result = input_read(v);

    if (result == INPUT_END && v->frames) {
        viewer_destroy(v);
        return;
    }
    v->blocked = result == INPUT_BLOCKED;
    v->deaf = result == INPUT_END || result == INPUT_BAD;
    if (result == INPUT_END) /* `echo word | socat`: half closed, and still waiting for the answer */
        token_release(v->console, v);
    if (result == INPUT_BAD)
        v->end_reason = VC_CONTROL_END_BAD;
    update_watch(v);
    if (result == INPUT_BAD || result == INPUT_ANSWER || result == INPUT_SYNC)
        announce(v, result == INPUT_BAD ? PENDING_END : result == INPUT_ANSWER ? PENDING_TOKEN : PENDING_SYNC);
}

static void ready(struct watch *w, uint32_t events)
{
    struct viewer *v = viewer_of(w);

    if ((events & EPOLLERR) || ((events & EPOLLHUP) && (v->blocked || v->deaf))) {
        viewer_destroy(v);
        return;
    }
    if (v->blocked && (events & EPOLLRDHUP)) {
        v->deaf = true; /* what it wrote before is still read when there is room */
        update_watch(v);
    }
    if (events & EPOLLOUT) {
        v->stuck = false;
        pump(v); /* v may be gone: its input, if any, is reported again */
        return;
    }
    if (!v->blocked && !v->deaf && (events & (EPOLLIN | EPOLLHUP)))
        read_input(v);
}

void viewer_room(struct console *c)
{
    struct viewer *next;

    for (struct viewer *v = c->viewers; v != NULL; v = next) {
        next = v->next;
        if (!v->blocked)
            continue;
        v->blocked = v->deaf = false;
        read_input(v);
    }
}

/* Making. */

struct viewer *viewer_newest(struct console *c) { return c->viewers; }

int viewer_create(struct console *c, int fd, const struct viewer_wish *wish)
{
    struct viewer *v = calloc(1, sizeof *v);
    int error;

    if (v == NULL)
        return -ENOMEM;
    error = log_cursor_open(&v->cursor, &c->log, wish->offset, wish->kinds);
    if (error) {
        free(v);
        return error;
    }
    v->watch = (struct watch){.ready = ready, .fd = fd};
    v->console = c;
    v->end = wish->end;
    v->frames = wish->frames;
    v->marks = wish->kinds != 0;
    v->times = (wish->kinds & LOG_KIND(VC_INDEX_TIME)) != 0;
    v->may_write = wish->may_write;
    v->may_break = wish->may_break;
    snprintf(v->who, sizeof v->who, "%s", wish->who);
    if (c->gone && c->source == NULL && v->end == UINT64_MAX && !uv_is_active((uv_handle_t *)&c->service->returning)) {
        v->pending = PENDING_END;
        v->end_reason = VC_CONTROL_END_CONSOLE;
    }
    pthread_mutex_lock(&c->live);
    v->next = c->viewers;
    c->viewers = v;
    c->n_viewers++;
    pthread_mutex_unlock(&c->live);
    c->service->n_viewers++;
    return 0;
}

void viewer_begin(struct viewer *v)
{
    if (v->frames)
        v->pending |= PENDING_TOKEN;
    v->stuck = true; /* its socket will poll writable */
    update_watch(v);
}

/* The append thread. */

/* True: it has all of it. */
static bool send_direct(struct viewer *v, const void *bytes, uint32_t n, uint64_t offset)
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

bool viewers_flow(struct console *c, enum appended what, const void *bytes, uint32_t n, uint64_t end)
{
    unsigned direct = 0;
    bool behind = false;

    pthread_mutex_lock(&c->live);
    for (struct viewer *v = c->viewers; v != NULL; v = v->next) {
        if (v->state != VIEWER_LIVE || (what == APPENDED_MARK && !v->marks) || (what == APPENDED_TIME && !v->times))
            continue;
        if (what == APPENDED_BYTES && v->cursor.offset == end)
            continue; /* it went live behind these bytes */
        if (what == APPENDED_BYTES && bytes != NULL && !v->times && v->cursor.offset == end - n &&
            direct++ < VIEWER_DIRECT_COUNT && send_direct(v, bytes, n, end - n))
            continue;
        v->state = VIEWER_BEHIND;
        behind = true;
    }
    pthread_mutex_unlock(&c->live);
    return behind;
}
