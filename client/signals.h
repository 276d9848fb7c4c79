/* SPDX-License-Identifier: MIT */
/*
 * signals.h: signals as something to read in a poll loop, so that leaving is ordinary code.
 *
 * Spec:  signalfd(2).
 * Owner: the descriptor is the caller's.
 * Lock:  none: one thread; signals_open before any other is made.
 * Trust: nothing from outside.
 */
#ifndef CLIENT_SIGNALS_H
#define CLIENT_SIGNALS_H

/* Block HUP, INT, QUIT, TERM, WINCH, CONT and CHLD and give a descriptor that reads them; -errno. Children: signals_reset. */
int signals_open(void);
/* The next signal, or 0. Does not wait. */
int signals_take(int fd);
/* In a child, before exec: as if signals_open had not been called, and SIGPIPE as usual. */
void signals_reset(void);

#endif
