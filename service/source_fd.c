/* SPDX-License-Identifier: MIT */
#include "source_fd.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define OUT_BYTES    (TELNET_GROW * SOURCE_FD_PUT + 1024) /* with room for telnet's answers */
#define ECHO_WAIT_MS 1000u /* what does not echo, as one that asks for a password, gets the next byte then */
#define STUCK_NS     UINT64_C(10000000) /* paced, and the kernel takes nothing: looked at again */
#define NO_ECHO      0x100u             /* no byte is waited for */

struct kept { /* for another process, on this machine: all but what is to be sent */
    struct telnet_kept telnet;
    uint32_t echo, breaking;
    uint64_t next_ns, patient_ns;
};

struct source_fd {
    struct source source;
    int fd;
    struct source_fd_wish wish;
    int error;            /* atomic: errno that ended it */
    uint32_t echo;        /* atomic: the byte whose echo is waited for, or NO_ECHO */
    bool paced;           /* room_fd is a timer of ours */
    uint64_t next_ns;     /* control: CLOCK_MONOTONIC: no byte before */
    uint64_t patient_ns;  /* control: until then the echo is waited for */
    uint32_t shown;       /* append: bytes of `received` that are this source's until commit */
    bool full;            /* append: they were all that was asked for: there may be more */
    bool breaking;        /* control: a break has begun, and is to end */
    bool continued;       /* what is to be agreed upon an earlier service began */
    pthread_mutex_t lock; /* of telnet, and of what is to be sent: out[out_begin..out_end) */
    uint32_t out_begin, out_end;
    struct telnet telnet;
    uint8_t *out;     /* OUT_BYTES: pages of its own, which are there once something is typed */
    struct kept kept; /* for handover only */
};

/* One for all: nothing is kept in it from one turn to the next, so that a source costs no memory for what passes, and what
 * passes stays in the processor's cache. */
static _Thread_local uint8_t received[SOURCE_FD_BUFFER];

static struct source_fd *fd_of(const struct source *s) { return (struct source_fd *)(uintptr_t)s; }

static uint64_t mono_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* What is to be sent; under the lock. */

static void flush(struct source_fd *f)
{
    ssize_t n = 1;

    while (f->out_begin < f->out_end && n > 0) {
        const uint8_t *from = f->out + f->out_begin;
        size_t left = f->out_end - f->out_begin;

        n = f->wish.tty ? write(f->fd, from, left) : send(f->fd, from, left, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            n = 1; /* again */
        else if (n > 0)
            f->out_begin += (uint32_t)n;
        else if (n < 0 && errno != EAGAIN)
            f->out_begin = f->out_end; /* nobody is there to hear it: the append thread finds the end */
    }
    if (f->out_begin == f->out_end)
        f->out_begin = f->out_end = 0;
}

static uint8_t *out_room(struct source_fd *f, size_t n)
{
    if (n > OUT_BYTES - f->out_end) {
        memmove(f->out, f->out + f->out_begin, f->out_end - f->out_begin);
        f->out_end -= f->out_begin;
        f->out_begin = 0;
    }
    return n <= OUT_BYTES - f->out_end ? f->out + f->out_end : NULL;
}

/* For telnet, which is called under the lock. What cannot go now, goes with what follows. */
static bool telnet_out(void *ctx, const uint8_t *bytes, size_t n)
{
    struct source_fd *f = ctx;
    uint8_t *to = out_room(f, n);

    if (to == NULL)
        return false;
    memcpy(to, bytes, n);
    f->out_end += (uint32_t)n;
    return true;
}

static bool flushed(struct source_fd *f)
{
    bool empty;

    pthread_mutex_lock(&f->lock);
    flush(f);
    empty = f->out_end == 0;
    pthread_mutex_unlock(&f->lock);
    return empty;
}

/* append: what the guest wrote. */

static ssize_t receive(struct source_fd *f)
{
    size_t most = f->source.most < sizeof received ? f->source.most : sizeof received;
    ssize_t n;

    do
        n = f->wish.tty ? read(f->fd, received, most) : recv(f->fd, received, most, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    f->full = f->wish.tty ? n > 0 : n == (ssize_t)most; /* a terminal hands over a page at most */
    return n;
}

/* A terminal whose modes somebody else set may answer 0 bytes where it has none (VMIN = 0 in termios(3)). */
static bool has_ended(const struct source_fd *f)
{
    struct pollfd p = {.fd = f->fd, .events = POLLIN};

    return !f->wish.tty || (poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0);
}

static int note_end(struct source_fd *f, int error)
{
    /* A terminal without its other side says EIO: that is how it ends. */
    __atomic_store_n(&f->error, error == EIO && f->wish.tty ? 0 : error, __ATOMIC_RELAXED);
    return VC_ENOENT;
}

/* The byte before came back: the next may go. */
static void look_for_echo(struct source_fd *f)
{
    const struct itimerspec now = {.it_value = {.tv_nsec = 1}};
    uint32_t echo = __atomic_load_n(&f->echo, __ATOMIC_SEQ_CST);

    if (echo == NO_ECHO || memchr(received, (int)echo, f->shown) == NULL)
        return;
    __atomic_store_n(&f->echo, NO_ECHO, __ATOMIC_SEQ_CST);
    timerfd_settime(f->source.room_fd, 0, &now, NULL);
}

static void unwrap(struct source_fd *f)
{
    pthread_mutex_lock(&f->lock);
    f->shown = (uint32_t)telnet_decode(&f->telnet, received, f->shown);
    flush(f);
    pthread_mutex_unlock(&f->lock);
}

/* VC_ENOENT: it is over. */
static int fill(struct source_fd *f)
{
    while (f->shown == 0) {
        ssize_t n = receive(f);

        if (n < 0)
            return errno == EAGAIN ? VC_OK : note_end(f, errno);
        if (n == 0)
            return has_ended(f) ? note_end(f, 0) : VC_OK;
        f->shown = (uint32_t)n;
        if (f->wish.telnet)
            unwrap(f); /* which may be all there was: again */
        look_for_echo(f);
    }
    return VC_OK;
}

static int fd_peek(struct source *s, struct vc_span spans[2], uint32_t *n)
{
    struct source_fd *f = fd_of(s);
    int error = fill(f);

    *n = f->shown;
    spans[0] = (struct vc_span){received, *n};
    spans[1] = (struct vc_span){received, 0};
    return error;
}

static void fd_commit(struct source *s, uint32_t n)
{
    assert(n == fd_of(s)->shown);
    fd_of(s)->shown = 0;
}

static bool fd_more(const struct source *s) { return fd_of(s)->full; }

/* Polled edge-triggered: what came since the last read, or its end, may have been reported with that. */
static bool fd_rest(struct source *s)
{
    struct source_fd *f = fd_of(s);
    struct pollfd p = {.fd = f->fd, .events = POLLIN | POLLRDHUP};

    if (f->wish.telnet)
        (void)flushed(f); /* answers that found no room */
    return poll(&p, 1, 0) == 0;
}

static uint32_t fd_index(const struct source *s)
{
    (void)s;
    return 0;
}

static int fd_revive(struct source *s)
{
    (void)s;
    return VC_OK; /* it never breaks: it ends */
}

/* Before the append thread has it. */
static void fd_greet(struct source *s)
{
    struct source_fd *f = fd_of(s);

    if (!f->wish.telnet || f->continued)
        return;
    telnet_begin(&f->telnet, f->wish.com_port ? &f->wish.port : NULL);
    flush(f);
}

static bool fd_used(const struct source *s) { return fd_of(s)->wish.again; }

/* control: what is typed to it. */

static bool is_writable(const struct source_fd *f)
{
    struct pollfd p = {.fd = f->fd, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && p.revents == POLLOUT;
}

static void wake_at(struct source_fd *f, uint64_t ns)
{
    struct itimerspec at = {.it_value = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)}};

    timerfd_settime(f->source.room_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* When the next byte may go; 0: now. */
static uint64_t due_ns(struct source_fd *f, bool writable)
{
    uint64_t now = mono_ns(), due = f->next_ns;

    if (__atomic_load_n(&f->echo, __ATOMIC_SEQ_CST) != NO_ECHO && f->patient_ns > due)
        due = f->patient_ns;
    if (!writable && due < now + STUCK_NS)
        due = now + STUCK_NS;
    return due > now ? due : 0;
}

static int fd_room(struct source *s, uint32_t *room)
{
    struct source_fd *f = fd_of(s);
    bool writable = flushed(f) && is_writable(f);
    uint64_t due = f->paced ? due_ns(f, writable) : 0;

    *room = !writable || due > 0 ? 0 : f->paced ? 1 : f->wish.tty ? SOURCE_TTY_PUT : SOURCE_FD_PUT;
    return VC_OK;
}

static void pace(struct source_fd *f, uint8_t byte)
{
    uint64_t now = mono_ns();

    f->next_ns = now + (uint64_t)f->wish.delay_us * 1000u;
    f->patient_ns = now + ECHO_WAIT_MS * UINT64_C(1000000);
    if (f->wish.echo_check)
        __atomic_store_n(&f->echo, byte, __ATOMIC_SEQ_CST);
}

/* The room that was promised is the buffer's: what the kernel does not take stays there. */
static int fd_put(struct source *s, const void *bytes, uint32_t n, uint32_t *put)
{
    struct source_fd *f = fd_of(s);
    uint8_t *to;
    bool left;

    if (n > 0 && f->paced)
        pace(f, ((const uint8_t *)bytes)[n - 1]); /* before it goes: its echo may be quick */
    pthread_mutex_lock(&f->lock);
    to = out_room(f, (size_t)n * TELNET_GROW);
    *put = to != NULL ? n : 0;
    if (to != NULL && f->wish.telnet)
        f->out_end += (uint32_t)telnet_encode(&f->telnet, bytes, n, to);
    else if (to != NULL) {
        memcpy(to, bytes, n);
        f->out_end += n;
    }
    flush(f);
    left = f->out_end > 0;
    pthread_mutex_unlock(&f->lock);
    if (left)
        f->wish.env->stuck(f->wish.ctx);
    return VC_OK;
}

static bool fd_room_rest(struct source *s)
{
    struct source_fd *f = fd_of(s);
    bool writable = flushed(f) && is_writable(f);
    uint64_t due = f->paced ? due_ns(f, writable) : 0;

    for (uint64_t at = 0; due > 0 && due != at; due = due_ns(f, writable)) {
        at = due; /* its echo may have come meanwhile, and set the timer: look again behind ours */
        wake_at(f, at);
    }
    return f->paced ? due > 0 : !writable;
}

/* Breaks and sizes. */

static bool break_to(struct source_fd *f, bool on)
{
    bool done;

    if (!f->wish.telnet)
        return ioctl(f->fd, on ? TIOCSBRK : TIOCCBRK) == 0;
    pthread_mutex_lock(&f->lock);
    done = telnet_break(&f->telnet, on);
    flush(f);
    pthread_mutex_unlock(&f->lock);
    return done;
}

static int post_break(struct source_fd *f)
{
    if (!f->wish.breaks || !break_to(f, true))
        return VC_EINVAL;
    f->breaking = true;
    f->wish.env->break_begun(f->wish.ctx);
    return VC_OK;
}

void source_fd_break_end(struct source *s)
{
    fd_of(s)->breaking = false;
    (void)break_to(fd_of(s), false);
}

static int post_size(struct source_fd *f, uint32_t rows, uint32_t columns)
{
    struct winsize size = {.ws_row = (uint16_t)rows, .ws_col = (uint16_t)columns};

    if (!f->wish.sizes)
        return VC_OK; /* it has none: nothing is owed */
    if (!f->wish.telnet)
        return ioctl(f->fd, TIOCSWINSZ, &size) == 0 ? VC_OK : VC_EINVAL;
    pthread_mutex_lock(&f->lock);
    (void)telnet_size(&f->telnet, rows, columns);
    flush(f);
    pthread_mutex_unlock(&f->lock);
    return VC_OK;
}

static int fd_post(struct source *s, enum vc_index_kind kind, uint64_t value)
{
    if (kind == VC_INDEX_BREAK)
        return post_break(fd_of(s));
    return post_size(fd_of(s), (uint32_t)(value >> 16) & 0xffff, (uint32_t)value & 0xffff);
}

bool source_fd_sizes(const struct source *s) { return fd_of(s)->wish.sizes; }

bool source_fd_hung_up(const struct source *s)
{
    struct pollfd p = {.fd = fd_of(s)->fd, .events = POLLRDHUP};

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* Life. */

static void release(struct source_fd *f)
{
    if (f->paced)
        close(f->source.room_fd);
    pthread_mutex_destroy(&f->lock);
    munmap(f->out, OUT_BYTES);
    free(f);
}

static void fd_destroy(struct source *s)
{
    struct source_fd *f = fd_of(s);
    void (*ended)(void *ctx, int error) = f->wish.env->ended;
    void *ctx = f->wish.ctx;
    int error = __atomic_load_n(&f->error, __ATOMIC_RELAXED);

    close(f->fd);
    release(f);
    ended(ctx, error);
}

static int fd_handover(struct source *s, struct source_handover *h)
{
    struct source_fd *f = fd_of(s);

    f->kept = (struct kept){.echo = __atomic_load_n(&f->echo, __ATOMIC_SEQ_CST),
                            .breaking = f->breaking,
                            .next_ns = f->next_ns,
                            .patient_ns = f->patient_ns};
    telnet_keep(&f->telnet, &f->kept.telnet);
    *h = (struct source_handover){
        .out = f->out + f->out_begin, .n_out = f->out_end - f->out_begin, .kept = &f->kept, .n_kept = sizeof f->kept};
    return f->fd;
}

/* The clock is the machine's; yet one that has gone wrong would keep us from typing for ever. */
static uint64_t not_later(uint64_t ns, uint64_t most) { return ns < most ? ns : most; }

bool source_fd_continue(struct source *s, const struct source_handover *h)
{
    struct source_fd *f = fd_of(s);
    const struct kept *kept = h->kept;
    uint64_t now = mono_ns();

    if (h->n_out > OUT_BYTES || h->n_kept != sizeof *kept)
        return false;
    memcpy(f->out, h->out, h->n_out);
    f->out_end = h->n_out;
    if (f->wish.telnet && !telnet_continue(&f->telnet, &kept->telnet, f->wish.com_port ? &f->wish.port : NULL))
        return false;
    f->continued = true;
    if (f->wish.echo_check)
        f->echo = kept->echo <= NO_ECHO ? kept->echo : NO_ECHO;
    f->next_ns = not_later(kept->next_ns, now + (uint64_t)f->wish.delay_us * 1000u);
    f->patient_ns = not_later(kept->patient_ns, now + ECHO_WAIT_MS * UINT64_C(1000000));
    if (kept->breaking && f->wish.breaks) {
        f->breaking = true;
        f->wish.env->break_begun(f->wish.ctx);
    }
    return true;
}

static const struct source_ops fd_ops = {
    .type = "descriptor",
    .used = fd_used,
    .greet = fd_greet,
    .peek = fd_peek,
    .commit = fd_commit,
    .more = fd_more,
    .rest = fd_rest,
    .index = fd_index,
    .revive = fd_revive,
    .room = fd_room,
    .put = fd_put,
    .post = fd_post,
    .handover = fd_handover,
    .room_rest = fd_room_rest,
    .destroy = fd_destroy,
};

/* In one piece with that of the others, as far as the kernel is concerned; but not so that what is typed to one has it fill a
 * huge page for all of them. */
static bool out_map(struct source_fd *f)
{
    void *out = mmap(NULL, OUT_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (out == MAP_FAILED)
        return false;
    (void)madvise(out, OUT_BYTES, MADV_NOHUGEPAGE);
    f->out = out;
    return true;
}

struct source *source_fd_create(int fd, const struct source_fd_wish *wish)
{
    struct source_fd *f = malloc(sizeof *f);
    bool paced = wish->delay_us > 0 || wish->echo_check;
    int timer = f != NULL && paced ? timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC) : -1;

    if (f == NULL || (paced && timer < 0) || !out_map(f)) {
        if (timer >= 0)
            close(timer);
        free(f);
        return NULL;
    }
    f->source = (struct source){.ops = &fd_ops,
                                .bytes_fd = fd,
                                .room_fd = paced ? timer : fd,
                                .bytes_events = EPOLLIN | (wish->tty ? 0u : EPOLLRDHUP),
                                .room_events = paced ? EPOLLIN : EPOLLOUT,
                                .holds = 1024 * 1024}; /* of a peer's send buffer and ours, more than either has */
    if (wish->telnet)
        f->source.bytes_events |= EPOLLOUT; /* its answers go as soon as they can: TCP tells only who found no room */
    f->fd = fd;
    f->wish = *wish;
    f->telnet = (struct telnet){.send = telnet_out, .ctx = f};
    f->error = 0;
    f->echo = NO_ECHO;
    f->paced = paced;
    f->next_ns = f->patient_ns = 0;
    f->shown = f->out_begin = f->out_end = 0;
    f->full = f->breaking = f->continued = false;
    pthread_mutex_init(&f->lock, NULL);
    return &f->source;
}

void source_fd_abandon(struct source *s) { release(fd_of(s)); }
