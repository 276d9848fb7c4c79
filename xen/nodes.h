/* SPDX-License-Identifier: MIT */
/*
 * nodes.h: a client of XenStore, by its socket or its device.
 *
 * Spec:  Xen docs/misc/xenstore.txt; wire/xenstore.h. Not libxenstore: that begins a thread of its own with the first watch, which
 *        nobody can begin again behind the sandbox once a connection is lost, and waits without end for a daemon that hangs.
 * Owner: the caller places struct nodes; nodes_close ends it, also a zeroed one.
 * Lock:  none, one thread. event is called by any function below that waits for an answer: it may call none of them.
 * Trust: the daemon is part of the toolstack and is believed, but for the lengths of its messages. What is in nodes is not: see
 *        place.h.
 *
 * Every function returns 0 or more, or a negative errno: what the store answered, or -EPIPE, -ETIMEDOUT, -EPROTO, after which the
 * connection is of no use: nodes_lost.
 */
#ifndef VCONS_XEN_NODES_H
#define VCONS_XEN_NODES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vcons/wire/xenstore.h>

#include "host/message.h"

#define NODES_VALUE_BYTES 256u /* of a node that we look at, with its NUL */
#define NODES_PATH_BYTES  192u /* of a path that we make */

struct nodes {
    int fd;    /* -1: none, or lost; to be polled for POLLIN */
    bool lost; /* it was open */
    uint32_t request, transaction;
    void (*event)(void *ctx, const char *path, const char *token); /* a watch fired */
    void *ctx;
    uint32_t got; /* of the message that is coming in */
    struct xsd_sockmsg head;
    char payload[XENSTORE_PAYLOAD_MAX + 1];
};

/* Connect to $XENSTORED_PATH, /run/xenstored/socket or /dev/xen/xenbus, whichever is there. */
int nodes_open(struct nodes *s, void (*event)(void *ctx, const char *path, const char *token), void *ctx,
               struct problem *p);
/* The same in two steps: the descriptor may come from elsewhere, and is the connection's then. A negative errno: none. */
int nodes_dial(void);
void nodes_take(struct nodes *s, int fd, void (*event)(void *ctx, const char *path, const char *token), void *ctx);
void nodes_close(struct nodes *s);
bool nodes_lost(const struct nodes *s);
int nodes_events(struct nodes *s); /* those that are there; never waits */

/* The node's value as text: -ENOENT: none; -E2BIG: it does not fit; -EILSEQ: a NUL is in it. */
int nodes_read(struct nodes *s, char value[NODES_VALUE_BYTES], const char *path);
int nodes_write(struct nodes *s, const char *path, const char *value);
int nodes_mkdir(struct nodes *s, const char *path);
int nodes_remove(struct nodes *s, const char *path); /* with all below; one that is not there is none */
/* The names in a directory, each with its NUL, in our own memory until the next call; *bytes: all of them. */
int nodes_list(struct nodes *s, const char *path, const char **names, uint32_t *bytes);
/* The owner of a node, who may do all, and one more, who may read it; nobody else may do anything. */
int nodes_permit(struct nodes *s, const char *path, uint32_t owner, uint32_t reader);
/* 1: domain 0 owns it, and nobody else may write there; a node that is made below it is the same. 0: others may. */
int nodes_guarded(struct nodes *s, const char *path);
int nodes_watch(struct nodes *s, const char *path, const char *token);
int nodes_unwatch(struct nodes *s, const char *path, const char *token);
/* Between the two, reads and writes are of one moment. -EAGAIN: others were faster, nothing is written. */
int nodes_begin(struct nodes *s);
int nodes_end(struct nodes *s, bool commit);

#endif
