/* SPDX-License-Identifier: MIT */
/*
 * attach.h: how one becomes a viewer of a console, and may type to it, at vconsd and at those it is compared with.
 *
 * Owner: the caller has the descriptor. Whatever fails ends the program.
 */
#ifndef VCONS_BENCH_ATTACH_H
#define VCONS_BENCH_ATTACH_H

/*
 * kind: "vconsd" at its control socket; "plain" at a UNIX socket and "tcp" at a port, where the bytes are all there is;
 * "conman" and "conserver" at their port. From now on. Blocking.
 */
int attach(const char *kind, const char *where, const char *console);
void attach_quiet(int fd); /* take what is said of itself at first: until nothing comes for a second */

#endif
