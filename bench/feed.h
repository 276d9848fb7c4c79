/* SPDX-License-Identifier: MIT */
/*
 * feed.h: between the files of socket_feed: N consoles, how one comes to have somebody who reads it, and what it says.
 *
 * Owner, Lock: one thread; all state is in feed_consoles.c.
 */
#ifndef VCONS_BENCH_FEED_H
#define VCONS_BENCH_FEED_H
#include "sockets.h"

struct feed {
    int listening, fd; /* fd -1: nobody is there */
    uint64_t said, to_say;
    uint32_t part; /* bytes of the piece under way that are out */
    bool waits;    /* it is full */
};

enum feed_kind { FEED_SOCKETS, FEED_PTYS, FEED_PIPES, FEED_FIFOS };

extern struct feed *feeds;
extern uint32_t n_feeds;

/* N consoles that say pieces of so many bytes: sockets in dir, or terminals or FIFOs there, or inherited
 * pipes, whose numbers are in a file of that name. Returns when somebody reads each of them; says so. */
void feed_open(enum feed_kind kind, const char *dir, uint32_t n, uint32_t piece_bytes);
/* One piece, or what of it goes out. How many bytes that were. */
uint32_t feed_say(uint32_t c);
/* Wait for room in those that are full, at most so long; what is typed to a console is echoed meanwhile. False: there is a
 * line on standard input, if it was asked for. */
bool feed_wait(int timeout_ms, bool line);
void feed_drain(void); /* until the last byte was taken, where the kernel tells */
/* As socket_feed's check. */
int feed_check(uint32_t piece_bytes);

#endif
