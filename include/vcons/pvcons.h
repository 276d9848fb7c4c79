/* SPDX-License-Identifier: MIT */
/*
 * pvcons.h: the PV console door, backend side: carries bytes between a guest's ring page and its caller.
 *
 * Spec:  Xen public/io/console.h by xencons.h. Order of attach: map, validate, bind, drain once, CONNECTED,
 *        notify; of detach: stop input, drain, DISCONNECTED, notify, unbind, unmap.
 * Owner: the caller places struct vc_pvcons, maps the page before attach and unmaps it after detach.
 * Lock:  the door's, the caller's, around every call. All env functions run under it: no calls back into this
 *        door.
 * Trust: the page is the guest's. Each shared index is read once a pass; the flag is never read. Illegal
 *        indices mark this console broken: one call of env->broken, no byte taken. It attaches anew by
 *        itself, from the indices then in the page, once they are legal, tried at most once in VC_PVCONS_RETRY_MS.
 * Hold:  env->out may take less than it is offered. The rest stays in the ring, which makes the guest wait;
 *        call vc_pvcons_serve again when there is room. No byte is ever dropped here.
 *
 * Who calls: a vCPU thread when its guest notifies the port; the I/O thread when the line has room or input again.
 */
#ifndef VCONS_PVCONS_H
#define VCONS_PVCONS_H
#include <stdbool.h>
#include <stdint.h>
#include <vcons/xencons.h>

#define VC_PVCONS_RETRY_MS 1000u
#define VC_PVCONS_OWED_MS  100u

enum vc_pvcons_state {
    VC_PVCONS_DETACHED = 0,  /* the page is not looked at */
    VC_PVCONS_SERVED = 1,    /* output is drained, no input; the flag says DISCONNECTED, or what the builder left */
    VC_PVCONS_CONNECTED = 2, /* both ways; the flag says CONNECTED */
    VC_PVCONS_BROKEN = 3,    /* indices are illegal; tried again */
};
/* The value of a VC_LINE_BROKEN event. */
enum vc_pvcons_reason {
    VC_PVCONS_OUT_INDICES = 1, /* out_prod - out_cons is more than the out ring holds */
    VC_PVCONS_IN_INDICES = 2,  /* in_prod - in_cons is more than the in ring holds */
};
/* What is left to do. */
enum vc_pvcons_served {
    VC_PVCONS_DONE = 0,
    VC_PVCONS_HELD = 1,  /* env->out took less than there is: serve again when it would take more */
    VC_PVCONS_RETRY = 2, /* broken: serve again after VC_PVCONS_RETRY_MS, kicks apart */
};

struct vc_pvcons_env {
    /* Output, n in 1..2048, a private copy that nobody changes. Returns how many were taken, 0..n. */
    uint32_t (*out)(void *ctx, const uint8_t *bytes, uint32_t n);
    /* Input: up to n bytes for the guest into bytes; returns how many, all of which will fit. */
    uint32_t (*in)(void *ctx, uint8_t *bytes, uint32_t n);
    int (*bind)(void *ctx);        /* take the event port; VC_OK or a code that attach returns */
    void (*unbind)(void *ctx);     /* give it up */
    void (*notify)(void *ctx);     /* raise it at the guest; harmless if the guest has closed it */
    uint64_t (*now_ms)(void *ctx); /* any monotonic clock; asked only while broken */
    void (*broken)(void *ctx, enum vc_pvcons_reason reason);
    /*
     * Optional: a notify is owed that tells of room alone, in a ring that was not full. vc_pvcons_settle gives it, at most
     * VC_PVCONS_OWED_MS later, unless another one came before. Called once for each debt. NULL: none is put off.
     */
    void (*owe)(void *ctx);
};

struct vc_pvcons { /* for the caller to place; state may be read under the lock */
    const struct vc_pvcons_env *env;
    void *ctx;
    struct vc_xencons_back back;
    enum vc_pvcons_state state;
    bool connect;      /* wanted once it is no longer broken */
    bool owes;         /* room was made since the last notify */
    bool yields;       /* who wants room looks by itself */
    uint64_t retry_ms; /* not before */
};

/* Detached. env and ctx outlive the door; every function in env is set that is not optional. */
void vc_pvcons_init(struct vc_pvcons *c, const struct vc_pvcons_env *env, void *ctx);
/*
 * Map done by the caller: validate, bind, drain once. The flag is not touched: the state is SERVED. VC_EBUSY:
 * is attached; VC_EPEER: indices are illegal; or what bind said. After a failure it is detached, nothing was
 * written.
 */
int vc_pvcons_attach(struct vc_pvcons *c, struct xencons_interface *page);
/* Write CONNECTED and notify; from now on input too. VC_EINVAL: not attached. While broken: as soon as it heals. */
int vc_pvcons_connect(struct vc_pvcons *c);
/* Stop input, drain, write DISCONNECTED, notify. Output is still served: the guest may have looked just before. */
enum vc_pvcons_served vc_pvcons_disconnect(struct vc_pvcons *c);
/*
 * Unbind; the caller may unmap. for_good: as vc_pvcons_disconnect first; else the flag stays as it is, for a
 * backend that will be back (new Linux throws output away while DISCONNECTED). What is left in the ring waits
 * for the next attach.
 */
void vc_pvcons_detach(struct vc_pvcons *c, bool for_good);
/*
 * One pass: at most one ring of output to env->out, at most one of input from env->in, one notify if either moved; owed,
 * where env->owe is there, if it tells of room in a ring that was not full. A guest that publishes while this runs
 * notifies again, so one pass for each kick is enough. Detached: DONE.
 */
enum vc_pvcons_served vc_pvcons_serve(struct vc_pvcons *c);
/*
 * The same for a guest that just asked for room by SCHEDOP_yield, as Linux' driver does: it looks by itself. What tells of room
 * alone is owed, whether the ring was full or not.
 */
enum vc_pvcons_served vc_pvcons_serve_yield(struct vc_pvcons *c);
/* Pay what is owed. */
void vc_pvcons_settle(struct vc_pvcons *c);
/*
 * Whether input waits in the ring. It was typed before anything that env->in would give now, so while it does a
 * CONSOLEIO_read of this domain gets nothing: a guest may find its ring empty, then the flag at DISCONNECTED, and ask
 * by hypercall, and between these the backend has connected, put something in the ring, and disconnected.
 */
bool vc_pvcons_unread(const struct vc_pvcons *c);

#endif
