/* SPDX-License-Identifier: MIT */
/*
 * grant_pages.h: where the frames of a domain's grant table lie in its memory, and the pages that it grants us.
 *
 * Spec:  Xen public/grant_table.h and memory.h (XENMAPSPACE_grant_table). A frame that the guest places in its RAM is that
 *        page of RAM from then on; one that it places outside, as Linux does, is a page of ours that the engine shows there.
 * Owner: part of struct domain. Pages of ours stay until the next reset: others may still write to them.
 * Lock:  its own, taken inside, held while the engine maps a page; a leaf but for what the engine takes there. Any thread.
 * Trust: gfn and idx are the guest's; entries as grants.h.
 */
#ifndef VCONS_VMM_GRANT_PAGES_H
#define VCONS_VMM_GRANT_PAGES_H
#include "engine.h"
#include "grants.h"
#include <pthread.h>
#include <vcons/save.h>

struct grant_pages { /* for the caller to place, not to read */
    pthread_mutex_t lock;
    const struct guest_memory *memory;
    const struct engine_ops *ops;
    void *engine;
    struct grants table;
    uint32_t n; /* frames that the table has: at least 1 */
    struct {
        uint8_t *own;  /* 4096 bytes of ours, once there had to be some */
        uint8_t *page; /* where its entries are */
        uint64_t gpa;  /* where the guest has it; ENGINE_NOWHERE: not yet */
        bool outside;  /* of RAM: the engine shows `own` there */
    } frames[GRANTS_FRAMES_MAX];
};

void grant_pages_init(struct grant_pages *g);
void grant_pages_finish(struct grant_pages *g);
/* For a run that starts: an empty table, but for the two entries of the builder; gfn 0: there is no such page. -1: no
 * memory. */
int grant_pages_reset(struct grant_pages *g, const struct guest_memory *memory, const struct engine_ops *ops,
                      void *engine, uint64_t console_gfn, uint64_t store_gfn);
/* XENMEM_add_to_physmap: frame idx is at gfn from now on, with its content. 0, or -XEN_E. A vCPU's thread. */
int64_t grant_pages_place(struct grant_pages *g, uint64_t idx, uint64_t gfn);
/* The table has n frames at least, if it may. */
bool grant_pages_grow(struct grant_pages *g, uint32_t n);
/* Where the guest has frame i; UINT64_MAX: nowhere. */
uint64_t grant_pages_gfn(struct grant_pages *g, uint32_t i);
/* How many frames the table has. */
uint32_t grant_pages_frames(struct grant_pages *g);
/* The page that the guest has at gfn, outside of its RAM; NULL: none of ours. */
uint8_t *grant_pages_at(struct grant_pages *g, uint64_t gfn);

/* The page that the guest lets domain 0 write, until as many unmaps; it changes at any moment. NULL: no such grant. */
void *grant_pages_map(struct grant_pages *g, uint32_t ref);
void grant_pages_unmap(struct grant_pages *g, uint32_t ref);

/*
 * Version 1: u32 frames, u32 0; of each u64 where it is, all ones: nowhere, u32 1 if that is outside of RAM, u32 0, and 4096 bytes
 * unless it is in RAM. What is in use is not saved: whoever uses it maps it again. restore: after a reset, with RAM as it was;
 * body may be anything. False: it is no table of this memory.
 */
#define GRANT_PAGES_SAVE_BYTES (VC_SAVE_HEAD_BYTES + 8u + GRANTS_FRAMES_MAX * (16u + GRANTS_FRAME_BYTES))
void grant_pages_save(struct grant_pages *g, uint32_t tag, struct vc_writer *w);
bool grant_pages_restore(struct grant_pages *g, struct vc_section *s);

#endif
