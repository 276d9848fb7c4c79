/* SPDX-License-Identifier: MIT */
/*
 * link.h: the feeder's side of link.sock: dials, dials again within 10 ms of the socket's return, offers its feeds.
 *
 * Spec:  wire/link.h; decisions, "Line, link".
 * Owner: the caller places struct feeder_link and owns the feeds, an array that stays where it is.
 * Lock:  none, one thread.
 */
#ifndef VCONS_FEEDER_LINK_H
#define VCONS_FEEDER_LINK_H
#include "feed.h"

struct feeder_link {
    const char *path, *name, *prefix;
    struct feed *feeds;
    uint32_t n_feeds, n_asked, n_served;      /* of this connection: ADDs sent, OKs come, of those that are there */
    void (*begin)(void *ctx, struct feed *f); /* a spare feed is wanted: open it, watch it */
    void (*end)(void *ctx, struct feed *f);   /* that one is to go */
    void *ctx;
    int epoll, socket, inotify; /* socket -1: not connected */
    bool greeted, paused;       /* paused: not to dial until link_resume */
};

/* Watch the socket's directory and make the first attempt. What happens is printed: see feeder.c's usage. */
void link_open(struct feeder_link *l);
void link_dial(struct feeder_link *l);                   /* if there is no connection, try one */
void link_ready(struct feeder_link *l, uint32_t events); /* the socket polled ready */
void link_drop(struct feeder_link *l);
void link_send(struct feeder_link *l, const void *packet, uint32_t bytes); /* silently nothing if not connected */

#endif
