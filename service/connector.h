/* SPDX-License-Identifier: MIT */
/*
 * connector.h: consoles that are there because somebody named their source: connected, and connected again after each end, with
 * growing pauses.
 *
 * Spec:  vconsd.conf(5), "source". A connection that ends leaves its console away, with a reason; the next one begins with a
 *        marked gap. What was connected for long is tried again at once, what flaps more and more rarely.
 * Owner: struct sources holds every connector until the loop has ended, or until it was removed; a source lives while its
 *        connection does and is console.c's.
 * Lock:  none, the control thread.
 * Trust: whoever is at the other end may come, go and say whatever it likes. What a name or path leads to is for whoever wrote
 *        the configuration to say.
 *
 *     connector.c        when: attempts, pauses, reasons; the list
 *     connector_demand.c when: only while somebody is attached
 *     connect_socket.c   how: UNIX sockets, connecting and listening
 *     connect_tty.c      how: pseudo-terminals and serial ports
 *     connect_lock.c     who else uses them
 *     connect_libvirt.c  how: pseudo-terminals that libvirt knows by the domain's name; libvirt_xml.h
 *     connect_xl.c       how: terminals that XenStore knows by the domain's name; xl_lookup.h
 *     connect_net.c      how: TCP, telnet, RFC 2217
 *     connect_command.c  how: programs; starter.h
 */
#ifndef VCONS_SERVICE_CONNECTOR_H
#define VCONS_SERVICE_CONNECTOR_H
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "host/message.h"
#include "host/name.h"
#include "settings.h"
#include "source_fd.h"
#include "source_text.h"
#include "starter.h"
#include "watch.h"

#define CONNECT_PAUSE_MS    20u    /* after a connection ended or failed; doubled each time, up to ... */
#define CONNECT_LISTEN_MOST 100u   /* ... where it is others who connect, and wait */
#define CONNECT_LOCAL_MOST  2000u  /* ... within this machine */
#define CONNECT_REMOTE_MOST 60000u /* ... over a network */
#define CONNECT_LASTED_MS   2000u  /* a connection that lived so long was none that flaps */

struct connector;
struct console;
struct service;

struct connect_way {
    const char *type;
    bool breaks, sizes, tty, remote;
    bool telnet, com_port; /* com_port: RFC 2217 */
    bool early;            /* whatever the guest says before we are there waits for us, or there is no guest yet */
    /* Try once. A descriptor: connected. -EINPROGRESS: connector_connected or connector_failed tells, unless cancel is called
     * before. Another negative errno, with the reason in *p. */
    int (*begin)(struct connector *k, struct problem *p);
    /* An attempt under way, or a listening socket, ends: the connector goes or changes. NULL: there is nothing to end. */
    void (*cancel)(struct connector *k);
    /* A connection that an earlier service had made is ours: what begin does beside connecting. NULL: nothing. */
    void (*adopted)(struct connector *k);
    /* What the starter says about k->asked. NULL: nothing was asked. */
    void (*answered)(struct connector *k, const struct starter_answer *answer, int fd);
    void (*released)(struct connector *k); /* the connection, or the attempt, is over. NULL: no matter */
};

struct connector {
    struct connector *next;
    struct service *service;
    struct console *console;
    struct console_settings settings; /* its own texts */
    struct source_place place;        /* in them */
    const struct connect_way *way;
    struct source *source; /* while it is connected, and until the last of it is in the log */
    uv_timer_t retry, break_end;
    uint32_t pause_ms;
    uint64_t since_ms;                     /* loop time of the connection */
    uint64_t turned_away;                  /* peers that came while there was one */
    struct console_settings next_settings; /* from when the source has ended; without a source: none are waiting */
    bool by_hand;                          /* not of the configuration */
    bool trying, told;                     /* told: that it cannot be reached, once for each stretch */
    bool going;                            /* removed: freed when its handles and its source are no more */
    uint8_t n_handles;
    struct watch watch; /* a way's own: listening, or connecting */
    char lock[64];      /* a way's own: the lock file that is ours; empty: none */
    int lock_fd;        /* a way's own: open while lock is ours, where a lock is the descriptor's */
    bool elsewhere;     /* a way's own: the starter made the socket on which it listens */
    uint32_t asked;     /* a way's own: serial of a request to the starter; 0: none */
    uint8_t address, n_addresses;
    struct starter_address addresses[STARTER_ADDRESSES];
    char farewell[96]; /* a way's own: the reason of an end that is to come; empty: none */
    char reason[160];  /* why it is not connected; empty: it is, or nothing was tried yet */
};

struct sources {
    struct connector *first, **last;
    uint32_t n;
};

/* One connector for each console of the configuration that has a source; the first attempts. 0 or a negative errno. */
int sources_start(struct service *s);
void sources_stop(struct service *s); /* no more attempts; connections end with their consoles */
void sources_free(struct service *s); /* after the loop */

/* One more: by hand with these settings, which stay the caller's, or NULL: as the configuration says. 0 or a negative errno. */
int sources_begin(struct service *s, const struct name *name, const struct console_settings *by_hand);
/* Connect by other settings from now on, if they are others: true. They stay the caller's. No memory: all is as it was. */
bool connector_change(struct connector *k, const struct console_settings *settings);
void connector_remove(struct connector *k); /* its console goes for good, its log stays */

/* Whether that console has a connector whose source it has now, and which can carry sizes. */
bool connector_sizes(const struct console *c);

/* Viewers of c came or went: a source that is connected for them alone is connected now, or in a while no more. */
void connector_viewers(const struct console *c);
bool connector_on_demand(const struct console *c);

/* connector_demand.c with connector.c: whether it is to be connected now; that it is not; to look at it again. */
bool connector_wanted(const struct connector *k);
void connector_idle(struct connector *k);
void connector_look(struct connector *k);
void connector_due(uv_timer_t *timer); /* an attempt */
void connector_cancel(struct connector *k);

/* For the ways: an attempt that said -EINPROGRESS came to its end. fd is the connector's. */
void connector_connected(struct connector *k, int fd);
void connector_failed(struct connector *k, const struct problem *p);

/* From the starter. False: nobody asked; fd stays the caller's. */
bool connector_answered(struct service *s, const struct starter_answer *answer, int fd);

/* A raw terminal whose master somebody else has, or a negative errno with *p. */
int connect_open_pty(const char *path, struct problem *p);
/* Say in a file that it is ours. -EBUSY with *p: it is another's. 0 as well where there can be no such files. */
int connect_lock(struct connector *k, const char *device, struct problem *p);
void connect_lock_again(struct connector *k, const char *device); /* after an earlier service of ours let go of it */
void connect_unlock(struct connector *k);

extern const struct connect_way connect_command, connect_libvirt, connect_rfc2217, connect_tcp, connect_telnet;
extern const struct connect_way connect_xl, connect_unix, connect_unix_listen, connect_pty, connect_serial;

#endif
