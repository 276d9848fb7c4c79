/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "source_fd_private.h"

#define ECHO_WAIT_MS 1000u /* what does not echo, as one that asks for a password, gets the next byte then */
#define STUCK_NS     UINT64_C(10000000) /* paced, and the kernel takes nothing: looked at again */

static uint64_t mono_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* What is to be sent; under the lock. */

void source_fd_flush(struct source_fd *f)
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

uint8_t *source_fd_out_room(struct source_fd *f, size_t n)
{
    if (n > OUT_BYTES - f->out_end) {
        memmove(f->out, f->out + f->out_begin, f->out_end - f->out_begin);
        f->out_end -= f->out_begin;
        f->out_begin = 0;
    }
    return n <= OUT_BYTES - f->out_end ? f->out + f->out_end : NULL;
}

bool source_fd_flushed(struct source_fd *f)
{
    bool empty;

    pthread_mutex_lock(&f->lock);
    source_fd_flush(f);
    empty = f->out_end == 0;
    pthread_mutex_unlock(&f->lock);
    return empty;
}

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

int source_fd_room(struct source *s, uint32_t *room)
{
    struct source_fd *f = fd_of(s);
    bool writable = source_fd_flushed(f) && is_writable(f);
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
int source_fd_put(struct source *s, const void *bytes, uint32_t n, uint32_t *put)
{
    struct source_fd *f = fd_of(s);
    uint8_t *to;
    bool left;

    if (n > 0 && f->paced)
        pace(f, ((const uint8_t *)bytes)[n - 1]); /* before it goes: its echo may be quick */
    pthread_mutex_lock(&f->lock);
    to = source_fd_out_room(f, (size_t)n * TELNET_GROW);
    *put = to != NULL ? n : 0;
    if (to != NULL && f->wish.telnet)
        f->out_end += (uint32_t)telnet_encode(&f->telnet, bytes, n, to);
    else if (to != NULL) {
        memcpy(to, bytes, n);
        f->out_end += n;
    }
    source_fd_flush(f);
    left = f->out_end > 0;
    pthread_mutex_unlock(&f->lock);
    if (left)
        f->wish.env->stuck(f->wish.ctx);
    return VC_OK;
}

bool source_fd_room_rest(struct source *s)
{
    struct source_fd *f = fd_of(s);
    bool writable = source_fd_flushed(f) && is_writable(f);
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
    source_fd_flush(f);
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
    source_fd_flush(f);
    pthread_mutex_unlock(&f->lock);
    return VC_OK;
}

int source_fd_post(struct source *s, enum vc_index_kind kind, uint64_t value)
{
    if (kind == VC_INDEX_BREAK)
        return post_break(fd_of(s));
    return post_size(fd_of(s), (uint32_t)(value >> 16) & 0xffff, (uint32_t)value & 0xffff);
}

int source_fd_handover(struct source *s, struct source_handover *h)
{
    struct source_fd *f = fd_of(s);

    f->kept = (struct source_fd_kept){.echo = __atomic_load_n(&f->echo, __ATOMIC_SEQ_CST),
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
    const struct source_fd_kept *kept = h->kept;
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
