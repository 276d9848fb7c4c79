/* SPDX-License-Identifier: MIT */
/*
 * source_fd_private.h: what the files of source_fd.h share.
 *
 *     source_fd.c        what comes in, and the life of one
 *     source_fd_typed.c  what goes out: typed bytes and their pace, breaks, sizes; and all that to another process
 */
#ifndef VCONS_SERVICE_SOURCE_FD_PRIVATE_H
#define VCONS_SERVICE_SOURCE_FD_PRIVATE_H
#include <pthread.h>

#include "source_fd.h"

#define OUT_BYTES (TELNET_GROW * SOURCE_FD_PUT + 1024) /* with room for telnet's answers */
#define NO_ECHO   0x100u                               /* no byte is waited for */

struct source_fd_kept { /* for another process, on this machine: all but what is to be sent */
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
    bool dry;             /* append: the last answer was that nothing is there: what comes is an edge again */
    bool breaking;        /* control: a break has begun, and is to end */
    bool continued;       /* what is to be agreed upon an earlier service began */
    pthread_mutex_t lock; /* of telnet, and of what is to be sent: out[out_begin..out_end) */
    uint32_t out_begin, out_end;
    struct telnet telnet;
    uint8_t *out;               /* OUT_BYTES: pages of its own, which are there once something is typed */
    struct source_fd_kept kept; /* for handover only */
};

static inline struct source_fd *fd_of(const struct source *s) { return (struct source_fd *)(uintptr_t)s; }

/* Under the lock: send what can be sent. Nothing is left behind a descriptor that has ended. */
void source_fd_flush(struct source_fd *f);
/* Under the lock: room for n bytes behind what is to be sent, which the caller adds to out_end. NULL: there is none. */
uint8_t *source_fd_out_room(struct source_fd *f, size_t n);
bool source_fd_flushed(struct source_fd *f); /* not under it: nothing is left */

/* Of its struct source_ops. */
int source_fd_room(struct source *s, uint32_t *room);
int source_fd_put(struct source *s, const void *bytes, uint32_t n, uint32_t *put);
bool source_fd_room_rest(struct source *s);
int source_fd_post(struct source *s, enum vc_index_kind kind, uint64_t value);
int source_fd_handover(struct source *s, struct source_handover *h);

#endif
