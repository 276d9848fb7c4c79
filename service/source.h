/* SPDX-License-Identifier: MIT */
/*
 * source.h: where a console's bytes come from and go to: a line of a hypervisor, a UNIX socket, a ring page of a Xen.
 *
 * Spec:  design §5: peek (two spans) / commit / room / put / event / state. One user of each: append.c and console.c.
 * Owner: whoever creates the source places it in a struct of its own; console.c calls destroy, once, after the append
 *        thread has let go of it. Descriptors in here belong to the source.
 * Lock:  none. Functions under "append" are called by the append thread alone, those under "control" by the control
 *        thread alone, both at once: the two groups share no plain field. None of them waits or allocates; destroy may.
 * Trust: the peer may hand over anything; a source answers VC_EPEER once its peer breaks the protocol, and keeps doing so
 *        until revive succeeds.
 *
 * Sleep: the append thread polls bytes_fd edge-triggered and never reads it. It calls peek/event until nothing is left,
 * then rest(): true means that a change of bytes_fd will tell of anything new. One that is polled with EPOLLONESHOT tells of
 * nothing while the thread is awake to it, and is polled anew behind rest(), which tells at once of what came meanwhile.
 *
 * Hub: sources may wake by one descriptor for all of them, as event channels do. Each then has no bytes_fd but that hub;
 * what the hub reported stays silent until the source's rest() has made it heard again and has looked once more. So a peer
 * that kicks without end costs one event for each of its console's turns.
 */
#ifndef VCONS_SERVICE_SOURCE_H
#define VCONS_SERVICE_SOURCE_H
#include <stdbool.h>
#include <stdint.h>
#include <vcons/error.h>
#include <vcons/ring.h>
#include <vcons/wire/index.h>

struct source;

struct source_event { /* something that has a place in the stream and is no byte: becomes one index record */
    uint16_t kind;    /* enum vc_index_kind */
    uint16_t event;   /* low 16 bits of its sequence + 1; 0 where the source does not number them */
    uint64_t value;
};

struct source_handover { /* what is not in a source's descriptor: */
    const uint8_t *out;
    uint32_t n_out;   /* bytes on their way to it: typed, and not sent, ... */
    const void *kept; /* ... and where its protocol stands, in a form of its own, aligned as any type */
    uint32_t n_kept;
};

struct source_ops {
    const char *type; /* "line", "socket": what `ls` shows as source */

    /* control, before the append thread has it; each may be null. */

    int (*resume)(struct source *s, uint32_t cons, uint16_t event); /* go on there; VC_EPEER: that is not in it */
    bool (*used)(const struct source *s);                           /* whether somebody took bytes or events before */
    void (*greet)(struct source *s); /* wake the peer: it may wait for a service that is no more */

    /* append: what the guest wrote. */

    /* What is there, up to the next event only, as two spans; their bytes may change until commit. VC_EPEER: broken.
     * VC_ENOENT: the source has ended, nothing more will come. */
    int (*peek)(struct source *s, struct vc_span spans[2], uint32_t *n);
    void (*commit)(struct source *s, uint32_t n); /* n of those are stored; kicks the peer where it waits for room */
    /* Behind a commit, in place of another peek in the same turn: whether more is likely there. Null: peek takes nothing from
     * the peer, and can be asked. */
    bool (*more)(const struct source *s);
    /* The event that stands right here, if any; it stays until event_done. Null: this source has none. */
    int (*event)(struct source *s, struct source_event *event, bool *due);
    void (*event_done)(struct source *s);
    bool (*rest)(struct source *s);            /* about to sleep: true if there is indeed nothing left */
    uint32_t (*index)(const struct source *s); /* line index of the next byte to peek; 0 where there are none */
    int (*revive)(struct source *s); /* after VC_EPEER: VC_OK if it can be used again, from where it now stands */

    /* control: what is typed to it. */

    int (*room)(struct source *s, uint32_t *room); /* bytes that put would take now */
    int (*put)(struct source *s, const void *bytes, uint32_t n, uint32_t *put);
    int (*post)(struct source *s, enum vc_index_kind kind, uint64_t value); /* resize or break; VC_ENOSPC: not now */
    /* For a service that takes this one's place (upgrade.h), while the append thread has it not: its descriptor, still the
     * source's, and *h, valid while the source lives. -1: it cannot go on there, and is connected anew. Null: never. */
    int (*handover)(struct source *s, struct source_handover *h);
    bool (*room_rest)(struct source *s); /* about to wait for room: true if there is still none */
    void (*destroy)(struct source *s);
};

struct source_hub {
    int fd; /* polled for EPOLLIN, level-triggered, by the append thread until it ends */
    /* append: the readers of sources that have something new, n at most; a reader may be among them twice. Never waits.
     * What is left makes fd readable again. */
    uint32_t (*collect)(struct source_hub *hub, void *readers[], uint32_t n);
};

struct source { /* first member of each kind's own struct */
    const struct source_ops *ops;
    int bytes_fd, room_fd;              /* polled for bytes by append, for room by control; -1: none */
    uint32_t bytes_events, room_events; /* what to poll them for, EPOLL… without EPOLLET */
    uint32_t
        most; /* append, before each peek: no more is taken in one piece, so with `more` all that is shown is committed */
    uint32_t holds;         /* bytes the peer can have written and not been relieved of */
    uint8_t line_id[16];    /* zero where the source has no line */
    struct source_hub *hub; /* what wakes it in place of bytes_fd, which is -1; NULL: none */
    void *reader; /* the append thread's, while it has this source, else NULL: what the hub's collect answers */
};

#endif
