/* SPDX-License-Identifier: MIT */
/*
 * console.h: the registry of consoles: names, owners, states; sources come and go, the log stays.
 *
 * Spec:  design §5, §6; decisions, "Names, places, lifetimes".
 * Owner: the registry owns every console until it is closed; a console owns its log, its source, its two raw sockets and its pty.
 * Lock:  the control thread, except what append.h and viewer.h give to the append thread.
 * Trust: names are checked by whoever brings them (name_ok) and again by the log store.
 */
#ifndef VCONS_SERVICE_CONSOLE_H
#define VCONS_SERVICE_CONSOLE_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <vcons/wire/link.h>

#include "append.h"
#include "log.h"
#include "pty.h"
#include "source.h"
#include "token.h"
#include "watch.h"

struct connector;
struct link;
struct service;
struct viewer;

struct origin {        /* what a source says about its console */
    struct link *link; /* NULL: no hypervisor's */
    uint32_t cookie, kind, domid, boot;
    uid_t uid;
    pid_t pid;
    bool first, owned; /* owned: uid, pid and uuid are those of a hypervisor, this one or the last */
    uint8_t uuid[VC_LINK_UUID_BYTES];
    char engine[12];
    char hypervisor[VC_LINK_NAME_BYTES]; /* its name, also after its link; empty: none, or of an earlier service */
};

struct console {
    struct console *next;        /* of all, in the order they came */
    struct console *next_name;   /* in its bucket, ... */
    struct console *next_domain; /* ... in that of its domain, newest first, ... */
    struct console *next_cookie; /* ... and, while it has a link, in that of its cookie */
    struct service *service;
    struct log log;
    struct log_glance glance;      /* while it is not open */
    bool log_open, gone, removing; /* gone: its hypervisor said that it ends for good; removing: asked back */
    bool handing;                  /* its source waits to be handed over, and belongs to nobody meanwhile: upgrade.h */
    bool failed;                   /* the log does not open: attach was refused */
    struct source *source;         /* NULL: away or off */
    struct source *later;          /* a source that waits for the one before it to be drained */
    struct connector *connector;   /* that finds it a source; NULL: others bring one */
    struct link *link;             /* whose console it is, while its link is up */
    struct origin origin;
    bool owner_kept;  /* what origin says of its owner is in the state directory */
    uint32_t state;   /* enum vc_domain_state, as the hypervisor says */
    uint64_t dropped; /* as it says too */
    uint64_t refused; /* bytes typed by those without the token */
    uint32_t size;    /* as last set, rows << 16 | columns; 0: never */
    bool size_owed;   /* its source has not been told */
    struct token token;
    struct watch room;        /* source->room_fd, while the writer waits for room */
    struct watch raw, raw_ro; /* listening sockets */
    struct pty *pty[PTYS];    /* by enum pty_for; NULL: none */
    struct copy *copy;        /* copy.h; NULL: none */
    struct viewer *viewers;   /* guarded by live, as are the members viewer.h names */
    uint32_t n_viewers;
    pthread_mutex_t live;
    struct append_entry append;
};

#define CONSOLE_BUCKETS 1024u
#define CONSOLES_MAX    65536u /* with those of which only a log is left */
struct registry {
    struct console *first, **last;
    struct console *buckets[CONSOLE_BUCKETS], *domains[CONSOLE_BUCKETS], *cookies[CONSOLE_BUCKETS];
    uint32_t n, n_sources; /* n_sources: with the append thread, or about to be */
};

void registry_open(struct registry *r);
/* After all sources are back: close logs and sockets, free everything. */
void registry_close(struct service *s);

/* The console of that exact name, or NULL. */
struct console *console_find(struct service *s, const char *domain, const char *console);
/* The next of a domain's, newest first; before NULL: the first. NULL: no more. */
struct console *console_of_domain(struct service *s, const char *domain, const struct console *before);
/* The one that this link brought with that cookie, or NULL. */
struct console *console_of_link(struct service *s, const struct link *l, uint32_t cookie);
/* What a person may call it: DOMAIN/CONSOLE, DOMAIN for its first console, a domain id. NULL: none. */
struct console *console_resolve(struct service *s, const char *name);
/* Find or make. NULL: out of memory, or there are CONSOLES_MAX. */
struct console *console_get(struct service *s, const char *domain, const char *console);
/* Open its log if it is not. 0 or a negative errno. */
int console_open(struct console *c);
/* "running", "off", "crashed", "paused", "away" */
const char *console_state(const struct console *c);

/*
 * A source for c, which has none or is just losing one. 0: it is ours now. Negative errno: refused, the caller's still.
 * After a crash of the service it goes on exactly behind the last byte in the log, else with a marked gap.
 */
int console_attach(struct console *c, struct source *source, const struct origin *origin);
/* Drain and let go of the source, if it has one; for_good: its guest is no more. */
void console_detach(struct console *c, bool for_good);
/* Its hypervisor says what the guest's end is (enum vc_guest_end). Events of its source know better. */
void console_guest(struct console *c, uint32_t end);
/*
 * A domain has another name: its consoles, which have no source now, and their logs. One whose new name is taken stays as it is.
 * 0, or a negative errno of one that stayed.
 */
int console_rename(struct service *s, const char *domain, const char *name);
/* For upgrade.h: its source back from the append thread; then on with it as before, or its end. */
void console_yield(struct console *c);
void console_resume(struct console *c);
void console_let_go(struct console *c);
/* The configuration is another: what can follow while it has its source does. */
void console_settle(struct console *c);
/* What the append thread had to tell. */
void console_news(struct service *s);
/* Its size is that, rows << 16 | columns, from now on: told as soon as there is a source with room for it. */
void console_resize(struct console *c, uint32_t size);
/* The writer waits: call viewer_room once the source has room. False: it has some now. */
bool console_wait_room(struct console *c);

#endif
