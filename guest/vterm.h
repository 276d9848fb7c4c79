/* SPDX-License-Identifier: MIT */
/*
 * vterm.h: numbers of console ports, by which the layer above finds them: one list and one allocator for all devices of a kernel.
 *
 * Spec:  ours, in the shape of hvc's vtermno (device ABI 3.3, 4). A number is the lowest free one from 1, never 0, and no two
 *        ports ever share one: it is taken and published under one lock. It is published before its terminal begins, so that
 *        what begin already writes finds its port; and it is free again once the terminal's last user let go of it, or if the
 *        terminal did not begin.
 *        The counter is how Linux did it before 6.2: read, without a lock until it is incremented once the terminal has begun,
 *        and never given back. Two devices whose work overlaps get one number, and one terminal (device ABI 3.5).
 * Owner: the caller gives vterms_bytes() of memory aligned to 8; hvcs stay from vterm_add to vterm_release.
 * Lock:  env's, inside; none is held in begin, end and yield. One port is added, removed and released by one thread at a time.
 * Trust: whom is told nothing here: numbers never leave the guest.
 */
#ifndef GUEST_VTERM_H
#define GUEST_VTERM_H
#include "hvc.h"
#include <vcons/ids.h>

struct vterm_env {
    void (*lock)(void *ctx); /* NULL, both: one thread has it all */
    void (*unlock)(void *ctx);
    /* A terminal for the port that vterm_find gives for this number. False: there cannot be one. */
    bool (*begin)(void *ctx, uint32_t number);
    /* The port of that number has gone: it takes nothing more and gives nothing. Its user lets go of it, soon or now. */
    void (*end)(void *ctx, uint32_t number);
    void (*yield)(void *ctx); /* with the counter: others run, between read and increment. NULL: nobody does */
};

struct vterm {       /* private */
    struct hvc *hvc; /* NULL: free */
    uint32_t number, index;
    bool shared; /* it came second to this number: the terminal is another's */
};
struct vterms { /* for the caller to place, not to write */
    const struct vterm_env *env;
    void *ctx;
    bool counter;
    uint32_t next; /* of the counter */
    uint32_t max;
    struct vterm *list;
    struct vc_ids ids;
};

/* For so many ports with a number at once, 1..VC_IDS_MAX. */
size_t vterms_bytes(uint32_t max);
int vterms_init(struct vterms *t, const struct vterm_env *env, void *ctx, uint32_t max, void *memory, bool counter);
/* A number for the port, and its terminal. VC_ENOSPC: no number, or no terminal is left; *number is 0 then. */
int vterm_add(struct vterms *t, struct hvc *hvc, uint32_t *number);
/* The port has gone: env->end; true: until vterm_release it keeps its number. False: nobody uses it, it is released. */
bool vterm_remove(struct vterms *t, struct hvc *hvc);
void vterm_release(struct vterms *t, struct hvc *hvc);
/* The port of that number; NULL: there is none. Of two the first. */
struct hvc *vterm_find(struct vterms *t, uint32_t number);
/* N of the terminal hvcN that has this number: the lowest one free when it was added. UINT32_MAX: there is none. */
uint32_t vterm_index(struct vterms *t, uint32_t number);

#endif
