/* SPDX-License-Identifier: MIT */
/*
 * append.h: the append thread: source -> log -> commit, for every console that has a source.
 *
 * Spec:  design §5, §1 (log first, then advance); rules R5-R8; tests T1, T11, T12; workloads W1, W3, W5, W6, W13.
 * Owner: struct append is the caller's; each console embeds a struct append_entry. Nothing is allocated after start.
 * Lock:  append_add, append_remove and append_collect are the control thread's. From append_add until the console comes
 *        back from append_collect with APPEND_REMOVED, the append thread alone may use the source's append functions and
 *        append to the log. The live lock of a console's viewers is taken here, and nothing else is held with it.
 * Trust: a source that breaks its protocol is marked broken in its log, left alone, and tried again once a second; one
 *        that kicks without work is looked at more and more rarely. Neither takes more than its turn from the others.
 *
 * Turns: each console with work gets a bounded number of bytes, then goes behind the others. A console that was asleep
 * comes first, once: so a key's echo overtakes a thousand floods, and no flood gains by pausing (the new and old flows of
 * RFC 8290).
 *
 * Keys: what a console says while somebody types to it, a little at a time, is not counted as its turn: the next key's echo,
 * too, comes first. There is one such turn at most between two looks at who woke up. And where guests and the service share
 * processors (hubs: rings of a Xen), who types gets his answer only as fast as a flood and we leave them to his guest and his
 * viewer. So those who stand in the round wait for a moment at each key, for half of the time at most.
 */
#ifndef VCONS_SERVICE_APPEND_H
#define VCONS_SERVICE_APPEND_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "append_limit.h"
#include "host/kick.h"
#include "host/waker.h"
#include "log.h"

struct append;
struct console;

enum append_news {                     /* what the append thread has to tell about a console */
                   APPEND_OUTPUT = 1,  /* viewers that are behind have something to read */
                   APPEND_REMOVED = 2, /* the source is ours again: drained, detached in the log */
                   APPEND_ENDED = 4,   /* the source has ended by itself: remove it */
                   APPEND_SYNCED = 8,  /* what was there at append_sync is in the log */
};

enum append_queue { QUEUE_NONE, QUEUE_FRESH, QUEUE_OLD };

#define APPEND_GUEST_SEEN 4u /* in an event since the source came: what its hypervisor said by other ways is older */

struct append_entry {             /* in each console */
    struct console *next;         /* in the queue that holds it */
    struct console *next_command; /* guarded by append->lock, as is news_next */
    struct console *next_news;
    struct console *next_resting;
    struct console *next_unsettled;
    struct console *next_unsaved;
    uint64_t turn_mono;  /* of its last turn */
    uint64_t typed_mono; /* atomic: when somebody last typed a key to it */
    uint64_t wake_mono;  /* while resting: when to look again */
    uint64_t written;    /* atomic: mono_ns of the last bytes, for `ls` */
    uint32_t news;       /* atomic set of enum append_news not yet collected */
    uint32_t fruitless;  /* kicks in a row that brought nothing */
    uint8_t queue;       /* enum append_queue */
    bool polled, resting, ended, unsettled, unsaved;
    bool command_add, command_remove, command_sync; /* guarded by append->lock */
    uint32_t broken;                                /* atomic: 1 while its peer breaks the protocol */
    uint32_t guest;                                 /* atomic: enum vc_guest_end, and … */
    struct append_limit limit;
};

struct append {
    pthread_t thread;
    int epoll, wake;      /* wake: an eventfd, ours alone */
    int timer;            /* a timerfd: what is due while all sleep */
    uint64_t turn;        /* atomic: odd while the thread works, even while it sleeps; another number each time */
    uint64_t timer_mono;  /* when it fires; in the past: it has fired */
    pthread_mutex_t lock; /* of the two lists; held for moments, never with another */
    struct console *commands, *news;
    bool stopping;
    struct console *fresh, **fresh_last, *old, **old_last, *resting, *unsettled, *unsaved;
    uint64_t settle_mono; /* when those are due */
    uint64_t retry_mono;  /* when the disk is asked again about those that are unsaved */
    uint64_t n_settled;   /* how many were, the last time */
    uint32_t n_active;    /* in either queue */
    bool draining;        /* what is left is stored, whatever limit there is */
    uint32_t turn_bytes;  /* a turn's, by how long rounds take */
    uint64_t turn_since;  /* mono_ns: since when it is so much */
    uint64_t typed_mono;  /* atomic: when somebody last typed to a source of a hub */
    uint64_t hold_mono;   /* until then those in the old queue wait */
    struct kicker kicker;
    struct waker *waker;    /* the control thread's: there is news */
    struct source_hub *hub; /* atomic; NULL: none */
    struct log_time now;
};

/* Begin. waker is asked when append_collect has something. 0 or a negative errno. */
int append_start(struct append *a, struct waker *waker);
/* From now on sources may wake by this hub, of which there is one. It outlives the thread. 0 or a negative errno. */
int append_hub(struct append *a, struct source_hub *hub);
/* End the thread; no console is attached any more. */
void append_stop(struct append *a);
void append_add(struct append *a, struct console *c);    /* c->source is set and its log is open and attached */
void append_remove(struct append *a, struct console *c); /* drain and detach; APPEND_REMOVED will tell */
void append_sync(struct append *a, struct console *c);   /* log all that is there; APPEND_SYNCED will tell */
/* Where the thread is: the same odd number twice is one and the same piece of work. Any thread. */
static inline uint64_t append_turn(const struct append *a) { return __atomic_load_n(&a->turn, __ATOMIC_RELAXED); }
static inline bool append_sleeps(uint64_t turn) { return (turn & 1) == 0; }
void append_typed(struct append *a, struct console *c, uint32_t n); /* n bytes were put into its source */
/* The next console with news, and what; NULL: no more. */
struct console *append_collect(struct append *a, uint32_t *news);

#endif
