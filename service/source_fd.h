/* SPDX-License-Identifier: MIT */
/*
 * source_fd.h: a descriptor as a source: a stream socket, a pseudo-terminal, a serial port, telnet.
 *
 * Spec:  unix(7), tcp(7), termios(3): bytes both ways, no marks among them; what the other side says while nobody is connected
 *        is its own to keep or to drop, so each return is a gap of unknown length. telnet.h for what telnet adds.
 * Owner: the source owns its descriptors; console.c owns the source. connector.c makes them.
 * Lock:  as source.h. What is to be sent is under a lock of its own, since telnet answers from the append thread; it is
 *        held around one non-blocking write at most.
 * Trust: the other side may send anything, stop reading, or vanish. A connection costs a buffer for what is typed to it, the
 *        pages of which come with use; what comes in passes through one buffer for all.
 *
 * Pace: with a delay, or with echo_check, input goes out byte by byte: room_fd is then a timer, which fires when the next may
 * go, and which the append thread sets off at once when the byte before came back.
 */
#ifndef VCONS_SERVICE_SOURCE_FD_H
#define VCONS_SERVICE_SOURCE_FD_H
#include "source.h"
#include "telnet.h"

#define SOURCE_FD_BUFFER (64u * 1024) /* received at once */
#define SOURCE_FD_PUT    4096u        /* typed at once, into a socket ... */
#define SOURCE_TTY_PUT   256u /* ... into a terminal: what the kernel keeps free when it says that it is writable */

struct source_fd_env {
    void (*ended)(void *ctx, int error); /* by destroy: errno of the end; 0: the other side closed it */
    void (*stuck)(void *ctx);       /* control: something is left to be sent: have room called when there is room */
    void (*break_begun)(void *ctx); /* control: call source_fd_break_end in a while */
};

struct source_fd_wish {
    const char *type;        /* what `ls` shows where there is no configuration */
    bool tty;                /* a terminal: read(2) and write(2), breaks and sizes by ioctl */
    bool breaks, sizes;      /* which of both it can carry */
    bool again;              /* bytes may have been lost before: the log says so */
    bool telnet;             /* bytes are wrapped in it, */
    bool com_port;           /* and the other side has a serial port, */
    struct telnet_port port; /* which is to be set to this */
    uint32_t delay_us;       /* between two bytes of input */
    bool echo_check;         /* and not before the one before came back, or ECHO_WAIT_MS are over */
    const struct source_fd_env *env;
    void *ctx;
};

/* fd is non-blocking and the source's when this succeeds. NULL: no memory or descriptors. */
struct source *source_fd_create(int fd, const struct source_fd_wish *wish);
/* Before anybody has it: what an earlier service had of its bytes, and where its protocol stands: the source says nothing anew.
 * False: it cannot be. May call break_begun. */
bool source_fd_continue(struct source *s, const struct source_handover *h);
/* Instead of destroy, when nobody wanted it: fd stays the caller's, ended is not called. */
void source_fd_abandon(struct source *s);
void source_fd_break_end(struct source *s);
bool source_fd_sizes(const struct source *s);
/* Whether the other side has hung up, though not all it said is read yet. */
bool source_fd_hung_up(const struct source *s);

#endif
