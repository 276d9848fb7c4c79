/* SPDX-License-Identifier: MIT */
/*
 * sock.h: UNIX sockets: listen, connect, who is there, and descriptors that travel.
 *
 * Owner: every descriptor returned is the caller's to close; all are close-on-exec.
 * Lock:  none.
 * Trust: the peer. More descriptors than asked for are closed, not leaked; a cut packet is told.
 */
#ifndef HOST_SOCK_H
#define HOST_SOCK_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "message.h"

#define SOCK_FDS_MAX 16u

/* A listening, non-blocking socket of type SOCK_STREAM or SOCK_SEQPACKET at path, with this mode from its
 * first moment on. A socket left there by a dead program is replaced; anything else there is -EADDRINUSE and
 * stays. The caller holds a lock on the directory, so that two programs do not replace each other's. */
__attribute__((nonnull(1))) int sock_listen(const char *path, int type, mode_t mode, struct problem *p);
/* The same in a directory of ours alone: a socket there is one of ours that is over, and replaced without a look. */
__attribute__((nonnull(1))) int sock_listen_ours(const char *path, int type, mode_t mode, struct problem *p);
/* A blocking socket, connected. -ENOENT, -ECONNREFUSED: nobody listens there; -EACCES; *p names the path. */
__attribute__((nonnull(1))) int sock_connect(const char *path, int type, struct problem *p);
/* Who is at the other end. pid is 0 where it lives in another pid namespace. */
int sock_peer(int fd, struct ucred *peer);
/* One message with n_fds descriptors (0..SOCK_FDS_MAX). As send(2) with MSG_NOSIGNAL: bytes sent, or -errno.
 */
ssize_t sock_send_fds(int fd, const void *bytes, size_t n, const int *fds, unsigned n_fds);
/* One message with at most max descriptors; *n_fds tells how many came. Bytes, 0 at end of file, or -errno;
 * -EMSGSIZE: the message or its descriptors did not fit, and none were kept. */
ssize_t sock_recv_fds(int fd, void *bytes, size_t n, int *fds, unsigned max, unsigned *n_fds);

#endif
