/* SPDX-License-Identifier: MIT */
/*
 * viewer.h: one reader of one console, who may also be its writer: a cursor into the log and a socket.
 *
 * Spec:  design §5; wire/control.h for frames; rules R33, R39, R43, R51; tests T12, T13; workloads W5, W10.
 * Owner: viewer_create takes the socket; a viewer frees itself when its client goes or the stream ends.
 * Lock:  the control thread. While a viewer is LIVE (it has sent everything there is) its cursor and socket's way out are
 *        shared with the append thread under console->live; viewer.c takes it back before it touches them.
 * Trust: the client. What it sends is read only as far as it can be used at once, so of it one byte is kept at most; a client
 *        that does not read is an old cursor and a full socket, and costs nothing.
 *
 * Nothing that the guest wrote is kept here: a frame that was cut by a full socket is continued out of the log.
 */
#ifndef VCONS_SERVICE_VIEWER_H
#define VCONS_SERVICE_VIEWER_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <vcons/wire/control.h>

#include "log.h"
#include "token.h"
#include "watch.h"

#define VIEWER_DIRECT_MAX   4096u /* bytes that the append thread sends itself, at most */
#define VIEWER_DIRECT_COUNT 8u    /* to so many viewers of a console; the control thread sends to the others */
#define VIEWER_SMALL        160u  /* the largest frame that holds no output */

struct console;
struct service;

enum viewer_state { VIEWER_BEHIND, VIEWER_LIVE };

struct viewer {
    struct watch watch;
    struct console *console;
    struct viewer *next; /* of the console's */
    struct log_cursor cursor;
    uint64_t end;        /* where the stream ends; UINT64_MAX: it follows */
    uint32_t frame_left; /* bytes of the frame under way that the socket has not taken */
    uint32_t pending;    /* set of frames to send at the next frame's end: enum in viewer.c */
    uint8_t state;       /* enum viewer_state; guarded by console->live */
    uint8_t small_n, small_done, sync_n, end_reason;
    uint8_t small[VIEWER_SMALL]; /* what stands before the frame's output */
    uint8_t sync[16];
    struct pty *pty;   /* whose master its socket is, and which outlives it: pty.h; NULL: a socket */
    bool frames;       /* control protocol; else raw bytes */
    bool marks, times; /* wants marks; time marks as well */
    bool may_write, may_break;
    bool refused; /* told so by the next token frame */
    bool blocked; /* not read: its line has no room */
    bool deaf;    /* its way in has ended */
    bool orphan;  /* its client is gone, and what it typed before still waits for room: not polled */
    bool stuck;   /* its socket is full */
    bool mute;    /* its client takes no more, but what it typed is still read */
    bool closing; /* after the END frame */
    uint8_t head_have;
    uint8_t head[sizeof(struct vc_control_frame)];
    uint32_t in_left; /* of the frame that comes in */
    uint8_t payload_have, payload[16];
    uint8_t early; /* what follows the head of the frame that comes in, if has_early */
    bool has_early;
    bool wrote;     /* since it has the token: audit.h */
    uint64_t typed; /* bytes that went to the source */
    char who[TOKEN_WHO_BYTES];
    uid_t uid;
    pid_t pid; /* 0: many, or unknown */
};

struct viewer_wish {
    uint64_t offset, end; /* from there; end UINT64_MAX: follow */
    uint32_t kinds;       /* of marks, LOG_KIND; 0: none */
    bool frames, may_write, may_break;
    struct pty *pty; /* fd is its master, and stays its own; NULL: a socket */
    const char *who;
    pid_t pid;
    uid_t uid; /* whose connection it is, counted by clients.h */
};

/* A viewer of c on this connected, non-blocking socket. 0; negative errno: the socket stays the caller's. */
int viewer_create(struct console *c, int fd, const struct viewer_wish *wish);
/* Start sending: after the answer to attach has gone out. */
void viewer_begin(struct viewer *v);
/* Of a pty: somebody has it open (again). */
void viewer_reopened(struct viewer *v);
uint64_t viewer_offset(const struct viewer *v); /* of the log: what it was sent ends there */
/* The newest viewer of c: the one viewer_create just made. */
struct viewer *viewer_newest(struct console *c);

void viewer_room(struct console *c);        /* the line has room: read its writer again */
void viewers_pump(struct console *c);       /* those who are behind may have something to read */
void viewers_tell_token(struct console *c); /* it changed hands */
void viewers_tell_lease(struct console *c); /* there is another one, or none any more */
void viewer_tell_asked(struct viewer *v);   /* somebody would like to have the token that v holds */
void viewers_end(struct console *c);        /* the console is gone for good: after the last byte, END; ptys stay */
void viewers_orphans(struct console *c);    /* its line is gone: nothing can be typed any more by those who left */
void viewers_drop(struct console *c);       /* at once */

enum appended { APPENDED_BYTES, APPENDED_MARK, APPENDED_TIME };
/*
 * (append) n more bytes are in the log, which now ends at end, or a mark is, or a
 * time mark. bytes: those, at most VIEWER_DIRECT_MAX, to
 * send to whoever is live; NULL: too many. True: some viewer is behind and waits for viewers_pump.
 */
bool viewers_flow(struct console *c, enum appended what, const void *bytes, uint32_t n, uint64_t end);

#endif
