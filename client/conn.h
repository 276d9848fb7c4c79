/* SPDX-License-Identifier: MIT */
/*
 * conn.h: one connection to the service: requests and answers, then, after attach, frames.
 *
 * Spec:  wire/control.h.
 * Owner: the caller places struct conn and closes it; a zeroed one may be closed.
 * Lock:  none: one thread.
 * Trust: the service may be a liar at a path that somebody else made: an answer is bounded, its JSON is checked before use, a
 *        frame is at most VC_CONTROL_OUT_MAX.
 *
 * Functions that return an exit code and take no struct problem give the message themselves.
 */
#ifndef CLIENT_CONN_H
#define CLIENT_CONN_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command.h"
#include "host/message.h"
#include "host/paths.h"
#include <vcons/wire/control.h>

#define CONN_PATIENCE_MS 30000               /* for one answer: the service asks a hypervisor to stop a domain */
#define CONN_ANSWER_MAX  (64u * 1024 * 1024) /* bytes of one answer: ls of 100,000 consoles */

#define CONN_RETURN_NS 3000000000ull /* after a restart of the service: a console may still be unknown so long */

struct conn {
    int fd; /* -1: closed */
    unsigned id;
    char path[PATHS_SOCKET_BYTES];
    int pass_fd;     /* goes with the next request; -1: none */
    int patience_ms; /* for the next answer; -1: for ever */
    uint8_t *in;     /* bytes that were read; in[taken..have) are not used yet */
    size_t taken, have, in_size;
    uint8_t *out; /* bytes that wait to be sent */
    size_t out_have, out_size;
};

/* Find the service as options say, connect and greet. EXIT_NO_SERVICE, EXIT_NOT_ALLOWED: a message names the paths tried. */
int conn_open(struct conn *c, const struct options *options);
/* The same without a message: *p says what. */
int conn_try(struct conn *c, const struct options *options, struct problem *p);
void conn_close(struct conn *c);
/* Ask and wait for the answer; takes request (an object without id; may be NULL: out of memory). 0: *ok is the caller's to json_decref. */
int conn_ask(struct conn *c, json_t *request, json_t **ok);
/* The same without a message: *p says what. */
int conn_try_ask(struct conn *c, json_t *request, json_t **ok, struct problem *p);
/* One request alone: open, ask, close. */
int conn_request(const struct options *options, json_t *request, json_t **ok);
/* As conn_ask, with a descriptor, and without a limit of patience: the file may be long and its disk slow. */
int conn_ask_with(struct conn *c, json_t *request, int fd, json_t **ok);

struct conn_attach {
    char console[80];            /* its full name */
    char state[16];              /* "running", "off", "crashed", "paused", "away" */
    bool on_demand;              /* away until somebody attaches, as we do */
    uint64_t start, offset, end; /* as wire/control.h says */
    uint16_t rows, columns;      /* 0: it has no size */
    bool may_break;
};
struct conn_view {
    const char *console;
    bool follow;
    const char *write; /* "no", "free", "steal" */
    enum conn_marks { CONN_MARKS_NONE, CONN_MARKS_STREAM, CONN_MARKS_TIME } marks;
};
/* from is taken. After success the connection is non-blocking and carries frames; else an exit code, and *p. */
int conn_attach(struct conn *c, const struct conn_view *view, json_t *from, struct conn_attach *attach,
                struct problem *p);

struct frame {
    enum vc_control_frame_type type;
    const uint8_t *bytes; /* valid until the next conn_receive */
    size_t n;
};
/* Read what is there. 1: something came, or nothing right now; 0: the connection ended; -errno. */
int conn_receive(struct conn *c);
/* The next whole frame. 1: *f is set; 0: not there yet; -EPROTO: what came is no frame. */
int conn_frame(struct conn *c, struct frame *f);
/* What a TOKEN frame says; its holder is text that a terminal may see. False: it is no such frame. */
bool conn_token(const struct frame *f, struct vc_control_token *t);
/* Put one frame behind those that wait, and send what can be sent now. n: 0..VC_CONTROL_IN_MAX. -errno: the connection is lost. */
int conn_send(struct conn *c, enum vc_control_frame_type type, const void *bytes, size_t n);
/* What was typed, in as many frames as it needs. A connection that is lost shows when it is read. */
void conn_send_input(struct conn *c, const void *bytes, size_t n);
int conn_flush(struct conn *c);
bool conn_waits(const struct conn *c); /* something waits to be sent: poll for POLLOUT, then flush */
/* poll(2) for one connection: until something can be read, or timeout_ms (-1: none). False: the time is over. */
bool conn_wait(struct conn *c, int timeout_ms);

#endif
