/* SPDX-License-Identifier: MIT */
/*
 * raw.h: each console as two plain sockets, for socat, nc, tio and the like: consoles/DOMAIN/CONSOLE.sock for writers and
 * .ro.sock for readers.
 *
 * Spec:  decisions, "Log, control": live from now; the first byte asks for the token; without it bytes are dropped and counted.
 * Owner: the console's two watches hold the listening sockets.
 * Lock:  none, the control thread.
 * Trust: who connects is checked by credentials, as on the control socket.
 */
#ifndef VCONS_SERVICE_RAW_H
#define VCONS_SERVICE_RAW_H

#include "host/paths.h"

struct console;
struct problem;
struct service;

/* Begin to listen, if it does not yet; says so when it cannot, once for each console. Nothing while the service is starting. */
void raw_open(struct console *c);
void raws_open(struct service *s); /* it has started: of all consoles that have a source */
void raw_close(struct console *c); /* accepts one that never listened */

/* consoles/DOMAIN/CONSOLE and this end; its directory, made. 0 or a negative errno, the former with *p. */
int raw_path(const struct console *c, const char *end, char path[PATHS_SOCKET_BYTES], struct problem *p);
int raw_directory(const struct console *c);

#endif
