/* SPDX-License-Identifier: MIT */
/*
 * service.h: what the parts of vconsd share, and where each part lives.
 *
 *     main.c        options, set-up, sandbox, the end            config.c    vconsd.conf
 *     link.c        hypervisors: link.sock, wire/link.h          source.h    what a console's bytes come from
 *     console.c     the registry: names, states, attach, detach  source_line.c, source_fd.c   two kinds of it
 *     append.c      the append thread: source -> log -> commit   log.c …     the log store (log.h)
 *     append_move.c, append_news.c: its inner part, its talk with the control thread
 *     viewer.c      cursors into the log, live or behind         token.c     who may write
 *     viewer_send.c, viewer_input.c: what goes out to one and comes in
 *     control.c     control.sock: reading and answering          raw.c       consoles/DOMAIN/CONSOLE.sock
 *     access.c      who may read and write what                  watch.c     many descriptors on one uv loop
 *     service.c     beginning and end of all of it               tidier.c    old segments: deleted, compressed
 *     connector.c   sources of vconsd.conf: connect, again       owner.c     whose a domain's name is, kept
 *     plugged.c     the module for a Xen's dom0, if wanted       pty.c       a console as a pseudo-terminal
 *     manager.c     what systemd is told, and the sockets it made
 *     privileges.c  what is given up before the first thread
 *     upgrade.c     a new service takes this one's place: the old one's part; upgrade_take.c: the new one's
 *     audit.c       who attached, who wrote
 *     metrics.c     metrics.sock; metrics_text.c: what it says
 *     reload.c      the configuration read anew; sources added by hand
 *     starter.c     a process beside us that looks up names and runs commands
 *     committer.c   the thread that flushes logs to the disk
 *     xenconsoled.c the options of Xen's own daemon
 *     copy.c        logs as text files too, by a thread of its own; copy_text.c: what they look like
 *
 * Threads: the control thread (everything here unless said otherwise) and the append thread. A console is attached to the
 * append thread by append_add and comes back by append_remove; between the two it alone touches the source's out side
 * and appends to the log. Viewers that are live and caught up are shared, under the console's live lock (viewer.h).
 *
 * Owner: main.c places struct service; parts keep their state in their member.
 * Lock:  the control thread's, but for store and append.
 */
#ifndef VCONS_SERVICE_SERVICE_H
#define VCONS_SERVICE_SERVICE_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "access.h"
#include "append.h"
#include "audit.h"
#include "clients.h"
#include "committer.h"
#include "config.h"
#include "connector.h"
#include "console.h"
#include "copy.h"
#include "host/kick.h"
#include "host/paths.h"
#include "host/waker.h"
#include "log.h"
#include "manager.h"
#include "metrics.h"
#include "plugged.h"
#include "pty.h"
#include "tidier.h"
#include "upgrade.h"
#include "watch.h"

struct link;
struct control;

struct service {
    uv_loop_t loop;
    struct waker news; /* from the append thread, and to ourselves: console_news */
    uv_signal_t term, interrupt, hangup;
    uv_timer_t linger;
    uv_timer_t unsaved;   /* while it runs, some console without a source has what the disk refused: console_unsaved */
    uv_timer_t returning; /* while it runs, hypervisors of an earlier service may still come back */
    struct watches watches;
    struct watch link_listen, control_listen;
    struct paths paths;
    struct service_config config;
    const char *config_path;     /* the file it was read from; NULL: there is none */
    pthread_mutex_t config_lock; /* made; for whoever replaces config, and for other threads that look into it */
    struct access_own own;
    struct log_store store;
    struct append append;
    struct tidier tidier;       /* main.c has done its tidier_init, and … */
    struct committer committer; /* … its committer_init */
    struct kicker kicker;       /* the control thread's */
    struct registry registry;
    struct sources sources;
    struct starter starter;
    struct manager manager;
    struct upgrade upgrade;
    struct metrics metrics;
    struct audit audit;
    struct plugged plugged;
    struct ptys ptys;
    struct copies copies;
    struct link *links;
    struct control *controls;
    struct clients clients;
    uint32_t n_links, n_controls, n_viewers;
    uint32_t next_serial;           /* of requests over links */
    int64_t linger_s;               /* end this long after the last line and viewer; -1: never */
    bool had_link;                  /* a private service waits for its first, then leaves with the last */
    bool control_given, link_given; /* those sockets are the service manager's, and stay when we go */
    bool replace;                   /* who serves a Xen's consoles is ended first */
    bool starting;                  /* no console has raw sockets yet: raws_open */
    bool stopping;
    bool said_full;        /* that descriptors are used up */
    bool said_leases;      /* nor leases */
    int leases_fd;         /* the directory of lease.c; -1: none */
    bool said_owners;      /* that the state directory does not take them */
    int owners_fd;         /* the directory of owner.c; -1: none */
    int lock_fd, spare_fd; /* spare: to turn clients away when there are no more */
    uint64_t started_ns;   /* CLOCK_MONOTONIC */
};

/* Set up everything behind paths, config and own, which main.c has filled, and listen. 0 or a negative errno with *p. */
int service_start(struct service *s, struct problem *p);
void service_run(struct service *s); /* until service_stop has ended everything */
void service_clocks(struct log_time *now);
/* accept4(2), close-on-exec and non-blocking; when descriptors are used up the client is turned away. -1: none. */
int service_accept(struct service *s, int listening);
/*
 * A listening socket of that name in the runtime directory: the service manager's, and *given is true, or our own, with this mode.
 * A negative errno with *p.
 */
int service_listen(struct service *s, const char *name, int type, mode_t mode, bool *given, struct problem *p);
/* Stop listening there, if we do, and take the socket's name away unless it was given. */
void service_unlisten(struct service *s, struct watch *listening, const char *name, bool given);
/* A link, a viewer or a source went: it may be time to leave. */
void service_idle_check(struct service *s);
/* Begin to end: drain, detach, leave the lines to whoever comes next. */
void service_stop(struct service *s);

#endif
