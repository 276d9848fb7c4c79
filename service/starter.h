/* SPDX-License-Identifier: MIT */
/*
 * starter.h: a process beside the service for what waits or starts programs: names of hosts and domains looked up, commands run on
 * pseudo-terminals; and for sockets in directories that nobody knew of when the service gave up the rest of the file system. It was
 * forked before there were threads and a filter of system calls; the service behind its filter can do none of that.
 *
 * Spec:  one packet a request and an answer, over a socketpair(2) of type SOCK_SEQPACKET. A command is /bin/sh -c TEXT in a session
 *        of its own, whose terminal's other side travels with the answer. When it is to end, or its first process has, the whole
 *        session gets SIGHUP, and SIGKILL a second later. When the service is gone all sessions end so, and the process with them.
 * Owner: struct starter is part of struct service; a descriptor in an answer is the receiver's.
 * Lock:  none, the control thread; the process has one thread.
 * Trust: whoever writes the configuration, or may ask the service for sources, chooses the commands. What a name's server answers may be
 *        anything: it is addresses, checked for their family, or nothing.
 */
#ifndef VCONS_SERVICE_STARTER_H
#define VCONS_SERVICE_STARTER_H
#include <stdint.h>
#include <sys/types.h>

#include "host/message.h"
#include "settings.h"
#include "watch.h"

#define STARTER_ADDRESSES 8u

struct service;

enum starter_what {
    STARTER_RESOLVE,
    STARTER_RUN,
    STARTER_END,
    STARTER_EXITED,
    STARTER_XL,
    STARTER_LISTEN,
    STARTER_UNLINK
};

struct starter_ask {
    uint32_t serial; /* END: of the RUN */
    uint32_t what;
    char text[SETTINGS_TEXT_BYTES]; /* a host, a command, a domain of Xen's (xl_lookup.h), or the path of a socket */
};

struct starter_address {
    uint16_t family; /* AF_INET or AF_INET6 */
    uint8_t bytes[16];
    uint32_t scope;
};

struct starter_answer { /* RUN, LISTEN: a descriptor comes with it if there is no error. EXITED comes unasked, later */
    uint32_t serial, what;
    int32_t error; /* an errno, or 0 */
    uint32_t n;
    struct starter_address addresses[STARTER_ADDRESSES];
    char text[96]; /* what went wrong, or how it ended; XL: the domain's id and its terminal, with a blank between */
};

struct starter {
    struct watch watch;
    int fd;    /* -1: it is gone, or never was */
    pid_t pid; /* of a child of ours */
    uint32_t next;
};

/* Fork it: before threads, locks and descriptors that it should not have. 0 or a negative errno with *p. */
int starter_fork(struct starter *starter, struct problem *p);
void starter_discard(
    struct starter *starter);         /* one that was asked nothing yet, or none: it is gone when this returns */
int starter_watch(struct service *s); /* hear its answers: connector_answered. 0 or a negative errno */
void starter_close(struct service *s);
/* A request is on its way: its serial, else 0. */
uint32_t starter_request(struct service *s, enum starter_what what, const char *text);
void starter_end(struct service *s, uint32_t serial);
void starter_unlink(struct service *s, const char *path); /* a socket */

/* starter_process.c: the process itself. */
_Noreturn void starter_process(int fd);
_Noreturn void starter_look_up(int fd,
                               const struct starter_ask *ask); /* in a child of its own: the answer, and its end */

#endif
