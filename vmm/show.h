/* SPDX-License-Identifier: MIT */
/*
 * show.h: when the terminal is written: at once if it has been quiet, else not before a pace has passed or a part of its buffer has
 * filled. A guest that prints byte by byte then costs a look in SHOW_MS, and not one each; while it goes on the pace doubles,
 * up to SHOW_MAX_MS.
 *
 * Owner: part of struct vmm, from show_init to show_finish.
 * Lock:  none; show_wanted, show_bytes, show_at_once from any thread, under any lock; the rest in the loop.
 */
#ifndef VCONS_VMM_SHOW_H
#define VCONS_VMM_SHOW_H
#include <stdatomic.h>
#include <stdint.h>
#include <uv.h>

#define SHOW_MS     10u
#define SHOW_MAX_MS 40u
#define SHOW_BYTES  (32u << 10) /* of vmm.output */

struct vmm;

struct show {
    struct vmm *vmm;
    atomic_bool wanted; /* there is output */
    atomic_bool paced;  /* the timer runs: it will look */
    atomic_uint bytes;  /* since the terminal was written */
    unsigned pace_ms;
    uv_timer_t timer;
};

void show_init(struct show *s, struct vmm *vmm);
void show_finish(struct show *s);
/* The terminal's buffer is no longer empty; domains have written so many bytes; there is something that shall not wait. */
void show_wanted(struct show *s);
void show_bytes(struct show *s, uint32_t n);
void show_at_once(struct show *s);
/* After vmm_notify. */
void show_look(struct show *s);

#endif
