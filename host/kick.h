/* SPDX-License-Identifier: MIT */
/*
 * kick.h: adds one to an eventfd that someone else holds too, and never waits, whatever they did to it.
 *
 * Why:   O_NONBLOCK belongs to the open file, which travels with the descriptor: the peer can clear it, fill the counter
 *        to its limit, and a write(2) sleeps for ever. RWF_NOWAIT is refused for writes to an eventfd; a look by poll(2)
 *        first leaves a gap to slip into. The kernel's own way of signalling never waits: an asynchronous read of no
 *        bytes is complete at once and tells so to the eventfd named in it (IOCB_FLAG_RESFD); a full counter stays full.
 * Owner: the caller places struct kicker; kicker_close ends it, also a zeroed one.
 * Lock:  one thread for each kicker.
 * Trust: the descriptor may be anything at all: kick answers -EINVAL if it is no eventfd.
 *
 * Where the kernel has no asynchronous I/O, or fs.aio-max-nr is used up, it is poll and write: kicker_sure tells.
 * System calls: io_setup before the sandbox; then io_submit, io_getevents, poll, write.
 */
#ifndef HOST_KICK_H
#define HOST_KICK_H
#include <stdbool.h>

struct kicker {
    unsigned long context; /* aio_context_t; 0: none */
    int nothing;           /* an empty memfd: what the reads read */
    unsigned outstanding;  /* completions not yet collected */
};

/* 0 or a negative errno. */
int kicker_open(struct kicker *k);
void kicker_close(struct kicker *k);
bool kicker_sure(const struct kicker *k);
/* 0, or -EINVAL: fd is no eventfd, or another negative errno. */
int kick(struct kicker *k, int fd);
#define KICK_MOST 8u
/* Each of n, KICK_MOST at most, in one system call where it can be. Those behind one that fails may not have been kicked. */
int kick_all(struct kicker *k, const int *fds, unsigned n);

#endif
