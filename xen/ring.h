/* SPDX-License-Identifier: MIT */
/*
 * ring.h: a guest's console page and its port as a source of the service.
 *
 * Spec:  source.h; wire/xencons.h; Xen ABI: attach is map, check, bind, drain, write CONNECTED, notify. The first four are
 *        attach.c's and the service's; the last two are done when the append thread has found the ring empty for the first time.
 *        Nothing here writes DISCONNECTED: who ends is started again, and new kernels throw away what they print while it is there.
 * Owner: attach.c makes it; then it is the service's until destroy, which gives it back by gone.
 * Lock:  as source.h; the page is read and written by both threads, each its own direction.
 * Trust: the page is the guest's to scribble on at any moment (vcons/ring.h). The flag is written and never read.
 */
#ifndef VCONS_XEN_RING_H
#define VCONS_XEN_RING_H
#include <vcons/xencons.h>

#include "place.h"
#include "ports.h"
#include "service/plugin.h"

struct console;
struct seat;

#define RING_BOOT_TAG 1u /* of the mark for its domain's start: source_event.event */

struct ring {
    struct source source; /* first */
    struct port_user user;
    struct ports *ports;
    struct xencons_interface *page;
    struct vc_consumer out; /* the append thread's */
    struct vc_producer in;  /* the control thread's */
    uint32_t port;          /* atomic: ours */
    uint32_t armed;         /* atomic: the control thread waits for room ... */
    uint32_t full_at;       /* atomic: ... and has seen in_cons there */
    bool greeted;           /* the append thread's: CONNECTED was written */
    bool boot_owed;         /* its start is still to be marked */
    void (*gone)(void *ctx, struct ring *r);
    void *ctx;

    /* What follows is attach.c's and the module's (module.h). */
    bool granted; /* mapped by a grant, else as a frame */
    bool taken;   /* the module's thread's: the service has it */
    bool release; /* the module's thread's: once it is drained its guest hears that nobody serves it */
    uint32_t domid;
    struct place place;
    struct seat *seat; /* the module's thread's: where it belongs; NULL: nowhere any more */
    char domain[NAME_BYTES], console_name[NAME_BYTES];
    char former[NAME_BYTES]; /* its domain's name until now; empty: the same */
    struct plugin_origin origin;
    struct console *console; /* the control thread's; NULL: the service has not taken it */
    uint32_t state;          /* atomic: enum vc_domain_state */
    char tty[64];            /* of its pseudo-terminal, from the control thread, with RING_TAKEN */
    struct {
        struct ring *next;
        uint32_t what; /* a set; 0: not in the box */
    } posted[2];       /* guarded by the box's lock: post.h */
};

/* Take both ends of the page, and room_fd. port, ports, page, gone are set by the caller. VC_EPEER: its indices are not legal. */
int ring_open(struct ring *r);

#endif
