/* SPDX-License-Identifier: MIT */
#include "source_fd_private.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* One for all: nothing is kept in it from one turn to the next, so that a source costs no memory for what passes, and what
 * passes stays in the processor's cache. */
static _Thread_local uint8_t received[SOURCE_FD_BUFFER];

/* For telnet, which is called under the lock. What cannot go now, goes with what follows. */
static bool telnet_out(void *ctx, const uint8_t *bytes, size_t n)
{
    struct source_fd *f = ctx;
    uint8_t *to = source_fd_out_room(f, n);

    if (to == NULL)
        return false;
    memcpy(to, bytes, n);
    f->out_end += (uint32_t)n;
    return true;
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
    source_fd_flush(f);
    pthread_mutex_unlock(&f->lock);
}

/* VC_ENOENT: it is over. */
static int fill(struct source_fd *f)
{
    while (f->shown == 0) {
        ssize_t n = receive(f);

        f->dry = n < 0 && errno == EAGAIN;
        if (n < 0)
            return f->dry ? VC_OK : note_end(f, errno);
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

/* Polled edge-triggered, for good: what came since the last read, or its end, may have been reported with that. */
static bool fd_rest(struct source *s)
{
    struct source_fd *f = fd_of(s);
    struct pollfd p = {.fd = f->fd, .events = POLLIN | POLLRDHUP};

    if ((s->bytes_events & EPOLLONESHOT) != 0)
        return true;
    if (f->wish.telnet)
        (void)source_fd_flushed(f); /* answers that found no room */
    return f->dry || poll(&p, 1, 0) == 0;
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
    source_fd_flush(f);
}

static bool fd_used(const struct source *s) { return fd_of(s)->wish.again; }

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
    .room = source_fd_room,
    .put = source_fd_put,
    .post = source_fd_post,
    .handover = source_fd_handover,
    .room_rest = source_fd_room_rest,
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
    /* A socket's flood is reported once, not with each piece. Telnet's answers go as soon as they can, and TCP tells only who found
     * no room: polled anew it would always say that there is some. */
    f->source.bytes_events |= wish->telnet ? EPOLLOUT : wish->tty ? 0u : EPOLLONESHOT;
    f->fd = fd;
    f->wish = *wish;
    f->telnet = (struct telnet){.send = telnet_out, .ctx = f};
    f->error = 0;
    f->echo = NO_ECHO;
    f->paced = paced;
    f->next_ns = f->patient_ns = 0;
    f->shown = f->out_begin = f->out_end = 0;
    f->full = f->dry = f->breaking = f->continued = false;
    pthread_mutex_init(&f->lock, NULL);
    return &f->source;
}

void source_fd_abandon(struct source *s) { release(fd_of(s)); }
