/* SPDX-License-Identifier: MIT */
/*
 * source_socket.h: a UNIX stream socket that somebody else listens on, as a source: QEMU's -chardev socket,server=on,
 * libvirt's, Firecracker's, Cloud Hypervisor's, socat's.
 *
 * Spec:  unix(7): bytes both ways, no marks among them; what the other program writes while nobody is connected is its
 *        own to keep or to drop, so each return is a gap of unknown length. vconsd.conf(5), sources "unix:PATH".
 * Owner: struct socket_sources holds one connector for each such console of the configuration, until the loop has ended. A source
 *        lives while its connection does; console.c owns it.
 * Lock:  as source.h; connectors: the control thread.
 * Trust: the peer may send anything, stop reading, or vanish. A connection costs one buffer of SOCKET_BUFFER bytes.
 */
#ifndef VCONS_SERVICE_SOURCE_SOCKET_H
#define VCONS_SERVICE_SOURCE_SOCKET_H
#include <uv.h>

#include "source.h"

#define SOCKET_BUFFER     (16u * 1024)
#define SOCKET_PUT        4096u /* typed at once */
#define SOCKET_RETRY_MS   20u   /* after a connection ended or failed; doubled each time, up to ... */
#define SOCKET_RETRY_MOST 2000u

struct console;
struct service;
struct connector;

struct socket_sources {
    struct connector *at;
    uint32_t n;
};

/* Connect every socket of the configuration, now and whenever it went. 0 or a negative errno. */
int sockets_start(struct service *s);
void sockets_stop(struct service *s); /* no more attempts; connections end with their consoles */
void sockets_free(struct service *s); /* after the loop */

/* A connected, non-blocking stream socket as a source. ended is called by destroy; fd is the source's when it succeeds. NULL: no
 * memory. again: bytes may have been lost before (the log says so). */
struct source *socket_create(int fd, bool again, void (*ended)(void *ctx), void *ctx);
/* Instead of destroy, when nobody wanted it: fd stays the caller's, ended is not called. */
void socket_abandon(struct source *s);

#endif
