/* SPDX-License-Identifier: MIT */
/*
 * service.h: what the parts of vconsd share, and where each part lives.
 *
 *     main.c        options, set-up, sandbox, the end            config.c    vconsd.conf
 *     link.c        hypervisors: link.sock, wire/link.h          source.h    what a console's bytes come from
 *     console.c     the registry: names, states, attach, detach  source_line.c, source_socket.c   two kinds of it
 *     append.c      the append thread: source -> log -> commit   log.c …     the log store (log.h)
 *     viewer.c      cursors into the log, live or behind         token.c     who may write
 *     control.c     control.sock: JSON, then frames              raw.c       consoles/DOMAIN/CONSOLE.sock
 *     watch.c       many descriptors on one uv loop
 *
 * Threads: the control thread (everything here unless said otherwise) and the append thread. A console is attached to the
 * append thread by append_add and comes back by append_remove; between the two it alone touches the source's out side
 * and appends to the log. Viewers that are live and caught up are shared, under the console's live lock (viewer.h).
 */
#ifndef VCONS_SERVICE_SERVICE_H
#define VCONS_SERVICE_SERVICE_H

struct service;

#endif
